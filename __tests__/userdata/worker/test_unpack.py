"""Zips that are not what a function's zip should be."""

import shutil
import stat
import zipfile
from dataclasses import replace
from pathlib import Path
from random import Random
from unittest.mock import patch

import pytest

from nanogrid_worker.errors import RunRefused
from nanogrid_worker.unpack import CODE, Limits, unpack


def written(tmp_path: Path, *entries: tuple[str, int, bytes]) -> Path:
    """A zip with entries of a name, a Unix mode (0 for none) and content."""
    archive = tmp_path / "code.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, mode, content in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            zipped.writestr(info, content)
    return archive


def test_files_and_folders_are_unpacked_readable_and_not_writable(tmp_path: Path) -> None:
    """unpack: files and folders are unpacked, readable for the sandbox, executable where they were."""
    archive = written(
        tmp_path, ("main.py", 0, b"a"), ("pkg/", stat.S_IFDIR | 0o777, b""), ("pkg/run", stat.S_IFREG | 0o6777, b"bb")
    )
    into = tmp_path / "function"
    into.mkdir()
    assert unpack(archive, into) == 3
    assert stat.S_IMODE((into / "main.py").stat().st_mode) == 0o644
    assert stat.S_IMODE((into / "pkg" / "run").stat().st_mode) == 0o755


@pytest.mark.parametrize(
    ("name", "mode", "says"),
    [
        ("../escape", 0, "outside"),
        ("a/../../escape", 0, "outside"),
        ("/etc/passwd", 0, "outside"),
        ("C:/windows", 0, "outside"),
        ("..\\escape", 0, "bad name"),
        ("..", 0, "outside"),
        ("../", 0, "outside"),
        ("a/..", 0, "outside"),
        ("//etc/passwd", 0, "outside"),
        ("x" * 2000, 0, "bad name"),
        ("x" * 256, 0, "bad name"),
        ("é" * 128, 0, "bad name"),
        ("/".join(["deep"] * 300), 0, "bad name"),
        ("link", stat.S_IFLNK | 0o777, "neither a file nor a folder"),
        ("link/", stat.S_IFLNK | 0o777, "neither a file nor a folder"),
        ("block", stat.S_IFBLK | 0o666, "neither a file nor a folder"),
        ("socket", stat.S_IFSOCK | 0o666, "neither a file nor a folder"),
        ("device", stat.S_IFCHR | 0o666, "neither a file nor a folder"),
        ("pipe", stat.S_IFIFO | 0o666, "neither a file nor a folder"),
    ],
)
def test_a_dangerous_entry_is_refused(tmp_path: Path, name: str, mode: int, says: str) -> None:
    """unpack: an entry that leaves the folder, or is no plain file, is refused and writes nothing outside."""
    into = tmp_path / "deep" / "function"
    into.mkdir(parents=True)
    with pytest.raises(RunRefused, match=says):
        unpack(written(tmp_path, (name, mode, b"/etc")), into)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["code.zip", "deep", "function"]


@pytest.mark.parametrize(
    "names", [("a", "a"), ("a", "a/b"), ("a/b", "a")], ids=["twice", "a file as a folder", "a folder as a file"]
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_entries_in_each_others_way_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    """unpack: entries in each other's way are refused."""
    into = tmp_path / "function"
    into.mkdir()
    with pytest.raises(RunRefused, match="in another's way"):
        unpack(written(tmp_path, *((name, 0, b"x") for name in names)), into)


SMALL = replace(CODE, entries=10, unpacked_bytes=1_000_000)


def refused(tmp_path: Path, archive: Path, says: str, limits: Limits = SMALL) -> None:
    """Refuses to unpack, and writes no more than is allowed."""
    into = tmp_path / "function"
    into.mkdir()
    with pytest.raises(RunRefused, match=says) as error:
        unpack(archive, into, limits)
    assert (error.value.code, error.value.kind) == ("exception", "InvalidCode")
    assert sum(path.stat().st_size for path in into.rglob("*") if path.is_file()) <= limits.unpacked_bytes


def test_a_bomb_is_refused_by_what_comes_out(tmp_path: Path) -> None:
    """unpack: a zip that unpacks to a thousand times its size is refused in time."""
    archive = written(tmp_path, ("zeros", 0, bytes(2_000_000)))
    assert archive.stat().st_size < 3_000
    refused(tmp_path, archive, "unpacks to more")


def test_a_bomb_whose_headers_lie_is_refused(tmp_path: Path) -> None:
    """unpack: a header that says a size of ten bytes does not help a bomb."""
    archive = written(tmp_path, ("zeros", 0, bytes(2_000_000)))
    size = (2_000_000).to_bytes(4, "little")
    archive.write_bytes(archive.read_bytes().replace(size, (10).to_bytes(4, "little")))
    refused(tmp_path, archive, "cannot be read|unpacks to more")


def test_a_bomb_of_many_entries_over_one_body_is_refused(tmp_path: Path) -> None:
    """unpack: entries that share one body count each for themselves."""
    archive = written(tmp_path, ("0", 0, bytes(400_000)))
    data = archive.read_bytes()
    start = data.index(b"PK\x01\x02")
    entry = data[start : data.index(b"PK\x05\x06")]
    end = bytearray(data[-22:])
    end[8:12] = (3).to_bytes(2, "little") * 2
    end[12:16] = (3 * len(entry)).to_bytes(4, "little")
    archive.write_bytes(data[:start] + entry * 3 + end)
    refused(tmp_path, archive, "in another's way|Overlapped|cannot be read")


def test_zips_within_a_zip_stay_files(tmp_path: Path) -> None:
    """unpack: a bomb within the zip is a file like any other: nothing unpacks it."""
    inner = written(tmp_path, ("zeros", 0, bytes(2_000_000))).read_bytes()
    into = tmp_path / "function"
    into.mkdir()
    assert unpack(written(tmp_path, ("inner.zip", 0, inner)), into, SMALL) == len(inner)
    assert [path.name for path in into.iterdir()] == ["inner.zip"]


def test_too_many_entries_are_refused(tmp_path: Path) -> None:
    """unpack: a zip of too many entries is refused, and so is one of far too many before its list is read."""
    refused(tmp_path, written(tmp_path, *((f"{n}", 0, b"") for n in range(11))), "11 entries")
    (tmp_path / "function").rmdir()
    with patch.object(zipfile, "ZipFile") as reader:
        many = tmp_path / "many.zip"
        many.write_bytes(b"PK\x01\x02" * 101)
        refused(tmp_path, many, "too many entries")
    reader.assert_not_called()


def test_a_name_is_taken_as_it_is_written(tmp_path: Path) -> None:
    """unpack: a name with a zero byte, which would be cut there, is refused."""
    archive = written(tmp_path, ("good.pyXevil", 0, b"x"))
    archive.write_bytes(archive.read_bytes().replace(b"good.pyXevil", b"good.py\0evil"))
    refused(tmp_path, archive, "bad name")


def test_names_of_list_and_body_must_agree(tmp_path: Path) -> None:
    """unpack: an entry that is called otherwise in front of its body than in the list is refused."""
    archive = written(tmp_path, ("good.py", 0, b"x"))
    archive.write_bytes(archive.read_bytes().replace(b"good.py", b"evil.py", 1))
    refused(tmp_path, archive, "cannot be read")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=["bzip2", "lzma"])
def test_other_compressions_are_refused(tmp_path: Path, method: int) -> None:
    """unpack: only what is stored or deflated is read."""
    archive = tmp_path / "code.zip"
    with zipfile.ZipFile(archive, "w", method) as zipped:
        zipped.writestr("main.py", "x" * 1000)
    refused(tmp_path, archive, "neither stored nor deflated")


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    """unpack: an entry that needs a password is refused."""
    archive = written(tmp_path, ("main.py", 0, b"x"))
    data = bytearray(archive.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    refused(tmp_path, archive, "encrypted")


def test_whatever_is_damaged_a_zip_is_unpacked_or_refused(tmp_path: Path) -> None:
    """unpack: of 1,000 zips with wrong bytes, each is unpacked below its folder or refused."""
    random = Random(4)  # noqa: S311 (the same zips each time)
    good = written(
        tmp_path, ("main.py", 0, bytes(range(256)) * 4), ("pkg/", stat.S_IFDIR | 0o777, b""), ("pkg/a", 0, b"a" * 300)
    ).read_bytes()
    outcomes = set()
    for number in range(1_000):
        data = bytearray(good)
        for _ in range(random.randint(1, 6)):
            data[random.randrange(len(data))] = random.randrange(256)
        work = tmp_path / str(number)
        into = work / "function"
        into.mkdir(parents=True)
        archive = work / "code.zip"
        archive.write_bytes(data[: random.randint(0, len(data))] if random.random() < 0.1 else data)
        try:
            unpack(archive, into, SMALL)
            outcomes.add("unpacked")
        except RunRefused:
            outcomes.add("refused")
        assert sorted(path.name for path in work.iterdir()) == ["code.zip", "function"]
        shutil.rmtree(work)
    assert outcomes == {"unpacked", "refused"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["code.zip"]


@pytest.mark.parametrize("damage", ["no zip", "cut", "flipped"])
def test_a_damaged_zip_is_refused(tmp_path: Path, damage: str) -> None:
    """unpack: a damaged zip is refused."""
    archive = written(tmp_path, ("main.py", 0, bytes(range(256)) * 100))
    data = bytearray(archive.read_bytes())
    if damage == "no zip":
        data = bytearray(b"hello")
    elif damage == "cut":
        data = data[: len(data) // 2]
    else:
        data[60] ^= 0xFF
    archive.write_bytes(data)
    into = tmp_path / "function"
    into.mkdir()
    with pytest.raises(RunRefused):
        unpack(archive, into)
