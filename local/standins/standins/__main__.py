"""`python -m standins`: runs both stand-ins until SIGTERM or Ctrl-C."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence

from standins.host import PortTakenError, StandIns
from standins.options import Options, parse_options


def main(arguments: Sequence[str]) -> int:
    """Runs the stand-ins. Returns the exit code: 0 after a signal, 1 when a port is taken."""
    options = parse_options(arguments)
    _configure_logging(options)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        standins = StandIns.start(options)
    except PortTakenError as error:
        print(f"standins: {error}", file=sys.stderr)
        return 1
    try:
        if options.pid_file:
            options.pid_file.write_text(f"{os.getpid()}\n", encoding="utf-8")
        print(f"standins: AWS at {standins.aws_url}, Google Cloud at {standins.gcp_url}", flush=True)
        stop.wait()
    finally:
        standins.stop()
        if options.pid_file:
            options.pid_file.unlink(missing_ok=True)
    return 0


def _configure_logging(options: Options) -> None:
    logging.basicConfig(
        filename=options.log_file,
        level=logging.INFO if options.verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    logging.getLogger("standins").setLevel(logging.DEBUG if options.verbose else logging.INFO)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
