"""The pipeline over the real services: from a recording to candidates, and what happens when something fails."""

import io
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
import yaml
from support.processes import User, World, free_port, wait_until
from support.speech import HAPPY, overlap

from music_pipeline.definition import ASKING, COMPILED, GPU_QUOTA, compile_to
from music_pipeline.steps import NoCandidate, collect


@pytest.fixture(scope="module")
def ended(world: World, happy: bytes, humming: tuple[User, str]) -> tuple[User, dict[str, Any]]:
    """A user, and the document of a run that has ended."""
    assert humming
    user = world.user("end to end")
    return user, user.ended(user.run(happy, candidates=3, seconds=5, seed=7))


def test_a_recording_becomes_words_a_mood_and_candidates_that_differ(ended: tuple[User, dict[str, Any]]) -> None:
    user, document = ended
    assert document["status"] == "succeeded"
    assert overlap(HAPPY, document["transcript"]["text"]) >= 0.8
    assert document["mood"]["mood"] == "joyful"
    sounds = []
    for candidate in document["candidates"]:
        answer = user.get(candidate["href"])
        assert answer.headers["content-type"] == "audio/wav"
        samples, rate = soundfile.read(io.BytesIO(answer.content))
        assert len(samples) == 5 * rate
        assert np.abs(samples).max() > 0.5
        sounds.append(answer.content)
    assert len(set(sounds)) == 3


def test_a_stage_that_is_killed_is_asked_again_and_nothing_is_done_twice(world: World, happy: bytes) -> None:
    user = world.user("killed")
    run_id = user.run(happy, candidates=3, seconds=30, seed=1)
    folder = user.folder(run_id) / "candidates"
    wait_until(lambda: list(folder.glob("?.json")), 40, "a first candidate")
    world.second.kill()
    before = {file.name: file.stat().st_mtime_ns for file in folder.glob("?.json")}
    assert 1 <= len(before) < 3
    assert not list(folder.glob("*.problem.json"))
    world.second.start()
    document = user.ended(run_id)
    assert document["status"] == "succeeded"
    assert [each["status"] for each in document["candidates"]] == ["succeeded"] * 3
    assert {name: (folder / name).stat().st_mtime_ns for name in before} == before
    lines = [line for line in world.second.log() if line.get("run", "").endswith(run_id)]
    finished = sorted(line["output"] for line in lines if line["event"] == "finished")
    assert finished == [f"{index}.json" for index in range(3)]
    heard = [line["event"] for line in world.first.log() if line.get("run", "").endswith(run_id)]
    assert heard.count("finished") == 2


def test_a_step_that_is_asked_for_again_finds_what_is_there(world: World, ended: tuple[User, dict[str, Any]]) -> None:
    user, document = ended
    run = "/".join(user.folder(document["id"]).parts[-2:])
    before = user.get(document["candidates"][0]["href"]).content
    body = {"run": run, "index": 0}
    first, second = (httpx.post(f"{world.second.url}/candidates", json=body, timeout=30) for _ in range(2))
    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()
    assert user.get(document["candidates"][0]["href"]).content == before
    metrics = httpx.get(f"{world.second.url}/metrics").text
    assert 'music_stage_work_total{outcome="found",step="generate"}' in metrics


def test_a_candidate_that_fails_leaves_the_others(world: World, happy: bytes) -> None:
    user = world.user("one fails")
    answer = user.upload(happy)
    run_id = answer.json()["id"]
    # A folder in the way of the second candidate's file.
    (user.folder(run_id) / "candidates" / "1.wav" / "in the way").mkdir(parents=True)
    user.start(run_id, candidates=3, seconds=4)
    document = user.ended(run_id)
    assert document["status"] == "succeeded"
    assert [each["status"] for each in document["candidates"]] == ["succeeded", "failed", "succeeded"]
    assert document["candidates"][1]["error"]


def test_a_runner_that_was_away_takes_what_waited(world: World, happy: bytes) -> None:
    user = world.user("runner away")
    world.kubeflow.kill()
    run_id = user.run(happy, candidates=1, seconds=4)
    assert user.get(f"/runs/{run_id}").json()["status"] == "queued"
    world.kubeflow.start()
    assert user.ended(run_id)["status"] == "succeeded"


def test_the_committed_pipeline_is_what_the_code_compiles_to(tmp_path: Path) -> None:
    compile_to(tmp_path / "music.yaml")
    committed, compiled = (list(yaml.safe_load_all(file.read_text())) for file in (COMPILED, tmp_path / "music.yaml"))
    assert committed == compiled, "run python -m music_pipeline.definition"


def test_steps_are_retried_without_a_cache_and_candidates_fit_the_quota() -> None:
    text = COMPILED.read_text()
    assert "enableCache: true" not in text
    assert text.count(f"maxRetryCount: {ASKING.times}") == 3
    assert f"parallelismLimit: {GPU_QUOTA}" in text


def test_the_last_step_fails_where_no_candidate_is_there_and_says_why() -> None:
    failed = [json.dumps({"index": index, "status": "failed", "error": f"reason {index}"}) for index in (1, 0)]
    with pytest.raises(NoCandidate, match="candidate 0: reason 0; candidate 1: reason 1"):
        collect("a/b", failed)
    made = json.dumps({"index": 2, "status": "succeeded"})
    assert [each["index"] for each in json.loads(collect("a/b", [made, *failed]))] == [0, 1, 2]


def test_a_step_gives_up_in_its_time_where_no_stage_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    from music_pipeline import steps

    monkeypatch.setenv("MUSIC_STEP_SECONDS", "1")
    monkeypatch.setenv("MUSIC_LONGEST_WAIT_SECONDS", "0.2")
    with pytest.raises(steps.Unavailable):
        steps.transcribe(f"http://127.0.0.1:{free_port()}", "a/b")
    failed = json.loads(steps.generate(f"http://127.0.0.1:{free_port()}", "a/b", 0))
    assert failed["status"] == "failed"


def test_a_recording_without_speech_fails_with_the_stage_s_words(humming: tuple[User, str]) -> None:
    user, run_id = humming
    document = user.ended(run_id)
    assert document["status"] == "failed"
    assert document["error"]["status"] == 422
    assert document["error"]["detail"] == "No speech was heard."
    assert document["error"]["remedy"]
