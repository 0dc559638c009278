"""What is sent: formats by content, bounds, damage, and whose it is."""

import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import numpy as np
import pytest
import soundfile
from support.processes import KEY, MUSIC, Service, User, World, stage
from support.speech import RATE, encoded, hum

from music_back.identity import AUDIENCE


@pytest.fixture(scope="module")
def ann(world: World) -> User:
    """A user."""
    return world.user("Ann")


def refused(answer: httpx.Response, status: int, field: str | None = "audio") -> dict[str, Any]:
    """Check that an answer is a problem. Return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem.get("field") == field
    assert problem["detail"]
    assert problem["remedy"]
    assert problem["requestId"] == answer.headers["x-request-id"]
    return problem


@pytest.mark.parametrize(
    ("kind", "subtype", "rate", "channels", "said"),
    [
        ("WAV", "PCM_16", 44_100, 2, "WAV"),
        ("WAV", "FLOAT", 8_000, 1, "WAV"),
        ("WAVEX", "PCM_24", 96_000, 6, "WAV"),
        ("FLAC", "PCM_16", 48_000, 1, "FLAC"),
        ("OGG", "VORBIS", 44_100, 2, "OGG"),
        ("OGG", "OPUS", 48_000, 1, "OGG"),
        ("MP3", "MPEG_LAYER_III", 44_100, 2, "MP3"),
    ],
)
def test_a_recording_of_any_format_is_kept_as_the_stages_take_it(
    ann: User, kind: str, subtype: str, rate: int, channels: int, said: str
) -> None:
    answer = ann.upload(encoded(hum(1, rate, channels), kind, subtype, rate), name="notes.txt")
    assert answer.status_code == 201, answer.text
    document = answer.json()
    assert answer.headers["location"] == f"/runs/{document['id']}"
    recording = document["recording"]
    assert (recording["format"], recording["rate"], recording["channels"]) == (said, rate, channels)
    assert recording["seconds"] == pytest.approx(1, abs=0.1)
    kept, kept_rate = soundfile.read(ann.folder(document["id"]) / "input.wav")
    assert (kept_rate, kept.ndim) == (16_000, 1)
    assert len(kept) == pytest.approx(16_000, rel=0.1)
    assert np.abs(kept).max() == pytest.approx(0.4, abs=0.05)
    assert ann.delete(f"/runs/{document['id']}").status_code == 204


WAV = encoded(hum(2), "WAV")
FLAC = encoded(hum(2) + 0.01 * np.random.default_rng(1).standard_normal((2 * RATE, 1)).astype(np.float32), "FLAC")
DAMAGED = FLAC[: len(FLAC) // 2] + bytes(2_000) + FLAC[len(FLAC) // 2 + 2_000 :]
NOT_NUMBERS = np.where(np.arange(RATE)[:, None] == 9_000, np.float32("nan"), hum(1))


@pytest.mark.parametrize(
    ("content", "status"),
    [
        pytest.param(b"", 415, id="nothing"),
        pytest.param(b"no sound at all", 415, id="text"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(5_000), 415, id="a picture"),
        pytest.param(encoded(hum(1), "AIFF"), 415, id="another format"),
        pytest.param(WAV[:44], 422, id="a header alone"),
        pytest.param(WAV[: len(WAV) // 2], 422, id="half a WAV"),
        pytest.param(DAMAGED, 422, id="a damaged FLAC"),
        pytest.param(encoded(NOT_NUMBERS, "WAV", "FLOAT"), 422, id="not numbers"),
        pytest.param(encoded(hum(1, loudness=0), "WAV"), 422, id="silence"),
        pytest.param(encoded(hum(0.1), "WAV"), 422, id="too short"),
        pytest.param(encoded(hum(1, 4_000), "WAV", rate=4_000), 422, id="too few samples a second"),
        pytest.param(encoded(hum(0.5, channels=9), "WAV"), 422, id="too many channels"),
        pytest.param(encoded(hum(21, 8_000), "FLAC", rate=8_000), 413, id="too long"),
        pytest.param(bytes(3 * 1024**2 + 1), 413, id="too many bytes"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_content(ann: User, world: World, content: bytes, status: int) -> None:
    before = len(ann.get("/runs").json()["runs"])
    refused(ann.upload(content, name="speech.wav"), status)
    assert len(ann.get("/runs").json()["runs"]) == before
    assert not list((world.data / "incoming").iterdir())


def test_an_upload_that_lies_about_its_size_is_bounded_all_the_same(world: World) -> None:
    token = jwt.encode({"sub": "Ann", "aud": AUDIENCE, "exp": time.time() + 60}, KEY, "HS256")

    def pieces(count: int, pause_s: float = 0) -> Iterator[bytes]:
        for _ in range(count):
            yield bytes(64 * 1024)
            time.sleep(pause_s)

    headers = {"Authorization": f"Bearer {token}"}
    refused(httpx.post(f"{world.back.url}/runs", content=pieces(64), headers=headers, timeout=20), 413)
    stalled = httpx.post(f"{world.back.url}/runs", content=pieces(2, 1.5), headers=headers, timeout=20)
    refused(stalled, 408, "body")
    assert not list((world.data / "incoming").iterdir())


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ({"candidates": 0}, "candidates"),
        ({"candidates": 5}, "candidates"),
        ({"candidates": "3"}, "candidates"),
        ({"seconds": 2}, "seconds"),
        ({"seconds": 31}, "seconds"),
        ({"seed": -1}, "seed"),
        ({"loudness": 3}, "loudness"),
    ],
)
def test_an_order_that_is_wrong_names_its_field(ann: User, order: dict[str, Any], field: str) -> None:
    run_id = ann.upload(encoded(hum(1), "WAV")).json()["id"]
    problem = refused(ann.start(run_id, **order), 400, field)
    assert field in problem["detail"]
    assert ann.get(f"/runs/{run_id}").json()["status"] == "uploaded"
    ann.delete(f"/runs/{run_id}")


def test_users_never_see_each_other_s_runs(world: World, humming: tuple[User, str]) -> None:
    owner, run_id = humming
    other = world.user("someone else")
    mine = other.upload(encoded(hum(1), "WAV")).json()["id"]
    for path in ("", "/candidates", "/candidates/0"):
        refused(other.get(f"/runs/{run_id}{path}"), 404, None)
    refused(other.start(run_id), 404, None)
    refused(other.delete(f"/runs/{run_id}"), 404, None)
    assert [each["id"] for each in other.get("/runs").json()["runs"]] == [mine]
    assert run_id in [each["id"] for each in owner.get("/runs").json()["runs"]]
    # Nor by a path that leads to it.
    escaped = f"..%2F{owner.folder(run_id).parent.name}%2F{run_id}"
    assert other.get(f"/runs/{escaped}").status_code == 404


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param(None, id="none"),
        pytest.param({"sub": "Ann", "aud": AUDIENCE, "exp": 1}, id="expired"),
        pytest.param({"sub": "Ann", "aud": "another", "exp": 4e9}, id="for another service"),
        pytest.param({"sub": "Ann", "aud": AUDIENCE}, id="without an end"),
        pytest.param({"aud": AUDIENCE, "exp": 4e9}, id="without a user"),
    ],
)
def test_without_a_token_of_the_front_nobody_is_known(world: World, claims: dict[str, Any] | None) -> None:
    headers = {} if claims is None else {"Authorization": f"Bearer {jwt.encode(claims, KEY, 'HS256')}"}
    refused(httpx.get(f"{world.back.url}/runs", headers=headers), 401, "header Authorization")


def test_a_token_of_another_key_or_without_a_signature_is_no_token(world: World) -> None:
    claims = {"sub": "Ann", "aud": AUDIENCE, "exp": time.time() + 60}
    for token in (jwt.encode(claims, "another key, and a long one as well", "HS256"), jwt.encode(claims, "", "none")):
        answer = httpx.get(f"{world.back.url}/runs", headers={"Authorization": f"Bearer {token}"})
        refused(answer, 401, "header Authorization")


def test_a_start_again_changes_nothing_and_another_order_is_refused(world: World, humming: tuple[User, str]) -> None:
    user, run_id = humming
    again = user.start(run_id, candidates=1)
    assert again.status_code == 202
    refused(user.start(run_id, candidates=2), 409, None)
    assert len(list((world.data / "active").glob(f"*{run_id}"))) <= 1


def test_a_user_s_place_in_the_queue_is_bounded(world: World) -> None:
    user = world.user("eager")
    world.kubeflow.kill()
    try:
        hummed = encoded(hum(1), "WAV")
        waiting = [user.run(hummed) for _ in range(2)]
        third = user.upload(hummed).json()["id"]
        refused(user.start(third), 429, None)
        metrics = httpx.get(f"{world.back.url}/metrics").text
        assert 'music_stage_backlog{stage="second-stage"}' in metrics
        for run_id in waiting:
            assert user.delete(f"/runs/{run_id}").status_code == 204
        assert user.start(third).status_code == 202
        assert user.delete(f"/runs/{third}").status_code == 204
    finally:
        world.kubeflow.start()
        world.kubeflow.wait()


def test_a_full_volume_is_an_error_at_once_and_leaves_nothing(
    small_volume: Callable[[int], Path], tmp_path: Path
) -> None:
    data = small_volume(1_000)
    back = Service(
        "music_back",
        tmp_path,
        "/readyz",
        MUSIC_DATA=str(data),
        MUSIC_SESSION_KEY=KEY,
        MUSIC_PIPELINE_FILE=str(MUSIC / "pipeline" / "music_pipeline" / "music.yaml"),
    ).wait()
    second = stage("second_stage", tmp_path, data).wait()
    try:
        token = jwt.encode({"sub": "Ann", "aud": AUDIENCE, "exp": time.time() + 60}, KEY, "HS256")

        def upload(seconds: float) -> httpx.Response:
            headers = {"Authorization": f"Bearer {token}"}
            content = encoded(hum(seconds, 44_100), "WAV", rate=44_100)
            return httpx.post(f"{back.url}/runs", content=content, headers=headers, timeout=20)

        start = time.monotonic()
        problem = refused(upload(15), 507, None)
        assert "full" in problem["title"]
        assert time.monotonic() - start < 10
        assert not list((data / "incoming").iterdir())
        assert upload(1).status_code == 201

        folder = next((data / "runs").glob("*/*"))
        (folder / "run.json").write_text('{"order": {"candidates": 1, "seconds": 8, "seed": 1}, "state": "running"}')
        (folder / "mood.json").write_text('{"mood": "calm", "valence": 0}')
        body = {"run": "/".join(folder.parts[-2:]), "index": 0}
        answer = httpx.post(f"{second.url}/candidates", json=body, timeout=20)
        refused(answer, 507, None)
        assert not list((folder / "candidates").glob("*.wav*"))
        body_of_less = (folder / "run.json").read_text().replace('"seconds": 8', '"seconds": 4')
        (folder / "run.json").write_text(body_of_less)
        assert httpx.post(f"{second.url}/candidates", json=body, timeout=20).status_code == 200
        samples, _ = soundfile.read(io.BytesIO((folder / "candidates" / "0.wav").read_bytes()))
        assert len(samples) == 4 * 44_100
    finally:
        back.kill()
        second.kill()
