"""Auto Scaling: instances that leave a group wait at its termination hooks, as long as AWS would let them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import (
    AutoScalingBackend,
    FakeAutoScalingGroup,
    InstanceState,
    LifecycleHook,
    TerminateInstanceActivity,
)

from standins.aws.gaps.extend import wrap

TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"
#: State of an instance that waits at a hook, as DescribeAutoScalingInstances gives it.
WAITING = "Terminating:Wait"


@dataclass
class _Wait:
    """An instance's wait at one hook, in seconds of the monotonic clock."""

    hook: LifecycleHook
    longest: float
    until: float = field(init=False)

    def __post_init__(self) -> None:
        self.beat()

    def beat(self) -> None:
        """Begins the hook's heartbeat timeout anew; the hook's global timeout stays."""
        self.until = min(time.monotonic() + self.hook.heartbeat_timeout, self.longest)


class TerminationHooks:
    """moto terminates an instance that leaves its group at once, whatever hooks the group has.

    Where it has one for termination, the instance runs on, as `Terminating:Wait`, until it completes the hook,
    or its heartbeats end. Nobody watches the clock: a wait that has run out ends with the next request.
    """

    def install(self) -> None:
        """Extends moto."""

        @wrap(FakeAutoScalingGroup, "set_desired_capacity")
        def set_desired_capacity(
            original: Callable[..., None], group: FakeAutoScalingGroup, capacity: int | None
        ) -> None:
            wanted = (group.min_size if capacity is None else capacity) or 0
            surplus = len(group.active_instances()) - wanted
            if surplus <= 0 or not _hooks_of(group):
                original(group, capacity)
                return
            group.desired_capacity = wanted
            free = [state for state in group.active_instances() if not state.protected_from_scale_in]
            for state in free[:surplus]:
                _begin(group, state)

        @wrap(AutoScalingBackend, "terminate_instance")
        def terminate_instance(
            original: Callable[..., Any], backend: AutoScalingBackend, instance_id: str, should_decrement: bool
        ) -> TerminateInstanceActivity:
            group, state = _find(backend, instance_id)
            if not _hooks_of(group):
                activity: TerminateInstanceActivity = original(backend, instance_id, should_decrement)
                return activity
            size = group.desired_capacity or 0
            _begin(group, state)
            group.set_desired_capacity(size - 1 if should_decrement else size)
            return TerminateInstanceActivity(state.instance, size)

        @wrap(AutoScalingBackend, "delete_lifecycle_hook")
        def delete_hook(original: Callable[..., None], backend: AutoScalingBackend, group_name: str, name: str) -> None:
            original(backend, group_name, name)
            group = backend.autoscaling_groups.get(group_name)
            for state in list(group.instance_states) if group else []:
                _leave_hook(state, name)

        @wrap(AutoScalingBackend, "delete_auto_scaling_group")
        def delete_group(original: Callable[..., None], backend: AutoScalingBackend, name: str) -> None:
            group = backend.autoscaling_groups.get(name)
            for hook in backend.describe_lifecycle_hooks(name) if group else []:
                backend.delete_lifecycle_hook(name, hook.name)
            original(backend, name)


def end_overdue_waits(backend: AutoScalingBackend) -> None:
    """Terminates the instances whose heartbeats have ended."""
    now = time.monotonic()
    for group in backend.autoscaling_groups.values():
        for state in list(group.instance_states):
            for wait in [wait for wait in _waits_of(state) if wait.until <= now]:
                _leave_hook(state, wait.hook.name)


def complete(backend: AutoScalingBackend, group_name: str, hook_name: str, instance_id: str) -> None:
    """Takes the instance's answer to a hook; after the last one it is terminated.

    Raises ValidationError when it does not wait there.
    """
    state, wait = _wait_at(backend, group_name, hook_name, instance_id)
    _leave_hook(state, wait.hook.name)


def heartbeat(backend: AutoScalingBackend, group_name: str, hook_name: str, instance_id: str) -> None:
    """Lets the instance wait for another heartbeat timeout.

    Raises ValidationError when it does not wait there.
    """
    _wait_at(backend, group_name, hook_name, instance_id)[1].beat()


def _hooks_of(group: FakeAutoScalingGroup) -> list[LifecycleHook]:
    hooks = group.autoscaling_backend.describe_lifecycle_hooks(group.name)
    return [hook for hook in hooks if hook.lifecycle_transition == TERMINATING]


def _waits_of(state: InstanceState) -> list[_Wait]:
    waits: list[_Wait] = vars(state).get("waits", [])
    return waits


def _begin(group: FakeAutoScalingGroup, state: InstanceState) -> None:
    if state.lifecycle_state == WAITING:
        return
    state.lifecycle_state = WAITING
    now = time.monotonic()
    vars(state).update(waits=[_Wait(hook, now + hook.global_timeout) for hook in _hooks_of(group)])


def _leave_hook(state: InstanceState, hook_name: str) -> None:
    if state.lifecycle_state != WAITING:
        return
    waits = [wait for wait in _waits_of(state) if wait.hook.name != hook_name]
    vars(state).update(waits=waits)
    if waits:
        return
    group = state.auto_scaling_group
    group.instance_states = [other for other in group.instance_states if other is not state]
    group.autoscaling_backend.ec2_backend.terminate_instances([state.instance.id])


def _find(backend: AutoScalingBackend, instance_id: str) -> tuple[FakeAutoScalingGroup, InstanceState]:
    for group in backend.autoscaling_groups.values():
        for state in group.instance_states:
            if state.instance.id == instance_id:
                return group, state
    raise ValidationError(f"Instance Id not found - No managed instance found for instance ID {instance_id}")


def _wait_at(
    backend: AutoScalingBackend, group_name: str, hook_name: str, instance_id: str
) -> tuple[InstanceState, _Wait]:
    group = backend.autoscaling_groups.get(group_name)
    for state in group.instance_states if group else []:
        for wait in _waits_of(state):
            if state.instance.id == instance_id and wait.hook.name == hook_name:
                return state, wait
    raise ValidationError(f"No active Lifecycle Action found with instance ID {instance_id}")
