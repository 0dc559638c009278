"""The back's HTTP API. Every route knows its user; runs of others do not exist for it."""

import asyncio
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import structlog
from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse
from prometheus_client import CollectorRegistry, Counter

from music_back.dispatcher import Dispatcher
from music_back.identity import Identity
from music_back.kubeflow import Away, Kubeflow
from music_back.recordings import keep
from music_back.runs import Order, Runs, too_many
from music_back.settings import Settings
from music_common.app import Health, make_app
from music_common.log import logger
from music_common.problems import Problem, invalid, too_large, unavailable
from music_common.volume import Volume, room

log = logger(__name__)

_QUEUE_FULL_AFTER_S = 30


def make_service(settings: Settings) -> FastAPI:
    """Make the application, and start its dispatcher."""
    volume = Volume(settings.music_data)
    runs = Runs(volume)
    registry = CollectorRegistry()
    uploads = Counter("music_uploads_total", "Uploads by status of the answer.", ["status"], registry=registry)
    kubeflow = Kubeflow(settings.music_kubeflow, settings.music_pipeline_file, settings.music_pipeline_image)
    dispatcher = Dispatcher(settings, volume, runs, kubeflow, registry)
    health = Health(
        dead=lambda: "The dispatcher is stuck." if dispatcher.stuck() else None,
        unready=lambda: None if settings.music_data.is_dir() else f"{settings.music_data} is not there.",
        leave=dispatcher.close,
    )
    app = make_app("music-back", registry, health, "/runs")
    user = Depends(Identity(settings.music_session_key.get_secret_value()))

    @app.post("/runs", status_code=201)
    async def upload(
        request: Request, response: Response, name: Annotated[str, Query(max_length=255)] = "", who: str = user
    ) -> dict[str, Any]:
        try:
            document = await _take(request, settings, runs, name, who)
        except Problem as problem:
            uploads.labels(str(problem.status)).inc()
            raise
        uploads.labels("201").inc()
        response.headers["Location"] = f"/runs/{document['id']}"
        return document

    @app.get("/runs")
    def mine(who: str = user) -> dict[str, Any]:
        return {"runs": [runs.document(run) for run in runs.of(who)]}

    @app.get("/runs/{run_id}")
    def status(run_id: str, who: str = user) -> dict[str, Any]:
        return runs.document(runs.reference(who, run_id))

    @app.post("/runs/{run_id}/start", status_code=202)
    def begin(run_id: str, order: Order, who: str = user) -> dict[str, Any]:
        run = runs.reference(who, run_id)
        structlog.contextvars.bind_contextvars(run=run)
        if order.candidates > settings.music_gpu_quota:
            raise invalid("candidates", f"expected at most {settings.music_gpu_quota}, got {order.candidates}")
        if order.seconds > settings.music_max_candidate_seconds:
            raise invalid(
                "seconds", f"expected at most {settings.music_max_candidate_seconds:g}, got {order.seconds:g}"
            )
        active = [each for each in runs.active() if each != run]
        if len(active) >= settings.music_queue:
            raise unavailable(f"{len(active)} runs wait already.", _QUEUE_FULL_AFTER_S)
        if sum(each.split("/")[0] == run.split("/")[0] for each in active) >= settings.music_user_queue:
            raise too_many(f"{settings.music_user_queue} of your runs wait or run.", "Wait until one has ended.")
        if runs.start(run, order):
            log.info("queued", order=order.model_dump())
        return runs.document(run)

    @app.get("/runs/{run_id}/candidates")
    def candidates(run_id: str, who: str = user) -> dict[str, Any]:
        return {"candidates": runs.document(runs.reference(who, run_id))["candidates"]}

    @app.get("/runs/{run_id}/candidates/{index}")
    def download(run_id: str, index: int, who: str = user) -> FileResponse:
        file = runs.candidate(runs.reference(who, run_id), index)
        return FileResponse(
            file,
            media_type="audio/wav",
            filename=f"candidate-{index + 1}.wav",
            headers={"Cache-Control": "private, no-cache"},
        )

    @app.delete("/runs/{run_id}", status_code=204)
    def remove(run_id: str, who: str = user) -> None:
        run = runs.reference(who, run_id)
        stored = runs.read(run) or {}
        runs.delete(run)
        if stored.get("state") == "running":
            # Without its folder the stages refuse what the pipeline asks for: it ends in any case.
            with suppress(Away):
                kubeflow.terminate(stored["pipeline"])

    return app


async def _take(request: Request, settings: Settings, runs: Runs, name: str, who: str) -> dict[str, Any]:
    """Take a recording: to a file as it comes, then to what the stages take."""
    most = settings.music_max_upload_bytes
    size = request.headers.get("content-length", "")
    if size.isdigit() and int(size) > most:
        raise _too_many_bytes(most)
    if len(runs.of(who)) >= settings.music_user_runs:
        raise too_many(f"{settings.music_user_runs} of your runs are kept.", "Delete one that you no longer need.")
    incoming = settings.music_data / "incoming"
    sent = incoming / secrets.token_hex(16)
    kept = sent.with_suffix(".wav")
    try:
        with room():
            incoming.mkdir(exist_ok=True)
            await _receive(request, sent, most, settings.music_upload_idle_seconds)
        recording = await run_in_threadpool(keep, sent, kept, settings.music_max_recording_seconds)
        return await run_in_threadpool(runs.create, who, name, recording.document(), kept)
    finally:
        for each in (sent, kept):
            with suppress(OSError):
                each.unlink(missing_ok=True)


async def _receive(request: Request, sent: Path, most: int, idle_s: float) -> None:
    got = 0
    chunks = request.stream().__aiter__()
    with sent.open("wb") as file:
        while True:
            try:
                chunk = await asyncio.wait_for(anext(chunks), idle_s)
            except StopAsyncIteration:
                return
            except TimeoutError:
                detail = f"No byte came for {idle_s:g} s."
                raise Problem(408, "timeout", "The upload has stalled", detail, "Send it again.", "body") from None
            got += len(chunk)
            if got > most:
                raise _too_many_bytes(most)
            await run_in_threadpool(file.write, chunk)


def _too_many_bytes(most: int) -> Problem:
    return too_large(
        "audio", f"The recording may have at most {most:,} bytes.", "Send it as FLAC, OGG or MP3, or a part of it."
    )
