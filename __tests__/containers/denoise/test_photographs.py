"""The manifest of photographs: each named once, with a licence, and the test's ones apart."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from denoise_training.images import grey
from denoise_training.photographs import (
    SPLITS,
    Package,
    PackageMissing,
    manifest,
    photograph_name,
    photographs,
)

INSTALLED = [package for package in manifest() if package["source"] == "installed"]


def test_every_photograph_is_in_one_split_and_has_a_licence_and_a_name_of_its_own() -> None:
    entries = [entry for package in manifest() for entry in package["photographs"]]
    names = Counter(photograph_name(entry["path"]) for entry in entries)
    assert max(names.values()) == 1
    assert {entry["split"] for entry in entries} == set(SPLITS)
    assert all(entry["licence"] for entry in entries)


def test_photographs_that_others_compare_with_are_never_trained_on() -> None:
    assert {entry["split"] for package in INSTALLED for entry in package["photographs"]} == {"test"}


def test_installed_photographs_are_read_as_grey_images_from_0_to_1(tmp_path: Path) -> None:
    found = list(photographs(tmp_path, "test", INSTALLED))
    assert len(found) >= 9
    image = grey(found[0].path, 200, halve=False)
    assert max(image.shape) == 200
    assert image.dtype == np.float32
    assert 0 <= float(image.min()) < float(image.max()) <= 1


def test_a_photograph_in_training_is_halved_at_least(tmp_path: Path) -> None:
    (first, *_) = photographs(tmp_path, "test", INSTALLED)
    assert max(grey(first.path, 1280).shape) * 2 <= max(grey(first.path, 1280, halve=False).shape)


def test_a_package_without_a_photograph_that_the_manifest_lists_is_named(tmp_path: Path) -> None:
    lacking: Package = {**INSTALLED[0], "photographs": [{"path": "gone.png", "licence": "CC0-1.0", "split": "test"}]}
    with pytest.raises(PackageMissing, match=r"scikit-image .*gone\.png"):
        list(photographs(tmp_path, "test", [lacking]))


def test_a_package_that_no_archive_has_is_named_with_what_was_tried(tmp_path: Path) -> None:
    absent: Package = {
        "name": "denoise-no-such-package",
        "version": "0",
        "source": "debian",
        "photographs": [{"path": "a.jpg", "licence": "CC0-1.0", "split": "train"}],
    }
    with pytest.raises(PackageMissing, match="apt-get download denoise-no-such-package=0"):
        list(photographs(tmp_path, "train", [absent]))
