"""The service's settings, from its environment alone."""

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

Name = Annotated[str, Field(min_length=1)]
Address = Annotated[str, Field(pattern=r"^[^:/\s]+:\d{1,5}$")]
Loglevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class Settings(BaseSettings):
    """What the API is told. In AWS its values come from the task definition.

    The AWS library reads its own variables besides, such as AWS_ENDPOINT_URL.
    """

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    aws_region: Name = Field(description="region of the buckets, such as ap-northeast-2")
    ddn_in_bucket: Name = Field(description="bucket that noisy images come from")
    ddn_out_bucket: Name = Field(description="bucket that clean images and the records of requests go to")
    ddn_port: int = Field(50101, ge=1, le=65535, description="port of the API")
    ddn_triton_protocol: Literal["grpc", "http"] = Field("grpc", description="protocol to Triton: grpc or http")
    ddn_triton_http: Address = Field("127.0.0.1:50201", description="host and port of Triton's HTTP")
    ddn_triton_grpc: Address = Field("127.0.0.1:58202", description="host and port of Triton's gRPC")
    ddn_triton_call_seconds: float = Field(120, gt=0, le=600, description="time that one tile may take in Triton")
    ddn_triton_wait_seconds: float = Field(
        15, ge=0, le=600, description="how long a request waits for a Triton that does not answer"
    )
    ddn_max_pixels: int = Field(500_000_000, ge=1, description="pixels that an image may have, over all of its pages")
    ddn_max_file_bytes: int = Field(2 * 1024**3, ge=1, description="bytes that a file in the in-bucket may have")
    ddn_inline_seconds: float = Field(20, ge=0, le=25, description="how long an answer waits for the image itself")
    ddn_concurrency: int = Field(2, ge=1, le=16, description="images that are worked on at once")
    ddn_queue: int = Field(16, ge=0, le=1000, description="images that may wait for their turn")
    ddn_tile: int = Field(1024, ge=256, le=1024, multiple_of=8, description="side of a tile in pixels")
    ddn_drain_seconds: float = Field(90, ge=0, description="how long images may go on after SIGTERM")
    ddn_heartbeat_seconds: float = Field(10, gt=0, le=60, description="time between two signs of life of a request")
    ddn_temp_dir: Path = Field(Path("/tmp/denoise"), description="folder of images on their way")  # noqa: S108
    ddn_page_dir: Path = Field(Path("/opt/denoise/page"), description="folder of the page's files")
    ddn_log_level: Loglevel = Field("INFO", description="least level of the log: DEBUG, INFO, WARNING or ERROR")


class SidecarSettings(BaseSettings):
    """What the metrics sidecar is told."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    aws_region: Name = Field(description="region of CloudWatch, such as ap-northeast-2")
    ddn_metrics_namespace: Name = Field("Denoise", description="CloudWatch namespace, the one that the role allows")
    ddn_triton_metrics: Name = Field("http://127.0.0.1:8002/metrics", description="URL of Triton's metrics")
    ddn_ecs_cluster: Name = Field(description="name of the ECS cluster, a dimension of each metric")
    ddn_ecs_service: Name = Field(description="name of the ECS service, a dimension of each metric")
    ddn_metrics_interval_seconds: float = Field(15, gt=0, le=300, description="time between two readings")
    ddn_log_level: Loglevel = Field("INFO", description="least level of the log: DEBUG, INFO, WARNING or ERROR")


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
            description = kind.model_fields[name].description
            wrong = "is not set" if detail["type"] == "missing" else f"{detail['msg']}, got {detail['input']!r}"
            lines.append(f"{name.upper()}: {wrong}. Set it to the {description}.")
        raise BadSettings("\n".join(lines)) from None
