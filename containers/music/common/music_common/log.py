"""The log: one JSON object a line on standard output, with the ids of request and run on every line about one."""

import logging
import sys

import structlog
from structlog.typing import FilteringBoundLogger, Processor

Logger = FilteringBoundLogger

PACKAGES = ("music_common", "music_back", "music_pipeline", "first_stage", "second_stage", "kubeflow_standin")
"""Whose records pass from the set level on; those of libraries pass from WARNING on."""


def set_up_log(level: str) -> None:
    """Send structlog's and all libraries' records to one place.

    Args:
        level: the least level of the programs' own records.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for package in PACKAGES:
        logging.getLogger(package).setLevel(level)


def logger(name: str) -> Logger:
    """Return the log of one module."""
    log: Logger = structlog.get_logger(name)
    return log
