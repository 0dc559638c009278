"""The service's settings, from its environment alone."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from product_inference.attributes import PHRASES

TEXTS_OF_A_PRODUCT = PHRASES + 2
"""The whole text, the title, and its phrases."""
Count = Annotated[int, Field(ge=1)]


class Settings(BaseSettings):
    """What the service is told. In AWS its values come from the task definition."""

    model_config = SettingsConfigDict(env_prefix="inference_", extra="ignore", frozen=True, protected_namespaces=())

    model_dir: Path = Field(Path("/opt/inference/model"), description="folder of the model, with its model.json")
    provider: Literal["cuda", "cpu"] = Field("cuda", description="where the model runs: cuda or cpu")
    threads: int = Field(0, ge=0, le=256, description="threads of a run on the processor; 0: one a core")
    host: str = Field("0.0.0.0", min_length=1, description="address to listen at")  # noqa: S104 (a container)
    port: int = Field(8080, ge=1, le=65535, description="port to listen at")
    max_batch: int = Field(64, ge=1, le=1024, description="texts that run together at most")
    batch_tokens: int = Field(16_384, ge=512, description="tokens that run together at most, padding included")
    max_wait_ms: float = Field(2, ge=0, le=1000, description="how long a text waits for others, in milliseconds")
    queue: Count = Field(4_096, description="texts that may wait for their turn")
    max_texts: int = Field(128, ge=1, le=4096, description="texts that a request to /embeddings may have")
    max_products: int = Field(32, ge=1, le=1024, description="products that a request to /attributes may have")
    max_characters: Count = Field(8_192, description="characters that a text, or all of a product, may have")
    max_body_bytes: int = Field(2 * 1024**2, ge=1024, description="bytes that a request's body may have")
    request_seconds: float = Field(20, gt=0, le=600, description="how long a request may take, in seconds")
    drain_seconds: int = Field(30, ge=0, le=600, description="how long requests may go on after SIGTERM, in seconds")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least level of the log")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """See that the queue has a place for each request that the limits allow."""
        needed = max(self.max_texts, self.max_products * TEXTS_OF_A_PRODUCT)
        if self.queue < needed:
            raise ValueError(
                f"INFERENCE_QUEUE: {self.queue} texts are too few for a request of {self.max_texts} texts "
                f"(INFERENCE_MAX_TEXTS), or of {self.max_products} products (INFERENCE_MAX_PRODUCTS) with "
                f"{TEXTS_OF_A_PRODUCT} texts each. Set it to {needed} or more."
            )
        return self


class BadSettings(Exception):
    """Every wrong setting, one a line."""


def read_settings() -> Settings:
    """Read the environment.

    Raises:
        BadSettings: naming every variable that is wrong, what was expected and what came.
    """
    try:
        return Settings()
    except ValidationError as error:
        lines = []
        for detail in error.errors():
            if not detail["loc"]:
                lines.append(str(detail["ctx"]["error"]))
                continue
            name = str(detail["loc"][0]).removeprefix("inference_")
            description = Settings.model_fields[name].description
            lines.append(
                f"INFERENCE_{name.upper()}: {detail['msg']}, got {detail['input']!r}. It is the {description}."
            )
        raise BadSettings("\n".join(lines)) from None
