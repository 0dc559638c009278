"""Zips that are not what a function's zip should be."""

import stat
import zipfile
from pathlib import Path

import pytest

from nanogrid_worker import unpack as unpacking
from nanogrid_worker.errors import RunRefused
from nanogrid_worker.unpack import unpack


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
        ("x" * 2000, 0, "bad name"),
        ("link", stat.S_IFLNK | 0o777, "neither a file nor a folder"),
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


def test_a_bomb_is_refused_by_what_comes_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """unpack: a zip that unpacks to too much is refused, whatever its headers say."""
    monkeypatch.setattr(unpacking, "MAX_UNPACKED_BYTES", 1_000_000)
    into = tmp_path / "function"
    into.mkdir()
    with pytest.raises(RunRefused, match="unpacks to more"):
        unpack(written(tmp_path, ("zeros", 0, bytes(2_000_000))), into)


def test_too_many_entries_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """unpack: a zip of too many entries is refused."""
    monkeypatch.setattr(unpacking, "MAX_ENTRIES", 10)
    with pytest.raises(RunRefused, match="11 entries"):
        unpack(written(tmp_path, *((f"{n}", 0, b"") for n in range(11))), tmp_path)


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
