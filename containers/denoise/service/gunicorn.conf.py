"""gunicorn's configuration: one process, so that Triton sees one bounded stream of tiles, and threads for who waits."""

import logging
import sys
from typing import Any

from gunicorn.glogging import Logger

from denoise_service.log import set_up_log
from denoise_service.settings import BadSettings, Settings, read_settings
from denoise_service.wsgi import close_app

try:
    _settings = read_settings(Settings)
except BadSettings as _error:
    sys.exit(f"denoise-service cannot start:\n{_error}")
set_up_log(_settings.ddn_log_level)


class _JsonLogger(Logger):  # type: ignore[misc]  # gunicorn brings no types
    """Says what gunicorn says through the service's log. The service itself logs each request."""

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        self.error_log = logging.getLogger("gunicorn.error")
        self.error_log.setLevel(logging.INFO)
        self.error_log.propagate = True
        self.access_log = logging.getLogger("gunicorn.access")

    def access(self, *_: Any) -> None:
        return


bind = f"0.0.0.0:{_settings.ddn_port}"
workers = 1
worker_class = "gthread"
# Requests that wait for their image in line, and enough for those who ask for health, metrics and records.
threads = _settings.ddn_concurrency + _settings.ddn_queue + 14
worker_tmp_dir = "/dev/shm"  # noqa: S108 (gunicorn makes a file of a random name in it)
# Longer than the load balancer's 60 s, so that it is never the service that closes a connection in use.
keepalive = 75
timeout = 60
# Less than the 120 s after which ECS kills a container that was told to stop.
graceful_timeout = round(_settings.ddn_drain_seconds) + 20
logger_class = _JsonLogger
control_socket_disable = True


def worker_exit(_server: Any, worker: Any) -> None:
    """Let requests end before the process does."""
    if getattr(worker, "wsgi", None) is not None:
        close_app(worker.wsgi)
