"""The queue's message: one job each."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from nanogrid_worker.errors import MalformedMessage

JOB_ID = r"^job_[0-9A-HJKMNP-TV-Z]{26}$"
FUNCTION_ID = r"^fn_[0-9A-HJKMNP-TV-Z]{26}$"
TENANT = r"^[a-z][a-z0-9-]{1,38}$"
HANDLER = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$"
SHA256 = r"^[0-9a-f]{64}$"
VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
REFERENCE = r"^[A-Za-z0-9_.-]{1,64}$"


class Job(BaseModel):
    """A job, as the controller enqueued it. Unknown fields are ignored, so that a newer controller can add some."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: Literal[1] = Field(alias="schema")
    kind: Literal["run", "build"]
    job_id: str = Field(pattern=JOB_ID)
    tenant: str = Field(pattern=TENANT)
    function_id: str = Field(pattern=FUNCTION_ID)
    function_version: int = Field(ge=1)
    runtime: str
    handler: str = Field(pattern=HANDLER)
    code: str | None
    code_key: str = Field(min_length=1)
    code_sha256: str = Field(pattern=SHA256)
    input: Any
    input_key: str | None
    timeout_s: float | None = Field(gt=0)
    memory_mb: int = Field(ge=16)
    environment: dict[str, str]
    secrets: dict[Annotated[str, Field(pattern=VARIABLE)], Annotated[str, Field(pattern=REFERENCE)]]
    dependencies_key: str | None = Field(min_length=1)
    callback_url: str | None = Field(min_length=1)
    egress: bool
    enqueued_at: AwareDatetime
    deadline: AwareDatetime | None
    traceparent: str | None


def parse_job(body: str) -> Job:
    """Reads a message's body.

    Raises:
        MalformedMessage: naming each field that is missing or wrong. Values are left out, since they may be secrets.
    """
    try:
        return Job.model_validate_json(body)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors(include_input=False))
        raise MalformedMessage("; ".join(problems)) from None
