"""Leaving the auto-scaling group: notices of the machine's end, and what the group is told."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from support.clouds import REGION, Clouds, Grid
from support.machine import Metadata, metadata_service
from support.processes import Server, free_port, wait_until
from support.worker import Worker

from nanogrid_worker import group as group_module
from nanogrid_worker.aws import Aws

StartWorker = Callable[..., Worker]

REPOSITORY = Path(__file__).parents[3]
GROUP = "nanogrid-worker-asg"
HOOK = "drain"
SLOW = "import time\ndef handler(event):\n    time.sleep(event)\n    return 'slept'\n"


@pytest.fixture(scope="module")
def clouds(scratch: Path) -> Iterator[Clouds]:
    """The project's stand-ins, in which instances wait at lifecycle hooks."""
    default = REPOSITORY / ".local" / "venv" / "standins" / "bin" / "python"
    python = os.environ.get("NANOGRID_STANDINS_PYTHON", str(default))
    if not Path(python).exists():
        pytest.skip(f"no {python}: make it with npm start, or name an interpreter in NANOGRID_STANDINS_PYTHON")
    aws, gcs = free_port(), free_port()
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY / "local" / "standins")}
    arguments = ["env", *(f"{name}={value}" for name, value in environment.items())]
    command = [*arguments, python, "-B", "-m", "standins", "--aws-port", str(aws), "--gcp-port", str(gcs)]
    with Server(command, scratch / "standins.log", aws):
        yield Clouds(aws_port=aws, gcs_port=gcs)


@dataclass(frozen=True)
class Machine:
    """An instance of the workers' group, on which the test's worker runs."""

    clouds: Clouds
    metadata: Metadata

    def client(self, service: str) -> Any:
        """A client of the stand-ins."""
        session: Any = boto3.Session("test", "test", region_name=REGION)
        return session.client(service, endpoint_url=self.clouds.environment["AWS_ENDPOINT_URL"])

    def state(self) -> dict[str, object] | None:
        """The instance, as its group knows it; None when it has left."""
        reply = self.client("autoscaling").describe_auto_scaling_instances(InstanceIds=[self.metadata.instance_id])
        return next(iter(reply["AutoScalingInstances"]), None)

    def is_protected(self) -> bool:
        """Whether the group spares it when it shrinks."""
        reply = self.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])
        instances = reply["AutoScalingGroups"][0]["Instances"]
        return bool(instances and instances[0]["ProtectedFromScaleIn"])

    def scale_in(self) -> None:
        """Makes the group smaller by this instance, which learns it from its metadata."""
        self.client("autoscaling").terminate_instance_in_auto_scaling_group(
            InstanceId=self.metadata.instance_id, ShouldDecrementDesiredCapacity=True
        )
        self.metadata.lifecycle_state = "Terminated"


@pytest.fixture
def machine(clouds: Clouds) -> Iterator[Machine]:
    """A group of one instance with a termination hook."""
    with metadata_service() as metadata:
        found = Machine(clouds, metadata)
        ec2, group = found.client("ec2"), found.client("autoscaling")
        image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        ec2.create_launch_template(
            LaunchTemplateName=GROUP, LaunchTemplateData={"ImageId": image, "InstanceType": "t3.small"}
        )
        group.create_auto_scaling_group(
            AutoScalingGroupName=GROUP,
            MinSize=0,
            MaxSize=1,
            DesiredCapacity=1,
            LaunchTemplate={"LaunchTemplateName": GROUP},
            AvailabilityZones=[f"{REGION}a"],
        )
        group.put_lifecycle_hook(
            LifecycleHookName=HOOK,
            AutoScalingGroupName=GROUP,
            LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING",
            HeartbeatTimeout=300,
            DefaultResult="CONTINUE",
        )
        instances = group.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"][0]
        metadata.instance_id = instances["Instances"][0]["InstanceId"]
        yield found
        group.delete_auto_scaling_group(AutoScalingGroupName=GROUP, ForceDelete=True)
        ec2.delete_launch_template(LaunchTemplateName=GROUP)


def in_group(machine: Machine) -> dict[str, str]:
    """What a worker on the machine is told."""
    return {
        "ASG_NAME": GROUP,
        "LIFECYCLE_HOOK_NAME": HOOK,
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": machine.metadata.url,
    }


def test_a_lifecycle_hook_is_held_until_the_job_has_ended(
    grid: Grid, start_worker: StartWorker, machine: Machine
) -> None:
    """worker: at a lifecycle hook it takes no further job, finishes its own, lets the machine go, and does not end."""
    worker = start_worker(**in_group(machine))
    running = grid.submit(SLOW, input=10)
    grid.wait_for_status(running, "PROCESSING")
    wait_until(machine.is_protected, 20, "a machine that works is protected")
    machine.scale_in()
    wait_until(lambda: worker.logged("the machine has to go"), 20, "the notice is read")
    waiting = grid.submit("def handler(event): return 1\n")
    state = machine.state()
    assert state is not None
    assert state["LifecycleState"] == "Terminating:Wait"
    assert grid.result(running)["output"] == "slept"
    wait_until(lambda: machine.state() is None, 30, "the machine may go")
    assert grid.item(waiting)["status"] == "PENDING"
    assert worker.process.poll() is None
    assert worker.terminate(timeout_s=30) == 0
    assert grid.messages() == (1, 0)


def test_a_lifecycle_hook_gives_back_what_takes_too_long(
    grid: Grid, start_worker: StartWorker, machine: Machine
) -> None:
    """worker: at a lifecycle hook a job that takes too long is given back, and then the machine may go."""
    worker = start_worker(**in_group(machine), HOOK_DRAIN_TIMEOUT_S="1")
    job_id = grid.submit(SLOW, input=600, timeout_s=None)
    grid.wait_for_status(job_id, "PROCESSING")
    machine.scale_in()
    wait_until(lambda: machine.state() is None, 40, "the machine may go")
    assert grid.item(job_id)["status"] == "PENDING"
    assert grid.messages() == (1, 0)
    assert worker.process.poll() is None


def test_a_spot_notice_gives_jobs_back_in_time(grid: Grid, start_worker: StartWorker, machine: Machine) -> None:
    """worker: at a spot notice jobs that would not end in time are given back before the machine is taken away."""
    worker = start_worker(**in_group(machine))
    job_id = grid.submit(SLOW, input=600, timeout_s=None)
    grid.wait_for_status(job_id, "PROCESSING")
    machine.metadata.take_away_in(24)
    noticed = time.monotonic()
    grid.wait_for_status(job_id, "PENDING", timeout_s=24)
    assert time.monotonic() - noticed < 24
    wait_until(lambda: grid.messages() == (1, 0), 5, "the message is back")
    wait_until(lambda: worker.logged("drained, waiting for the machine to end"), 30, "it is drained")
    assert worker.process.poll() is None


def test_notices_under_load_lose_no_job(grid: Grid, start_worker: StartWorker, machine: Machine) -> None:
    """worker: of many jobs none is lost when one worker gets a hook's notice and another SIGTERM."""
    first = start_worker(**in_group(machine), CONCURRENCY="2", HOOK_DRAIN_TIMEOUT_S="1")
    second = start_worker(DRAIN_TIMEOUT_S="0")
    job_ids = [grid.submit(SLOW, input=0.5) for _ in range(12)]
    grid.wait_for_status(job_ids[0], "SUCCESS")
    machine.scale_in()
    second.process.send_signal(signal.SIGTERM)
    wait_until(lambda: first.logged("drained, waiting for the machine to end"), 40, "it is drained")
    try:
        second.process.wait(40)
    except subprocess.TimeoutExpired:
        pytest.fail(second.log())
    start_worker(CONCURRENCY="2")
    results = [grid.result(job_id, timeout_s=90) for job_id in job_ids]
    assert {result["output"] for result in results} == {"slept"}
    wait_until(lambda: grid.messages() == (0, 0), 10, "no message is left")


def group_of(machine: Machine) -> group_module.Group:
    """The machine's place in its group, with a pause of a second."""
    clients: dict[str, Any] = dict.fromkeys(("sqs", "s3", "dynamodb", "secretsmanager"))
    aws = Aws(**clients, autoscaling=machine.client("autoscaling"))
    return group_module.Group(aws, GROUP, machine.metadata.instance_id, HOOK, idle_s=1)


def test_an_idle_machine_may_be_taken(machine: Machine) -> None:
    """group: protection follows the work: on with the first job, off after a pause, not between two short jobs."""
    group = group_of(machine)
    group.job_started()
    wait_until(machine.is_protected, 10, "it is protected")
    group.job_ended()
    group.job_started()
    time.sleep(1.5)
    assert machine.is_protected()
    group.job_ended()
    wait_until(lambda: not machine.is_protected(), 10, "it is not protected any more")
    group.close()


def test_a_hook_is_held_beyond_its_own_timeout(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """group: a machine that drains keeps its hook waiting beyond the hook's own timeout, and then lets go of it."""
    monkeypatch.setattr(group_module, "HEARTBEAT_S", 0.5)
    machine.client("autoscaling").put_lifecycle_hook(
        LifecycleHookName=HOOK, AutoScalingGroupName=GROUP, HeartbeatTimeout=2
    )
    group = group_of(machine)
    machine.scale_in()
    group.at_hook()
    time.sleep(4)
    assert (machine.state() or {})["LifecycleState"] == "Terminating:Wait"
    group.drained()
    wait_until(lambda: machine.state() is None, 10, "the machine may go")
    group.close()
