"""The log: one JSON object a line, with the job's id on every line about a job."""

import logging
import logging.handlers
import sys

import structlog
from structlog.typing import FilteringBoundLogger, Processor

Logger = FilteringBoundLogger


def set_up_log(file: str, **always: str) -> None:
    """Sends structlog's and all libraries' records to one place.

    Args:
        file: path to append to, reopened when it was rotated; empty for standard output.
        always: fields of every record, such as worker_id.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]

    def add_always(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {**always, **event}

    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.handlers.WatchedFileHandler(file) if file else logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                add_always,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("nanogrid_worker").setLevel(logging.INFO)


def logger(name: str) -> Logger:
    """The log of one module."""
    log: Logger = structlog.get_logger(name)
    return log
