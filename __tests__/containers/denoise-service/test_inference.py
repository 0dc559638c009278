"""The whole path: an image in S3, a request, the real server with the real models, and the result in S3."""

import io
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from denoise_training.detector import OFFSET
from support.pictures import exposure, pages_of, png, psnr, tiff
from support.processes import Aws, Service


def denoise(service: Service, aws: Aws, key: str, data: bytes, **more: Any) -> tuple[dict[str, Any], bytes]:
    """Upload an image, have it denoised, and return the answer and the result."""
    aws.put(key, data)
    answer = service.post({"file": key, **more})
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    assert service.files_left() == []
    return document, aws.get(document["output"])


@pytest.mark.parametrize("model", ["efficient", "powerful"])
@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_a_detector_s_frame_comes_back_cleaner_and_the_answer_says_what_was_done(
    protocol: str, model: str, request: pytest.FixtureRequest, aws: Aws
) -> None:
    service: Service = request.getfixturevalue("service" if protocol == "grpc" else "http_service")
    taken = exposure(shape=(250, 301))
    key = f"frames/{protocol}-{model}.tif"
    document, result = denoise(
        service,
        aws,
        key,
        tiff(taken.counts),
        model=model,
        digital_offset=OFFSET,
        using_bits=16,
    )
    assert document == {
        "id": document["id"],
        "status": "succeeded",
        "file": key,
        "output": key,
        "model": model,
        "strength": 10,
        "pages": 1,
        "width": 301,
        "height": 250,
        "bits": 16,
        "steps": document["steps"],
    }
    assert list(document["steps"]) == ["download", "check", "denoise", "upload"]
    assert all(milliseconds > 0 for milliseconds in document["steps"].values())
    (clean,) = pages_of(result)
    assert clean.dtype == np.uint16
    assert psnr(clean, taken) > psnr(taken.counts, taken) + 8


def test_the_record_of_a_request_is_answered_by_its_id(service: Service, http_service: Service, aws: Aws) -> None:
    document, _ = denoise(
        service,
        aws,
        "recorded.tif",
        tiff(exposure(shape=(64, 64)).counts),
        output="here/it-is.tif",
    )
    assert document["output"] == "here/it-is.tif"
    for task in (service, http_service):
        assert task.get(f"/inference/{document['id']}").json() == document


def test_pages_of_a_tiff_are_denoised_each_and_stay_in_order(service: Service, aws: Aws) -> None:
    takes = [exposure(seed, (100, 130)) for seed in (993, 994, 995)]
    document, result = denoise(
        service,
        aws,
        "stack.tif",
        tiff(*(take.counts for take in takes)),
        digital_offset=OFFSET,
    )
    assert document["pages"] == 3
    for clean, take in zip(pages_of(result), takes, strict=True):
        assert psnr(clean, take) > psnr(take.counts, take) + 5


@pytest.mark.parametrize("kind", ["16 bits", "8 bits"])
def test_a_png_comes_back_as_a_png_of_its_depth(kind: str, service: Service, aws: Aws) -> None:
    taken = exposure(shape=(120, 100))
    values = taken.counts if kind == "16 bits" else (taken.counts >> 8).astype(np.uint8)
    _, result = denoise(service, aws, f"{kind[:2].strip()}.png", png(values))
    clean = imagecodecs.png_decode(result)
    assert clean.dtype == values.dtype
    assert clean.shape == values.shape
    assert clean.std() < values.std()


LAYOUTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "LZW with predictor": {"compression": "lzw", "predictor": True, "rowsperstrip": 16},
    "Deflate": {"compression": "zlib", "rowsperstrip": 7},
    "PackBits": {"compression": "packbits"},
    "Zstandard": {"compression": "zstd"},
    "tiles": {"tile": (64, 48), "compression": "zlib", "predictor": True},
    "big-endian": {"byteorder": ">", "compression": "lzw", "predictor": True},
    "BigTIFF": {"bigtiff": True},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_tiff_comes_back_as_it_was_written_with_its_tags(layout: str, service: Service, aws: Aws) -> None:
    values = exposure(shape=(90, 110)).counts
    serial = (40_000, 3, 2, (17, 4), False)
    data = tiff(
        values,
        **LAYOUTS[layout],
        description="wrist, 60 kV, 3 µm".encode("latin-1"),
        software="acquire 4.2",
        datetime="2026:01:31 10:00:00",
        resolution=((66_146, 1000), (66_146, 1000)),
        resolutionunit="CENTIMETER",
        extratags=[serial],
    )
    _, result = denoise(service, aws, f"layout-{layout.replace(' ', '-')}.tif", data, strength=0)
    with (
        tifffile.TiffFile(io.BytesIO(data)) as before,
        tifffile.TiffFile(io.BytesIO(result)) as after,
    ):
        assert after.byteorder == before.byteorder
        assert after.is_bigtiff == before.is_bigtiff
        for name in (
            "compression",
            "predictor",
            "tile",
            "dtype",
            "shape",
            "photometric",
            "rowsperstrip",
        ):
            assert getattr(after.pages.first, name) == getattr(before.pages.first, name), name
        for code in (270, 282, 283, 296, 305, 306, 40_000):
            assert after.pages.first.tags[code].value == before.pages.first.tags[code].value, code
    assert np.array_equal(pages_of(result)[0], values)


def test_the_pixel_pitch_becomes_the_resolution(service: Service, aws: Aws) -> None:
    _, result = denoise(
        service,
        aws,
        "pitch.tif",
        tiff(exposure(shape=(64, 64)).counts),
        pixel_pitch=139,
        strength=0,
    )
    with tifffile.TiffFile(io.BytesIO(result)) as opened:
        x, unit = opened.pages.first.tags[282].value, opened.pages.first.tags[296].value
    assert unit == 3
    assert x[0] / x[1] == pytest.approx(10_000 / 139, rel=1e-6)


def test_an_offset_is_taken_off_before_and_put_back_after(service: Service, aws: Aws) -> None:
    values = np.full((80, 80), 3000, np.uint16)
    _, result = denoise(service, aws, "flat.tif", tiff(values), digital_offset=3000)
    # A signal of nothing at all stays nothing: the networks have no biases.
    assert np.array_equal(pages_of(result)[0], values)


def test_bits_bound_what_a_result_holds(service: Service, aws: Aws) -> None:
    rng = np.random.default_rng(7)
    values = np.clip(rng.normal(4090, 40, (96, 96)), 0, 4095).astype(np.uint16)
    document, result = denoise(service, aws, "bits.tif", tiff(values), using_bits=12)
    assert document["bits"] == 12
    assert pages_of(result).max() <= 4095


def test_strength_goes_from_unchanged_to_smoother_than_the_model(service: Service, aws: Aws) -> None:
    taken = exposure(shape=(128, 128))
    distances, roughness, results = [], [], []
    for strength in (0, 2.5, 5, 10, 15, 20):
        _, result = denoise(
            service,
            aws,
            f"strength-{strength}.tif",
            tiff(taken.counts),
            strength=strength,
            digital_offset=OFFSET,
        )
        (clean,) = pages_of(result).astype(np.float64)
        results.append(clean)
        distances.append(float(np.sqrt(np.mean((clean - taken.counts) ** 2))))
        roughness.append(float(np.abs(np.diff(clean, axis=0)).mean()))
    assert distances[0] == 0
    assert distances == sorted(distances)
    assert roughness == sorted(roughness, reverse=True)
    # Halfway to the model's result is half of each.
    assert np.abs(results[2] - (results[0] + results[3]) / 2).max() <= 1
