"""A run holds what a training left behind, and asks the network about each split once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from kashika.distribution import Array, Distribution, FloatArray
from kashika.errors import MismatchError
from kashika.history import History, Series
from kashika.naming import split_of
from kashika.observation import Observation
from kashika.parameters import Parameter
from kashika.run import Arrays, Observations, Run, Samples, as_array
from kashika.task import Task, infer_task
from kashika.texts import Sentence, speaking


@dataclass
class Toy:
    """A network whose outputs are its inputs, and which remembers what it was asked."""

    asked: list[tuple[str, Task | None]] = field(default_factory=list)

    def parameters(self) -> Iterator[Parameter]:
        return iter(())

    def statistics(self) -> Iterator[tuple[str, Distribution]]:
        return iter(())

    def predict(self, inputs: Array) -> FloatArray:
        return inputs

    def observe(self, samples: Samples, *, split: str, task: Task | None = None) -> Observation:
        self.asked.append((split, task))
        x, y = (np.concatenate(parts) for parts in zip(*samples.batches(3), strict=True))
        found = task or infer_task(x, y)
        return Observation.of(found, inputs=x, outputs=x, targets=y, loss=np.zeros(len(x)))

    def slopes(self, inputs: Array, task: Task) -> FloatArray:  # noqa: ARG002
        return np.ones(inputs.shape)


def samples(*targets: float) -> Arrays:
    return Arrays(np.arange(len(targets), dtype=np.float64)[:, None] - 0.5, np.array(targets))


# --- arrays --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        [[1, 2], [3, 4]],
        ((1.0, 2.0), (3.0, 4.0)),
        np.array([[1, 2], [3, 4]], dtype=np.uint8),
        torch.tensor([[1, 2], [3, 4]]),
        torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True),
        torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True) * 1,
        torch.tensor([[1, 2], [3, 4]], dtype=torch.bfloat16, requires_grad=True),
        torch.tensor([[1, 2], [3, 4]], dtype=torch.float16),
        torch.tensor([[1.0, 3.0], [2.0, 4.0]]).T,
        [torch.tensor([1, 2]), torch.tensor([3, 4])],
        pd.DataFrame({"a": [1, 3], "b": [2.0, 4.0]}),
        pd.DataFrame({"a": [1, 3], "b": [2, 4]}, dtype="Int64"),
        np.array([[1, 2.0], [np.float32(3), 4]], dtype=object),
    ],
)
def test_lists_tensors_and_pandas_objects_become_the_same_array(values: object) -> None:
    array = as_array(values, split="train")
    assert type(array) is np.ndarray
    assert array.dtype.kind in "iuf"
    np.testing.assert_array_equal(array, [[1, 2], [3, 4]])


def test_truth_values_are_numbers() -> None:
    for values in ([True, False], torch.tensor([True, False]), pd.Series([True, False])):
        assert as_array(values, split="train").tolist() == [True, False]


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (["cat", "dog"], "<U3"),
        (pd.Series(["cat", "dog"]), "object"),
        ([[1.0, 2.0], [3.0]], "object"),
        (None, "object"),
        (pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), "object"),
        (torch.tensor([1 + 1j]), "complex64"),
        (np.array(["2026-01-01"], dtype="datetime64[D]"), "datetime64[D]"),
        (torch.ones(3).to_sparse(), "object"),
        ([torch.ones(2, requires_grad=True)], "object"),
    ],
)
def test_what_are_no_numbers_is_refused_with_its_type(values: object, found: str) -> None:
    with pytest.raises(MismatchError) as caught:
        as_array(values, split="valid")
    with speaking("en"):
        assert str(caught.value) == (
            f"valid: expected numbers, found values of type {found}; turn them into numbers first"
        )


def test_batches_are_the_samples_in_order() -> None:
    whole = Arrays.of(range(7), range(7), split="train")
    assert [(x.tolist(), y.tolist()) for x, y in whole.batches(3)] == [
        ([0, 1, 2], [0, 1, 2]), ([3, 4, 5], [3, 4, 5]), ([6], [6]),
    ]  # fmt: skip
    assert len(whole) == 7


PARTS = np.arange(14.0).reshape(7, 2), np.arange(7)[:, None]


@pytest.mark.parametrize("inputs", [PARTS, [*PARTS], tuple(map(torch.tensor, PARTS))])
def test_several_inputs_are_cut_alike(inputs: Any) -> None:
    batches = list(Arrays.of(inputs, range(7), split="train").batches(3))
    assert [[part.shape for part in x] for x, _ in batches] == [
        [(3, 2), (3, 1)], [(3, 2), (3, 1)], [(1, 2), (1, 1)],
    ]  # fmt: skip
    for place, part in enumerate(PARTS):
        np.testing.assert_array_equal(np.concatenate([x[place] for x, _ in batches]), part)


def test_inputs_by_argument_are_cut_alike_and_texts_are_left_out() -> None:
    given = {"ids": PARTS[0], "mask": torch.tensor(PARTS[1]), "text": ["a"] * 7, "k": 3}
    batches = list(Arrays.of(given, range(7), split="train").batches(4))
    assert [sorted(x) for x, _ in batches] == [["ids", "mask"]] * 2
    np.testing.assert_array_equal(np.concatenate([x["mask"] for x, _ in batches]), PARTS[1])


@pytest.mark.parametrize("many", [2, 3])
def test_rows_are_no_inputs_of_their_own(many: int) -> None:
    rows = [np.full(3, one) for one in range(many)]
    assert Arrays.of(rows, range(many), split="train").inputs.shape == (many, 3)
    assert Arrays.of([np.ones(3)] * 3, range(3), split="train").inputs.shape == (3, 3)


@pytest.mark.parametrize(
    ("inputs", "found"),
    [((PARTS[0], PARTS[1][:5]), "(7, 2), (5, 1)"), ({"a": PARTS[0][:5]}, "(5, 2)"), ({}, "{}")],
)
def test_inputs_of_several_lengths_are_told_with_their_shapes(inputs: Any, found: str) -> None:
    with pytest.raises(MismatchError) as caught:
        Arrays.of(inputs, range(7), split="train")
    with speaking("en"):
        assert str(caught.value) == (
            "train: expected as many targets as inputs and at least one, "
            f"found shapes {found} and (7,); check the data"
        )


@pytest.mark.parametrize("inputs", [PARTS[0], PARTS, {"a": PARTS[0]}])
def test_some_of_the_samples_keep_their_targets(inputs: Any) -> None:
    some = Arrays.of(inputs, range(7), split="train").at(np.array([5, 2]))
    assert some.targets.tolist() == [5, 2]
    assert len(some) == 2
    found = some.inputs
    first = found["a"] if isinstance(found, dict) else found[0] if type(found) is tuple else found
    assert first.tolist() == [[10, 11], [4, 5]]


def test_the_columns_of_a_data_frame_keep_their_names() -> None:
    frame = pd.DataFrame({"width": [1.0], "height": [2.0]})
    assert Arrays.of(frame, [0], split="train").columns == ("width", "height")
    assert Arrays.of([[1.0]], [0], split="train").columns == ()


# --- history -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"),
        ("VAL", "valid"),
        ("validation", "valid"),
        ("Test", "test"),
        ("dev", "valid"),
        ("fold1", None),
    ],
)
def test_a_split_goes_by_several_names(name: str, split: str | None) -> None:
    assert split_of(name) == split


def test_a_history_counts_epochs_from_1() -> None:
    history = History.of({"train_loss": [0.7, 0.5], "valid_acc": torch.tensor([1.0])})
    assert history.series["train_loss"].x.tolist() == [1, 2]
    assert history.series["train_loss"].y.tolist() == [0.7, 0.5]
    assert history.series["train_loss"].unit == "epoch"
    assert history.series["valid_acc"].x.tolist() == [1]


def test_a_history_takes_the_names_that_logs_have() -> None:
    history = History.of({"val_loss": [0.5], "Validation_accuracy": [1.0]})
    assert list(history.series) == ["valid_loss", "valid_acc"]


def test_metrics_are_listed_once_and_each_by_split_in_the_order_of_the_splits() -> None:
    history = History.of({"test_loss": 1, "train_top_5": 2, "train_loss": 3, "valid_loss": 4})
    assert history.metrics == ("loss", "top_5")
    assert list(history.metric("loss")) == ["train", "valid", "test"]
    assert list(history.metric("top_5")) == ["train"]
    assert history.metric("acc") == {}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"loss": [1.0]}, "history['loss']: {}; found an array of shape (1,)"),
        ({"train_": [1.0]}, "history['train_']: {}; found an array of shape (1,)"),
        (
            {"train_loss": [[1.0], [2.0]]},
            "history['train_loss']: {}; found an array of shape (2, 1)",
        ),
    ],
)
def test_a_history_of_other_names_or_shapes_is_refused(
    values: Mapping[str, list[Any]], message: str
) -> None:
    expected = (
        "expected {split}_{metric}, the split one of ('train', 'valid', 'test'), "
        "and a list of numbers"
    )
    with pytest.raises(ValueError, match="history") as caught:
        History.of(values)
    assert str(caught.value) == message.format(expected)


def test_the_finite_part_of_a_series_keeps_its_places_and_its_unit() -> None:
    series = Series(np.array([10, 20, 30, 40]), np.array([np.nan, 2.0, np.inf, 4.0]), "step")
    assert series.finite.x.tolist() == [20, 40]
    assert series.finite.y.tolist() == [2.0, 4.0]
    assert series.finite.unit == "step"


@pytest.mark.parametrize("size", [1, 2, 1999, 4001, 100_003])
def test_a_thinned_series_has_few_points_and_loses_no_peak(size: int) -> None:
    draws = np.random.default_rng(0)
    y = np.cumsum(draws.normal(size=size))
    y[draws.integers(size)] = 1e6
    y[draws.integers(size)] = np.nan
    series = Series(np.arange(size) * 3, y, "step")
    thin = series.thinned
    assert thin.y.size <= min(size, 4002)
    assert (np.diff(thin.x) > 0).all()
    assert (thin.x[0], thin.x[-1], thin.unit) == (0, series.x[-1], "step")
    np.testing.assert_array_equal(thin.y, y[thin.x // 3])
    assert np.nanmax(thin.y, initial=-np.inf) == np.nanmax(y, initial=-np.inf)
    assert np.nanmin(thin.y, initial=np.inf) == np.nanmin(y, initial=np.inf)


# --- observations --------------------------------------------------------------------------------


def test_a_network_is_asked_only_when_someone_looks_and_then_once() -> None:
    toy = Toy()
    seen = Observations(toy, {"train": samples(0, 1), "test": samples(1, 0)})
    assert (list(seen), len(seen), "test" in seen, "valid" in seen) == (
        ["train", "test"],
        2,
        True,
        False,
    )
    assert toy.asked == []
    assert seen["train"] is seen["train"]
    assert [split for split, _ in toy.asked] == ["train"]
    assert [one.samples for one in seen.values()] == [2, 2]
    assert [split for split, _ in toy.asked] == ["train", "test"]


def test_every_split_is_read_with_the_task_of_the_first() -> None:
    toy = Toy()
    seen = Observations(toy, {"test": samples(0, 0), "train": samples(0, 1)})
    assert seen["test"].task.outputs == "logit"
    logit = Task("logit", 2, "binary_cross_entropy_with_logits")
    assert toy.asked == [("train", None), ("test", logit)]


def test_the_first_split_is_the_first_of_train_valid_test_whatever_came_first() -> None:
    seen = Observations(Toy(), {"test": samples(1), "valid": samples(0), "train": samples(0)})
    assert list(seen) == ["train", "valid", "test"]


def test_a_network_that_fails_is_asked_once_and_everyone_is_told() -> None:
    toy = Toy()
    wrong = Arrays(np.zeros((2, 1)), np.array([None, None]))
    seen = Observations(toy, {"train": wrong, "test": samples(0, 1)})
    errors = []
    for split in ("train", "train", "test"):
        with pytest.raises(TypeError) as caught:
            seen[split]
        errors.append(caught.value)
    assert errors[0] is errors[1] is errors[2]
    assert len(toy.asked) == 1


@dataclass
class Noting:
    """Samples that have something to say once they have been read."""

    notes: list[Sentence] = field(default_factory=list)

    def __len__(self) -> int:
        return 2

    def batches(self, size: int) -> Iterator[tuple[Array, Array]]:  # noqa: ARG002
        self.notes = [Sentence("words.none")]
        yield np.array([[-0.5], [0.5]]), np.array([0.0, 1.0])


def test_what_the_data_say_stands_among_the_notes_once_they_are_read() -> None:
    seen = Observations(Toy(), {"train": Noting(), "test": Noting()})
    assert seen.notes == []
    assert seen["train"].samples == 2
    assert [note.key for note in seen.notes].count("words.none") == 1


def test_a_split_that_there_is_not_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        Observations(Toy(), {"train": samples(0, 1)})["valid"]


def test_a_run_gives_the_first_of_the_preferred_splits_that_it_has() -> None:
    run = Run(
        "run", observations=Observations(Toy(), {"valid": samples(0), "train": samples(0, 1)})
    )
    found = run.observation("test", "valid", "train")
    assert found is not None
    assert (found[0], found[1].samples) == ("valid", 1)
    assert run.observation("test") is None
    assert Run("empty").observation("train", "valid", "test") is None


def test_a_sentence_is_put_into_words_by_whoever_reads_it() -> None:
    run = Run("run", notes=[Sentence("missing.parameters")])
    with speaking("en"):
        assert str(run.notes[0]) == "needs parameters; the network has none"
    with speaking("ja"):
        assert str(run.notes[0]) == "パラメータが必要ですが、このネットワークにはありません。"
