"""What a request asks for: the body of POST /inference, checked."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from denoise_service.problems import FieldError, invalid
from denoise_service.records import RECORDS_PREFIX

EXTENSIONS = (".tif", ".tiff", ".png")
_KEY_BYTES = 1024
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BITS = (8, 12, 14, 16)


def _key(value: str) -> str:
    if not value:
        raise ValueError("is empty. Expected the key of an object, such as scans/0001.tif")
    if len(value.encode("utf-8", "surrogatepass")) > _KEY_BYTES:
        raise ValueError(f"has over {_KEY_BYTES} bytes")
    if _CONTROL.search(value) or not value.isprintable():
        raise ValueError("has control characters")
    if value.startswith("/"):
        raise ValueError("is an absolute path. Expected a key without a leading /")
    if "\\" in value or any(part in ("", ".", "..") for part in value.split("/")):
        raise ValueError("leaves its bucket: it has an empty part, a . or .. between slashes, or a backslash")
    if value.startswith(RECORDS_PREFIX):
        raise ValueError(f"begins with {RECORDS_PREFIX}, which is the service's own")
    if not value.lower().endswith(EXTENSIONS):
        raise ValueError(f"does not end in {', '.join(EXTENSIONS)}")
    return value


def _bits(value: int) -> int:
    if value not in _BITS:
        raise ValueError(f"expected one of {', '.join(map(str, _BITS))}")
    return value


Key = Annotated[str, AfterValidator(_key)]


class Order(BaseModel):
    """One image to denoise."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    file: Key
    """Key of the noisy image in the in-bucket."""
    output: Key | None = None
    """Key of the result in the out-bucket; None: the same as `file`."""
    model: Literal["efficient", "powerful"] = "efficient"
    strength: Annotated[float, Field(ge=0, le=20, allow_inf_nan=False)] = 10
    """0: unchanged; 10: what the model gives; 20: smoother still (strength.py)."""
    digital_offset: Annotated[int, Field(ge=0, le=65_534)] = 0
    """What the detector counts without any signal."""
    using_bits: Annotated[int, AfterValidator(_bits)] | None = None
    """Bits of a value that the detector fills; None: all that the file has."""
    pixel_pitch: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)] | None = None
    """Distance between pixels in µm, written to the result's resolution; None: the source's resolution stays."""

    @property
    def target(self) -> str:
        """Key of the result."""
        return self.output or self.file


def read_order(body: Any) -> Order:
    """Check the body of a request.

    Raises:
        Problem: 400, naming every field that is wrong.
    """
    if not isinstance(body, dict):
        raise invalid(FieldError("body", "expected a JSON object"))
    try:
        order = Order.model_validate(body)
    except ValidationError as error:
        raise invalid(*(_field_error(each["loc"], each["type"], each["msg"]) for each in error.errors())) from None
    if order.using_bits is not None and order.digital_offset >= 2**order.using_bits - 1:
        detail = f"expected less than {2**order.using_bits - 1}, the largest value of {order.using_bits} bits"
        raise invalid(FieldError("digital_offset", detail))
    return order


def _field_error(place: tuple[int | str, ...], kind: str, message: str) -> FieldError:
    field = str(place[0]) if place else "body"
    if kind == "extra_forbidden":
        return FieldError(field, "is not known here")
    if kind == "missing":
        return FieldError(field, "is missing")
    text = message.removeprefix("Value error, ")
    return FieldError(field, text[0].lower() + text[1:])
