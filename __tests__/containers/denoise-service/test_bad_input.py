"""What is refused, each with its status and the field that is wrong, and nothing left behind."""

import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import requests
from numpy.typing import NDArray
from support.pictures import exposure, png, tiff
from support.processes import Aws, Service, Triton

GREY = np.full((64, 64), 1000, np.uint16)
NAN = np.full((64, 64), np.nan, np.float32)
NOISE: NDArray[np.uint16] = np.random.default_rng(5).integers(0, 65_536, (64, 64), np.uint16)


def refused(answer: requests.Response, status: int, field: str | None, service: Service) -> dict[str, Any]:
    """Check a refusal's form, and return the document."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["status"] == status
    assert document["type"].startswith("urn:denoise:problem:")
    assert all(document[name] for name in ("title", "detail", "remedy", "instance", "requestId"))
    assert document.get("field") == field, document
    if field:
        assert document["errors"][0]["field"] == field
    assert service.files_left() == []
    return document


def declaring(width: int, height: int) -> bytes:
    """Return a small TIFF whose header declares more than it holds."""
    data = bytearray(tiff(GREY))
    for code, value in ((256, width), (257, height)):
        at = data.index(struct.pack("<HHI", code, 4, 1))
        data[at + 8 : at + 12] = struct.pack("<I", value)
    return bytes(data)


def png_header(width: int, height: int, bits: int = 16, colour: int = 0) -> bytes:
    """Return a PNG of a header alone."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


def short_strip(data: bytes) -> bytes:
    """Return a compressed TIFF with a part of its pixels overwritten."""
    return data[:-40] + bytes(40)


FILES: dict[str, tuple[str, bytes, int, str, str]] = {
    "neither a TIFF nor a PNG": ("a.tif", b"GIF89a" + bytes(100), 415, "file", "47 49 46"),
    "a PNG that is named as a TIFF": ("b.tif", png(GREY), 415, "file", "is a PNG"),
    "a TIFF that is named as a PNG": ("c.png", tiff(GREY), 415, "file", "is a TIFF"),
    "an empty file": ("d.tif", b"", 422, "file", "empty"),
    "a TIFF that ends in its header": ("e.tif", tiff(GREY)[:6], 422, "file", "headers"),
    "a TIFF that ends in its tags": ("f.tif", tiff(GREY)[:60], 422, "file", "cannot be"),
    "a TIFF that ends in its pixels": ("g.tif", tiff(GREY)[:-100], 422, "file", "truncated"),
    "a compressed TIFF with damaged pixels": (
        "h.tif", short_strip(tiff(NOISE, compression="zlib")), 422, "file", "cannot be decoded",
    ),
    "a PNG that ends in its pixels": ("i.png", png(NOISE)[:-1000], 422, "file", "cannot be decoded"),
    "a PNG that ends in its header": ("j.png", png(GREY)[:20], 422, "file", "header"),
    "a TIFF that declares too many pixels": ("k.tif", declaring(60_000, 60_000), 413, "file", "60,000"),
    "a PNG that declares too many pixels": ("l.png", png_header(60_000, 2**31 - 1), 413, "file", "2,147,483,647"),
    "a TIFF that declares too many columns": ("la.tif", declaring(70_000, 1), 413, "file", "70,000 columns"),
    "a PNG too large to be decoded as a whole": ("m.png", png_header(20_000, 20_000), 413, "file", "268,435,456"),
    "a TIFF without rows": ("n.tif", declaring(64, 0), 422, "file", "64 × 0"),
    "a TIFF without columns": ("o.tif", declaring(0, 64), 422, "file", "0 × 64"),
    "a PNG without rows": ("p.png", png_header(64, 0), 422, "file", "64 × 0"),
    "a TIFF of floating point": ("q.tif", tiff(GREY.astype(np.float32)), 422, "file", "IEEEFP"),
    "a TIFF of numbers that are none": ("r.tif", tiff(NAN), 422, "file", "IEEEFP"),
    "a TIFF of signed values": ("s.tif", tiff(GREY.astype(np.int16)), 422, "file", "INT"),
    "a TIFF of 32 bits": ("t.tif", tiff(GREY.astype(np.uint32)), 422, "file", "32 bits"),
    "a TIFF of one bit": ("u.tif", tiff(GREY > 0), 422, "file", "1 bits"),
    "an RGB TIFF": (
        "v.tif", tiff(np.zeros((64, 64, 3), np.uint8), photometric="rgb"), 422, "file", "3 values a pixel",
    ),
    "a TIFF with a palette": (
        "w.tif",
        tiff(np.zeros((64, 64), np.uint8), photometric="palette", colormap=np.zeros((3, 256), np.uint16)),
        422, "file", "PALETTE",
    ),
    "an RGB PNG": ("x.png", png(np.zeros((64, 64, 3), np.uint8)), 422, "file", "RGB"),
    "a PNG with a palette": ("y.png", png_header(64, 64, 8, 3), 422, "file", "palette"),
    "pages of different sizes": ("z.tif", tiff(GREY, GREY[:32]), 422, "file", "Page 2"),
    "pages of different depths": ("za.tif", tiff(GREY, GREY.astype(np.uint8)), 422, "file", "Page 2"),
    "a compression with loss": (
        "zb.tif", tiff(np.zeros((64, 64), np.uint8), compression="jpeg"), 422, "file", "JPEG",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", FILES)
def test_a_file_is_refused_that_is(what: str, service: Service, aws: Aws) -> None:
    name, data, status, field, says = FILES[what]
    aws.put(f"bad/{name}", data)
    document = refused(service.post({"file": f"bad/{name}"}), status, field, service)
    assert says in document["detail"]
    assert not aws.holds(f"bad/{name}")


def test_a_stack_that_imagej_keeps_behind_one_header_is_refused(service: Service, aws: Aws) -> None:
    aws.put("bad/imagej.tif", tiff(GREY, description="ImageJ=1.53t\nimages=5\nslices=5\n"))
    document = refused(service.post({"file": "bad/imagej.tif"}), 422, "file", service)
    assert "5 images" in document["detail"]


@pytest.mark.parametrize(
    ("values", "bits", "says"),
    [
        (GREY.astype(np.uint8), 12, "has 8 bits"),
        (
            np.full((64, 64), 4096, np.uint16),
            12,
            "has the value 4096; 12 bits hold 4095 at most",
        ),
        (GREY, 8, "has the value 1000"),
    ],
)
def test_using_bits_that_the_values_do_not_fit_is_refused(
    values: NDArray[Any], bits: int, says: str, service: Service, aws: Aws
) -> None:
    aws.put("bad/bits.tif", tiff(values))
    document = refused(
        service.post({"file": "bad/bits.tif", "using_bits": bits}),
        422,
        "using_bits",
        service,
    )
    assert says in document["detail"]


def test_an_offset_beyond_the_file_s_values_is_refused(service: Service, aws: Aws) -> None:
    aws.put("bad/offset.tif", tiff(np.zeros((64, 64), np.uint8)))
    refused(
        service.post({"file": "bad/offset.tif", "digital_offset": 300}),
        422,
        "digital_offset",
        service,
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "file"),
        ({"file": ""}, "file"),
        ({"file": 7}, "file"),
        ({"file": "/etc/passwd.tif"}, "file"),
        ({"file": "../other-bucket/x.tif"}, "file"),
        ({"file": "scans/../../x.tif"}, "file"),
        ({"file": "scans//x.tif"}, "file"),
        ({"file": "s3://other-bucket/x.tif"}, "file"),
        ({"file": "scans\\x.tif"}, "file"),
        ({"file": "x\n.tif"}, "file"),
        ({"file": "x\ud800.tif"}, "file"),
        ({"file": "x" * 1021 + ".tif"}, "file"),
        ({"file": "x.jpg"}, "file"),
        ({"file": ".requests/x.tif"}, "file"),
        ({"file": "x.tif", "output": "../x.tif"}, "output"),
        ({"file": "x.tif", "output": ".requests/x.tif"}, "output"),
        ({"file": "x.tif", "output": "x.png"}, "output"),
        ({"file": "x.tif", "model": "best"}, "model"),
        ({"file": "x.tif", "strength": -0.1}, "strength"),
        ({"file": "x.tif", "strength": 20.5}, "strength"),
        ({"file": "x.tif", "strength": "10"}, "strength"),
        ({"file": "x.tif", "strength": True}, "strength"),
        ({"file": "x.tif", "digital_offset": -1}, "digital_offset"),
        ({"file": "x.tif", "digital_offset": 65_535}, "digital_offset"),
        ({"file": "x.tif", "digital_offset": 1.5}, "digital_offset"),
        ({"file": "x.tif", "digital_offset": 4095, "using_bits": 12}, "digital_offset"),
        ({"file": "x.tif", "using_bits": 10}, "using_bits"),
        ({"file": "x.tif", "pixel_pitch": 0}, "pixel_pitch"),
        ({"file": "x.tif", "bucket": "mine"}, "bucket"),
        ([], "body"),
        ("x.tif", "body"),
    ],
)
def test_a_body_is_refused_with_the_field_that_is_wrong(body: Any, field: str, service: Service) -> None:
    refused(service.post(body), 400, field, service)


def test_every_wrong_field_is_named_at_once(service: Service) -> None:
    document = refused(
        service.post({"file": "x.tif", "strength": 99, "using_bits": 9}),
        400,
        "strength",
        service,
    )
    assert [each["field"] for each in document["errors"]] == ["strength", "using_bits"]


def test_a_number_that_is_none_is_refused(service: Service) -> None:
    body = b'{"file": "x.tif", "strength": NaN}'
    answer = requests.post(
        f"{service.url}/inference",
        data=body,
        headers={"content-type": "application/json"},
        timeout=10,
    )
    refused(answer, 400, "strength", service)


@pytest.mark.parametrize(
    ("data", "kind", "status", "field"),
    [
        (b"{", "application/json", 400, "body"),
        (b"[" * 60_000, "application/json", 400, "body"),
        (b"\xff", "application/json", 400, "body"),
        (b"{}", "text/plain", 415, "header Content-Type"),
        (b" " * 70_000, "application/json", 413, "body"),
    ],
)
def test_a_body_that_is_no_json_is_refused(data: bytes, kind: str, status: int, field: str, service: Service) -> None:
    answer = requests.post(
        f"{service.url}/inference",
        data=data,
        headers={"content-type": kind},
        timeout=10,
    )
    refused(answer, status, field, service)


def test_a_key_that_is_not_there_is_not_found(service: Service) -> None:
    document = refused(service.post({"file": "nobody/has-it.tif"}), 404, "file", service)
    assert "nobody/has-it.tif" in document["detail"]


@pytest.mark.parametrize("request_id", ["0" * 32, "x", "..%2F..%2Fx", "0" * 31])
def test_a_request_that_nobody_knows_is_not_found(request_id: str, service: Service) -> None:
    refused(service.get(f"/inference/{request_id}"), 404, None, service)


def test_unknown_paths_and_methods_are_answered_in_the_same_form(
    service: Service,
) -> None:
    refused(service.get("/nothing"), 404, None, service)
    answer = service.get("/inference")
    refused(answer, 405, None, service)
    assert set(answer.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}


def test_a_file_over_the_bound_is_refused_before_it_is_downloaded(
    start_service: Callable[..., Service], triton: Triton, aws: Aws
) -> None:
    service = start_service(triton, DDN_MAX_FILE_BYTES="4000", DDN_MAX_PIXELS="4096")
    aws.put("bad/large.tif", tiff(exposure(shape=(64, 64)).counts))
    document = refused(service.post({"file": "bad/large.tif"}), 413, "file", service)
    assert "8,4" in document["detail"]
    assert "the service takes 4,000" in document["detail"]
    # The pages of a file count together.
    aws.put("bad/pages.tif", tiff(GREY[:50], GREY[:50], compression="zlib"))
    refused(service.post({"file": "bad/pages.tif"}), 413, "file", service)
