"""Health check of a container: `python -m denoise_service.probe URL` ends with 0 when the URL answers with 200."""

import sys
import urllib.error
import urllib.request

_TIMEOUT_S = 4


def main() -> int:
    """Ask once."""
    if len(sys.argv) != 2 or not sys.argv[1].startswith("http://"):
        print("usage: python -m denoise_service.probe http://HOST:PORT/PATH")
        return 2
    try:
        with urllib.request.urlopen(sys.argv[1], timeout=_TIMEOUT_S) as answer:  # noqa: S310 (http only, see above)
            status = answer.status
    except (urllib.error.URLError, OSError) as error:
        print(f"{sys.argv[1]}: {error}")
        return 1
    print(f"{sys.argv[1]}: {status}")
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
