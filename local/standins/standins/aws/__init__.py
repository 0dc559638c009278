"""The AWS stand-in: moto behind the layers that close its gaps."""

from __future__ import annotations

from wsgiref.types import WSGIApplication

from standins.aws.gaps import close_gaps
from standins.aws.moto_app import MotoApplication
from standins.options import Options


def aws_application(options: Options, port: int) -> WSGIApplication:
    """Builds the application that answers as AWS on `port`."""
    moto = MotoApplication()
    return close_gaps(moto, options, port)
