"""Samples: the same numbers, whatever they come in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from kashika import Arrays, MismatchError, speaking
from kashika.distribution import Array
from kashika.load.samples import samples_of
from kashika.run import Samples
from kashika.torch_network.samples import TorchSamples

X = np.random.default_rng(0).normal(size=(23, 3)).astype(np.float32)
Y = np.arange(23) % 4
PAIRS = TensorDataset(torch.tensor(X), torch.tensor(Y))


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def whole(samples: Samples, size: int) -> tuple[Array, Array]:
    """Put the batches together, and see that none is larger than asked."""
    batches = list(samples.batches(size))
    assert max(len(inputs) for inputs, _ in batches) <= size
    inputs, targets = zip(*batches, strict=True)
    return np.concatenate(inputs), np.concatenate(targets)


class Counted(Dataset[tuple[Tensor, int]]):
    """Counts how many samples have been taken."""

    def __init__(self) -> None:
        self.taken = 0

    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        self.taken += 1
        return torch.tensor(X[index]), int(Y[index])


class Lengthless(Dataset[Tensor]):
    def __getitem__(self, index: int) -> Tensor:
        raise AssertionError("nobody reads it")


class Stream(IterableDataset[Any]):
    """Pairs that come one after the other, seven of them, and do not say how many there are."""

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return ((torch.tensor([float(i)]), torch.tensor(i % 2)) for i in range(7))


@pytest.mark.parametrize(
    "source",
    [
        (X, Y),
        [X, Y],
        (torch.tensor(X), torch.tensor(Y)),
        (torch.tensor(X, requires_grad=True), torch.tensor(Y)),
        (X.tolist(), Y.tolist()),
        (pd.DataFrame(X), pd.Series(Y, index=range(100, 123))),
        PAIRS,
        Counted(),
        DataLoader(PAIRS, batch_size=5),
        DataLoader(PAIRS, batch_size=5, shuffle=True),
        DataLoader(PAIRS, batch_size=5, drop_last=True),
    ],
    ids=["numpy", "list of two", "tensor", "tensor with gradient", "lists", "pandas", "dataset",
         "own dataset", "loader", "shuffled loader", "loader that drops"],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_all_that_holds_the_same_samples_gives_them_in_the_same_order(
    source: object, size: int
) -> None:
    samples = samples_of(source, split="test")
    inputs, targets = whole(samples, size)
    assert len(samples) == 23
    np.testing.assert_array_equal(inputs.astype(np.float32), X)
    np.testing.assert_array_equal(targets, Y)


def test_bfloat16_becomes_the_nearest_that_numpy_has() -> None:
    samples = Arrays.of(torch.tensor(X, dtype=torch.bfloat16), Y, split="test")
    np.testing.assert_array_equal(samples.inputs, torch.tensor(X).bfloat16().float().numpy())


def test_a_data_set_is_never_held_whole() -> None:
    dataset = Counted()
    batches = TorchSamples.of(dataset, split="train").batches(5)
    next(batches)
    assert dataset.taken == 5


def test_the_collate_function_of_a_loader_is_used() -> None:
    def doubled(pairs: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        return torch.stack([2 * x for x, _ in pairs]), torch.stack([y for _, y in pairs])

    loader = DataLoader(PAIRS, batch_size=4, collate_fn=doubled)
    inputs, _ = whole(TorchSamples.of(loader, split="train"), 6)
    np.testing.assert_array_equal(inputs, 2 * X)


def test_reading_a_loader_leaves_its_generator_alone() -> None:
    generator = torch.Generator().manual_seed(7)
    before = generator.get_state()
    loader = DataLoader(PAIRS, batch_size=5, shuffle=True, generator=generator)
    whole(TorchSamples.of(loader, split="train"), 6)
    assert torch.equal(generator.get_state(), before)


@pytest.mark.parametrize(
    ("inputs", "targets", "shapes"),
    [(X, Y[:5], "(23, 3) and (5,)"), (X[:0], Y[:0], "(0, 3) and (0,)"), (X, 1, "(23, 3) and ()")],
    ids=["lengths", "empty", "one target"],
)
def test_inputs_and_targets_are_of_one_length(inputs: Array, targets: object, shapes: str) -> None:
    with pytest.raises(MismatchError) as caught:
        samples_of((inputs, targets), split="valid")
    assert str(caught.value) == (
        "valid: expected as many targets as inputs and at least one, "
        f"found shapes {shapes}; check the data"
    )


@pytest.mark.parametrize(
    ("inputs", "targets", "found"),
    [(["cat"] * 23, Y, "<U3"), ([[1.0, 2.0], [3.0]], [0, 1], "object"), (X, [None] * 23, "object")],
    ids=["words", "ragged", "nothing"],
)
def test_what_are_no_numbers_is_refused(inputs: object, targets: object, found: str) -> None:
    with pytest.raises(MismatchError) as caught:
        samples_of((inputs, targets), split="valid")
    assert str(caught.value) == (
        f"valid: expected numbers, found values of type {found}; turn them into numbers first"
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            Lengthless(),
            (
                "valid: expected a Dataset that has a length or is an IterableDataset, "
                "found Lengthless; give it a __len__"
            ),
        ),
        (
            TensorDataset(torch.empty(0, 2)),
            "valid: expected at least one sample, found none in TensorDataset; check the data",
        ),
    ],
)
def test_a_data_set_without_a_length_or_without_samples_is_refused(
    source: Dataset[Any], expected: str
) -> None:
    with pytest.raises(MismatchError) as caught:
        samples_of(source, split="valid")
    assert str(caught.value) == expected


def test_what_holds_no_samples_at_all_is_refused() -> None:
    with pytest.raises(MismatchError) as caught:
        samples_of(17, split="valid")
    assert str(caught.value) == (
        "valid: expected (X, y), a Dataset or a DataLoader, found int; give one of these"
    )


def test_a_stream_is_read_as_it_comes() -> None:
    samples = samples_of(Stream(), split="train")
    assert [x[:, 0].tolist() for x, _ in samples.batches(3)] == [[0, 1, 2], [3, 4, 5], [6]]
    with pytest.raises(TypeError):
        len(samples)


def test_inputs_without_targets_are_their_own_targets() -> None:
    samples = samples_of(TensorDataset(torch.tensor(X)), split="train")
    inputs, targets = next(samples.batches(4))
    np.testing.assert_array_equal(inputs, X[:4])
    np.testing.assert_array_equal(targets, X[:4])


class Named(Dataset[Any]):
    """Samples that are mappings, as those of Hugging Face."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {name: torch.tensor([index]) for name in self._names} | {"text": "a"}


def test_the_targets_of_a_mapping_are_found_by_their_name() -> None:
    samples = samples_of(Named("ids", "mask", "labels"), split="train")
    inputs, targets = next(samples.batches(2))
    assert {name: one.tolist() for name, one in inputs.items()} == {
        "ids": [[0], [1]], "mask": [[0], [1]],
    }  # fmt: skip
    assert targets.tolist() == [[0], [1]]


def test_a_mapping_without_targets_is_refused_when_it_is_read() -> None:
    samples = samples_of(Named("ids", "mask"), split="train")
    with pytest.raises(MismatchError) as caught:
        next(samples.batches(2))
    assert str(caught.value) == (
        "train: expected batches of (inputs, targets), or mappings with one of the names labels, "
        "label, label_ids, targets, target, y, found ['ids', 'mask', 'text']; give a Dataset that "
        "returns both"
    )
