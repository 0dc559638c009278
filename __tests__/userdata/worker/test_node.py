"""The Node.js runtime: each test runs a function in a real container."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.runtimes import Lab, built, engine

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def lab(scratch: Path) -> Iterator[Lab]:
    """A Node.js container."""
    image = built("node")
    with engine() as made_by:
        made = Lab(made_by, image, scratch)
        yield made
        made.close()


def test_an_es_module_answers_with_what_its_promise_gives(lab: Lab) -> None:
    """node: an ES module's asynchronous handler answers, and its log, in order, duration and peak memory are told."""
    code = """
import { setTimeout } from 'node:timers/promises';
export async function handler(event) {
  console.log('first');
  console.error('second');
  console.log('third');
  await setTimeout(30);
  return { sum: event.a + event.b, text: 'é😀' };
}
"""
    ran = lab.run({"main.mjs": code}, {"a": 1, "b": 2})
    assert ran.output == {"sum": 3, "text": "é😀"}
    assert ran.log == "first\nsecond\nthird\n"
    assert 25 <= ran.outcome.duration_ms < 5000
    assert 20 < (ran.outcome.peak_memory_mb or 0) < 128
    assert lab.sandbox.is_reusable


MODULES = {
    "CommonJS": {"main.js": "exports.handler = () => require('./other').answer;", "other.js": "exports.answer = 42;"},
    "CommonJS by its ending": {"main.cjs": "module.exports = { handler: () => 42 };"},
    "an ES module by package.json": {
        "main.js": "import { answer } from './other.js'; export const handler = () => answer;",
        "other.js": "export const answer = 42;",
        "package.json": '{ "type": "module" }',
    },
    "an ES module with a default export": {"main.mjs": "export default { handler: async () => 42 };"},
}


@pytest.mark.parametrize("files", MODULES.values(), ids=MODULES.keys())
def test_modules_of_every_kind_are_loaded(lab: Lab, files: dict[str, str]) -> None:
    """node: a handler may be in any kind of module."""
    assert lab.run(files).output == 42


def test_a_handler_may_be_in_a_folder_and_have_any_name(lab: Lab) -> None:
    """node: `jobs.daily.start` is the function `start` of jobs/daily."""
    files = {"jobs/daily.mjs": "export const start = (event) => [event, process.cwd(), import.meta.filename];"}
    assert lab.run(files, handler="jobs.daily.start").output == [None, "/function", "/function/jobs/daily.mjs"]


def test_a_function_finds_its_dependencies_and_its_own_first(lab: Lab) -> None:
    """node: packages are found below /dependencies by both kinds of module, and those in the zip come first."""
    files = {
        "main.mjs": """
import { createRequire } from 'node:module';
import one from 'one';
const require = createRequire(import.meta.url);
export const handler = () => [one, require('two'), require('two/package.json').version];
""",
        "node_modules/two/index.js": "module.exports = 'two of the zip';",
        "node_modules/two/package.json": '{ "version": "2.0.0" }',
    }
    dependencies = {
        "node_modules/one/package.json": '{ "type": "module", "exports": "./one.js" }',
        "node_modules/one/one.js": "import three from 'three'; export default `one with ${three}`;",
        "node_modules/three/index.js": "module.exports = 'three';",
        "node_modules/two/index.js": "module.exports = 'two of the dependencies';",
    }
    assert lab.run(files, dependencies=dependencies).output == ["one with three", "two of the zip", "2.0.0"]


def test_the_environment_is_the_jobs_and_no_more(lab: Lab) -> None:
    """node: a function sees the job's variables, and none of the runner's."""
    code = "export const handler = () => ({ ...process.env });"
    assert lab.run({"main.mjs": code}, environment={"MINE": "1", "LANG": "de"}).output == {
        "HOME": "/tmp",
        "LANG": "de",
        "MINE": "1",
        "NANOGRID_JOB_ID": "job_x",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TMPDIR": "/tmp",
    }


FAILURES = {
    "thrown": (
        "class Refused extends Error { name = 'Refused'; }\nexport async function handler() {\n"
        "  throw new Refused('not today');\n}",
        ("Refused", "not today", "main.mjs:3"),
    ),
    "thrown that is no error": ("export const handler = () => { throw 'text'; };", ("string", "text", "text")),
    "of a timer": (
        "export const handler = () => new Promise(() => setTimeout(() => { throw new RangeError('late'); }, 5));",
        ("RangeError", "late", "main.mjs:1"),
    ),
    "a rejection that nobody handles": (
        "export const handler = () => { Promise.reject(new TypeError('lost')); return new Promise((r) => "
        "setTimeout(r, 1000)); };",
        ("TypeError", "lost", "main.mjs:1"),
    ),
    "a promise that nothing settles": (
        "export const handler = () => new Promise(() => {});",
        ("UnsettledPromise", "never settled", ""),
    ),
    "a syntax error": ("export const handler = () => {", ("SyntaxError", "Unexpected end of input", "")),
    "an output that is no JSON": ("export const handler = () => 1n;", ("TypeError", "BigInt", "")),
    "no such module": ("import 'missing'; export const handler = 1;", ("Error", "Cannot find package 'missing'", "")),
    "no handler": ("export const other = 1;", ("HandlerNotFound", "exports no function named handler", "")),
    "an exit": ("export const handler = () => process.exit(0);", ("ProcessExit", "exited with code 0", "")),
    "an end by a signal": (
        "export const handler = () => process.kill(process.pid, 'SIGTERM') && new Promise((r) => setTimeout(r, 9e3));",
        ("SIGTERM", "ended by SIGTERM", ""),
    ),
    "an error that cannot be shown": (
        "export const handler = () => { throw Object.defineProperty(new Error(''), 'message', "
        "{ get() { throw 1; } }); };",
        ("Error", "cannot be shown", ""),
    ),
}


@pytest.mark.parametrize(("code", "expected"), FAILURES.values(), ids=FAILURES.keys())
def test_a_failure_is_told_with_name_message_and_stack(lab: Lab, code: str, expected: tuple[str, str, str]) -> None:
    """node: whatever way a function fails, the result says so, and the container goes on."""
    ran = lab.run({"main.mjs": code})
    name, message, traceback = expected
    assert ran.outcome.code == "exception"
    assert ran.error["type"] == name
    assert message in ran.error["message"]
    assert traceback in ran.error["traceback"]
    assert lab.sandbox.is_reusable


def test_a_missing_module_is_named(lab: Lab) -> None:
    """node: a zip without the handler's module is told which files were looked for."""
    ran = lab.run({"other.mjs": ""})
    assert ran.error["type"] == "ModuleNotFound"
    assert "main.mjs, main.js, main.cjs" in ran.error["message"]


@pytest.mark.parametrize("waits", ["for (;;);", "return new Promise((r) => setTimeout(r, 60_000));"])
def test_a_run_that_does_not_end_is_stopped_at_its_limit(lab: Lab, waits: str) -> None:
    """node: the time limit holds, busy or idle, and what was printed and written before is kept."""
    code = f"""
import {{ writeFileSync }} from 'node:fs';
export function handler() {{ console.log('begun'); writeFileSync('/output/partial', 'half'); {waits} }}
"""
    ran = lab.run({"main.mjs": code}, timeout_s=0.5)
    assert ran.outcome.code == "timeout"
    assert ran.log == "begun\n"
    assert ran.files == {"partial": b"half"}


BOMBS = {
    "heap": "const a = []; for (;;) a.push({ n: a.length, text: `${a.length}` });",
    "buffers": "const a = []; for (;;) a.push(Buffer.alloc(1 << 20, 1));",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_a_memory_bomb_is_out_of_memory(lab: Lab, bomb: str) -> None:
    """node: a function that takes more memory than it may is told so, be it in the heap or outside."""
    ran = lab.run({"main.mjs": f"export function handler() {{ {bomb} }}"})
    assert ran.outcome.code == "out_of_memory", ran
    assert lab.run({"main.mjs": "export const handler = () => 'up';"}).output == "up"


def test_most_of_the_memory_can_be_used_and_garbage_does_not_count(lab: Lab) -> None:
    """node: a heap of half the limit fits, and garbage many times the limit is collected in time."""
    code = """
export function handler() {
  const kept = Array.from({ length: 60 }, (_, i) => new Array(131072).fill(i + 0.5));
  let bytes = 0;
  for (let i = 0; i < 1e6; i++) bytes += JSON.stringify({ i, text: 'x'.repeat(1000) }).length;
  return [kept.length, bytes > 1e9];
}
"""
    assert lab.run({"main.mjs": code}).output == [60, True]


def test_an_output_too_large_is_told(lab: Lab) -> None:
    """node: an output over 128 KiB as JSON is told with its size."""
    ran = lab.run({"main.mjs": "export const handler = () => 'x'.repeat(200_000);"})
    assert ran.outcome.code == "output_too_large"
    assert "200002 bytes" in ran.outcome.message


def test_a_flood_of_log_is_cut_and_harms_nobody(lab: Lab) -> None:
    """node: of 50 MiB of log the end is kept."""
    code = """
export function handler() {
  for (let i = 0; i < 800; i++) process.stdout.write('x'.repeat(65535) + '\\n');
  console.log('the end');
}
"""
    ran = lab.run({"main.mjs": code})
    assert ran.outcome.code == "ok", ran.outcome.message
    assert ran.outcome.logs_truncated
    assert len(ran.outcome.logs) <= 64 * 1024
    assert ran.log.endswith("the end\n")


def test_output_files_are_regular_files_alone(lab: Lab) -> None:
    """node: files in /output arrive with their folders; links, pipes and what cannot be read do not."""
    code = """
import { execSync } from 'node:child_process';
import * as fs from 'node:fs';
export function handler() {
  fs.mkdirSync('/output/a/b', { recursive: true });
  fs.writeFileSync('/output/a/b/deep', Buffer.alloc(600_000, 7));
  fs.writeFileSync('/output/empty', '');
  fs.symlinkSync('/etc/passwd', '/output/link');
  fs.symlinkSync('/etc', '/output/folder-link');
  execSync('mkfifo /output/pipe');
  fs.mkdirSync('/output/closed');
  fs.writeFileSync('/output/closed/x', 'x');
  fs.chmodSync('/output/closed', 0);
}
"""
    ran = lab.run({"main.mjs": code})
    assert ran.outcome.code == "ok", ran.error
    assert ran.files == {"a/b/deep": b"\7" * 600_000, "empty": b""}
    assert lab.sandbox.is_reusable


LEFT_BEHIND = """
import { spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
const list = () => ['/tmp', '/output', '/dev/shm'].flatMap((folder) => fs.readdirSync(folder));
const processes = () => fs.readdirSync('/proc').filter((name) => /^\\d+$/.test(name)).length;
export function handler() {
  const found = [list(), processes(), globalThis.left ?? null, process.env.LEFT ?? null];
  globalThis.left = 1;
  process.env.LEFT = '1';
  for (const folder of ['/tmp', '/output', '/dev/shm']) {
    fs.mkdirSync(`${folder}/d/e`, { recursive: true });
    fs.writeFileSync(`${folder}/d/e/f`, 'x');
    fs.chmodSync(`${folder}/d/e`, 0);
    fs.chmodSync(`${folder}/d`, 0);
  }
  spawn('/bin/sh', ['-c', 'trap "" TERM HUP; sleep 600 & sleep 600'], { detached: true, stdio: 'ignore' }).unref();
  spawn('/bin/sleep', ['600'], { stdio: 'inherit' }).unref();
  return found;
}
"""


def test_a_run_finds_nothing_of_the_one_before(lab: Lab) -> None:
    """node: files in closed folders, processes, globals and variables of one run are gone in the next."""
    lab.close()
    first = lab.run({"main.mjs": LEFT_BEHIND}).output
    container = lab.sandbox.container
    second = lab.run({"main.mjs": LEFT_BEHIND}).output
    assert lab.sandbox.container == container
    assert first[0] == []
    assert second == first


def test_a_fork_bomb_ends_with_its_run(lab: Lab) -> None:
    """node: a fork bomb gets no further than the limit of processes, and leaves none."""
    code = """
import { spawn } from 'node:child_process';
export async function handler() {
  let failed = 0;
  for (let i = 0; i < 200; i++) spawn('/bin/sleep', ['600']).on('error', () => { failed += 1; });
  await new Promise((done) => setTimeout(done, 100));
  return failed;
}
"""
    assert 100 < lab.run({"main.mjs": code}).output < 200
    assert lab.run({"main.mjs": "export const handler = () => 'up';"}).output == "up"


def test_the_runner_cannot_be_looked_into(lab: Lab) -> None:
    """node: the runner's environment, memory and descriptors are closed to the function, though their user is one."""
    code = """
import * as fs from 'node:fs';
const attempt = (action) => { try { action(); return 'done'; } catch (error) { return error.code; } };
export function handler() {
  const runner = `/proc/${process.ppid}`;
  return [
    fs.readFileSync(`${runner}/cmdline`, 'utf8').includes('runner.mjs'),
    attempt(() => fs.readFileSync(`${runner}/environ`)),
    attempt(() => fs.openSync(`${runner}/mem`, 'r+')),
    attempt(() => fs.readdirSync(`${runner}/fd`)),
    attempt(() => fs.readFileSync('/proc/1/environ')),
    attempt(() => fs.openSync('/proc/1/mem', 'r+')),
    attempt(() => fs.readFileSync('/proc/self/environ')),
  ];
}
"""
    assert lab.run({"main.mjs": code}).output == [True, *["EACCES"] * 5, "done"]


def test_a_runner_that_is_killed_costs_its_container_alone(lab: Lab) -> None:
    """node: a function that kills the runner gets a result, and its container is not used again."""
    code = "export const handler = () => { process.kill(process.ppid, 'SIGKILL'); for (;;); };"
    ran = lab.run({"main.mjs": code})
    assert ran.outcome.code == "exception"
    assert lab.run({"main.mjs": "export const handler = () => 'up';"}).output == "up"


def test_a_forged_report_is_the_functions_own_loss(lab: Lab) -> None:
    """node: what a function writes to the runner's descriptor counts as its report, or as none."""
    garbage = (
        "import { writeSync } from 'node:fs'; export const handler = () => { writeSync(3, 'xxxxxxxx'); for (;;); };"
    )
    assert lab.run({"main.mjs": garbage}, timeout_s=1).outcome.code in ("timeout", "output_too_large")
    endless = """
import { writeSync } from 'node:fs';
export function handler() { writeSync(3, Buffer.from([0xff, 0, 0, 0])); for (;;) writeSync(3, Buffer.alloc(65536)); }
"""
    assert lab.run({"main.mjs": endless}, timeout_s=5).outcome.code == "output_too_large"
    assert lab.run({"main.mjs": "export const handler = () => 'up';"}).output == "up"


def test_a_large_input_arrives(lab: Lab) -> None:
    """node: an input of some MiB arrives whole."""
    event = {"text": "é" * (2 * MIB)}
    ran = lab.run({"main.mjs": "export const handler = (event) => event.text.length;"}, event)
    assert ran.output == 2 * MIB


def test_a_container_takes_many_runs(lab: Lab) -> None:
    """node: twenty runs in a row share a container and nothing else."""
    lab.run({"main.mjs": "export const handler = () => 0;"})
    container = lab.sandbox.container
    code = "globalThis.count = (globalThis.count ?? 0) + 1; export const handler = (e) => [e, count];"
    outputs = [lab.run({"main.mjs": code}, number).output for number in range(20)]
    assert outputs == [[number, 1] for number in range(20)]
    assert lab.sandbox.container == container


def test_a_new_memory_limit_holds_for_the_heap(scratch: Path) -> None:
    """node: a container whose limit is changed while it waits gives the next run a heap to match."""
    code = "import v8 from 'node:v8'; export const handler = () => v8.getHeapStatistics().heap_size_limit / 2 ** 20;"
    with engine() as made_by:
        lab = Lab(made_by, built("node"), scratch, memory_mb=256)
        before = lab.run({"main.mjs": code}).output
        made_by.limit_memory(lab.sandbox.container, 512)
        after = lab.run({"main.mjs": code}).output
        lab.close()
    assert before < 256 < after < 512, json.dumps([before, after])
