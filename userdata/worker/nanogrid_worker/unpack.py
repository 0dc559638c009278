"""Unpacks a zip of a user's making, and trusts nothing that it says."""

import mmap
import os
import re
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from nanogrid_worker.errors import RunRefused

_MIB = 1024 * 1024
MAX_NAME_BYTES = 1024
MAX_SEGMENT_BYTES = 255
_CHUNK = 256 * 1024
_ENCRYPTED = 0x1
_ENTRY_HEADER = re.compile(rb"PK\x01\x02")
_NESTED_SHARE = 10


@dataclass(frozen=True)
class Limits:
    """What a zip may hold.

    Attributes:
        subject: what the zip is, as an error's sentence begins.
        kind: type of the error that refuses it.
        entries: files and folders.
        unpacked_bytes: what may come out of it.
    """

    subject: str
    kind: str
    entries: int
    unpacked_bytes: int


CODE = Limits("The function's zip", "InvalidCode", entries=10_000, unpacked_bytes=512 * _MIB)
DEPENDENCIES = Limits(
    "The zip of the dependencies", "DependenciesUnresolved", entries=60_000, unpacked_bytes=1024 * _MIB
)


def unpack(archive: Path, into: Path, limits: Limits = CODE) -> int:
    """Unpacks a zip into an empty folder, readable by everybody and writable by nobody else; bytes written.

    Only plain files and folders come of it: a zip can hold nothing that makes a hard link, and what claims to be a
    symbolic link, a device or anything else is refused.

    Raises:
        RunRefused: the zip is damaged, too large, or has an entry that is not a plain file or folder below the root.
    """
    try:
        _check_directory(archive, limits)
        with zipfile.ZipFile(archive) as zipped:
            entries = zipped.infolist()
            if len(entries) > limits.entries:
                raise _Refused(f"has {len(entries)} entries; {limits.entries} are allowed")
            written = _unpack_all(zipped, entries, into, limits.unpacked_bytes)
    except _Refused as refused:
        raise RunRefused("exception", f"{limits.subject} {refused}.", limits.kind) from None
    except _UNREADABLE as error:
        raise RunRefused("exception", f"{limits.subject} cannot be read: {error}.", limits.kind) from error
    into.chmod(0o755)
    for folder in into.rglob("*/"):
        folder.chmod(0o755)
    return written


class _Refused(Exception):
    """Why, as a sentence goes on after its subject."""


# ValueError: a name that the file system cannot have, or a field that makes no sense.
_UNREADABLE = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    NotImplementedError,
    EOFError,
    zlib.error,
    RuntimeError,
    ValueError,
    struct.error,
)


def _check_directory(archive: Path, limits: Limits) -> None:
    """Refuses a zip whose list of entries alone would need too much memory, before anything reads the list."""
    with archive.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            raise _Refused("is empty")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            # Zips within the zip have such headers too; those are no entries of this one.
            most = limits.entries * _NESTED_SHARE
            if sum(1 for _ in islice(_ENTRY_HEADER.finditer(data), most + 1)) > most:
                raise _Refused(f"has too many entries; {limits.entries} are allowed")


def _unpack_all(zipped: zipfile.ZipFile, entries: list[zipfile.ZipInfo], into: Path, budget: int) -> int:
    left = budget
    for entry in entries:
        target = into.joinpath(*_checked(entry).parts)
        try:
            if entry.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                left -= _write(zipped, entry, target, left)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise _Refused(f"has an entry that is in another's way: {entry.filename!r}") from None
    return budget - left


def _checked(entry: zipfile.ZipInfo) -> PurePosixPath:
    # filename is cut at a zero byte; the name as written must not have one.
    name = entry.orig_filename
    path = PurePosixPath(name)
    if "\0" in name or "\\" in name or _is_overlong(path):
        raise _Refused(f"has an entry with a bad name: {name[:100]!r}")
    if path.is_absolute() or ".." in path.parts or path.parts[:1] == () or ":" in path.parts[0]:
        raise _Refused(f"has an entry outside of its root: {name[:100]!r}")
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _Refused(f"has an entry that is neither a file nor a folder: {name[:100]!r}")
    if entry.flag_bits & _ENCRYPTED:
        raise _Refused(f"has an encrypted entry: {name[:100]!r}")
    if entry.header_offset < 0:
        raise _Refused(f"has an entry that begins before the zip does: {name[:100]!r}")
    # Others need memory that the zip chooses.
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _Refused(f"has an entry that is neither stored nor deflated: {name[:100]!r}")
    return path


def _is_overlong(path: PurePosixPath) -> bool:
    sizes = [len(part.encode("utf-8", "replace")) for part in path.parts]
    return sum(sizes) + len(sizes) > MAX_NAME_BYTES or max(sizes, default=0) > MAX_SEGMENT_BYTES


def _write(zipped: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, budget: int) -> int:
    written = 0
    with zipped.open(entry) as source, target.open("xb") as file:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > budget:
                raise _Refused("unpacks to more than is allowed")
            file.write(chunk)
    target.chmod(0o755 if entry.external_attr >> 16 & stat.S_IXUSR else 0o644)
    return written
