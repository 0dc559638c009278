"""`python -m second_stage`: the service. POST /candidates, for one candidate of a run."""

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

import soundfile
from fastapi import FastAPI
from pydantic import Field

from music_common.app import serve
from music_common.problems import conflict, invalid
from music_common.settings import StageSettings
from music_common.stage import Stage, StepOfRun, start
from music_common.volume import read_json, whole_file
from second_stage.models import Generator, Order
from second_stage.riffusion import Riffusion
from second_stage.small import Small


class Settings(StageSettings):
    """What the second stage is told."""

    music_port: int = Field(8002, ge=1, le=65535, description="port of the service")
    music_generator: Literal["riffusion", "small"] = Field(
        "riffusion", description="model for music: riffusion or small"
    )
    music_riffusion_dir: Path = Field(Path("/models/riffusion"), description="folder of Riffusion's weights")
    music_device: Literal["cuda", "cpu"] = Field("cuda", description="device of the large model: cuda or cpu")


class CandidateOfRun(StepOfRun):
    """Names a candidate of a run."""

    index: Annotated[int, Field(ge=0)]
    """From 0; below the number that the run asked for."""


def load(settings: Settings) -> Generator:
    """Load the model that the settings name.

    Raises:
        ModelMissing: naming what is not there.
    """
    if settings.music_generator == "riffusion":
        return Riffusion(settings.music_riffusion_dir, settings.music_device)
    return Small()


def seed_of(seed: int, index: int) -> int:
    """Return a candidate's seed: candidates of one run differ, and so do those of runs whose seeds are neighbours."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{index}".encode()).digest()[:6])


def make_service(settings: Settings, generator: Generator) -> FastAPI:
    """Make the application."""
    stage = Stage("second-stage", settings)

    @stage.app.post("/candidates")
    def generate(step: CandidateOfRun) -> dict[str, Any]:
        folder = stage.volume.folder(step.run)
        run = read_json(folder / "run.json") or {}
        order = run.get("order")
        if order is None:
            raise conflict("The run was not started.", "Start it first: POST /runs/<id>/start of the back.")
        if step.index >= order["candidates"]:
            raise invalid("index", f"expected less than {order['candidates']}, the run's candidates, got {step.index}")
        sound = folder / "candidates" / f"{step.index}.wav"

        def make() -> dict[str, Any]:
            mood = read_json(folder / "mood.json")
            if mood is None:
                raise conflict("The run has no mood yet.", "Ask for it first: POST /moods of the first stage.")
            seed = seed_of(order["seed"], step.index)
            samples = generator.generate(Order(mood["mood"], mood["valence"], order["seconds"], seed))
            with whole_file(sound) as file:
                soundfile.write(file, samples, generator.rate, format="WAV", subtype="PCM_16")
            return {
                "index": step.index,
                "file": sound.name,
                "seconds": round(len(samples) / generator.rate, 3),
                "rate": generator.rate,
                "seed": seed,
                "model": generator.name,
            }

        return stage.once(step.run, "generate", sound.with_suffix(".json"), make)

    return stage.app


def main() -> None:
    """Run the service until SIGTERM."""
    settings, generator = start(Settings, load)
    serve(make_service(settings, generator), settings, settings.music_port)


if __name__ == "__main__":
    main()
