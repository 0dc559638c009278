"""Secrets of functions reach the function that names them, and nothing else."""

import json
from collections.abc import Callable, Iterator

import boto3
import pytest
from support.clouds import REGION, Grid
from support.worker import Worker

from nanogrid_worker.errors import MalformedMessage
from nanogrid_worker.messages import parse_job

CODE = "import os\ndef handler(event): return os.environ['TOKEN'][::-1]\n"
VALUE = "correct horse battery staple"


@pytest.fixture
def grid(shared_grid: Grid) -> Grid:
    """The shared worker's grid."""
    return shared_grid


@pytest.fixture
def store(grid: Grid) -> Iterator[Callable[[str], None]]:
    """Makes secrets, and removes them."""
    session = boto3.Session("test", "test", region_name=REGION)
    client = session.client("secretsmanager", endpoint_url=grid.clouds.environment["AWS_ENDPOINT_URL"])
    made: list[str] = []

    def make(name: str) -> None:
        client.create_secret(Name=name, SecretString=VALUE)
        made.append(name)

    yield make
    for name in made:
        client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


def test_a_secret_is_in_the_environment_and_nowhere_else(
    grid: Grid, shared_worker: Worker, store: Callable[[str], None]
) -> None:
    """worker: a secret is in its function's environment, and neither in the table nor in Redis nor in the log."""
    store("nanogrid/functions/default/api.token")
    job_id = grid.submit(CODE, secrets={"TOKEN": "api.token"})
    assert grid.result(job_id)["output"] == VALUE[::-1]
    assert VALUE not in str(grid.item(job_id))
    assert VALUE not in grid.told(f"nanogrid:job:{job_id}")
    assert VALUE not in shared_worker.log()


def test_a_secret_of_another_tenant_is_missing(grid: Grid, store: Callable[[str], None], shared_worker: Worker) -> None:
    """worker: a secret of another tenant does not exist for a function."""
    assert shared_worker.process.poll() is None
    store("nanogrid/functions/other/of.other")
    result = grid.run(CODE, secrets={"TOKEN": "of.other"}, tenant="default")
    assert (result["exit_reason"]["code"], result["error"]["type"]) == ("exception", "SecretMissing")
    assert "of.other" in result["exit_reason"]["message"]


@pytest.mark.parametrize("name", ["../other/api.token", "a/b", ""])
def test_a_name_that_leaves_its_tenant_is_no_message(name: str) -> None:
    """messages: a secret's name that would leave its tenant makes the message malformed."""
    with pytest.raises(MalformedMessage, match=r"secrets\.TOKEN"):
        parse_job(json.dumps({"secrets": {"TOKEN": name}}))
