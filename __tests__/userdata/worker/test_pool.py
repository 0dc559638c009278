"""Which container a run gets, and what becomes of it."""

import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import docker
import pytest
from docker.models.containers import Container
from support.processes import wait_until
from support.sandboxes import STEADY, Sandboxes, sandboxes_of
from support.servers import recording

from nanogrid_worker.ai import AiGateway
from nanogrid_worker.errors import Aborted, InfrastructureError
from nanogrid_worker.sandbox.engine import WORKER_LABEL
from nanogrid_worker.sandbox.pool import Lease, Pool, Version
from nanogrid_worker.sandbox.sandbox import unheard

WHO = """
import socket
def handler(event):
    return socket.gethostname()
"""

JOB: dict[str, Any] = {"job_id": "job_x", "handler": "main.handler", "input": None, "environment": {}}


@pytest.fixture(scope="module")
def sandboxes(runtime_image: str) -> Iterator[Sandboxes]:
    """A pool that neither prewarms nor forgets."""
    with sandboxes_of(runtime_image) as made:
        yield made


@pytest.fixture
def prewarming(runtime_image: str) -> Iterator[Sandboxes]:
    """A pool with a prewarmed container."""
    with sandboxes_of(runtime_image, replace(STEADY, prewarmed=1)) as made:
        wait_until(lambda: made.pool.prewarmed() == 1, 30, "a container is prewarmed")
        yield made


def containers(sandboxes: Sandboxes) -> list[Container]:
    """The containers of a pool, dead ones too."""
    client = docker.from_env(timeout=30)
    label = f"{WORKER_LABEL}={sandboxes.engine.life}"
    found = client.containers.list(all=True, filters={"label": label}, ignore_removed=True)
    folder = str(sandboxes.folder)
    return [one for one in found if any(folder in mount["Source"] for mount in one.attrs["Mounts"])]


def test_runs_of_a_version_share_a_container(sandboxes: Sandboxes) -> None:
    """pool: the second run of a version finds the container of the first, and says so."""
    version = sandboxes.version(WHO)
    first, second = sandboxes.run(version), sandboxes.run(replace(version))
    assert (first.start, second.start) == ("cold", "warm")
    assert first.output == second.output


@pytest.mark.parametrize(
    "difference",
    [{"tenant": "other"}, {"function_id": "fn_other"}, {"function_version": 2}, {"memory_mb": 192}],
    ids=lambda difference: next(iter(difference)),
)
def test_two_versions_never_share_a_container(sandboxes: Sandboxes, difference: dict[str, Any]) -> None:
    """pool: whatever two versions differ in, tenant included, each has a container of its own."""
    version = sandboxes.version(WHO)
    other = replace(version, **difference)
    hosts = [sandboxes.run(one).output for one in (version, other, version, other)]
    assert hosts[:2] == hosts[2:]
    assert hosts[0] != hosts[1]


def test_versions_with_other_files_never_share_a_container(sandboxes: Sandboxes) -> None:
    """pool: neither other code nor other dependencies get into a container that is there."""
    version = sandboxes.version(WHO)
    others = sandboxes.version(WHO, dependencies={"left_pad.py": ""})
    hosts = {
        sandboxes.run(one).output
        for one in (version, replace(version, code=others.code), replace(version, dependencies=others.dependencies))
    }
    assert len(hosts) == 3


def test_runs_at_once_have_containers_of_their_own(sandboxes: Sandboxes) -> None:
    """pool: a container takes one run at a time; both wait for the next ones afterwards."""
    version = sandboxes.version(WHO)
    with sandboxes.pool.lease(version, "one") as one, sandboxes.pool.lease(version, "two") as two:
        assert (one.start, two.start) == ("cold", "cold")
        hosts = {run_in(lease) for lease in (one, two)}
    assert len(hosts) == 2
    with sandboxes.pool.lease(version, "one") as one, sandboxes.pool.lease(version, "two") as two:
        assert (one.start, two.start) == ("warm", "warm")
        assert {run_in(lease) for lease in (one, two)} == hosts


def run_in(lease: Lease) -> Any:
    """Runs the lease's version; what it returned."""
    return lease.run(JOB, 20, unheard)[0].output


def test_a_prewarmed_container_serves_the_version_that_comes_first(prewarming: Sandboxes) -> None:
    """pool: a prewarmed container gets the version's code, dependencies and memory, and is its own from then on."""
    code = """
import socket, left_pad
def handler(event):
    for path in ('/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes'):
        try:
            return [socket.gethostname(), left_pad.WIDTH, int(open(path).read()) >> 20]
        except OSError:
            pass
"""
    version = prewarming.version(code, memory_mb=192, dependencies={"left_pad.py": "WIDTH = 7"})
    (waiting,) = containers(prewarming)
    first = prewarming.run(version)
    assert first.start == "prewarmed"
    assert first.output == [waiting.short_id, 7, 192]
    second = prewarming.run(version)
    assert (second.start, second.output) == ("warm", first.output)
    stranger = prewarming.run(replace(prewarming.version(WHO), tenant="other"))
    assert stranger.output != waiting.short_id


def test_prewarmed_containers_are_replaced_in_the_background(prewarming: Sandboxes) -> None:
    """pool: when a prewarmed container is taken, another one comes."""
    first = prewarming.run(WHO)
    wait_until(lambda: prewarming.pool.prewarmed() == 1, 30, "another container is prewarmed")
    second = prewarming.run(WHO)
    assert (first.start, second.start) == ("prewarmed", "prewarmed")
    assert first.output != second.output


@pytest.mark.parametrize(
    ("code", "reason", "next_start"),
    [
        ("def handler(event): raise ValueError('no')", "exception", "warm"),
        ("import os\ndef handler(event): os._exit(3)", "exception", "warm"),
        ("def handler(event): return 'x' * 200_000", "output_too_large", "warm"),
        ("def handler(event):\n  while True: pass", "timeout", "cold"),
        ("def handler(event): return len(bytearray(1 << 30))", "out_of_memory", "cold"),
        ("def handler(event):\n  for i in range(101): open(f'/output/{i}', 'w')", "output_too_large", "cold"),
    ],
    ids=["exception", "exit", "large output", "timeout", "memory", "too many files"],
)
def test_only_a_run_that_ended_well_leaves_its_container(
    sandboxes: Sandboxes, code: str, reason: str, next_start: str
) -> None:
    """pool: a container is used again after the function's own errors, and not after it was stopped by force."""
    version = sandboxes.version(code)
    limit_s = 1 if reason == "timeout" else 20
    first, second = (sandboxes.run(version, timeout_s=limit_s), sandboxes.run(version, timeout_s=limit_s))
    assert (first.outcome.code, second.outcome.code) == (reason, reason)
    assert second.start == next_start


def test_an_abort_ends_the_run_and_its_container(sandboxes: Sandboxes) -> None:
    """pool: a run that is aborted from another thread ends at once, and its container is removed."""
    version = sandboxes.version("import time\ndef handler(event):\n  print('up', flush=True)\n  time.sleep(600)")
    before = len(containers(sandboxes))
    with pytest.raises(Aborted), sandboxes.pool.lease(version, "job_x") as lease:
        lease.run(JOB, None, lambda _: threading.Thread(target=lease.abort).start())
    wait_until(lambda: len(containers(sandboxes)) == before, 20, "the container is removed")


def test_a_container_that_died_while_it_waited_is_replaced(sandboxes: Sandboxes) -> None:
    """pool: a run never meets a container that has died, and does not fail for it."""
    version = sandboxes.version(WHO)
    host = sandboxes.run(version).output
    docker.from_env(timeout=30).containers.get(host).kill()
    again = sandboxes.run(version)
    assert (again.start, again.output != host) == ("cold", True)


def test_a_container_that_was_not_seen_clean_is_not_used_again(sandboxes: Sandboxes) -> None:
    """pool: a container that dies after its result, before it has cleaned up, is replaced; the result stays."""
    version = sandboxes.version(WHO)
    with sandboxes.pool.lease(version, "job_x") as lease:
        host = run_in(lease)
        docker.from_env(timeout=30).containers.get(host).kill()
    again = sandboxes.run(version)
    assert (again.start, again.output != host) == ("cold", True)


def test_a_stop_after_the_end_stops_nobody(sandboxes: Sandboxes) -> None:
    """pool: who stops a run that has ended leaves the container alone, in which another run may be by then."""
    version = sandboxes.version(WHO)
    with sandboxes.pool.lease(version, "job_x") as lease:
        host = run_in(lease)
    lease.abort()
    again = sandboxes.run(version)
    assert (again.start, again.output) == ("warm", host)


def test_a_result_does_not_wait_for_the_clean_up(sandboxes: Sandboxes) -> None:
    """pool: the result is there before thousands of files are gone, and the next run finds none of them."""
    code = """
import os, socket
def handler(event):
    for n in range(event):
        open(f'/tmp/{n}', 'w').close()
    return [socket.gethostname(), len(os.listdir('/tmp'))]
"""
    version = sandboxes.version(code)
    with sandboxes.pool.lease(version, "job_x") as lease:
        outcome, _ = lease.run({**JOB, "input": 20_000}, 20, unheard)
        result_at = time.perf_counter()
    cleaned_s = time.perf_counter() - result_at
    assert outcome.output[1] == 20_000
    # Removing so many takes tens of milliseconds; where it came before the result, the end of the lease takes none.
    assert cleaned_s > 0.005
    again = sandboxes.run(version, 0)
    assert (again.start, again.output) == ("warm", [outcome.output[0], 0])


def test_a_warm_container_keeps_its_code_when_the_cache_does_not(sandboxes: Sandboxes) -> None:
    """pool: code that is evicted from the cache is still there for the container that runs it."""
    version = sandboxes.version({"main.py": WHO, "part/of/it.py": ""})
    host = sandboxes.run(version).output
    shutil.rmtree(version.code)
    again = sandboxes.run(version)
    assert (again.start, again.output) == ("warm", host)


def test_files_of_a_run_go_with_its_lease(sandboxes: Sandboxes) -> None:
    """pool: output files are there for the run that left them, and not for the next."""
    version = sandboxes.version(
        "def handler(event):\n  if event: open(f'/output/{event}', 'w').write(event)", tenant="files"
    )
    assert sandboxes.run(version, "one").files == {"one": b"one"}
    assert not [path for path in sandboxes.work_dir.glob("files-*/*") if path.read_bytes() == b"one"]
    assert sandboxes.run(version).files == {}
    assert sandboxes.run(version, "two").files == {"two": b"two"}


def test_idle_containers_are_paused_then_removed(runtime_image: str) -> None:
    """pool: a container that waits is frozen after a while, serves a run all the same, and is removed in the end."""
    with sandboxes_of(runtime_image, replace(STEADY, pause_after_s=0.3, keep_s=3)) as sandboxes:
        version = sandboxes.version(WHO)
        host = sandboxes.run(version).output
        container = docker.from_env(timeout=30).containers.get(host)
        wait_until(lambda: status_of(container) == "paused", 20, "the container is paused")
        again = sandboxes.run(version)
        assert (again.start, again.output) == ("warm", host)
        wait_until(lambda: not containers(sandboxes), 20, "the container is removed")
        assert sandboxes.pool.warm() == 0


def status_of(container: Container) -> str:
    """A container's status, as the engine sees it."""
    container.reload()
    return str(container.status)


def test_the_least_recently_used_container_makes_room(runtime_image: str) -> None:
    """pool: over max_warm, the container that was used longest ago is removed."""
    with sandboxes_of(runtime_image, replace(STEADY, max_warm=2)) as sandboxes:
        oldest, used, newest = (sandboxes.version(WHO) for _ in range(3))
        starts = [sandboxes.run(version).start for version in (oldest, used, oldest, newest)]
        assert starts == ["cold", "cold", "warm", "cold"]
        assert sandboxes.pool.warm() == 2
        assert [sandboxes.run(version).start for version in (oldest, newest, used)] == ["warm", "warm", "cold"]


def test_a_closed_pool_leaves_nothing(runtime_image: str) -> None:
    """pool: closing removes containers, paused ones too, and their folders."""
    with sandboxes_of(runtime_image, replace(STEADY, prewarmed=1, pause_after_s=0.2)) as sandboxes:
        host = sandboxes.run(WHO).output
        container = docker.from_env(timeout=30).containers.get(host)
        wait_until(lambda: status_of(container) == "paused", 20, "the container is paused")
        sandboxes.pool.close()
        wait_until(lambda: not containers(sandboxes), 20, "the containers are removed")
        assert not list(sandboxes.run_dir.iterdir())
        assert not list(sandboxes.work_dir.iterdir())


def test_what_a_killed_worker_left_on_disk_is_removed(runtime_image: str) -> None:
    """pool: folders of a process that is gone are removed at the start, those of a living one are not."""
    with sandboxes_of(runtime_image) as sandboxes:
        gone, living = (sandboxes.work_dir / "box-1-1.x", sandboxes.work_dir / f"box-{sandboxes.engine.life}.x")
        for folder in (gone, living):
            (folder / "function").mkdir(parents=True)
        images = {"python": runtime_image}
        Pool(sandboxes.engine, sandboxes.run_dir, sandboxes.work_dir, images, STEADY, None).close()
        assert (gone.exists(), living.exists()) == (False, True)


def test_what_the_engine_cannot_do_is_an_error_of_ours(sandboxes: Sandboxes) -> None:
    """pool: a missing image, runtime or network is an infrastructure error that says what to do."""
    version = sandboxes.version(WHO)
    for impossible, remedy in (
        (replace(version, runtime="cobol"), "cobol"),
        (replace(version, egress=True), "EGRESS_NETWORK"),
    ):
        with pytest.raises(InfrastructureError, match=remedy), sandboxes.pool.lease(impossible, "job_x"):
            pass
    with sandboxes_of("nanogrid/missing:tests") as without_image:
        with pytest.raises(InfrastructureError, match="runtimes/build"):
            without_image.run(WHO)
        assert not list(without_image.work_dir.iterdir())


def test_a_warm_run_is_quick(sandboxes: Sandboxes) -> None:
    """pool: a run in a warm container takes a small part of what one in a new container takes."""
    version = sandboxes.version("def handler(event): return event")
    cold_s = timed(sandboxes, version)
    warm_s = sorted(timed(sandboxes, version) for _ in range(40))
    # Usually a hundredth; a machine with much else to do is slower in both.
    assert warm_s[20] * 5 < cold_s


def timed(sandboxes: Sandboxes, version: Version) -> float:
    """Seconds that a run takes in all."""
    started = time.perf_counter()
    assert sandboxes.run(version, 1).output == 1
    return time.perf_counter() - started


def test_calls_of_the_ai_node_are_counted_for_each_run(runtime_image: str) -> None:
    """pool: a function finds the AI node's socket, and its result has its own calls and not those before."""
    code = """
import http.client, os, socket
class Node(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.environ['NANOGRID_AI_SOCKET'])
def handler(calls):
    for _ in range(calls):
        node = Node('ai')
        node.request('POST', '/api/generate', '{"model": "m", "prompt": "p", "stream": false}')
        node.getresponse().read()
"""
    with recording() as node:
        node.body = b'{"done": true, "prompt_eval_count": 3, "eval_count": 5}'
        with sandboxes_of(runtime_image, ai=AiGateway(node.url)) as sandboxes:
            version = sandboxes.version(code)
            used = [sandboxes.run(version, calls).outcome.ai for calls in (2, 0, 1)]
    assert [ai and (ai["requests"], ai["prompt_tokens"], ai["completion_tokens"]) for ai in used] == [
        (2, 6, 10),
        None,
        (1, 3, 5),
    ]
