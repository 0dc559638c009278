"""Settings: from the environment alone, all checked at start."""

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

Loglevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
Url = Annotated[str, Field(pattern=r"^https?://[^\s/]+(/\S*)?$")]


class ServiceSettings(BaseSettings):
    """What each service is told."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    music_data: Path = Field(Path("/data"), description="folder of the shared volume")
    music_host: str = Field("0.0.0.0", description="address to listen at")  # noqa: S104 (a pod's own network)
    music_drain_seconds: int = Field(60, ge=0, le=3600, description="seconds that work may go on after SIGTERM")
    music_log_level: Loglevel = Field("INFO", description="least level of the log: DEBUG, INFO, WARNING or ERROR")


class StageSettings(ServiceSettings):
    """What each stage is told besides."""

    music_queue: int = Field(8, ge=0, le=1000, description="number of requests that may wait for their turn")
    music_work_seconds: float = Field(
        600, gt=0, le=7200, description="seconds after which a piece of work counts as stuck"
    )


class BadSettings(Exception):
    """Every wrong setting, one a line."""


Kind = TypeVar("Kind", bound=BaseSettings)


def read_settings(kind: type[Kind]) -> Kind:
    """Read the environment.

    Raises:
        BadSettings: naming every variable that is missing or wrong, what was expected and what came.
    """
    try:
        return kind()
    except ValidationError as error:
        lines = []
        for detail in error.errors():
            name = str(detail["loc"][0])
            field = kind.model_fields[name]
            secret = field.json_schema_extra == {"secret": True}
            came = "" if secret else f", got {detail['input']!r}"
            wrong = "is not set" if detail["type"] == "missing" else f"{detail['msg']}{came}"
            lines.append(f"{name.upper()}: {wrong}. Set it to the {field.description}.")
        raise BadSettings("\n".join(lines)) from None
