"""What the outputs of a network mean, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.special import expit, log_softmax, softmax

from kashika.distribution import Array, FloatArray
from kashika.errors import MismatchError
from kashika.task import LOSS, Meaning, Task, as_labels, infer_task
from kashika.texts import speaking

LOGITS = np.random.default_rng(0).normal(0, 3, (40, 5))
CLASSES = np.arange(40) % 5
COLUMN = LOGITS[:, :1]
BITS = np.arange(40) % 2

TASKS: dict[Meaning, Task] = {
    "logits": Task("logits", 5, "cross_entropy"),
    "log_probabilities": Task("log_probabilities", 5, "nll_loss"),
    "probabilities": Task("probabilities", 5, "nll_loss"),
    "logit": Task("logit", 2, "binary_cross_entropy_with_logits"),
    "probability": Task("probability", 2, "binary_cross_entropy"),
}

rows = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, max_side=6),
    elements=st.floats(-1e308, 1e308) | st.floats(-50, 50),
)


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


# --- what the outputs mean -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outputs", "targets", "task"),
    [
        (LOGITS, CLASSES, TASKS["logits"]),
        (LOGITS, CLASSES.astype(np.float32), TASKS["logits"]),
        (LOGITS, CLASSES[:, None], TASKS["logits"]),
        (LOGITS[:, :2], BITS, Task("logits", 2, "cross_entropy")),
        (LOGITS, BITS, TASKS["logits"]),  # a split may lack some of the classes
        (softmax(LOGITS, axis=1), CLASSES, TASKS["probabilities"]),
        (softmax(LOGITS, axis=1).astype(np.float32), CLASSES, TASKS["probabilities"]),
        (log_softmax(LOGITS, axis=1), CLASSES, TASKS["log_probabilities"]),
        (expit(LOGITS), CLASSES, TASKS["logits"]),  # in 0 to 1, but their sum is not 1
        (-np.abs(LOGITS), CLASSES, TASKS["logits"]),
        (COLUMN, BITS, TASKS["logit"]),
        (COLUMN, BITS[:, None].astype(np.float32), TASKS["logit"]),
        (COLUMN[:, 0], BITS, TASKS["logit"]),
        (expit(COLUMN), BITS, TASKS["probability"]),
        (COLUMN, CLASSES, Task("values", 0, "mse_loss")),
        (COLUMN, COLUMN + 0.1, Task("values", 0, "mse_loss")),
        (LOGITS, LOGITS + 0.1, Task("values", 0, "mse_loss")),
        (LOGITS, np.rint(LOGITS), Task("values", 0, "mse_loss")),
        (COLUMN, np.where(BITS, np.inf, 0), Task("values", 0, "mse_loss")),
        (np.full((40, 5), np.nan), CLASSES, TASKS["logits"]),
        (np.full((40, 5), np.inf), CLASSES, TASKS["logits"]),
    ],
)
def test_outputs_and_targets_tell_the_task(outputs: FloatArray, targets: Array, task: Task) -> None:
    assert infer_task(outputs, targets) == task


def test_what_a_linear_puts_out_is_no_probability_even_if_it_looks_like_one() -> None:
    column, rows = expit(COLUMN), softmax(LOGITS, axis=1)
    for last in ("Linear", "Conv2d"):
        assert infer_task(column, BITS, last=last) == TASKS["logit"]
        assert infer_task(rows, CLASSES, last=last) == TASKS["logits"]
    for known in ("Sigmoid", "Softmax", "sigmoid", None):
        assert infer_task(column, BITS, last=known) == TASKS["probability"]
        assert infer_task(rows, CLASSES, last=known) == TASKS["probabilities"]


@pytest.mark.parametrize(
    ("loss", "meaning"),
    [
        ("cross_entropy", "logits"),
        ("nll_loss", "log_probabilities"),
        ("binary_cross_entropy_with_logits", "logit"),
        ("binary_cross_entropy", "probability"),
        ("mse_loss", "values"),
    ],
)
def test_a_known_loss_settles_what_the_outputs_mean(loss: str, meaning: Meaning) -> None:
    column = meaning not in ("logits", "log_probabilities")
    outputs, targets = (expit(COLUMN), BITS) if column else (softmax(LOGITS, axis=1), CLASSES)
    task = infer_task(outputs, targets, loss=loss)
    assert (task.outputs, task.loss) == (meaning, loss)
    assert task.classes == {"values": 0, "logit": 2, "probability": 2}.get(meaning, 5)


@pytest.mark.parametrize(
    ("outputs", "targets", "meaning"), [(LOGITS, CLASSES, "logits"), (COLUMN, COLUMN, "values")]
)
def test_an_unknown_loss_says_nothing_about_the_outputs_and_is_kept(
    outputs: FloatArray, targets: Array, meaning: Meaning
) -> None:
    task = infer_task(outputs, targets, loss="smooth_l1_loss")
    assert (task.outputs, task.loss) == (meaning, "smooth_l1_loss")


def test_every_meaning_has_its_loss_and_only_values_are_no_classes() -> None:
    for meaning, task in TASKS.items():
        assert task.loss == LOSS[meaning]
        assert task.classifies
    labels = {"label_logits", "label_probabilities"}
    assert LOSS.keys() - TASKS.keys() == {"values"} | labels
    assert not Task("values", 0, LOSS["values"]).classifies


# --- probabilities and predictions ---------------------------------------------------------------


def outputs_of(meaning: Meaning, values: FloatArray) -> FloatArray:
    """Turn any numbers into outputs of that meaning."""
    match meaning:
        case "probabilities":
            return np.asarray(softmax(np.clip(values, -500, 500), axis=1))
        case "log_probabilities":
            return np.asarray(log_softmax(np.clip(values, -500, 500), axis=1))
        case "probability":
            return np.asarray(expit(values[:, :1]))
        case "logit":
            return values[:, :1]
        case _:
            return values


@pytest.mark.parametrize("meaning", TASKS)
@given(values=rows)
@settings(deadline=None, max_examples=60)
def test_probabilities_sum_to_1_and_no_class_is_likelier_than_the_predicted_one(
    meaning: Meaning, values: FloatArray
) -> None:
    task, outputs = TASKS[meaning], outputs_of(meaning, values)
    chances, predicted = task.probabilities(outputs), task.predicted(outputs)
    assert ((chances >= 0) & (chances <= 1)).all()
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-12)
    assert predicted.dtype == np.int64
    np.testing.assert_array_equal(chances[np.arange(len(values)), predicted], chances.max(axis=1))


@given(rows)
@settings(deadline=None)
def test_the_predicted_class_is_the_argmax_of_the_outputs(values: FloatArray) -> None:
    np.testing.assert_array_equal(TASKS["logits"].predicted(values), np.argmax(values, axis=1))


@pytest.mark.parametrize("meaning", TASKS)
def test_what_is_not_a_number_is_no_answer(meaning: Meaning) -> None:
    outputs = outputs_of(meaning, LOGITS).copy()
    outputs[[0, 3], 0] = np.nan
    whole = TASKS[meaning].predicted(outputs_of(meaning, LOGITS))
    expected = np.where(np.isin(np.arange(len(LOGITS)), [0, 3]), -1, whole)
    np.testing.assert_array_equal(TASKS[meaning].predicted(outputs), expected)


@pytest.mark.parametrize("meaning", TASKS)
def test_probabilities_are_those_of_scipy(meaning: Meaning) -> None:
    found = TASKS[meaning].probabilities(outputs_of(meaning, LOGITS))
    if meaning in ("logit", "probability"):
        np.testing.assert_allclose(found[:, 1], expit(COLUMN[:, 0]), rtol=1e-12)
    else:
        np.testing.assert_allclose(found, softmax(LOGITS, axis=1), rtol=1e-12)


@pytest.mark.parametrize("meaning", TASKS)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_chances_of_some_classes_are_those_among_all_probabilities(
    meaning: Meaning, kind: type[np.floating[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kashika.task._CHUNK", 17)  # three rows at once
    task = TASKS[meaning]
    outputs = (COLUMN if task.classes == 2 else 5 * LOGITS).astype(kind)
    if "probabilit" in meaning and "log" not in meaning:
        outputs = expit(outputs) if task.classes == 2 else softmax(outputs, axis=1)
    classes = CLASSES % task.classes
    every = task.probabilities(outputs)
    top, given_class = task.chances(outputs, classes)
    within = 1e-12 if kind is np.float64 else 3e-7
    np.testing.assert_allclose(top, every.max(axis=1), rtol=within)
    np.testing.assert_allclose(given_class, every[np.arange(40), classes], rtol=within)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_not_finite_has_no_chances(wrong: float) -> None:
    outputs = np.where(np.arange(5) == 2, wrong, LOGITS)
    top, of_first = TASKS["logits"].chances(outputs, np.zeros(40, dtype=np.int64))
    every = TASKS["logits"].probabilities(outputs)
    np.testing.assert_array_equal(top, every.max(axis=1))
    np.testing.assert_array_equal(np.isnan(of_first), np.isnan(every[:, 0]))
    assert np.isnan(top).all()


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_class_that_is_ruled_out_has_no_chance(kind: type[np.floating[Any]]) -> None:
    outputs = np.array([[0.0, -np.inf, 0.0]], dtype=kind)
    task = Task("logits", 3, "cross_entropy")
    assert [one.tolist() for one in task.chances(outputs, np.array([1]))] == [[0.5], [0.0]]


def test_one_logit_is_two_of_which_the_first_is_zero() -> None:
    two = np.hstack([np.zeros_like(COLUMN), COLUMN])
    np.testing.assert_allclose(
        TASKS["logit"].probabilities(COLUMN), TASKS["logits"].probabilities(two), rtol=1e-12
    )
    np.testing.assert_array_equal(TASKS["logit"].predicted(COLUMN), TASKS["logits"].predicted(two))


def test_adding_the_same_to_all_logits_changes_nothing() -> None:
    np.testing.assert_allclose(
        TASKS["logits"].probabilities(LOGITS + 1000),
        TASKS["logits"].probabilities(LOGITS),
        rtol=1e-9,
    )


# --- labels --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "targets",
    [
        np.array([0, 2, 1]),
        np.array([0, 2, 1], dtype=np.uint8),
        np.array([0.0, 2.0, 1.0], dtype=np.float32),
        np.array([[0], [2], [1]]),
    ],
)
def test_whole_numbers_of_any_type_are_labels(targets: Array) -> None:
    labels = as_labels(targets, classes=3, split="train")
    assert labels.dtype == np.int64
    assert labels.tolist() == [0, 2, 1]


def test_truth_values_are_labels() -> None:
    assert as_labels(np.array([True, False]), classes=2, split="train").tolist() == [1, 0]


def refused(targets: npt.ArrayLike) -> str:
    with pytest.raises(MismatchError) as caught:
        as_labels(np.asarray(targets), classes=3, split="valid")
    return str(caught.value)


@pytest.mark.parametrize(
    ("targets", "found"),
    [
        ([0, 3, 1], "0 to 3"),
        ([-1, 0, 1], "-1 to 1"),
        ([1, 2, 3], "1 to 3"),
        ([0.0, 7.0], "0 to 7"),
        ([2**63, 1], "1 to 9223372036854775808"),
        ([255, 0], "0 to 255"),
    ],
)
def test_labels_outside_are_told_what_the_network_has(targets: npt.ArrayLike, found: str) -> None:
    assert refused(targets) == (
        "valid: expected classes from 0 to 2, since the network has 3 outputs, "
        f"found {found}; renumber the classes or check the model"
    )


@pytest.mark.parametrize(
    ("targets", "found"),
    [
        ([0, 0.5, 1.25], "0.5"),
        ([0, np.nan], "nan"),
        ([np.inf, 1], "inf"),
        ([[1.0], [-0.25]], "-0.25"),
    ],
)
def test_the_first_label_that_is_not_whole_is_named(targets: npt.ArrayLike, found: str) -> None:
    assert refused(targets) == (
        f"valid: expected whole numbers as classes, found {found}; "
        "give class numbers, or --loss mse_loss for a regression"
    )


@pytest.mark.parametrize("shape", [(4, 2), (4, 2, 2), (4, 0)])
def test_several_targets_for_a_sample_are_told_their_shape(shape: tuple[int, ...]) -> None:
    assert refused(np.zeros(shape)) == (
        f"valid: expected one class for each sample, found targets of shape {shape}; "
        "give class numbers"
    )


def test_the_messages_about_labels_are_there_in_japanese() -> None:
    with speaking("ja"):
        assert refused([0, 3]) == (
            "valid: ネットワークの出力は 3 個なのでクラスは 0 から 2 のはずですが、"
            "0 から 3 でした。クラスの番号を付け直すか、モデルを確かめてください。"
        )
        assert refused([0, 0.5]) == (
            "valid: クラスは整数のはずですが、0.5 がありました。"
            "クラス番号を指定するか、回帰なら --loss mse_loss を指定してください。"
        )
        assert refused(np.zeros((4, 2))) == (
            "valid: サンプルごとにクラスが1つのはずですが、目標値の形状が (4, 2) でした。"
            "クラス番号を指定してください。"
        )
