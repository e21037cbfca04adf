"""Predictions: counts, intervals and calibration, against scikit-learn and by hand."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, root_mean_squared_error

from kashika import History, Level, Observation, speaking
from kashika.distribution import Array, FloatArray
from kashika.naming import Split
from kashika.proportion import interval
from kashika.task import Task
from kashika.views.predictions import VIEW, Predictions, measure
from kashika.views.predictions.pictures import draw_confusion, draw_reliability, draw_values
from kashika.views.predictions.rules import constant
from kashika.views.predictions.tables import scores, worst_samples


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def seen(outputs: Array, targets: Array, *, task: Task | None = None) -> Observation:
    """What a network with these outputs was seen to do; logits unless the task says otherwise."""
    task = task or Task("logits", outputs.shape[1], "cross_entropy")
    if task.classifies:
        with np.errstate(divide="ignore"):
            loss = -np.log(task.probabilities(outputs)[np.arange(len(targets)), targets])
    else:
        loss = np.mean((outputs - targets.reshape(outputs.shape)) ** 2, axis=1)
    return Observation.of(
        task, inputs=np.empty((len(outputs), 0)), outputs=outputs, targets=targets, loss=loss
    )


def predictions(outputs: Array, targets: Array, *, task: Task | None = None) -> Predictions:
    return measure({"test": seen(outputs, targets, task=task)}, split="test")


def sure(probabilities: object) -> FloatArray:
    """Logits of two classes of which the second one has these probabilities."""
    p = np.asarray(probabilities, dtype=float)
    return np.asarray(np.log(np.column_stack([1 - p, p])))


VALUES = Task("values", 0, "mse_loss")
LOGIT = Task("logit", 2, "binary_cross_entropy_with_logits")


def drawn(*shape: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).normal(size=shape)


# --- counts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3, 11])
def test_the_counts_are_scikit_learns(classes: int) -> None:
    outputs = drawn(200, classes)
    targets = np.random.default_rng(1).integers(0, classes, 200)
    found = predictions(outputs, targets)
    expected = confusion_matrix(targets, outputs.argmax(axis=1), labels=range(classes))
    assert found.classified is not None
    np.testing.assert_array_equal(found.classified.confusion, expected)
    assert found.scores["test"].correct == np.trace(expected)


def test_a_class_that_no_sample_has_and_nobody_answers_keeps_its_place() -> None:
    found = predictions(np.eye(4)[[0, 0, 3]], np.array([0, 3, 3]))
    assert found.classified is not None
    np.testing.assert_array_equal(
        found.classified.confusion, [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 1]]
    )


def test_one_logit_is_two_classes() -> None:
    found = predictions(np.array([[-2.0], [3.0], [1.0]]), np.array([0, 1, 0]), task=LOGIT)
    assert found.classified is not None
    np.testing.assert_array_equal(found.classified.confusion, [[1, 1], [0, 1]])
    assert found.worst.index[0] == 2
    assert found.worst.probability[0] == pytest.approx(1 / (1 + np.e))


@pytest.mark.parametrize(("right", "of"), [(100, 100), (0, 7), (3, 4), (499, 500)])
def test_a_share_of_n_samples_has_the_interval_of_clopper_and_pearson(right: int, of: int) -> None:
    low, high = interval(right, of)
    expected = binomtest(right, of).proportion_ci(0.95, method="exact")
    assert (low, high) == pytest.approx((expected.low, expected.high))


def test_a_hundred_of_a_hundred_is_not_a_hundred_per_cent() -> None:
    found = predictions(5 * np.eye(2)[np.arange(100) % 2], np.arange(100) % 2)
    (row,) = scores(found)
    assert (row["correct"], row["accuracy"], row["interval"]) == (100, 1.0, "96.4% – 100.0%")


def test_the_last_logged_values_stand_beside_the_recomputed_ones() -> None:
    train, test = seen(np.eye(2), np.array([0, 1])), seen(np.eye(2), np.array([1, 1]))
    history = History.of({"train_loss": [2.0, 0.3], "train_acc": [0.5, 0.9], "valid_loss": [1.0]})
    by_split: dict[Split, Observation] = {"test": test, "train": train}
    found = measure(by_split, split="test", history=history)
    assert list(found.scores) == ["train", "test"]
    first, second = found.scores["train"], found.scores["test"]
    assert first.loss == pytest.approx(np.log(1 + np.exp(-1)))
    assert (first.logged_loss, first.logged_accuracy) == (0.3, 0.9)
    assert (second.logged_loss, second.logged_accuracy) == (None, None)


# --- calibration ----------------------------------------------------------------------------------


def test_the_calibration_error_is_that_of_a_case_counted_by_hand() -> None:
    # Ten samples at 0.75 of which 6 are right, and ten at 0.95 of which 10 are right:
    # half of |0.75 - 0.6| and half of |0.95 - 1|.
    outputs = sure([0.75] * 10 + [0.95] * 10)
    found = predictions(outputs, np.array([1] * 6 + [0] * 4 + [1] * 10))
    assert found.classified is not None
    assert found.classified.ece == pytest.approx(0.5 * 0.15 + 0.5 * 0.05)
    np.testing.assert_array_equal(found.classified.count, [0, 0, 0, 0, 0, 0, 0, 10, 0, 10])
    assert found.classified.accuracy[7] == 0.6
    assert found.classified.confidence[7] == pytest.approx(0.75)
    assert np.isnan(found.classified.accuracy[0])


def test_a_network_that_is_as_sure_as_right_has_no_calibration_error() -> None:
    outputs = sure([0.75] * 8)
    found = predictions(outputs, np.array([1] * 6 + [0] * 2))
    assert found.classified is not None
    assert found.classified.ece == pytest.approx(0, abs=1e-12)


def test_absolute_certainty_belongs_to_the_last_tenth() -> None:
    probabilities = np.array([[0.0, 1.0], [1.0, 0.0]])
    found = predictions(probabilities, np.array([1, 1]), task=Task("probabilities", 2, "nll_loss"))
    assert found.classified is not None
    np.testing.assert_array_equal(found.classified.count, [0] * 9 + [2])
    assert found.classified.ece == 0.5


# --- the worst samples ----------------------------------------------------------------------------


def test_the_worst_samples_are_those_with_the_greatest_loss_in_order() -> None:
    chances = np.array([0.9, 0.1, 0.5, 0.01, 0.7])
    found = predictions(sure(chances), np.ones(5, dtype=int))
    rows = worst_samples(found)
    assert [row["index"] for row in rows] == [3, 1, 2, 4, 0]
    np.testing.assert_allclose(found.worst.probability, chances[[3, 1, 2, 4, 0]])
    np.testing.assert_allclose(found.worst.loss, -np.log(chances[[3, 1, 2, 4, 0]]))
    assert rows[0] == {
        "index": 3,
        "true_class": 1,
        "predicted_class": 0,
        "probability": pytest.approx(0.01),
        "loss": pytest.approx(-np.log(0.01)),
    }


def test_of_many_samples_only_the_worst_are_listed() -> None:
    outputs, targets = drawn(100, 3), np.arange(100) % 3
    found = measure({"test": seen(outputs, targets)}, split="test", worst=4)
    losses = found.worst.loss
    assert len(losses) == 4
    assert losses.min() >= np.sort(seen(outputs, targets).loss)[-4]


# --- regression -----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(50,), (50, 1), (50, 3)])
def test_the_error_of_a_regression_is_scikit_learns(shape: tuple[int, ...]) -> None:
    targets = drawn(*shape)
    outputs = targets.reshape(50, -1) + drawn(*targets.reshape(50, -1).shape, seed=1)
    found = predictions(outputs, targets, task=VALUES)
    score = found.scores["test"]
    expected = root_mean_squared_error(targets.ravel(), outputs.ravel())
    assert score.rmse == pytest.approx(expected)
    assert score.correct is None
    assert found.classified is None
    assert score.loss == pytest.approx(expected**2)


def test_the_worst_sample_of_a_regression_is_the_farthest_off() -> None:
    found = predictions(np.array([[1.0], [2.0], [9.0]]), np.array([1.0, 2.5, 3.0]), task=VALUES)
    assert worst_samples(found)[0] == {"index": 2, "true": 3.0, "predicted": 9.0, "loss": 36.0}


# --- outputs that are no numbers ------------------------------------------------------------------


@pytest.mark.parametrize("task", [None, LOGIT, VALUES, Task("probabilities", 2, "nll_loss")])
@pytest.mark.parametrize("share", [0.1, 1.0])
def test_outputs_that_are_not_finite_are_measured_judged_and_drawn(
    task: Task | None, share: float
) -> None:
    columns = 1 if task in (LOGIT, VALUES) else 2
    outputs = np.random.default_rng(0).uniform(size=(20, columns))
    outputs[: int(20 * share)] = np.nan
    outputs[-1] = np.inf
    found = predictions(outputs, np.arange(20) % 2, task=task)
    assert constant(found).level in (Level.OK, Level.UNKNOWN, Level.PROBLEM)
    assert found.worst.index[0] == 0
    assert np.isnan(found.worst.loss[0])
    assert len(scores(found)) == 1
    for picture in VIEW.pictures:
        for subject in picture.each(found):
            axes = Figure().subplots()
            picture.draw(subject, axes)
            axes.figure.canvas.draw()


# --- one answer for everything --------------------------------------------------------------------


def answers(*counts: tuple[int, int, int]) -> Predictions:
    """(true class, answer, how many) -> predictions."""
    targets = np.concatenate([np.full(n, true) for true, _, n in counts])
    given = np.concatenate([np.full(n, answer) for _, answer, n in counts])
    classes = int(max(targets.max(), given.max())) + 1
    return predictions(np.eye(classes)[given], targets)


def test_one_answer_for_two_classes_is_constant_and_both_answers_are_not() -> None:
    assert constant(answers((0, 1, 50), (1, 1, 50))).level is Level.PROBLEM
    assert constant(answers((0, 0, 50), (1, 1, 50))).level is Level.OK


def test_wrong_answers_are_not_constant_answers() -> None:
    assert constant(answers((0, 1, 50), (1, 0, 50))).level is Level.OK


def test_a_rare_class_that_is_found_makes_rare_answers_and_no_alarm() -> None:
    assert constant(answers((0, 0, 990), (1, 1, 10))).level is Level.OK


def test_a_rare_class_that_is_never_answered_makes_a_constant_network() -> None:
    finding = constant(answers((0, 0, 990), (1, 0, 10)))
    assert finding.level is Level.PROBLEM
    found = {one.quantity: one for one in finding.evidence}
    assert found["variety"].value == 0.0
    assert (found["of_most"].value, found["of_most"].where) == (1.0, "class 0")


def test_the_variety_of_answers_is_their_entropy_over_that_of_the_classes() -> None:
    # Half and half needs ln 2; three quarters of one answer has 0.811 bit.
    (variety, *_) = constant(answers((0, 0, 50), (1, 0, 25), (1, 1, 25))).evidence
    assert variety.value == pytest.approx(0.8112781)


def test_where_there_is_one_class_only_constancy_is_unknown() -> None:
    assert constant(answers((1, 1, 50), (1, 0, 1))).level is Level.UNKNOWN


def test_a_regression_that_answers_the_mean_is_constant_whatever_the_unit() -> None:
    targets = drawn(100)
    for scale in (1e-6, 1.0, 1e6):
        flat = predictions(np.full((100, 1), scale * targets.mean()), scale * targets, task=VALUES)
        good = predictions(0.9 * scale * targets[:, None], scale * targets, task=VALUES)
        assert constant(flat).level is Level.PROBLEM
        assert constant(good).level is Level.OK
        assert constant(good).evidence[0].value == pytest.approx(0.9)


# --- pictures -------------------------------------------------------------------------------------


def test_the_confusion_matrix_shows_every_count_at_its_place() -> None:
    found = answers((0, 0, 7), (0, 1, 2), (1, 1, 5)).classified
    axes = Figure().subplots()
    assert found is not None
    draw_confusion(found, axes)
    shown = {text.get_position(): text.get_text() for text in axes.texts}
    assert shown == {(0, 0): "7", (1, 0): "2", (0, 1): "0", (1, 1): "5"}
    np.testing.assert_array_equal(np.asarray(axes.images[0].get_array()), found.confusion)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Predicted class", "True class")


def test_of_very_many_classes_the_most_frequent_are_drawn_and_counted_in_the_title() -> None:
    targets = np.repeat(np.arange(150), 1 + np.arange(150) % 2)  # every odd class twice
    found = predictions(np.eye(150)[targets], targets).classified
    axes = Figure().subplots()
    assert found is not None
    draw_confusion(found, axes)
    shown = np.asarray(axes.images[0].get_array())
    # All odd classes, and the first of the others.
    expected = [1 + k % 2 for k in range(150) if k % 2 or k < 50]
    np.testing.assert_array_equal(shown, np.diag(expected))
    assert axes.get_title() == "The 100 most frequent classes alone"


def test_the_reliability_diagram_shows_accuracy_by_confidence_with_the_counts() -> None:
    found = predictions(sure([0.75] * 10 + [0.95] * 5), np.array([1] * 6 + [0] * 4 + [1] * 5))
    axes = Figure().subplots()
    assert found.classified is not None
    draw_reliability(found.classified, axes)
    ideal, line = axes.get_lines()
    np.testing.assert_array_equal(np.asarray(ideal.get_data()), [[0, 1], [0, 1]])
    finite = np.asarray(line.get_data())[:, found.classified.count > 0]
    np.testing.assert_allclose(finite, [[0.75, 0.95], [0.6, 1.0]])
    assert [text.get_text() for text in axes.texts] == ["10", "5"]
    assert line.get_label() == "network (ECE 0.117)"


def test_the_answers_of_a_regression_are_drawn_by_their_targets() -> None:
    targets = np.array([1.0, 2.0, 3.0])
    axes = Figure().subplots()
    draw_values(predictions(np.array([[1.1], [2.1], [2.9]]), targets, task=VALUES), axes)
    dots = axes.get_lines()[0]
    np.testing.assert_array_equal(np.asarray(dots.get_data()), [targets, [1.1, 2.1, 2.9]])


def test_a_classifier_and_a_regression_have_their_own_pictures() -> None:
    def there(found: Predictions) -> list[str]:
        return [picture.name for picture in VIEW.pictures if picture.each(found)]

    assert there(answers((0, 0, 5), (1, 1, 5))) == ["confusion", "reliability"]
    assert there(predictions(np.ones((5, 1)), np.arange(5.0), task=VALUES)) == ["values"]
