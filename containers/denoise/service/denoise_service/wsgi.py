"""Entry for gunicorn: `denoise_service.wsgi:create_app()`."""

from typing import Any

from flask import Flask

from denoise_service.api import make_api
from denoise_service.desk import Desk
from denoise_service.inference import Inference
from denoise_service.log import set_up_log
from denoise_service.pipeline import Pipeline
from denoise_service.records import Records
from denoise_service.scratch import Scratch
from denoise_service.settings import Settings, read_settings
from denoise_service.store import Store
from denoise_service.triton import connect

BATCH = 8
"""Tiles of an image that are in Triton at once: what its configuration puts into one run of the network."""


class Service:
    """All that a process holds, so that it can be let go of."""

    def __init__(self, settings: Settings) -> None:
        self._drain_s = settings.ddn_drain_seconds
        self._scratch = Scratch(settings.ddn_temp_dir)
        triton = connect(
            settings.ddn_triton_protocol,
            settings.ddn_triton_grpc,
            settings.ddn_triton_http,
            settings.ddn_triton_call_seconds,
            settings.ddn_triton_wait_seconds,
        )
        self._pipeline = Pipeline(triton, BATCH * settings.ddn_concurrency)
        store = Store(settings.aws_region, settings.ddn_in_bucket, settings.ddn_out_bucket)
        self._desk = Desk(
            Inference(settings, store, self._pipeline, self._scratch),
            Records(store, settings.ddn_heartbeat_seconds),
            settings.ddn_concurrency,
            settings.ddn_queue,
            settings.ddn_heartbeat_seconds,
        )
        self.app = make_api(settings, self._desk, triton)

    def close(self) -> None:
        """Let requests end, and leave nothing behind."""
        self._desk.close(self._drain_s)
        self._pipeline.close()
        self._scratch.close()


def create_app() -> Flask:
    """Make the application from the environment.

    Raises:
        BadSettings: naming every variable that is missing or wrong.
    """
    settings = read_settings(Settings)
    set_up_log(settings.ddn_log_level)
    service = Service(settings)
    service.app.extensions["denoise"] = service
    return service.app


def close_app(app: Any) -> None:
    """Let go of an application that `create_app` made, when its process ends."""
    app.extensions["denoise"].close()
