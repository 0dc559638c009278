"""The worker's settings, from its environment alone."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, AnyUrl, BeforeValidator, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Network = IPv4Network | IPv6Network


def _url(value: str) -> str:
    TypeAdapter(AnyUrl).validate_python(value)
    return value


def _networks(value: str | tuple[Network, ...]) -> tuple[Network, ...]:
    if isinstance(value, tuple):
        return value
    return tuple(ip_network(each.strip()) for each in value.split(",") if each.strip())


Url = Annotated[str, AfterValidator(_url)]
Name = Annotated[str, Field(min_length=1)]


class Settings(BaseSettings):
    """What the worker is told. On a machine its values come from /etc/nanogrid/worker.env, which cloud-init writes.

    The AWS and Google Cloud libraries read their own variables besides, such as AWS_ENDPOINT_URL, STORAGE_EMULATOR_HOST
    and DOCKER_HOST for the engine.
    """

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    aws_region: Name = Field(description="region of the queue, the buckets and the tables, such as ap-northeast-2")
    environment: Name = Field(description="name of the environment, for the log, such as dev")
    s3_code_bucket: Name = Field(description="bucket of functions' code and of large inputs")
    s3_user_data_bucket: Name = Field(description="bucket that output files go to")
    sqs_queue_url: Url = Field(description="URL of the task queue")
    jobs_table: Name = Field(description="DynamoDB table of jobs")
    redis_host: Name = Field(description="host of Redis")
    redis_port: int = Field(6379, ge=1, le=65535, description="port of Redis")
    redis_tls: bool = Field(False, description="true where Redis speaks TLS")
    redis_user: str = Field("", description="ElastiCache user for IAM authentication; empty: none")
    redis_cache_name: str = Field("", description="name of the replication group, which IAM tokens are made for")
    ai_endpoint: Url | Literal[""] = Field("", description="URL of the AI node; empty: there is none")
    gcp_bucket_name: str = Field("", description="bucket of the archive in Google Cloud; empty: no archive")
    google_application_credentials: str = Field("", description="file of the Google Cloud credential configuration")
    runtime_image_python: Name = Field(description="image that Python functions run in, built by runtimes/build")
    runtime_image_node: str = Field(
        "", description="image that Node.js functions run in, built by runtimes/build; empty: this worker runs none"
    )
    asg_name: str = Field("", description="auto-scaling group that this machine is in; empty: none")
    log_file: str = Field("", description="file of the log, such as /var/log/worker.log; empty: standard output")
    run_dir: Path = Field(Path("/run/nanogrid-worker"), description="folder of sockets, one below it per run")
    cache_dir: Path = Field(Path("/var/cache/nanogrid-worker"), description="folder of code and of files on their way")
    cache_mb: int = Field(2048, ge=64, description="size that the code cache is held to, in MiB")
    visibility_timeout_s: int = Field(60, ge=3, le=43200, description="how long a message and a lease last unrenewed")
    poll_wait_s: int = Field(20, ge=1, le=20, description="how long one poll of the queue waits")
    concurrency: int = Field(1, ge=1, le=64, description="jobs that run at once")
    drain_timeout_s: int = Field(
        90, ge=0, description="how long jobs may go on after SIGTERM before they are given back"
    )
    sandbox_cpus: float = Field(1.0, gt=0, description="processors that one run may use")
    sandbox_runtime: str = Field("", description="OCI runtime of sandboxes, such as runsc; empty: the engine's default")
    require_user_namespaces: bool = Field(
        False, description="true: refuse to start where root in a sandbox is root of the machine"
    )
    egress_network: str = Field("", description="Docker network of functions with egress; empty: none gets a network")
    warm_max: int = Field(8, ge=0, description="containers that wait for another run of their function, at most")
    warm_keep_s: float = Field(600, ge=0, description="how long a container waits for another run, in seconds")
    warm_pause_after_s: float = Field(10, ge=0, description="how long a container waits until it is paused, in seconds")
    prewarmed: int = Field(1, ge=0, le=16, description="containers per runtime that wait for their first function")
    secrets_prefix: Name = Field(
        "nanogrid/functions/", description="what names of functions' secrets begin with, before the tenant"
    )
    dependencies_python_index_url: Url = Field(
        "https://pypi.org/simple/", description="URL of the package index for Python functions' dependencies"
    )
    dependencies_node_registry_url: Url = Field(
        "https://registry.npmjs.org/", description="URL of the package registry for Node.js functions' dependencies"
    )
    callback_allowed_cidrs: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)] = Field(
        (), description="private ranges that callbacks may go to all the same, separated by commas; empty: none"
    )
    hand_over_after_s: int = Field(
        39600, ge=1, le=42000, description="age in seconds at which a job's message is replaced by its lease alone"
    )
    duty_sweep_s: float = Field(30, gt=0, description="time between two looks for what dead workers owe, in seconds")
    lifecycle_hook_name: Name = Field("drain", description="termination hook of the auto-scaling group")
    hook_drain_timeout_s: int = Field(
        3600, ge=0, description="how long jobs may go on after the termination hook before they are given back"
    )

    @property
    def runtime_images(self) -> dict[str, str]:
        """The image of each runtime that this worker has."""
        images = {"python": self.runtime_image_python, "node": self.runtime_image_node}
        return {runtime: image for runtime, image in images.items() if image}


class BadSettings(Exception):
    """Every wrong setting, one a line."""


def read_settings() -> Settings:
    """Reads the environment.

    Raises:
        BadSettings: naming every variable that is missing or wrong, what was expected and what came.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        lines = [_line(detail) for detail in error.errors()]
        raise BadSettings("\n".join(lines)) from None
    problems = _across(settings)
    if problems:
        raise BadSettings("\n".join(problems))
    return settings


def _line(detail: ErrorDetails) -> str:
    name = str(detail["loc"][0])
    description = Settings.model_fields[name].description
    variable = name.upper()
    if detail["type"] == "missing":
        return f"{variable}: is not set. Set it to the {description}."
    return f"{variable}: {detail['msg']}, got {detail['input']!r}. Set it to the {description}."


def _across(settings: Settings) -> list[str]:
    problems = []
    if settings.redis_user and not settings.redis_cache_name:
        problems.append("REDIS_CACHE_NAME: is not set, and REDIS_USER is. Set it to the replication group's name.")
    if settings.redis_user and not settings.redis_tls:
        problems.append("REDIS_TLS: is false, and REDIS_USER is set. Set it to true: a token must not travel in clear.")
    if settings.hand_over_after_s + settings.visibility_timeout_s > 43200:
        problems.append(
            f"HAND_OVER_AFTER_S: with VISIBILITY_TIMEOUT_S {settings.visibility_timeout_s} it passes the 12 h"
            " after which a receipt is worthless. Lower it."
        )
    return problems
