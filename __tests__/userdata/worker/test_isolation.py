"""What a function can see and reach from inside its sandbox: each test tries it."""

import pytest
from support.clouds import Grid
from support.processes import wait_until
from support.worker import Worker

pytestmark = pytest.mark.usefixtures("shared_worker")


@pytest.fixture
def grid(shared_grid: Grid) -> Grid:
    """The shared worker's grid."""
    return shared_grid


TRY = """
import errno, glob, os, socket
def attempt(action):
    try:
        return repr(action())
    except BaseException as error:
        return type(error).__name__
def connect(address):
    socket.create_connection(address, timeout=2)
    return 'connected'
"""


def test_a_function_has_no_network(grid: Grid, redis_port: int) -> None:
    """sandbox: a function reaches neither the worker's loopback, nor the metadata service, nor a name."""
    code = f"""{TRY}
def handler(event):
    return {{
        'interfaces': sorted(os.listdir('/sys/class/net')),
        'redis': attempt(lambda: connect(('127.0.0.1', {redis_port}))),
        'metadata': attempt(lambda: connect(('169.254.169.254', 80))),
        'metadata6': attempt(lambda: connect(('fd00:ec2::254', 80))),
        'name': attempt(lambda: socket.getaddrinfo('example.com', 80)),
    }}
"""
    output = grid.run(code)["output"]
    assert output == {
        "interfaces": ["lo"],
        "redis": "ConnectionRefusedError",
        "metadata": "OSError",
        "metadata6": "OSError",
        "name": "gaierror",
    }


def test_nothing_of_the_worker_shows_in_the_sandbox(grid: Grid, shared_worker: Worker) -> None:
    """sandbox: neither the worker's environment, nor its credentials, nor its processes show."""
    code = f"""{TRY}
def read(path):
    with open(path, 'rb') as file:
        return file.read().decode('utf-8', 'replace')
def handler(event):
    return {{
        'environment': dict(os.environ),
        'environments': [attempt(lambda: read(path)) for path in glob.glob('/proc/[0-9]*/environ')],
        'commands': [read(path) for path in glob.glob('/proc/[0-9]*/cmdline')],
        'mounts': read('/proc/mounts'),
        'docker': glob.glob('/var/run/docker.sock') + glob.glob('/run/docker.sock'),
        'sockets': os.listdir('/run/nanogrid'),
        'again': attempt(lambda: socket.socket(socket.AF_UNIX).connect('/run/nanogrid/runner.sock')),
    }}
"""
    output = grid.run(code, environment={"MINE": "1"})["output"]
    assert set(output["environment"]) == {"HOME", "LANG", "MINE", "NANOGRID_JOB_ID", "PATH", "TMPDIR"}
    everything = str(output)
    assert "secret-of-the-worker" not in everything
    assert "AWS_" not in everything
    assert "nanogrid_worker" not in everything
    assert output["docker"] == []
    assert output["sockets"] == ["runner.sock"]
    assert output["again"] == "ConnectionRefusedError"
    assert shared_worker.process.poll() is None


def test_a_function_runs_without_privileges(grid: Grid) -> None:
    """sandbox: a function is nobody, has no capability, cannot gain any, and is filtered."""
    code = """
import os
def handler(event):
    status = dict(l.split(':\\t', 1) for l in open('/proc/self/status').read().splitlines() if ':\\t' in l)
    return [os.getuid(), os.getgid(), status['CapBnd'], status['CapEff'], status['NoNewPrivs'], status['Seccomp']]
"""
    assert grid.run(code)["output"] == [65534, 65534, "0" * 16, "0" * 16, "1", "2"]


def test_a_function_writes_only_to_its_scratch_folders(grid: Grid) -> None:
    """sandbox: a function writes to /tmp and /output alone, and not without end."""
    code = f"""{TRY}
def fill(path):
    with open(path, 'wb') as file:
        for _ in range(80):
            file.write(bytes(1 << 20))
            file.flush()
def handler(event):
    folders = ('', '/function', '/run/nanogrid', '/etc', '/opt')
    tried = {{p: attempt(lambda: open(p + '/x', 'w')) for p in folders}}
    return [tried, attempt(lambda: fill('/tmp/full')), attempt(lambda: (os.remove('/tmp/full'), fill('/output/full')))]
"""
    result = grid.run(code, memory_mb=512)
    tried, tmp, output = result["output"]
    assert set(tried.values()) <= {"OSError", "PermissionError"}, tried
    assert (tmp, output) == ("OSError", "OSError")
    assert [file["bytes"] for file in result["files"]] == [64 << 20]


def test_a_fork_bomb_ends_with_its_run(grid: Grid) -> None:
    """sandbox: a fork bomb gets no further than 64 processes, and leaves none."""
    code = """
import os, time
def handler(event):
    count = 0
    try:
        while True:
            if os.fork() == 0:
                time.sleep(600)
            count += 1
    except BlockingIOError:
        return count
"""
    result = grid.run(code)
    assert result["status"] == "SUCCESS", result
    assert 30 < result["output"] < 64


def test_too_many_open_files_are_the_functions_problem(grid: Grid) -> None:
    """sandbox: a function has at most 1024 open files."""
    code = """
def handler(event):
    files = []
    try:
        while True:
            files.append(open('/dev/null'))
    except OSError as error:
        return [error.errno, len(files)]
"""
    number, count = grid.run(code)["output"]
    assert number == 24
    assert 900 < count < 1024


def test_two_runs_share_nothing(grid: Grid) -> None:
    """sandbox: a run finds nothing of the one before, not even of its own function."""
    code = """
import os
def handler(event):
    found = os.listdir('/tmp') + os.listdir('/output') + os.listdir('/dev/shm')
    open('/tmp/left', 'w').write('x')
    open('/dev/shm/left', 'w').write('x')
    if os.fork() == 0:
        import time
        time.sleep(600)
    return [found, len([p for p in os.listdir('/proc') if p.isdecimal()])]
"""
    assert grid.run(code)["output"] == grid.run(code)["output"]
    found, _ = grid.run(code)["output"]
    assert found == []


def test_a_runner_that_lies_is_not_believed(grid: Grid) -> None:
    """sandbox: a forged frame, written to the runner's own connection, ends in a failed result and harms nobody."""
    code = """
import json, os, struct
def handler(event):
    header = json.dumps({'name': '../../escape', 'bytes': 4}).encode()
    frame = struct.pack('>I', len(header)) + b'F' + header + struct.pack('>I', 4) + b'Bdata'
    for fd in os.listdir(f'/proc/{os.getppid()}/fd'):
        try:
            other = os.pidfd_open(os.getppid())
            import ctypes
            taken = ctypes.CDLL(None).syscall(438, other, int(fd), 0)
            if taken >= 0:
                os.write(taken, frame)
        except OSError:
            pass
    return 'done'
"""
    result = grid.run(code)
    assert result["files"] == []
    assert (result["status"], result["exit_reason"]["code"]) in {
        ("SUCCESS", "ok"),
        ("FAILED", "output_too_large"),
        ("FAILED", "exception"),
    }
    assert grid.run("def handler(event): return 'still here'\n")["output"] == "still here"
    wait_until(lambda: grid.messages() == (0, 0), 5, "messages are deleted")
