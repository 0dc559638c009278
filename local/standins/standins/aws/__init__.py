"""The AWS stand-in: moto behind the layers that close its gaps."""

from __future__ import annotations

from wsgiref.types import WSGIApplication

from standins.atlas import Atlas
from standins.aws.gaps import close_gaps
from standins.aws.moto_app import MotoApplication
from standins.options import Options


def aws_application(options: Options, port: int) -> WSGIApplication:
    """Builds the application that answers as AWS on `port`, and as Atlas below /standins/atlas."""
    moto = MotoApplication()
    return Atlas(close_gaps(moto, options, port), moto.idle)
