"""Folders of images become the arrays that their pixels are, class by class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kashika.distribution import Array
from kashika.errors import LoadError
from kashika.load.samples import samples_from
from kashika.load.samples.images import ImageFiles
from kashika.texts import speaking

GREY = np.arange(20, dtype=np.uint8).reshape(4, 5) * 12
COLOUR = np.random.default_rng(0).integers(0, 256, (4, 5, 3)).astype(np.uint8)


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def folder(directory: Path, *places: str, pixels: Array = COLOUR) -> Path:
    for place in places:
        path = directory / place
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return directory


def read(path: Path) -> tuple[dict[str, ImageFiles], list[str]]:
    samples, notes = samples_from(str(path), target=None)
    found = {str(split): one for split, one in samples.items() if isinstance(one, ImageFiles)}
    assert len(found) == len(samples)
    return found, [str(one).replace(str(path), "IT") for one in notes]


def refused(path: Path) -> str:
    with pytest.raises(LoadError) as caught:
        read(path)
    return str(caught.value).replace(str(path), "IT")


def numbers(samples: ImageFiles, size: int = 2) -> tuple[Array, Array]:
    inputs, targets = zip(*samples.batches(size), strict=True)
    return np.concatenate(inputs), np.concatenate(targets)


def test_images_become_channels_first_from_zero_to_one(tmp_path: Path) -> None:
    folder(tmp_path, "cat/b.png", "cat/a.png", "犬/a.png")
    samples, notes = read(tmp_path)
    inputs, targets = numbers(samples["test"])
    assert (inputs.shape, len(samples["test"])) == ((3, 3, 4, 5), 3)
    assert inputs.dtype == np.float32
    np.testing.assert_allclose(inputs[0], np.moveaxis(COLOUR, -1, 0) / 255, rtol=1e-6)
    assert targets.tolist() == [0, 0, 1]
    assert samples["test"].class_names == ("cat", "犬")
    whole, images = notes
    assert whole == "IT: no split is named, so all images are taken as test data"
    assert images == (
        "IT: 3 images as float32 of shape (3, 4, 5) from 0 to 1, not normalised; "
        "classes by name: 0 = cat, 1 = 犬"
    )


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "validation", "testing")])
def test_folders_of_splits_hold_folders_of_the_same_classes(
    tmp_path: Path, names: Sequence[str]
) -> None:
    train, valid, test = names
    folder(tmp_path, f"{train}/a/1.png", f"{train}/b/1.png", f"{valid}/a/1.png", f"{test}/b/1.png")
    samples, _ = read(tmp_path)
    assert list(samples) == ["train", "valid", "test"]
    assert numbers(samples["test"])[1].tolist() == [1]  # b, though it is its only class
    assert list(read(tmp_path / train)[0]) == ["train"]


def test_grey_images_keep_one_channel(tmp_path: Path) -> None:
    folder(tmp_path, "a/1.png", "b/1.bmp", pixels=GREY)
    inputs, _ = numbers(read(tmp_path)[0]["test"])
    np.testing.assert_allclose(inputs[:, 0], np.stack([GREY, GREY]) / 255, rtol=1e-6)
    deep = (GREY.astype(np.uint16) * 250, "c")
    folder(tmp_path / "deep", "a/1.png", pixels=deep[0])
    inputs, _ = numbers(read(tmp_path / "deep")[0]["test"])
    np.testing.assert_allclose(inputs[0, 0], deep[0] / 65535, rtol=1e-6)


def test_images_of_different_kinds_become_colour_and_that_is_said(tmp_path: Path) -> None:
    folder(tmp_path, "a/1.png")
    folder(tmp_path, "a/2.png", pixels=GREY)
    samples, notes = read(tmp_path)
    assert numbers(samples["test"])[0].shape == (2, 3, 4, 5)
    assert notes[-1] == "IT: images of different kinds (RGB: 1, L: 1) were turned into RGB"


def test_what_is_no_image_is_left_out_and_what_is_hidden_is_not_seen(tmp_path: Path) -> None:
    folder(tmp_path, "a/1.png", "b/1.png", ".ipynb_checkpoints/1.png", "__MACOSX/1.png")
    (tmp_path / "a" / "0.png").write_bytes(b"<html>")
    (tmp_path / "a" / "._1.png").write_bytes(b"junk")
    (tmp_path / "a" / "notes.txt").write_text("a", encoding="utf-8")
    samples, notes = read(tmp_path)
    assert len(samples["test"]) == 2
    assert notes[-1] == "IT: 1 file is no image and was left out, first a/0.png"


def test_an_image_that_is_cut_is_told_when_it_is_read(tmp_path: Path) -> None:
    folder(
        tmp_path,
        "a/1.png",
        pixels=np.random.default_rng(0).integers(0, 256, (90, 90, 3)).astype(np.uint8),
    )
    path = tmp_path / "a" / "1.png"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(LoadError) as caught:
        numbers(read(tmp_path)[0]["test"])
    assert str(caught.value).startswith(f"{path}: expected a file of data as its name says")


def test_images_of_several_sizes_are_told_with_their_counts(tmp_path: Path) -> None:
    folder(tmp_path, "a/1.png", "a/2.png")
    folder(tmp_path, "b/1.png", pixels=COLOUR[:2])
    assert refused(tmp_path) == (
        "IT: expected images of one size, found 2 sizes: 5x4 (2), 5x2 (1); "
        "resize them as in the training, or give a function FILE.py:NAME"
    )


def test_splits_without_folders_of_classes_are_told(tmp_path: Path) -> None:
    folder(tmp_path, "train/1.png", "test/1.png")
    assert "expected a folder for each class in the folders test, train" in refused(tmp_path)


def test_a_folder_that_is_no_split_beside_splits_is_told(tmp_path: Path) -> None:
    folder(tmp_path, "train/a/1.png", "ood/a/1.png")
    assert "expected splits called train, valid or test, found ood" in refused(tmp_path)


def test_a_table_beside_the_images_does_not_take_their_place(tmp_path: Path) -> None:
    folder(tmp_path, "a/1.png", "b/1.png")
    (tmp_path / "labels.csv").write_text("file,label\n1.png,0\n", encoding="utf-8")
    assert len(read(tmp_path)[0]["test"]) == 2
