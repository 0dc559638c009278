"""The stand-in of MongoDB Atlas: what the stand-in of its Terraform provider makes, reads, changes and deletes."""

from __future__ import annotations

from standins.atlas.layer import Atlas

__all__ = ["Atlas"]
