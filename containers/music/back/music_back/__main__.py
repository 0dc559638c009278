"""`python -m music_back`: the service."""

import sys

from music_back.api import make_service
from music_back.settings import Settings
from music_common.app import serve
from music_common.log import set_up_log
from music_common.settings import BadSettings, read_settings


def main() -> None:
    """Run the service until SIGTERM."""
    try:
        settings = read_settings(Settings)
    except BadSettings as error:
        sys.exit(f"The back cannot start:\n{error}")
    set_up_log(settings.music_log_level)
    serve(make_service(settings), settings, settings.music_port)


if __name__ == "__main__":
    main()
