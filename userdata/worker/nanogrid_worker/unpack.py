"""Unpacks a function's zip, and trusts nothing that it says."""

import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from nanogrid_worker.errors import RunRefused

MAX_ENTRIES = 10_000
MAX_UNPACKED_BYTES = 512 * 1024 * 1024
MAX_NAME_BYTES = 1024
_CHUNK = 256 * 1024
_ENCRYPTED = 0x1


def unpack(archive: Path, into: Path) -> int:
    """Unpacks a zip into an empty folder, readable by everybody and writable by nobody else; bytes written.

    Raises:
        RunRefused: the zip is damaged, too large, or has an entry that is not a plain file or folder below the root.
    """
    try:
        with zipfile.ZipFile(archive) as zipped:
            entries = zipped.infolist()
            if len(entries) > MAX_ENTRIES:
                raise _refused(f"has {len(entries)} entries; {MAX_ENTRIES} are allowed")
            budget = MAX_UNPACKED_BYTES
            for entry in entries:
                target = into.joinpath(*_checked(entry).parts)
                if entry.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                else:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    budget -= _write(zipped, entry, target, budget)
            for folder in (into, *into.rglob("*/")):
                folder.chmod(0o755)
            return MAX_UNPACKED_BYTES - budget
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError, zlib.error) as error:
        raise _refused(f"cannot be read: {error}") from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise _refused(f"has an entry that is in another's way: {Path(error.filename).relative_to(into)}") from error
    except ValueError as error:
        raise _refused(f"has an entry that cannot be unpacked: {error}") from error


def _checked(entry: zipfile.ZipInfo) -> PurePosixPath:
    # filename is cut at a zero byte; the name as written must not have one.
    name = entry.orig_filename
    path = PurePosixPath(name)
    if "\0" in name or "\\" in name or len(name.encode("utf-8", "replace")) > MAX_NAME_BYTES:
        raise _refused(f"has an entry with a bad name: {name[:100]!r}")
    if path.is_absolute() or ".." in path.parts or path.parts[:1] == () or ":" in path.parts[0]:
        raise _refused(f"has an entry outside of its root: {name!r}")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _refused(f"has an entry that is neither a file nor a folder: {name!r}")
    if entry.flag_bits & _ENCRYPTED:
        raise _refused(f"has an encrypted entry: {name!r}")
    return path


def _write(zipped: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, budget: int) -> int:
    written = 0
    with zipped.open(entry) as source, target.open("xb") as file:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > budget:
                raise _refused(f"unpacks to more than {MAX_UNPACKED_BYTES} bytes")
            file.write(chunk)
    target.chmod(0o755 if entry.external_attr >> 16 & stat.S_IXUSR else 0o644)
    return written


def _refused(what: str) -> RunRefused:
    return RunRefused("exception", f"The function's zip {what}.", "InvalidCode")
