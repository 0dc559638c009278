"""This machine's place in its auto-scaling group: protected while it works, waited for while it leaves."""

import threading
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from nanogrid_worker.aws import Aws
from nanogrid_worker.log import logger

IDLE_S = 30.0
HEARTBEAT_S = 60.0
_RETRY_S = 15.0

log = logger(__name__)


class Group:
    """The auto-scaling group.

    Protection from scale-in follows the work: it is asked for with the first job, and given up after IDLE_S without
    any, from a thread of its own. No job waits for it.

    Args:
        aws: where Auto Scaling is.
        name: the group's name.
        instance_id: this machine.
        hook: name of the termination hook.
        idle_s: seconds without a job after which the machine may go.
    """

    def __init__(self, aws: Aws, name: str, instance_id: str, hook: str, idle_s: float = IDLE_S) -> None:
        self._client = aws.autoscaling
        self._name = name
        self._instance_id = instance_id
        self._hook = hook
        self._idle_s = idle_s
        self._changed = threading.Condition()
        self._busy = 0
        self._is_closed = False
        self._is_drained = threading.Event()
        self._hook_thread = threading.Thread(target=self._hold, name="lifecycle-hook", daemon=True)
        self._thread = threading.Thread(target=self._keep, name="scale-in", daemon=True)
        self._thread.start()

    def job_started(self) -> None:
        """Notes that a job runs."""
        with self._changed:
            self._busy += 1
            self._changed.notify()

    def job_ended(self) -> None:
        """Notes that a job runs no more."""
        with self._changed:
            self._busy -= 1
            self._changed.notify()

    def at_hook(self) -> None:
        """Notes that the group waits for this machine: it is kept waiting until drained()."""
        self._hook_thread.start()

    def drained(self) -> None:
        """Notes that the machine may end, as far as this worker is concerned."""
        self._is_drained.set()

    def close(self) -> None:
        """Ends the threads. What is protected stays so: the machine is about to go, or starts its worker anew."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._is_drained.set()
        self._thread.join()
        if self._hook_thread.ident is not None:
            self._hook_thread.join()

    def _keep(self) -> None:
        # A worker that was killed may have left the machine protected.
        is_protected: bool | None = None
        while self._wait_for_change(is_protected):
            wanted = self._busy > 0
            if self._protect(wanted):
                is_protected = wanted
            elif self._closed_within(_RETRY_S):
                return

    def _wait_for_change(self, is_protected: bool | None) -> bool:
        """Waits until the protection has to change; False at the end."""
        with self._changed:
            while not self._is_closed:
                if self._busy > 0 and not is_protected:
                    return True
                if self._busy == 0 and is_protected is not False:
                    # Only a pause that lasts is one: no call for each of many short jobs.
                    if not self._changed.wait_for(lambda: self._busy > 0 or self._is_closed, self._idle_s):
                        return True
                    continue
                self._changed.wait()
            return False

    def _closed_within(self, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._is_closed, seconds)

    def _protect(self, is_protected: bool) -> bool:
        return self._call(
            "set_instance_protection",
            InstanceIds=[self._instance_id],
            AutoScalingGroupName=self._name,
            ProtectedFromScaleIn=is_protected,
        )

    def _hold(self) -> None:
        here = {
            "LifecycleHookName": self._hook,
            "AutoScalingGroupName": self._name,
            "InstanceId": self._instance_id,
        }
        while not self._is_drained.wait(HEARTBEAT_S):
            self._call("record_lifecycle_action_heartbeat", **here)
        self._call("complete_lifecycle_action", **here, LifecycleActionResult="CONTINUE")

    def _call(self, action: str, **arguments: Any) -> bool:
        """Makes a call, whose retries are the client's; what fails is logged, and the group's own timeouts stand in."""
        try:
            getattr(self._client, action)(**arguments)
        except (BotoCoreError, ClientError) as error:
            log.warning("the group was not told", call=action, error=repr(error))
            return False
        log.info("the group was told", call=action, protected=arguments.get("ProtectedFromScaleIn"))
        return True
