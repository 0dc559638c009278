"""Entry: `python -m nanogrid_worker`."""

import signal
import sys
import threading

from nanogrid_worker.agent import Agent, new_worker_id
from nanogrid_worker.errors import ProtectionMissing
from nanogrid_worker.log import logger, set_up_log
from nanogrid_worker.settings import BadSettings, read_settings

EXIT_BAD_SETTINGS = 64
EXIT_UNSAFE = 69


def main() -> int:
    """Runs a worker until SIGTERM or SIGINT; the exit code."""
    try:
        settings = read_settings()
    except BadSettings as error:
        sys.stderr.write(f"nanogrid-worker cannot start:\n{error}\n")
        return EXIT_BAD_SETTINGS
    worker_id = new_worker_id()
    set_up_log(settings.log_file, worker_id=worker_id, environment=settings.environment)
    log = logger(__name__)
    try:
        agent = Agent(settings, worker_id)
    except ProtectionMissing as error:
        log.error("worker refuses to start", error=str(error))
        return EXIT_UNSAFE
    for number in (signal.SIGTERM, signal.SIGINT):
        # A handler comes in the middle of what the main thread does, which may hold the lock that stopping needs.
        signal.signal(number, lambda *_: threading.Thread(target=agent.stop, name="stop").start())
    agent.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
