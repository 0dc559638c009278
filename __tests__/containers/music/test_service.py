"""What surrounds the work: settings, health, metrics, logs, the line for work, and leaving in order."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from support import PATHS
from support.processes import Service, World, stage, wait_until

from music_common.gpu import watch_gpus
from music_common.problems import Problem
from music_common.volume import Volume, only_one, whole_file
from music_common.work import Line


def started(module: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program that ends by itself."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("MUSIC_")}
    return subprocess.run(
        [sys.executable, "-m", module],
        env={**others, "PYTHONPATH": os.pathsep.join(map(str, PATHS)), **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_wrong_settings_stop_the_start_and_are_all_named_without_secrets() -> None:
    ended = started("music_back", MUSIC_SESSION_KEY="too short", MUSIC_QUEUE="-1", MUSIC_KUBEFLOW="ftp://x")
    assert ended.returncode != 0
    lines = ended.stderr.strip().splitlines()[1:]
    assert sorted(line.split(":")[0] for line in lines) == ["MUSIC_KUBEFLOW", "MUSIC_QUEUE", "MUSIC_SESSION_KEY"]
    assert "too short" not in ended.stderr
    assert "MUSIC_SESSION_KEY: is not set." in started("music_back").stderr


@pytest.mark.parametrize("module", ["first_stage", "second_stage"])
def test_a_stage_without_its_weights_ends_with_words(module: str, tmp_path: Path) -> None:
    ended = started(module, MUSIC_DATA=str(tmp_path))
    assert ended.returncode == 78
    assert "/models/" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_health_metrics_and_unknown_paths(world: World) -> None:
    for service in (world.back, world.first, world.second):
        assert httpx.get(f"{service.url}/livez").json() == {"status": "ok"}
        assert httpx.get(f"{service.url}/readyz").json() == {"status": "ok"}
        missing = httpx.get(f"{service.url}/nothing", headers={"X-Request-Id": "abc123"})
        assert missing.status_code == 404
        assert missing.json()["requestId"] == "abc123"
        assert missing.headers["content-type"] == "application/problem+json"
    assert 'music_queue_depth{state="queued"}' in httpx.get(f"{world.back.url}/metrics").text
    text = httpx.get(f"{world.second.url}/metrics").text
    for name in ("music_stage_waiting", "music_stage_busy", "music_stage_seconds"):
        assert name in text


def test_every_line_of_the_logs_is_json_with_the_run_on_those_about_one(world: World) -> None:
    for service in (world.back, world.first, world.second):
        lines = service.words().splitlines()
        assert lines
        assert [line for line in lines if not line.startswith("{")] == []
    worked = [line for line in world.first.log() if line["event"] == "started"]
    assert all(line["run"] and line["request_id"] for line in worked)


def test_a_stage_takes_no_reference_that_leads_elsewhere(world: World) -> None:
    for run in ("../../etc", "a/b", f"{'0' * 32}/../{'0' * 32}"):
        answer = httpx.post(f"{world.first.url}/transcriptions", json={"run": run})
        assert answer.status_code == 400
        assert answer.json()["field"] == "run"
    unknown = {"run": f"{'0' * 32}/{'0' * 32}"}
    assert httpx.post(f"{world.first.url}/transcriptions", json=unknown).status_code == 404
    huge = httpx.post(f"{world.first.url}/transcriptions", content=b" " * 70_000)
    assert huge.status_code == 413
    chunked = httpx.post(f"{world.first.url}/transcriptions", content=iter([b"{}"]))
    assert chunked.status_code == 411


def test_a_service_that_is_told_to_end_finishes_what_it_has_begun(tmp_path: Path, world: World) -> None:
    data = tmp_path / "data"
    folder = data / "runs" / ("1" * 32) / ("2" * 32)
    folder.mkdir(parents=True)
    (folder / "run.json").write_text('{"order": {"candidates": 1, "seconds": 30, "seed": 1}}')
    (folder / "mood.json").write_text('{"mood": "calm", "valence": 0}')
    assert world.data != data
    service: Service = stage("second_stage", tmp_path, data).wait()
    answers: list[int] = []
    body = {"run": f"{'1' * 32}/{'2' * 32}", "index": 0}
    ask = threading.Thread(
        target=lambda: answers.append(httpx.post(f"{service.url}/candidates", json=body, timeout=30).status_code)
    )
    ask.start()
    wait_until(lambda: any(line["event"] == "started" for line in service.log()), 10, "the work has begun")
    service.terminate()
    # uvicorn ends by the signal that it was given, after what it had begun.
    assert service.ended() == -signal.SIGTERM
    ask.join()
    assert answers == [200]
    assert (folder / "candidates" / "0.wav").is_file()


def test_the_line_lets_one_work_some_wait_and_turns_the_rest_away() -> None:
    registry = CollectorRegistry()
    line = Line(registry, places=1, stuck_after_s=0.05)
    working, release, second_done = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        with line.turn("step"):
            working.set()
            release.wait(10)

    def wait() -> None:
        with line.turn("step"):
            second_done.set()

    first = threading.Thread(target=work)
    first.start()
    assert working.wait(10)
    second = threading.Thread(target=wait)
    second.start()
    wait_until(lambda: registry.get_sample_value("music_stage_waiting") == 1, 10, "one waits")
    with pytest.raises(Problem) as refused, line.turn("step"):
        pass
    assert refused.value.status == 503
    assert refused.value.retry_after_s
    wait_until(lambda: line.stuck_s() is not None, 10, "the work counts as stuck")
    release.set()
    first.join()
    second.join()
    assert second_done.is_set()
    assert line.stuck_s() is None
    done = registry.get_sample_value("music_stage_work_total", {"step": "step", "outcome": "done"})
    assert done == 2


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="died"), whole_file(tmp_path / "a") as file:
        raise RuntimeError(f"died after {file.write(b'half')} bytes")
    assert list(tmp_path.iterdir()) == []
    with whole_file(tmp_path / "a") as file:
        file.write(b"whole")
    assert (tmp_path / "a").read_bytes() == b"whole"


def test_one_of_two_makers_waits_and_one_that_waits_too_long_is_told(tmp_path: Path) -> None:
    with only_one(tmp_path / "a", 1):
        start = time.monotonic()
        with pytest.raises(Problem) as refused, only_one(tmp_path / "a", 0.2):
            pass
        assert refused.value.status == 503
        assert time.monotonic() - start < 2
    with only_one(tmp_path / "a", 0):
        pass


def test_a_volume_that_is_gone_is_not_writable(tmp_path: Path) -> None:
    assert Volume(tmp_path).writable()
    assert not Volume(tmp_path / "gone").writable()


def test_without_a_driver_there_are_no_gpu_metrics() -> None:
    registry = CollectorRegistry()
    watched = watch_gpus(registry)
    assert ("music_gpu" in generate_latest(registry).decode()) == watched
