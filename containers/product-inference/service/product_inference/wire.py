"""The JSON of requests and answers: /openapi.json says the same."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Text = Annotated[str, StringConstraints(min_length=1, pattern=r"\S")]


class EmbeddingsRequest(BaseModel):
    """Texts to embed."""

    model_config = ConfigDict(extra="forbid")

    texts: list[Text] = Field(min_length=1, description="texts; each has a character that is not white space")
    kind: Literal["document", "query"] = Field(
        "document", description="`query` for what is searched with: some models put an instruction before it"
    )
    encoding: Literal["float", "base64"] = Field(
        "float", description="`base64`: each vector as little-endian 32-bit floats, a quarter of the bytes"
    )


class EmbeddingsAnswer(BaseModel):
    """A vector of length one for each text, in the order of the request."""

    model: str
    dimensions: int
    embeddings: list[list[float]] | list[str]


class Product(BaseModel):
    """A product as its shop describes it. Other fields are allowed, and not looked at."""

    id: str | None = Field(None, max_length=256, description="comes back in the answer")
    title: Text
    description: str = ""


class AttributesRequest(BaseModel):
    """Products to describe."""

    model_config = ConfigDict(extra="forbid")

    products: list[Product] = Field(min_length=1)


class InferredValue(BaseModel):
    """A value, and how sure it is."""

    value: str
    confidence: float = Field(ge=0, le=1)


class DescribedProduct(BaseModel):
    """What was inferred of one product."""

    id: str | None
    attributes: dict[str, InferredValue] = Field(
        description="category, colour, material and audience, without those that the text says nothing about"
    )
    keywords: list[InferredValue]
    augmentation: str = Field(description="the product's text, enriched for search")


class AttributesAnswer(BaseModel):
    """The products, in the order of the request."""

    model: str
    products: list[DescribedProduct]


class ProblemAnswer(BaseModel):
    """An RFC 9457 problem document."""

    type: str
    title: str
    status: int
    detail: str
    remedy: str
    instance: str
    requestId: str  # noqa: N815 (the document's own spelling)
    field: str | None = None
    errors: list[dict[str, str]] | None = None
