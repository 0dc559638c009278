"""Auto Scaling: attributes of groups, hooks and policies, instance refreshes, an instance's answer to a hook."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar

import moto.autoscaling.urls
from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import FakeAutoScalingGroup, FakeScalingPolicy, LifecycleHook
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

from standins.aws.gaps import lifecycle
from standins.aws.gaps.extend import serve, wrap

#: Attributes of a group that moto takes from no request, by the name under which moto would return them.
_DROPPED = {
    "DefaultInstanceWarmup": "default_instance_warmup",
    "DesiredCapacityType": "desired_capacity_type",
    "InstanceMaintenancePolicy": "instance_maintenance_policy",
    "MaxInstanceLifetime": "max_instance_lifetime",
    "AvailabilityZoneDistribution": "availability_zone_distribution",
    "Context": "context",
}
#: Attributes of a group that moto takes when it is made and not when it changes.
_UNCHANGEABLE = {
    "CapacityRebalance": "capacity_rebalance",
    "DefaultCooldown": "default_cooldown",
    "PlacementGroup": "placement_group",
    "TerminationPolicies": "termination_policies",
}


class AutoScaling(AutoScalingResponse):
    """moto's Auto Scaling drops attributes of groups, invents some of hooks and policies, and has no instance refresh.

    It also lacks the two calls by which an instance answers a lifecycle hook, at which `lifecycle` lets it wait.
    """

    _refreshes: ClassVar[dict[tuple[str, str, str], list[dict[str, Any]]]] = {}

    @classmethod
    def install(cls) -> None:
        """Extends moto."""
        serve(moto.autoscaling.urls, AutoScalingResponse, cls)

        @wrap(FakeAutoScalingGroup, "update")
        def update(original: Callable[..., None], group: FakeAutoScalingGroup, *arguments: Any, **named: Any) -> None:
            launches = ("mixed_instances_policy", "launch_template", "launch_config_name")
            replaced = any(named.get(key) for key in launches)
            policy = group.mixed_instances_policy
            original(group, *arguments, **named)
            if not replaced:
                group.mixed_instances_policy = policy

        @wrap(LifecycleHook, "__init__")
        def hook(original: Callable[..., None], hook: LifecycleHook, *arguments: Any, **named: Any) -> None:
            original(hook, *arguments, **named)
            vars(hook).update(role_arn=None)
            vars(hook).update(notification_target_arn=None)
            hook.global_timeout = min(hook.heartbeat_timeout * 100, 172800)

        @wrap(FakeScalingPolicy, "__init__")
        def policy(original: Callable[..., None], policy: FakeScalingPolicy, *arguments: Any, **named: Any) -> None:
            original(policy, *arguments, **named)
            vars(policy).update(enabled=True)
            vars(policy).update(predictive_scaling_configuration=policy.predictive_scaling_configuration or None)

    # Groups

    def create_auto_scaling_group(self) -> ActionResult:
        """Makes a group with all attributes that were asked for, and its initial lifecycle hooks."""
        result = super().create_auto_scaling_group()
        self._keep(_DROPPED)
        for hook in self._get_param("LifecycleHookSpecificationList", []):
            self._put_hook({**hook, "AutoScalingGroupName": self._get_param("AutoScalingGroupName")})
        return result

    def update_auto_scaling_group(self) -> ActionResult:
        """Changes a group, with all attributes that were asked for."""
        result = super().update_auto_scaling_group()
        self._keep({**_DROPPED, **_UNCHANGEABLE})
        return result

    def _keep(self, attributes: dict[str, str]) -> None:
        group = self._group()
        for parameter, attribute in attributes.items():
            value = self._get_param(parameter)
            if value is not None:
                setattr(group, attribute, value)

    def _group(self) -> FakeAutoScalingGroup:
        name = self._get_param("AutoScalingGroupName")
        group = self.autoscaling_backend.autoscaling_groups.get(name)
        if group is None:
            raise ValidationError(f"AutoScalingGroup name not found - AutoScalingGroup {name} not found")
        return group

    def disable_metrics_collection(self) -> ActionResult:
        """Stops publishing some of a group's metrics, or all."""
        group, unwanted = self._group(), self._get_param("Metrics", [])
        group.metrics = [metric for metric in group.metrics if unwanted and metric not in unwanted]
        return EmptyResult()

    # Lifecycle hooks

    def put_lifecycle_hook(self) -> ActionResult:
        """Makes or changes a hook."""
        self._put_hook(self._get_params())
        return EmptyResult()

    def _put_hook(self, wanted: dict[str, Any]) -> None:
        group = wanted["AutoScalingGroupName"]
        hooks = {hook.name: hook for hook in self.autoscaling_backend.describe_lifecycle_hooks(group)}
        old = hooks.get(wanted["LifecycleHookName"])
        kept = vars(old) if old else {}
        hook = self.autoscaling_backend.create_lifecycle_hook(
            wanted["LifecycleHookName"],
            group,
            wanted.get("LifecycleTransition") or kept.get("lifecycle_transition", ""),
            wanted.get("HeartbeatTimeout") or kept.get("heartbeat_timeout"),
            wanted.get("DefaultResult") or kept.get("default_result", ""),
        )
        for key, attribute in (
            ("RoleARN", "role_arn"),
            ("NotificationTargetARN", "notification_target_arn"),
            ("NotificationMetadata", "notification_metadata"),
        ):
            setattr(hook, attribute, wanted.get(key))

    def complete_lifecycle_action(self) -> ActionResult:
        """Takes an instance's answer to a hook that it waits at."""
        lifecycle.complete(self.autoscaling_backend, *self._action())
        return EmptyResult()

    def record_lifecycle_action_heartbeat(self) -> ActionResult:
        """Takes an instance's sign of life at a hook that it waits at."""
        lifecycle.heartbeat(self.autoscaling_backend, *self._action())
        return EmptyResult()

    def _action(self) -> tuple[str, str, str]:
        lifecycle.end_overdue_waits(self.autoscaling_backend)
        names = ("AutoScalingGroupName", "LifecycleHookName", "InstanceId")
        group, hook, instance = (str(self._get_param(name)) for name in names)
        return group, hook, instance

    def describe_auto_scaling_groups(self) -> ActionResult:
        """Lists groups with the instances that are still there."""
        lifecycle.end_overdue_waits(self.autoscaling_backend)
        return super().describe_auto_scaling_groups()

    def describe_auto_scaling_instances(self) -> ActionResult:
        """Lists instances of groups that are still there, each with its state."""
        lifecycle.end_overdue_waits(self.autoscaling_backend)
        return super().describe_auto_scaling_instances()

    # Instance refreshes

    def start_instance_refresh(self) -> ActionResult:
        """Replaces a group's instances, all at once, and says that it was successful."""
        group = self._group()
        old = [state.instance.id for state in group.instance_states]
        if old:
            self.autoscaling_backend.ec2_backend.terminate_instances(old)
            self.autoscaling_backend.notify_terminate_instances(old)
        now = datetime.now(UTC)
        refresh = {
            "InstanceRefreshId": str(uuid.uuid4()),
            "AutoScalingGroupName": group.name,
            "Status": "Successful",
            "StartTime": now,
            "EndTime": now,
            "PercentageComplete": 100,
            "InstancesToUpdate": 0,
            "Preferences": self._get_param("Preferences"),
            "DesiredConfiguration": self._get_param("DesiredConfiguration"),
        }
        self._refreshes_of(group.name).insert(0, refresh)
        return ActionResult({"InstanceRefreshId": refresh["InstanceRefreshId"]})

    def describe_instance_refreshes(self) -> ActionResult:
        """Lists a group's refreshes, the latest first."""
        wanted = self._get_param("InstanceRefreshIds", [])
        refreshes = self._refreshes_of(self._group().name)
        chosen = [refresh for refresh in refreshes if not wanted or refresh["InstanceRefreshId"] in wanted]
        return ActionResult({"InstanceRefreshes": chosen})

    def cancel_instance_refresh(self) -> ActionResult:
        """There is never a refresh in work to cancel."""
        message = f"No in progress or pending Instance Refresh found for {self._group().name}"
        raise AutoscalingClientError("ActiveInstanceRefreshNotFound", message)

    def _refreshes_of(self, group: str) -> list[dict[str, Any]]:
        return self._refreshes.setdefault((self.current_account, self.region, group), [])
