"""`python -m first_stage`: the service. POST /transcriptions and POST /moods, each for one run."""

from pathlib import Path
from typing import Any, Literal

from fastapi import FastAPI
from pydantic import Field

from first_stage.models import Classifier, Transcriber
from first_stage.moods import mood_of
from first_stage.transformer import Transformer
from first_stage.whisper import Whisper
from music_common.app import serve
from music_common.problems import conflict, unusable_audio
from music_common.settings import StageSettings
from music_common.stage import Stage, StepOfRun, start
from music_common.volume import read_json


class Settings(StageSettings):
    """What the first stage is told."""

    music_port: int = Field(8001, ge=1, le=65535, description="port of the service")
    music_transcriber: Literal["whisper", "sphinx"] = Field(
        "whisper", description="model for speech: whisper or sphinx"
    )
    music_whisper_dir: Path = Field(Path("/models/whisper-large-v3"), description="folder of Whisper's weights")
    music_classifier: Literal["transformer", "vader"] = Field(
        "transformer", description="model for sentiment: transformer or vader"
    )
    music_classifier_dir: Path = Field(Path("/models/sentiment"), description="folder of the classifier's weights")
    music_device: Literal["cuda", "cpu"] = Field("cuda", description="device of the large models: cuda or cpu")


def load(settings: Settings) -> tuple[Transcriber, Classifier]:
    """Load the models that the settings name.

    Raises:
        ModelMissing: naming what is not there.
    """
    transcriber: Transcriber
    classifier: Classifier
    if settings.music_transcriber == "whisper":
        transcriber = Whisper(settings.music_whisper_dir, settings.music_device)
    else:
        # The image for GPUs has no small models.
        from first_stage.sphinx import Sphinx

        transcriber = Sphinx()
    if settings.music_classifier == "transformer":
        classifier = Transformer(settings.music_classifier_dir, settings.music_device)
    else:
        from first_stage.vader import Vader

        classifier = Vader()
    return transcriber, classifier


def make_service(settings: Settings, transcriber: Transcriber, classifier: Classifier) -> FastAPI:
    """Make the application."""
    stage = Stage("first-stage", settings)

    @stage.app.post("/transcriptions")
    def transcribe(step: StepOfRun) -> dict[str, Any]:
        folder = stage.volume.folder(step.run)

        def make() -> dict[str, Any]:
            transcript = transcriber.transcribe(folder / "input.wav")
            if not transcript.text:
                raise unusable_audio("No speech was heard.", "Speak louder and closer, without music behind.")
            return transcript.document()

        return stage.once(step.run, "transcribe", folder / "transcript.json", make)

    @stage.app.post("/moods")
    def classify(step: StepOfRun) -> dict[str, Any]:
        folder = stage.volume.folder(step.run)

        def make() -> dict[str, Any]:
            transcript = read_json(folder / "transcript.json")
            if transcript is None:
                raise conflict("The run has no transcript yet.", "Ask for it first: POST /transcriptions.")
            return mood_of(classifier.classify(transcript["text"]))

        return stage.once(step.run, "classify", folder / "mood.json", make)

    return stage.app


def main() -> None:
    """Run the service until SIGTERM."""
    settings, (transcriber, classifier) = start(Settings, load)
    serve(make_service(settings, transcriber, classifier), settings, settings.music_port)


if __name__ == "__main__":
    main()
