"""Samples: the same numbers, whatever they come in."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)  # fmt: skip

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
        "valid: expected (X, y), a mapping with targets, a Dataset, a DataLoader or batches, "
        "found int; give one of these"
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


# --- samples that do not go into one batch --------------------------------------------------------

LENGTHS = [3, 3, 3, 1, 1, 2, 2, 2, 2, 3]


class Ragged(Dataset[tuple[Tensor, int]]):
    """Sequences of several lengths, each of its own number; counts what is taken of it."""

    def __init__(self) -> None:
        self.taken = 0

    def __len__(self) -> int:
        return len(LENGTHS)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        self.taken += 1
        return torch.full((LENGTHS[index],), float(index)), index


def rows_of(samples: Samples, size: int = 1000) -> list[list[int]]:
    """Return the numbers of the samples in each batch, which stand in inputs and targets alike."""
    found = []
    for inputs, targets in samples.batches(size):
        np.testing.assert_array_equal(inputs[:, 0], targets)
        found.append(targets.tolist())
    return found


@pytest.mark.parametrize("source", [Ragged(), DataLoader(Ragged()), DataLoader(Ragged(), 7)])
def test_samples_of_different_lengths_come_one_by_one(source: Any) -> None:
    assert rows_of(samples_of(source, split="test")) == [[row] for row in range(10)]


def test_what_the_loader_can_put_together_stays_together() -> None:
    samples = samples_of(DataLoader(Ragged(), batch_size=3), split="test")
    assert rows_of(samples) == [[0, 1, 2], [3], [4], [5], [6, 7, 8], [9]]


def test_samples_of_different_lengths_are_taken_once() -> None:
    dataset = Ragged()
    rows_of(TorchSamples.of(dataset, split="test"))
    assert dataset.taken == len(LENGTHS)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_sampler_of_batches_is_kept_to(workers: int) -> None:
    by_length = [[0, 1, 2, 9], [4, 3], [5, 6, 7, 8]]
    loader = DataLoader(Ragged(), batch_sampler=by_length, num_workers=workers)
    samples = samples_of(loader, split="test")
    assert len(samples) == 10
    assert rows_of(samples) == by_length
    assert said(samples) == [
        (
            "test: the batches of list were read as it draws them, and samples are numbered in "
            "that order"
        )
    ]


class Drawing:
    """Draws batches from every source of chance that there is, for ever."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def __iter__(self) -> Iterator[list[int]]:
        while True:
            first = int(torch.randint(3, (), generator=self.generator))
            yield [first, random.randrange(3), int(np.random.randint(3)), int(torch.randint(3, ()))]


def states(generator: torch.Generator) -> list[object]:
    own, world = generator.get_state().tolist(), torch.get_rng_state().tolist()
    return [own, world, random.getstate(), str(np.random.get_state())]


def test_drawing_batches_leaves_every_random_state_alone() -> None:
    generator = torch.Generator().manual_seed(7)
    before = states(generator)
    loader: Any = DataLoader(Ragged(), batch_sampler=Drawing(generator))
    samples, again = (samples_of(loader, split="test") for _ in range(2))
    assert states(generator) == before
    assert rows_of(samples) == rows_of(samples) == rows_of(again)


# --- samplers -------------------------------------------------------------------------------------


def said(samples: Samples) -> list[str]:
    return list(map(str, getattr(samples, "notes", ())))


@pytest.mark.parametrize(
    ("sampler", "name", "drawn"),
    [
        (WeightedRandomSampler([1.0] * 23, 10), "WeightedRandomSampler", "10"),
        (RandomSampler(PAIRS, replacement=True), "RandomSampler", "23"),
        (RandomSampler(PAIRS, num_samples=5), "RandomSampler", "5"),
        (iter([3, 1]), "list_iterator", "?"),
    ],
    ids=["weighted", "with replacement", "some", "own"],
)
def test_a_sampler_that_draws_otherwise_is_said(sampler: Any, name: str, drawn: str) -> None:
    samples = samples_of(DataLoader(PAIRS, 4, sampler=sampler), split="train")
    np.testing.assert_array_equal(whole(samples, 1000)[1], Y)
    assert said(samples) == [
        (
            f"train: the {name} of the DataLoader draws {drawn} samples; instead each of the 23 "
            "samples of its data set was read once, in order"
        )
    ]


@pytest.mark.parametrize(
    "loader",
    [
        DataLoader(PAIRS),
        DataLoader(PAIRS, shuffle=True, drop_last=True, batch_size=4),
        DataLoader(PAIRS, batch_sampler=BatchSampler(SequentialSampler(PAIRS), 4, drop_last=True)),
    ],
)
def test_a_sampler_that_draws_each_sample_once_is_not(loader: DataLoader[Any]) -> None:
    samples = samples_of(loader, split="train")
    assert len(whole(samples, 1000)[1]) == 23
    assert said(samples) == []


def test_a_part_of_a_data_set_is_read_in_order() -> None:
    samples = samples_of(DataLoader(PAIRS, sampler=SubsetRandomSampler([7, 2, 5])), split="train")
    np.testing.assert_array_equal(whole(samples, 1000)[0], X[[2, 5, 7]])
    assert said(samples) == []


# --- samples that cannot be read ------------------------------------------------------------------


class Torn(Dataset[Any]):
    """Raises at some rows, and gives nothing at others; a batch at once, if asked so."""

    def __init__(self, *, raising: set[int], empty: set[int] | None = None) -> None:
        self._raising, self._empty = raising, empty or set()

    def __len__(self) -> int:
        return 500

    def __getitem__(self, index: int) -> Any:
        if index in self._raising:
            raise OSError("truncated image")
        return None if index in self._empty else (torch.full((2,), float(index)), index)


class TornAtOnce(Torn):
    def __getitems__(self, rows: list[int]) -> list[Any]:
        return [self[row] for row in rows]


@pytest.mark.parametrize("size", [1, 64, 1000])
@pytest.mark.parametrize("kind", [Torn, TornAtOnce])
def test_a_sample_that_cannot_be_read_takes_no_other_along(kind: type[Torn], size: int) -> None:
    samples = samples_of(kind(raising={0, 333}, empty={401}), split="train")
    for _ in range(2):  # and is counted once, however often it is tried
        rows = [row for batch in rows_of(samples, size) for row in batch]
        assert rows == [row for row in range(500) if row not in (0, 333, 401)]
    assert said(samples) == [
        (
            "train: 3 samples could not be read and were left out, and those after them count as "
            "if they were not there; the first is sample 0 (OSError: truncated image)"
        )
    ]


def test_a_worker_says_what_it_could_not_read() -> None:
    loader = DataLoader(Torn(raising={333}), batch_size=50, num_workers=1)
    samples = samples_of(loader, split="train")
    assert sum(map(len, rows_of(samples))) == 499
    assert "the first is sample 333 (OSError: truncated image)" in said(samples)[0]


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_data_of_which_nothing_can_be_read_are_refused(size: int) -> None:
    samples = samples_of(Torn(raising=set(range(500))), split="train")
    with pytest.raises(MismatchError) as caught:
        next(samples.batches(size))
    assert str(caught.value) == (
        "train: expected a first batch of the data, found that reading it raised "
        "OSError: truncated image; check the data"
    )


def test_a_stream_that_cannot_be_put_together_comes_in_its_own_batches() -> None:
    class Growing(IterableDataset[Any]):
        def __iter__(self) -> Iterator[Tensor]:
            return (torch.full((length,), 1.0) for length in LENGTHS)

    samples = samples_of(DataLoader(Growing(), batch_size=3), split="train")
    assert [x.shape for x, _ in samples.batches(6)] == [
        (3, 3), (1, 1), (1, 1), (1, 2), (3, 2), (1, 3),
    ]  # fmt: skip


# --- several inputs, and batches that are at hand -------------------------------------------------

PARTS = {"a": X[:, :2], "b": X[:, 2:]}


@pytest.mark.parametrize(
    "source",
    [
        (PARTS, Y),
        {**PARTS, "labels": Y},
        {**{name: torch.tensor(one) for name, one in PARTS.items()}, "y": Y, "text": ["x"] * 23},
        DataLoader(TensorDataset(torch.tensor(X))),
    ],
    ids=["pair", "mapping", "tensors and texts", "loader"],
)
def test_inputs_by_argument_are_what_a_loader_would_give(source: Any) -> None:
    samples = samples_of(source, split="train")
    assert len(samples) == 23
    for batch, start in zip(samples.batches(10), (0, 10, 20), strict=True):
        inputs, targets = batch
        if isinstance(inputs, dict):
            assert sorted(inputs) == ["a", "b"]
            np.testing.assert_array_equal(targets, Y[start : start + 10])
            inputs = np.concatenate([inputs["a"], inputs["b"]], axis=1)
        np.testing.assert_array_equal(inputs, X[start : start + 10])


def test_a_tuple_of_arrays_is_several_inputs() -> None:
    samples = samples_of(((X[:, :2], X[:, 2:]), Y), split="train")
    ((first, second), targets), *_ = samples.batches(4)
    np.testing.assert_array_equal(np.concatenate([first, second], axis=1), X[:4])
    np.testing.assert_array_equal(targets, Y[:4])


SLICES = [slice(0, 10), slice(10, 23)]
BATCHES: dict[str, Any] = {
    "tuples": [(X[one], Y[one]) for one in SLICES],
    "lists": [[torch.tensor(X[one]), torch.tensor(Y[one])] for one in SLICES],
    "mappings": [{"x": X[one], "labels": Y[one]} for one in SLICES],
    "one": [(X, Y)],
    "loader": list(DataLoader(PAIRS, batch_size=5)),
    "samples": [(torch.tensor(x), int(y)) for x, y in zip(X, Y, strict=True)],
}


@pytest.mark.parametrize("name", [*BATCHES, "generator", "custom"])
def test_batches_are_taken_one_after_the_other(name: str) -> None:
    if name == "generator":
        source: Any = (batch for batch in BATCHES["tuples"])
    elif name == "custom":
        source = type("Own", (), {"__iter__": lambda _: iter(BATCHES["tuples"])})()
    else:
        source = BATCHES[name]
    batches = [
        (x["x"] if isinstance(x, dict) else x, y)
        for x, y in samples_of(source, split="train").batches(1000)
    ]
    inputs, targets = zip(*batches, strict=True)
    np.testing.assert_array_equal(np.concatenate(inputs), X)
    np.testing.assert_array_equal(np.concatenate(targets), Y)


# --- loaders that make no batches -----------------------------------------------------------------


class Mine(Sampler[list[int]]):
    """Draws batches of its own, at random; of no type that torch brings."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def __iter__(self) -> Iterator[list[int]]:
        for first in torch.randperm(4, generator=self.generator).tolist():
            yield list(range(5 * first, 5 * first + 5))


@pytest.mark.parametrize(
    "sampler",
    [
        BatchSampler(SequentialSampler(PAIRS), 4, drop_last=False),
        BatchSampler(RandomSampler(PAIRS), 4, drop_last=True),
        None,
    ],
)
def test_a_loader_without_batches_of_its_own_gives_every_sample_once_in_order(sampler: Any) -> None:
    samples = samples_of(DataLoader(PAIRS, batch_size=None, sampler=sampler), split="train")
    batches = [*samples.batches(100)]
    assert [len(y) for _, y in batches] == ([23] if sampler is None else [4, 4, 4, 4, 4, 3])
    x, y = (np.concatenate(part) for part in zip(*batches, strict=True))
    np.testing.assert_array_equal(x, PAIRS.tensors[0])
    np.testing.assert_array_equal(y, PAIRS.tensors[1])
    assert len(samples) == 23
    assert getattr(samples, "notes", None) == []


def test_a_sampler_of_batches_that_is_the_users_own_is_kept_to_and_not_used_up() -> None:
    generator = torch.Generator().manual_seed(1)
    before = generator.get_state()
    sampler: Any = Mine(generator)
    samples = samples_of(DataLoader(PAIRS, batch_size=None, sampler=sampler), split="train")
    drawn = [x[:, 0].tolist() for x, _ in samples.batches(2)]
    assert sorted(drawn) == sorted(PAIRS.tensors[0][k : k + 5, 0].tolist() for k in (0, 5, 10, 15))
    assert len(samples) == 20
    assert torch.equal(generator.get_state(), before)


def test_a_data_set_of_whole_batches_stays_one() -> None:
    class Whole(Dataset[Any]):
        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> Any:
            return tuple(part[7 * index : 7 * index + 7] for part in PAIRS.tensors)

    samples = samples_of(DataLoader(Whole(), batch_size=None), split="train")
    assert [len(y) for _, y in samples.batches(100)] == [7, 7, 7]
