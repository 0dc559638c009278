"""What the tests share: one world of services, and speech."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.processes import User, World
from support.speech import HAPPY, SAD, encoded, hum, speak


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="music-tests-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def happy(scratch: Path) -> bytes:
    """Happy speech, as WAV."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not on PATH: install it (Debian: apt-get install espeak-ng)")
    return speak(HAPPY, scratch / "happy.wav")


@pytest.fixture(scope="session")
def sad(scratch: Path, happy: bytes) -> bytes:  # noqa: ARG001 (it says what is missing)
    """Sad speech, as WAV."""
    return speak(SAD, scratch / "sad.wav")


@pytest.fixture(scope="session")
def world(scratch: Path) -> Iterator[World]:
    """All services, with bounds that tests can reach."""
    bounds = {
        "MUSIC_MAX_UPLOAD_BYTES": str(3 * 1024**2),
        "MUSIC_MAX_RECORDING_SECONDS": "20",
        "MUSIC_UPLOAD_IDLE_SECONDS": "1",
        "MUSIC_USER_QUEUE": "2",
    }
    services = World(scratch, **bounds)
    yield services
    services.close()


@pytest.fixture(scope="session")
def humming(world: World) -> tuple[User, str]:
    """A run of a recording without speech. It takes some time to fail: others run meanwhile."""
    user = world.user("humming")
    return user, user.run(encoded(hum(1.5), "WAV"), candidates=1)


@pytest.fixture
def small_volume(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Makes volumes of so many KiB."""
    mounted: list[Path] = []

    def make(kib: int) -> Path:
        folder = tmp_path / f"volume-{len(mounted)}"
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(folder)]
        done = subprocess.run(mount, capture_output=True, text=True, timeout=10, check=False)
        if done.returncode != 0:
            pytest.skip(f"a volume of a given size cannot be mounted here: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=10)
