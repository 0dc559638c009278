"""The Google Cloud stand-in: a small IAM, and Cloud Storage by gcp-storage-emulator behind what closes its gaps."""

from __future__ import annotations

from wsgiref.types import WSGIApplication

from gcp_storage_emulator.storage import Storage

from standins.gcp.buckets import Buckets
from standins.gcp.emulator import Emulator
from standins.gcp.iam import Iam
from standins.gcp.objects import Objects
from standins.gcp.serial import OneAtATime
from standins.options import Options


def gcp_application(options: Options) -> WSGIApplication:
    """Builds the application that answers as Google Cloud."""
    storage = Storage(use_memory_fs=True, project_number=options.project_number)
    return OneAtATime(Iam(Buckets(Objects(Emulator(storage), storage), storage), options.project_number))
