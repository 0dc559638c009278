"""What a function can see, reach, use up and leave behind in its sandbox: each test tries it."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.clouds import Grid
from support.sandboxes import Sandboxes, sandboxes_of
from support.worker import Worker

from nanogrid_worker.errors import ProtectionMissing
from nanogrid_worker.sandbox.engine import Spec
from nanogrid_worker.sandbox.protections import check_protections
from nanogrid_worker.sandbox.sandbox import Sandbox

JOB: dict[str, Any] = {"job_id": "job_x", "handler": "main.handler", "input": None, "environment": {}}


@pytest.fixture
def grid(shared_grid: Grid) -> Grid:
    """The shared worker's grid."""
    return shared_grid


@pytest.fixture(scope="module")
def sandboxes(runtime_image: str) -> Iterator[Sandboxes]:
    """A pool without a network."""
    with sandboxes_of(runtime_image) as made:
        yield made


TRY = """
import ctypes, errno, glob, os, socket
def attempt(action):
    try:
        return repr(action())
    except BaseException as error:
        return type(error).__name__
def connect(address):
    socket.create_connection(address, timeout=2)
    return 'connected'
def read(path):
    with open(path, 'rb') as file:
        return file.read().decode('utf-8', 'replace')
libc = ctypes.CDLL(None, use_errno=True)
def call(function, *arguments):
    if getattr(libc, function)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), function)
    return 'done'
"""


def test_a_function_has_no_network(sandboxes: Sandboxes, redis_port: int) -> None:
    """sandbox: a function reaches neither the worker's loopback, nor the metadata service, nor a name."""
    code = f"""{TRY}
import urllib.request
def metadata(method, headers):
    request = urllib.request.Request('http://169.254.169.254/latest/api/token', method=method, headers=headers)
    return urllib.request.urlopen(request, timeout=2).read()
def handler(event):
    return {{
        'interfaces': sorted(os.listdir('/sys/class/net')),
        'redis': attempt(lambda: connect(('127.0.0.1', {redis_port}))),
        'metadata v1': attempt(lambda: metadata('GET', {{}})),
        'metadata v2': attempt(lambda: metadata('PUT', {{'X-aws-ec2-metadata-token-ttl-seconds': '60'}})),
        'metadata v6': attempt(lambda: connect(('fd00:ec2::254', 80))),
        'name': attempt(lambda: socket.getaddrinfo('example.com', 80)),
        'raw socket': attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)),
        'packet socket': attempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3)),
    }}
"""
    assert sandboxes.run(code).output == {
        "interfaces": ["lo"],
        "redis": "ConnectionRefusedError",
        "metadata v1": "URLError",
        "metadata v2": "URLError",
        "metadata v6": "OSError",
        "name": "gaierror",
        "raw socket": "PermissionError",
        "packet socket": "PermissionError",
    }


def test_nothing_of_the_worker_shows_in_the_sandbox(grid: Grid, shared_worker: Worker) -> None:
    """sandbox: neither the worker's environment, nor its credentials, nor its processes show."""
    code = f"""{TRY}
def handler(event):
    return {{
        'environment': dict(os.environ),
        'environments': [attempt(lambda: read(path)) for path in glob.glob('/proc/[0-9]*/environ')],
        'commands': [read(path) for path in glob.glob('/proc/[0-9]*/cmdline')],
        'mounts': read('/proc/mounts'),
        'docker': [path for path in ('/var/run/docker.sock', '/run/docker.sock') if os.path.exists(path)],
        'sockets': sorted(os.listdir('/run/nanogrid')),
        'again': attempt(lambda: socket.socket(socket.AF_UNIX).connect('/run/nanogrid/runner.sock')),
    }}
"""
    output = grid.run(code, environment={"MINE": "1"})["output"]
    usual = {"HOME", "LANG", "NANOGRID_AI_SOCKET", "NANOGRID_JOB_ID", "PATH", "TMPDIR"}
    assert set(output["environment"]) == {*usual, "MINE"}
    everything = str(output)
    assert "secret-of-the-worker" not in everything
    assert "AWS_" not in everything
    assert "nanogrid_worker" not in everything
    assert output["docker"] == []
    assert output["sockets"] == ["ai.sock", "runner.sock"]
    assert output["again"] == "ConnectionRefusedError"
    assert shared_worker.process.poll() is None


def test_a_function_runs_without_privileges(sandboxes: Sandboxes) -> None:
    """sandbox: a function is nobody, has no capability, cannot gain any, and is filtered."""
    code = """
import os
def handler(event):
    status = dict(l.split(':\\t', 1) for l in open('/proc/self/status').read().splitlines() if ':\\t' in l)
    return [os.getuid(), os.getgid(), status['CapBnd'], status['CapEff'], status['NoNewPrivs'], status['Seccomp']]
"""
    assert sandboxes.run(code).output == [65534, 65534, "0" * 16, "0" * 16, "1", "2"]


def test_a_function_gains_no_privilege(sandboxes: Sandboxes) -> None:
    """sandbox: a function mounts nothing, makes no device, no namespace, no set-user-id program, and is not root."""
    code = f"""{TRY}
def set_user_id():
    open('/tmp/x', 'w').close()
    os.chmod('/tmp/x', 0o4755)
    os.execv('/tmp/x', ['/tmp/x'])
def handler(event):
    return {{
        'root': attempt(lambda: os.setuid(0)),
        'mount': attempt(lambda: call('mount', b'none', b'/tmp', b'tmpfs', 0, None)),
        'device': attempt(lambda: os.mknod('/tmp/disk', 0o60600, os.makedev(8, 0))),
        'user namespace': attempt(lambda: call('unshare', 0x10000000)),
        'program': attempt(set_user_id),
        'kernel log': attempt(lambda: call('klogctl', 3, None, 0)),
        'host name': attempt(lambda: socket.sethostname('other')),
        'keyring': attempt(lambda: call('syscall', 248, b'user', b'left', b'x', 1, -4)),
    }}
"""
    output = sandboxes.run(code).output
    assert set(output.values()) <= {"PermissionError", "OSError"}, output


def test_a_function_writes_only_to_its_scratch_folders(sandboxes: Sandboxes) -> None:
    """sandbox: a function writes to /tmp, /output and /dev/shm alone, and not without end."""
    code = f"""{TRY}
def fill(path):
    with open(path, 'wb') as file:
        for _ in range(80):
            file.write(bytes(1 << 20))
            file.flush()
def handler(event):
    folders = ('', '/function', '/dependencies', '/run/nanogrid', '/etc', '/opt', '/proc/sys/kernel', '/sys')
    return {{
        'tried': {{folder: attempt(lambda: open(folder + '/x', 'w')) for folder in folders}},
        'own code': attempt(lambda: open('/function/main.py', 'a')),
        'link': attempt(lambda: os.link('/function/main.py', '/tmp/main.py')),
        'tmp': attempt(lambda: fill('/tmp/full')),
        'shm': attempt(lambda: fill('/dev/shm/full')),
        'output': attempt(lambda: (os.remove('/tmp/full'), fill('/output/full'))),
    }}
"""
    ran = sandboxes.run(code, memory_mb=512)
    tried = ran.output.pop("tried")
    assert set(tried.values()) <= {"OSError", "PermissionError", "FileNotFoundError"}, tried
    assert set(ran.output.values()) <= {"OSError", "PermissionError"}, ran.output
    assert {name: len(data) for name, data in ran.files.items()} == {"full": 64 << 20}


def test_a_fork_bomb_ends_with_its_run(sandboxes: Sandboxes) -> None:
    """sandbox: a fork bomb gets no further than 64 processes, leaves none, and the container serves on."""
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
    version = sandboxes.version(code)
    first, second = sandboxes.run(version), sandboxes.run(version)
    assert 30 < first.output < 64
    assert (second.start, second.output) == ("warm", first.output)


def test_a_fork_bomb_that_never_returns_is_stopped(sandboxes: Sandboxes) -> None:
    """sandbox: a bomb in which every process forks on ends at its time limit."""
    code = """
import os
def handler(event):
    while True:
        try:
            os.fork()
        except OSError:
            pass
"""
    assert sandboxes.run(code, timeout_s=2).outcome.code == "timeout"


@pytest.mark.parametrize(
    "bomb",
    [
        "def handler(event):\n  kept = []\n  while True: kept.append(bytearray(1 << 20))",
        "import os\ndef handler(event):\n  while True: os.fork(); kept = bytearray(4 << 20)",
        "def handler(event):\n  with open('/tmp/x', 'wb') as f:\n    while True: f.write(bytes(1 << 20))",
    ],
    ids=["one process", "many processes", "scratch folder"],
)
def test_a_memory_bomb_harms_its_run_alone(sandboxes: Sandboxes, bomb: str) -> None:
    """sandbox: whoever takes all memory is told so, or that the folder is full, and the next run is served."""
    outcome = sandboxes.run(bomb, timeout_s=10, memory_mb=64).outcome
    assert outcome.code in {"out_of_memory", "exception", "timeout"}, outcome
    assert sandboxes.run("def handler(event): return 'served'").output == "served"


def test_too_many_open_files_are_the_functions_problem(sandboxes: Sandboxes) -> None:
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
    number, count = sandboxes.run(code).output
    assert number == 24
    assert 900 < count < 1024


def test_a_flood_of_log_is_cut(sandboxes: Sandboxes) -> None:
    """sandbox: of a log without end the last 64 KiB are kept, and all of it is heard while it comes."""
    heard: list[int] = []
    code = "def handler(event):\n  for i in range(100_000): print(f'line {i:07}', 'x' * 80)"
    outcome = sandboxes.run(code, on_log=lambda data: heard.append(len(data))).outcome
    assert (outcome.code, len(outcome.logs), outcome.logs_truncated) == ("ok", 64 * 1024, True)
    assert outcome.logs.rstrip().endswith(b"line 0099999 " + b"x" * 80)
    assert sum(heard) == 100_000 * 94


@pytest.mark.parametrize(
    "code",
    [
        "def handler(event): return 'x' * (128 * 1024)",
        "import os\ndef handler(event):\n  for fd in range(3, 100):\n    try:\n"
        "      while True: os.write(fd, b'x' * 65536)\n    except OSError: pass",
    ],
    ids=["returned", "written to the report itself"],
)
def test_a_flood_of_output_is_refused(sandboxes: Sandboxes, code: str) -> None:
    """sandbox: a result that is too large is refused, and read no further."""
    outcome = sandboxes.run(code).outcome
    assert (outcome.code, outcome.output) == ("output_too_large", None)


def test_only_plain_files_leave_the_sandbox(sandboxes: Sandboxes) -> None:
    """sandbox: links to files outside, devices, fifos and sockets in /output are left out; nothing outside is read."""
    code = f"""{TRY}
def handler(event):
    open('/output/plain', 'w').write('plain')
    os.symlink('/etc/passwd', '/output/link')
    os.symlink('/etc', '/output/folder-link')
    os.mkfifo('/output/fifo')
    socket.socket(socket.AF_UNIX).bind('/output/socket')
    os.makedirs('/output/deep/er')
    open('/output/deep/er/file', 'w').write('deep')
    os.link('/output/plain', '/output/second-name')
    return [
        attempt(lambda: os.link('/etc/passwd', '/output/passwd')),
        attempt(lambda: os.mknod('/output/zero', 0o20666, os.makedev(1, 5))),
    ]
"""
    ran = sandboxes.run(code)
    assert ran.files == {"plain": b"plain", "second-name": b"plain", "deep/er/file": b"deep"}
    assert set(ran.output) <= {"OSError", "PermissionError"}


@pytest.mark.parametrize(
    "name", ["b'/output/\\xff'", "'/output/a\\nb'", "'/output/' + 'a/' * 15 + 'b' * 255 + '/' + 'c' * 255"]
)
def test_a_file_whose_name_cannot_be_kept_is_told(sandboxes: Sandboxes, name: str) -> None:
    """sandbox: a file name that is no text, or too long for the bucket, makes a result that says so."""
    code = f"import os\ndef handler(event):\n  os.makedirs(os.path.dirname({name}), exist_ok=True)\n  open({name}, 'w')"
    outcome = sandboxes.run(code).outcome
    assert outcome.code == "output_too_large"
    assert "name that cannot be kept" in outcome.message


def test_the_runner_is_out_of_reach(sandboxes: Sandboxes) -> None:
    """sandbox: a function neither reads, writes, traces nor takes anything of the runner, nor does it stop it."""
    code = f"""{TRY}
import signal
def handler(event):
    reached = {{path: attempt(lambda: read(f'/proc/1/{{path}}')) for path in ('environ', 'mem', 'maps', 'stack')}}
    reached['fd'] = attempt(lambda: os.listdir('/proc/1/fd'))
    reached['root'] = attempt(lambda: os.listdir('/proc/1/root'))
    reached['attach'] = attempt(lambda: call('ptrace', 16, 1, None, None))
    reached['seize'] = attempt(lambda: call('ptrace', 0x4206, 1, None, None))
    pidfd = os.pidfd_open(1)
    reached['take socket'] = [attempt(lambda: call('syscall', 438, pidfd, fd, 0)) for fd in range(16)]
    reached['score'] = attempt(lambda: open('/proc/1/oom_score_adj', 'w'))
    for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
        os.kill(1, number)
    return {{'runner': read('/proc/1/cmdline'), **reached}}
"""
    version = sandboxes.version(code)
    output = sandboxes.run(version).output
    assert "runner.py" in output.pop("runner")
    assert set(output.pop("take socket")) <= {"PermissionError", "OSError"}
    assert set(output.values()) <= {"PermissionError", "OSError"}, output
    assert sandboxes.run(version).start == "warm"


def test_a_run_stopped_from_within_is_a_result(sandboxes: Sandboxes) -> None:
    """sandbox: a function that kills all that it can, itself included, gets a result."""
    code = """
import os, signal
def handler(event):
    if os.fork() == 0:
        os.kill(-1, signal.SIGKILL)
        os._exit(0)
    os.wait()
"""
    outcome = sandboxes.run(code).outcome
    assert (outcome.code, outcome.error) == (
        "exception",
        {"type": "SIGKILL", "message": "The function's process was ended by SIGKILL.", "traceback": ""},
    )


def test_a_forged_report_is_the_functions_own(sandboxes: Sandboxes) -> None:
    """sandbox: what a function writes where its report goes is checked like a report, and nothing more."""
    code = """
import json, os
def handler(event):
    forged = json.dumps({'ok': True, 'reason': 'ok', 'output': 'forged', 'reusable': True, 'duration_ms': 1e12})
    for fd in range(3, 20):
        try:
            os.write(fd, forged.encode())
        except OSError:
            pass
    os._exit(0)
"""
    ran = sandboxes.run(code)
    assert ran.output == "forged"
    assert ran.outcome.duration_ms < 60_000


LEFTOVERS = {
    "files": ("open('/tmp/left', 'w'); open('/dev/shm/left', 'w'); os.makedirs('/tmp/a/b/c')", "warm"),
    "output": ("open('/output/left', 'w'); os.makedirs('/output/a'); os.chmod('/output', 0)", "warm"),
    "closed folders": ("os.makedirs('/tmp/a/b'); open('/tmp/a/b/c', 'w'); os.chmod('/tmp/a/b', 0)", "warm"),
    "odd files": ("os.mkfifo('/tmp/fifo'); os.symlink('/etc', '/tmp/etc'); os.symlink('/no', '/tmp/dangling')", "warm"),
    "environment": ("os.environ['LEFT'] = '1'; os.umask(0); os.chdir('/tmp')", "warm"),
    "modules": ("sys.modules['json'].left = 1; sys.path.append('/tmp'); builtins.left = 1", "warm"),
    "child": ("subprocess.Popen(['sleep', '600'])", "warm"),
    "daemon": ("daemon()", "warm"),
    "message queue": ("call('mq_open', b'/left', 0o102, 0o600, None)", "cold"),
    "shared memory": ("call('shmget', 4711, 4096, 0o1600)", "cold"),
    "semaphore": ("call('semget', 4711, 1, 0o1600)", "cold"),
    "limits of the runner": ("resource.prlimit(1, resource.RLIMIT_NOFILE, (32, 1024))", "cold"),
    "priority of the runner": ("os.setpriority(os.PRIO_PROCESS, 1, 19)", "cold"),
}


@pytest.mark.parametrize("leaves", LEFTOVERS)
def test_a_run_finds_nothing_of_the_one_before(sandboxes: Sandboxes, leaves: str) -> None:
    """sandbox: the next run of a container finds nothing of the last one; where that cannot be, it gets a new one."""
    attack, next_start = LEFTOVERS[leaves]
    code = f"""{TRY}
import builtins, json, resource, subprocess, sys, time
def daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid()
            time.sleep(600)
        os._exit(0)
    os.wait()
def handler(event):
    if event == 'leave':
        {attack}
        return None
    return {{
        'folders': [os.listdir(folder) for folder in ('/tmp', '/output', '/dev/shm', '/dev/mqueue')],
        'modes': [oct(os.stat(folder).st_mode & 0o7777) for folder in ('/tmp', '/output', '/dev/shm')],
        'system v': [len(open(f'/proc/sysvipc/{{kind}}').readlines()) for kind in ('shm', 'msg', 'sem')],
        'processes': sum(name.isdecimal() for name in os.listdir('/proc')),
        'environment': sorted(os.environ),
        'process': [os.getcwd(), os.umask(0), os.getpriority(os.PRIO_PROCESS, 1), resource.prlimit(1, 7)],
        'modules': [hasattr(json, 'left'), hasattr(builtins, 'left'), sys.path],
    }}
"""
    version = sandboxes.version(code, tenant=leaves.replace(" ", "-"))
    fresh = sandboxes.run(version, "look")
    leaving = sandboxes.run(version, "leave")
    after = sandboxes.run(version, "look")
    assert (fresh.start, leaving.outcome.code, leaving.start) == ("cold", "ok", "warm"), leaving.outcome
    assert (after.start, after.output) == (next_start, fresh.output)


def test_neither_inputs_nor_secrets_of_other_runs_are_in_memory(sandboxes: Sandboxes) -> None:
    """sandbox: a run that searches all of its own memory finds no input or variable of the run before."""
    code = """
def handler(event):
    if event != 'search':
        return None
    words = [('%s-of-before' % what).encode() for what in ('input', 'secret')]
    found = {word.decode(): 0 for word in words}
    with open('/proc/self/maps') as maps, open('/proc/self/mem', 'rb', 0) as memory:
        for line in maps:
            span, mode = line.split()[:2]
            if mode.startswith('rw'):
                start, end = (int(edge, 16) for edge in span.split('-'))
                memory.seek(start)
                try:
                    data = memory.read(end - start)
                except (OSError, ValueError):
                    continue
                for word in words:
                    # The words themselves are in this memory too.
                    found[word.decode()] += data.count(word)
    return found
"""
    version = sandboxes.version(code)
    search = functools.partial(sandboxes.run, version, "search")
    fresh = search(environment={"MINE": "nothing"}).output
    sandboxes.run(version, {"x": "input-of-before" * 50}, environment={"MINE": "secret-of-before" * 50})
    after = search(environment={"MINE": "nothing"})
    assert after.start == "warm"
    assert all(count < fresh[word] + 10 for word, count in after.output.items()), (fresh, after.output)


def test_a_tenants_container_never_serves_another(sandboxes: Sandboxes) -> None:
    """sandbox: the very same code of two tenants runs in two containers, however often it runs."""
    code = "import socket\ndef handler(event): return socket.gethostname()"
    mine = sandboxes.version(code, tenant="one")
    theirs = sandboxes.version(code, tenant="two")
    hosts = [sandboxes.run(version).output for version in (mine, theirs) * 3]
    assert len(set(hosts[::2])) == len(set(hosts[1::2])) == 1
    assert hosts[0] != hosts[1]


def test_a_sandbox_of_its_own_has_what_it_asks_for(sandboxes: Sandboxes, tmp_path: Path) -> None:
    """sandbox: a folder to read, a larger /tmp with programs in it, more output and processes, where a spec says so."""
    code = f"""{TRY}
import subprocess
def handler(event):
    open('/tmp/program', 'w').write('#!/bin/sh\\necho started')
    os.chmod('/tmp/program', 0o755)
    sizes = [os.statvfs(folder).f_blocks * os.statvfs(folder).f_frsize >> 20 for folder in ('/tmp', '/output')]
    open('/output/large', 'wb').write(bytes(70 << 20))
    return [
        attempt(lambda: subprocess.check_output('/tmp/program')),
        read('/source/given'),
        attempt(lambda: open('/source/given', 'w')),
        sizes,
    ]
"""
    source = tmp_path / "source"
    source.mkdir()
    (source / "given").write_text("given")
    spec = Spec(
        image=sandboxes.image,
        memory_mb=512,
        job_id="job_x",
        code=sandboxes.version(code).code,
        source=source,
        tmp_mb=96,
        tmp_exec=True,
        output_mb=80,
    )
    sandbox = Sandbox(sandboxes.engine, sandboxes.run_dir, sandboxes.work_dir, spec)
    try:
        outcome, files = sandbox.run(JOB, 20)
        sizes = [file.path.stat().st_size for file in files.received]
    finally:
        sandbox.close()
    assert (outcome.output, sizes) == ([repr(b"started\n"), "given", "OSError", [96, 80]], [70 << 20])


def test_an_engine_whose_root_is_this_machines_root_is_refused(
    sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """protections: where user namespaces are required, what the sandbox finds counts, not what the engine says."""
    info = sandboxes.engine.info()
    if "name=userns" in info["SecurityOptions"]:
        pytest.skip("this engine has user namespaces, which test_egress.py tries")
    monkeypatch.setattr(
        sandboxes.engine, "info", lambda: {**info, "SecurityOptions": [*info["SecurityOptions"], "name=userns"]}
    )
    folders = (sandboxes.run_dir, sandboxes.work_dir)
    check_protections(sandboxes.engine, *folders, sandboxes.image)
    with pytest.raises(ProtectionMissing, match="the host's root"):
        check_protections(sandboxes.engine, *folders, sandboxes.image, require_user_namespaces=True)
