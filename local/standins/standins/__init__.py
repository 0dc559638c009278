"""Local stand-ins of the clouds: an AWS (moto) and a Google Cloud (gcp-storage-emulator) on loopback, in one process.

They exist so that the real Terraform with the real providers, and the real programs with the real SDKs, can be run on
one machine without an account. What the two emulators lack for that is closed here, one gap a class.
"""

__version__ = "1.0.0"
