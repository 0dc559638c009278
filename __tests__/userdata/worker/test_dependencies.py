"""Dependencies: resolved in a real sandbox with a network, by the real pip and npm, from an index of the tests."""

import dataclasses
import json
import shutil
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker
import pytest
from support.clouds import Grid
from support.packages import PackageServer, build_network, sdist, wheel
from support.processes import wait_until
from support.runtimes import Lab, built, engine

from nanogrid_worker.aws import Aws
from nanogrid_worker.dependencies import KIND, BuildOptions, Dependencies, Stoppable
from nanogrid_worker.errors import Aborted, RunRefused
from nanogrid_worker.messages import Job, parse_job
from nanogrid_worker.sandbox.engine import Engine
from nanogrid_worker.sandbox.sandbox import unheard


@pytest.fixture(scope="module")
def images() -> dict[str, str]:
    """Both runtimes' images."""
    return {"python": built("python"), "node": built("node")}


@pytest.fixture(scope="module")
def network(images: dict[str, str]) -> Iterator[str]:
    """The network of builds."""
    assert images
    with build_network() as name:
        yield name


@pytest.fixture(scope="module")
def index(network: str) -> Iterator[PackageServer]:
    """The index that builds are told of."""
    assert network
    server = PackageServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def machine() -> Iterator[Engine]:
    """The engine of this module's tests."""
    with engine() as made:
        yield made


class Site:
    """One worker's dependencies, in folders of its own, on the grid's bucket."""

    def __init__(self, grid: Grid, made_by: Engine, images: dict[str, str], options: BuildOptions) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ngd-"))
        for name in ("run", "work"):
            (self.folder / name).mkdir()
        aws = Aws(sqs=grid.sqs, s3=grid.s3, dynamodb=grid.dynamodb, **NO_OTHER_CLIENTS)
        self.dependencies = Dependencies(
            aws,
            grid.code_bucket,
            made_by,
            self.folder / "run",
            self.folder / "work",
            self.folder / "cache",
            64,
            images,
            options,
        )

    def close(self) -> None:
        """Removes the folders."""
        shutil.rmtree(self.folder)


# Clients that a worker has besides, and that dependencies have no use for.
NO_OTHER_CLIENTS: dict[str, Any] = {
    field.name: None for field in dataclasses.fields(Aws) if field.name not in ("sqs", "s3", "dynamodb")
}


class Builds:
    """Functions whose dependencies are resolved."""

    def __init__(self, grid: Grid, made_by: Engine, images: dict[str, str], options: BuildOptions) -> None:
        self.grid = grid
        self.options = options
        self._made_by = made_by
        self._images = images
        self._sites: list[Site] = []
        self.site = self.another_site()

    def another_site(self, **changes: Any) -> Site:
        """Another worker, or one with other options."""
        options = dataclasses.replace(self.options, **changes)
        site = Site(self.grid, self._made_by, self._images, options)
        self._sites.append(site)
        return site

    def job(self, files: dict[str, str], runtime: str = "python") -> tuple[Job, Path]:
        """A build of a new function, and its unpacked code."""
        message = self.grid.job(files, runtime=runtime, kind="build", secrets={}, callback_url=None)
        message["dependencies_key"] = message["code_key"].replace("functions/", "dependencies/")
        code = Path(tempfile.mkdtemp(dir=self.site.folder))
        code.chmod(0o755)
        for name, text in files.items():
            path = code / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return parse_job(json.dumps(message)), code

    def build(self, files: dict[str, str], runtime: str = "python", site: Site | None = None) -> dict[str, Any]:
        """Builds, and gives what the result's output is."""
        job, code = self.job(files, runtime)
        outcome = (site or self.site).dependencies.build(job, code, unheard, never)
        assert outcome.code == "ok"
        output: dict[str, Any] = outcome.output
        return output

    def refusal(self, requirements: str, site: Site | None = None) -> str:
        """Why a Python build is refused; the bucket has nothing of it, and no container is left."""
        job, code = self.job({"requirements.txt": requirements})
        with pytest.raises(RunRefused) as refused:
            (site or self.site).dependencies.build(job, code, unheard, never)
        assert (refused.value.code, refused.value.kind) == ("exception", KIND)
        stored = self.grid.s3.list_objects_v2(Bucket=self.grid.code_bucket, Prefix=job.dependencies_key or "?")
        assert stored["KeyCount"] == 0
        wait_until(lambda: not containers_of(job), 20, "the build's container is gone")
        return str(refused.value)

    def close(self) -> None:
        """Removes the folders."""
        for site in self._sites:
            site.close()


@pytest.fixture
def builds(grid: Grid, machine: Engine, images: dict[str, str], network: str, index: PackageServer) -> Iterator[Builds]:
    """What builds go through."""
    index.files.clear()
    index.asked.clear()
    options = BuildOptions(network, index.python_index_url, index.url, timeout_s=60, max_mb=20)
    made = Builds(grid, machine, images, options)
    yield made
    made.close()


def never(_: Stoppable) -> None:
    """Stops nothing."""


def containers_of(job: Job) -> list[str]:
    """The containers that a job has."""
    found = docker.from_env().containers.list(
        all=True, filters={"label": f"nanogrid.job={job.job_id}"}, ignore_removed=True
    )
    return [container.name or "" for container in found]


def test_a_wheel_and_what_it_needs_is_resolved_and_imported(
    builds: Builds, index: PackageServer, machine: Engine, images: dict[str, str], scratch: Path
) -> None:
    """dependencies: what requirements.txt asks for lies at /dependencies, with what that needs itself."""
    index.add_python("alpha", *wheel("alpha", "1.2.0", {"alpha.py": "import beta\nname = 'alpha'\n"}, "beta>=2"))
    index.add_python("beta", *wheel("beta", "2.1", {"beta/__init__.py": "", "beta/data.txt": "in the wheel"}))
    job, code = builds.job({"requirements.txt": "alpha==1.2.0\n"})
    printed: list[bytes] = []
    outcome = builds.site.dependencies.build(job, code, printed.append, never)
    assert outcome.output["packages"] == [{"name": "alpha", "version": "1.2.0"}, {"name": "beta", "version": "2.1"}]
    assert outcome.output["bytes"] == object_bytes(builds.grid, job)
    assert b"Successfully installed" in outcome.logs
    assert outcome.logs == b"".join(printed)

    with builds.site.dependencies.ready(job, code, unheard, never) as dependencies:
        assert dependencies is not None
        files = {str(p.relative_to(dependencies)): p.read_text() for p in dependencies.rglob("*") if p.is_file()}
    lab = Lab(machine, images["python"], scratch)
    source = "import alpha, beta\ndef handler(event): return [alpha.name, beta.__file__]\n"
    try:
        assert lab.run({"main.py": source}, dependencies=files).output == ["alpha", "/dependencies/beta/__init__.py"]
    finally:
        lab.close()


def object_bytes(grid: Grid, job: Job) -> int:
    """Size of the stored zip."""
    return int(grid.s3.head_object(Bucket=grid.code_bucket, Key=job.dependencies_key or "?")["ContentLength"])


def test_an_sdist_is_built(builds: Builds, index: PackageServer) -> None:
    """dependencies: an sdist's build runs, as long as it harms nobody."""
    index.add_python("gamma", *sdist("gamma", "3.0", "print('building')"))
    assert builds.build({"requirements.txt": "gamma\n"})["packages"] == [{"name": "gamma", "version": "3.0"}]


def test_node_packages_are_resolved_with_their_scripts_and_without_those_for_development(
    builds: Builds, index: PackageServer, machine: Engine, images: dict[str, str], scratch: Path
) -> None:
    """dependencies: what package.json asks for is found by a function; install scripts have run."""
    index.add_node(
        "one", "1.0.0", {"index.js": "module.exports = 'one with ' + require('two');"}, dependencies={"two": "^2"}
    )
    script = "require('fs').writeFileSync('made.js', 'module.exports = \\'made by its script\\';')"
    index.add_node(
        "two",
        "2.0.1",
        {"index.js": "module.exports = require('./made');"},
        scripts={"install": f'node -e "{script}"'},
        bin={"two": "index.js"},
    )
    index.add_node("tool", "1.0.0", {})
    manifest = {"dependencies": {"one": "1.0.0"}, "devDependencies": {"tool": "1.0.0"}}
    job, code = builds.job({"package.json": json.dumps(manifest)}, "node")
    outcome = builds.site.dependencies.build(job, code, unheard, never)
    assert outcome.output["packages"] == [{"name": "one", "version": "1.0.0"}, {"name": "two", "version": "2.0.1"}]
    with builds.site.dependencies.ready(job, code, unheard, never) as dependencies:
        assert dependencies is not None
        files = {str(p.relative_to(dependencies)): p.read_text() for p in dependencies.rglob("*") if p.is_file()}
    assert not [name for name in files if name.startswith("node_modules/.bin/")]
    lab = Lab(machine, images["node"], scratch)
    source = "import one from 'one'; export const handler = () => one;"
    try:
        assert lab.run({"main.mjs": source}, dependencies=files).output == "one with made by its script"
    finally:
        lab.close()


def test_dependencies_are_resolved_once_per_version(builds: Builds, index: PackageServer) -> None:
    """dependencies: the second run takes them from disk, another worker from the bucket; neither asks the index."""
    index.add_python("alpha", *wheel("alpha", "1.0", {"alpha.py": ""}))
    job, code = builds.job({"requirements.txt": "alpha\n"})
    before = builds.site.dependencies.build(job, code, unheard, never)
    index.asked.clear()
    index.files.clear()
    with builds.site.dependencies.ready(job, code, unheard, never) as first:
        assert first is not None
    other = builds.another_site(network="")
    with other.dependencies.ready(job, code, unheard, never) as second:
        assert second is not None
        assert second != first
        assert (second / "alpha.py").exists()
    assert other.dependencies.build(job, code, unheard, never).output == before.output
    assert index.asked == []


def test_the_same_packages_give_the_same_bytes(builds: Builds, index: PackageServer) -> None:
    """dependencies: the zip depends on the packages alone."""
    index.add_python("alpha", *wheel("alpha", "1.0", {"alpha.py": "", "data/b": "b"}))
    index.add_node("one", "1.0.0", {"index.js": "", "lib/é.js": ""})
    for files, runtime in (
        ({"requirements.txt": "alpha\n"}, "python"),
        ({"package.json": '{"dependencies":{"one":"*"}}'}, "node"),
    ):
        jobs = [builds.job(files, runtime) for _ in range(2)]
        for job, code in jobs:
            builds.site.dependencies.build(job, code, unheard, never)
        first, second = (stored(builds.grid, job) for job, _ in jobs)
        assert first == second


def stored(grid: Grid, job: Job) -> bytes:
    """The stored zip."""
    return grid.s3.get_object(Bucket=grid.code_bucket, Key=job.dependencies_key or "?")["Body"].read()


def test_two_workers_at_once_end_with_one_result(builds: Builds, index: PackageServer) -> None:
    """dependencies: of two workers that resolve the same, the second takes what the first has stored."""
    index.add_python("alpha", *sdist("alpha", "1.0", "import time; time.sleep(1)"))
    job, code = builds.job({"requirements.txt": "alpha\n"})
    sites = [builds.site, builds.another_site()]
    with ThreadPoolExecutor() as threads:
        outcomes = list(threads.map(lambda site: site.dependencies.build(job, code, unheard, never), sites))
    assert outcomes[0].output == outcomes[1].output
    versions = builds.grid.s3.list_objects_v2(Bucket=builds.grid.code_bucket, Prefix=job.dependencies_key or "?")
    assert versions["KeyCount"] == 1


def test_two_runs_on_one_worker_share_one_build(builds: Builds, index: PackageServer) -> None:
    """dependencies: a second run on the same worker waits for the first one's build, and can be stopped meanwhile."""
    index.add_python("slow", *sdist("slow", "1.0", "import time; time.sleep(4)"))
    job, code = builds.job({"requirements.txt": "slow\n"})
    waiting: list[Stoppable] = []
    with ThreadPoolExecutor() as threads:
        first = threads.submit(builds.site.dependencies.build, job, code, unheard, never)
        wait_until(lambda: containers_of(job), 20, "the build has begun")
        second = threads.submit(builds.site.dependencies.build, job, code, unheard, never)
        stopped = threads.submit(builds.site.dependencies.build, job, code, unheard, waiting.append)
        wait_until(lambda: waiting, 5, "the third waits")
        waiting[0].abort()
        with pytest.raises(Aborted):
            stopped.result(5)
        assert not first.done()
        assert len(containers_of(job)) == 1
        assert first.result(60).output == second.result(60).output


def test_a_build_that_is_stopped_ends_at_once(builds: Builds, index: PackageServer) -> None:
    """dependencies: cancelling a job stops its build, and nothing is stored."""
    index.add_python("endless", *sdist("endless", "1.0", "import time; time.sleep(600)"))
    job, code = builds.job({"requirements.txt": "endless\n"})
    running: list[Stoppable] = []
    with ThreadPoolExecutor() as threads:
        build = threads.submit(builds.site.dependencies.build, job, code, unheard, running.append)
        wait_until(lambda: any("endless" in path for path in index.asked), 20, "pip has begun")
        running[-1].abort()
        with pytest.raises(Aborted):
            build.result(20)
    wait_until(lambda: not containers_of(job), 20, "the build's container is gone")


def test_what_cannot_be_resolved_is_told_in_the_tools_words(builds: Builds, index: PackageServer) -> None:
    """dependencies: an unknown package is the user's error, with what pip or npm says."""
    assert "No matching distribution found for unknown" in builds.refusal("unknown==1.0\n")
    job, code = builds.job({"package.json": '{"dependencies":{"unknown":"1"}}'}, "node")
    with pytest.raises(RunRefused, match="E404") as refused:
        builds.site.dependencies.build(job, code, unheard, never)
    assert refused.value.kind == KIND
    assert index.asked


def test_a_worker_without_a_network_for_builds_names_the_remedy(builds: Builds) -> None:
    """dependencies: a worker without EGRESS_NETWORK resolves none, and says what to do."""
    job, code = builds.job({"requirements.txt": "alpha\n"})
    with pytest.raises(RunRefused, match="Set EGRESS_NETWORK") as refused:
        builds.another_site(network="").dependencies.build(job, code, unheard, never)
    assert refused.value.code == "infrastructure"


def test_a_function_without_dependencies_has_none(builds: Builds) -> None:
    """dependencies: nothing is looked for where a job names none."""
    job, code = builds.job({"main.py": ""})
    job = job.model_copy(update={"dependencies_key": None})
    with builds.site.dependencies.ready(job, code, unheard, never) as dependencies:
        assert dependencies is None


SPY = """
import glob, json, os, pathlib, socket, subprocess
def attempt(action):
    try:
        return repr(action())
    except BaseException as error:
        return type(error).__name__
def read(path):
    return pathlib.Path(path).read_bytes().decode('utf-8', 'replace')
def connect(host, port):
    socket.create_connection((host, port), timeout=2)
    return 'connected'
def gateway():
    routes = [line.split() for line in read('/proc/net/route').splitlines()[1:]]
    default = next(route[2] for route in routes if route[1] == '00000000')
    return socket.inet_ntoa(bytes.fromhex(default)[::-1])
found = {
    'imds': attempt(lambda: connect('169.254.169.254', 80)),
    'imds6': attempt(lambda: connect('fd00:ec2::254', 80)),
    'host': attempt(lambda: connect(gateway(), AWS_PORT)),
    'environment': dict(os.environ),
    'environments': [attempt(lambda: read(path)) for path in glob.glob('/proc/[0-9]*/environ')],
    'docker': glob.glob('/var/run/docker.sock') + glob.glob('/run/docker.sock'),
    'sockets': sorted(os.listdir('/run/nanogrid')),
    'uid': os.getuid(),
    'writes': {path: attempt(lambda: open(path, 'w')) for path in
               ('/source/x', '/function/main.py', '/run/nanogrid/x', '/etc/x', '/usr/x')},
}
print('FOUND' + json.dumps(found))
"""


def test_a_build_reaches_neither_the_metadata_service_nor_the_worker_nor_the_host(
    builds: Builds, index: PackageServer
) -> None:
    """dependencies: an sdist's build that looks for credentials, sockets and ways out finds none."""
    attack = SPY.replace("AWS_PORT", str(builds.grid.clouds.aws_port))
    index.add_python("spy", *sdist("spy", "1.0", attack + "\nraise SystemExit('seen enough')"))
    job, code = builds.job({"requirements.txt": "spy\n"})
    printed = bytearray()
    with pytest.raises(RunRefused):
        builds.site.dependencies.build(job, code, printed.extend, never)
    line = next(line for line in printed.decode().splitlines() if "FOUND" in line)
    found = json.loads(line.partition("FOUND")[2])
    assert found["imds"] in ("ConnectionRefusedError", "TimeoutError", "OSError")
    assert found["imds6"] in ("ConnectionRefusedError", "TimeoutError", "OSError")
    assert found["host"] in ("ConnectionRefusedError", "TimeoutError", "OSError")
    assert found["docker"] == []
    assert found["sockets"] == ["runner.sock"]
    assert found["uid"] == 65534
    assert set(found["writes"].values()) <= {"OSError", "PermissionError"}, found["writes"]
    everything = json.dumps([found["environment"], found["environments"]])
    assert "AWS_" not in everything
    assert "secret-of-the-worker" not in everything


BOMBS = {
    "a fork bomb": ("import os, time\nwhile True:\n    os.fork() or time.sleep(600)", 6, "longer than 6 s"),
    "an endless build": ("while True: pass", 6, "longer than 6 s"),
    "a memory bomb": ("kept = []\nwhile True: kept.append(bytearray(1 << 20))", 60, "could not be resolved"),
    "a flood of files": (
        "import os\nfor n in range(10 ** 9):\n    open(f'/tmp/{n}', 'wb').write(os.urandom(1 << 20))",
        60,
        "more memory than it may have",
    ),
    "a flood of output files": (
        "import os\nfor n in range(15):\n    open(f'/output/{n}', 'wb').write(os.urandom(1 << 20))\n"
        "open('/output/dependencies.zip', 'w').write('no zip')",
        60,
        "could not be resolved",
    ),
    "an end of all processes": ("import os, signal\nfor n in range(1, 50):\n    os.kill(n, 9)", 60, "could not be"),
}


@pytest.mark.parametrize(("attack", "timeout_s", "says"), BOMBS.values(), ids=BOMBS.keys())
def test_a_build_that_attacks_is_a_result(
    builds: Builds, index: PackageServer, attack: str, timeout_s: int, says: str
) -> None:
    """dependencies: a build that takes all it can get fails alone, says so, and leaves nothing behind."""
    index.add_python("bomb", *sdist("bomb", "1.0", attack))
    site = builds.another_site(timeout_s=timeout_s, memory_mb=256)
    assert says in builds.refusal("bomb\n", site)


def test_a_result_that_is_no_plain_zip_is_refused(builds: Builds, index: PackageServer) -> None:
    """dependencies: a build that swaps the zip for one that leaves its folder gets nowhere."""
    swap = """
import os, sys, time, zipfile
if os.fork() == 0:
    os.setsid()
    sys.stdout = sys.stderr = open('/dev/null', 'w')
    for fd in (0, 1, 2):
        os.dup2(sys.stdout.fileno(), fd)
    while True:
        with zipfile.ZipFile('/tmp/evil.zip', 'w') as evil:
            evil.writestr('../../escape', 'x')
        os.replace('/tmp/evil.zip', '/tmp/swap')
        with open('/tmp/swap', 'rb') as source, open('/output/dependencies.zip', 'wb') as target:
            target.write(source.read())
        time.sleep(0.001)
"""
    index.add_python("swap", *sdist("swap", "1.0", swap))
    assert "dependencies" in builds.refusal("swap\n")
    assert not list(builds.site.folder.rglob("escape"))


def test_a_zip_larger_than_allowed_is_refused(builds: Builds, index: PackageServer) -> None:
    """dependencies: more than the limit is the user's error, with the limit in it."""
    name, content = wheel("large", "1.0", {"large.py": "x"})
    index.add_python("large", name, content)
    grow = "import os\nopen('/tmp/dependencies/large.bin', 'wb').write(os.urandom(30 << 20))"
    index.add_python("grow", *sdist("grow", "1.0", grow))
    assert "No space left" in builds.refusal("grow\nlarge\n")


def test_runs_that_come_at_once_find_one_entry(builds: Builds) -> None:
    """dependencies: three runs at once of a version without any package find the same empty folder."""
    job, code = builds.job({"requirements.txt": ""})
    started = threading.Barrier(3)

    def ready() -> bool:
        started.wait()
        with builds.site.dependencies.ready(job, code, unheard, never) as dependencies:
            return dependencies is not None and dependencies.is_dir()

    with ThreadPoolExecutor() as threads:
        futures = [threads.submit(ready) for _ in range(3)]
        assert [future.result(60) for future in futures] == [True] * 3
