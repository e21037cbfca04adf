"""What a network says over a picture: closed forms, at any scale, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from kashika.distribution import Array, FloatArray
from kashika.naming import Split
from kashika.task import Task
from kashika.texts import Sentence, speaking
from kashika.views.boundary.landscape import LINES, Kind, Map, Points, axis, survey
from kashika.views.boundary.margin import AT_ONCE

LOGITS = Task("logits", 3, "cross_entropy")
LOGIT = Task("logit", 2, "binary_cross_entropy_with_logits")
SIGMOID = Task("probability", 2, "binary_cross_entropy")
VALUE = Task("values", 0, "mse_loss")
LABELS = Sentence("labels.axis", k=1), Sentence("labels.axis", k=2)
CORNERS = np.array([[-1.0, -1.0], [1.0, 1.0]])


@dataclass
class Spokes:
    """The plane in three sectors around a place; it says how many points it was asked at once."""

    scale: float = 1.0
    asked: list[int] = field(default_factory=list)

    def predict(self, inputs: Array) -> FloatArray:
        self.asked.append(len(inputs))
        angles = np.array([0.3, 0.3 + 2 * np.pi / 3, 0.3 + 4 * np.pi / 3])
        directions = np.column_stack([np.cos(angles), np.sin(angles)])
        return np.asarray(5 * (inputs / self.scale) @ directions.T)


def points(places: Array, predicted: Array | None = None) -> dict[Split, Points]:
    n = len(places)
    predicted = np.zeros(n, dtype=int) if predicted is None else predicted
    return {"train": Points(np.asarray(places, float), predicted, predicted, np.zeros(n, bool))}


def over(
    network: Spokes, *, width: int = 201, height: int = 201, kind: Kind = "inputs",
    task: Task = LOGITS, shown: dict[Split, Points] | None = None,
) -> Map:  # fmt: skip
    return survey(
        network.predict, task, shown or points(CORNERS), lambda places: places,
        x=network.scale * np.linspace(-1, 1, width), y=network.scale * np.linspace(-1, 1, height),
        kind=kind, labels=LABELS,
    )  # fmt: skip


# --- the grid -------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_picture_does_not_depend_on_the_unit_of_the_data(scale: float) -> None:
    plain, scaled = over(Spokes()), over(Spokes(scale))
    np.testing.assert_array_equal(scaled.predicted, plain.predicted)
    np.testing.assert_allclose(scaled.confidence, plain.confidence, rtol=1e-9)
    np.testing.assert_allclose(scaled.shade, plain.shade, atol=0.1)  # one step at a rounding
    np.testing.assert_allclose(scaled.extent, scale * np.array(plain.extent))


def test_memory_is_bounded_however_many_points_the_grid_has() -> None:
    spokes = Spokes()
    found = over(spokes, width=1_001, height=999)
    assert found.predicted.shape == (999, 1_001)
    assert sum(spokes.asked) < 0.15 * 999 * 1_001
    assert max(spokes.asked) <= 16_384


def test_memory_is_bounded_however_large_an_input_is() -> None:
    made: list[int] = []

    def inputs_at(places: FloatArray) -> FloatArray:
        made.append(len(places))
        return np.tile(places.astype(np.float32), (1, 1_536))  # 3,072 numbers, as a small image

    found = survey(
        lambda x: x[:, :2] @ np.array([[1.0, -1.0], [1.0, 2.0]]), Task("logits", 2, ""),
        points(CORNERS), inputs_at, x=np.linspace(-1, 1, 300), y=np.linspace(-1, 1, 300),
        kind="plane", labels=LABELS,
    )  # fmt: skip
    assert found.predicted.shape == (300, 300)
    assert max(made) * 3_072 <= AT_ONCE
    assert sum(made) < 0.15 * 90_000


@pytest.mark.parametrize("place", [0.0, 1.0, -7.5, 1e6, -1e-6])
def test_identical_points_have_an_axis_around_them(place: float) -> None:
    laid = axis(np.full(5, place), 50)
    assert laid[0] < place < laid[-1]
    assert (np.diff(laid) > 0).all()


def test_values_that_are_not_finite_do_not_stretch_the_axis() -> None:
    broken = np.array([18.0, np.nan, 90.0, np.inf, -np.inf])
    np.testing.assert_array_equal(axis(broken, 50), axis(np.array([18.0, 90.0]), 50))
    assert (axis(broken, 50)[0], axis(broken, 50)[-1]) == pytest.approx((12, 96))


# --- classes --------------------------------------------------------------------------------------


def test_three_sectors_of_a_disc_share_a_square_evenly_and_meet_in_the_middle() -> None:
    found = over(Spokes(), width=401, height=401)
    xx, yy = np.meshgrid(found.x, found.y)
    inside = (np.hypot(xx, yy) < 1) & (np.hypot(xx, yy) > 0.01)
    sector = np.floor((np.arctan2(yy, xx) - 0.3 + np.pi / 3) / (2 * np.pi / 3)).astype(int) % 3
    assert np.mean(found.predicted[inside] == sector[inside]) > 0.999
    assert found.confidence[200, 200] == pytest.approx(1 / 3)


def test_a_line_is_where_the_lead_of_its_class_is_zero() -> None:
    found = over(Spokes(), width=401, height=401)
    outputs = Spokes().predict(np.stack(np.meshgrid(found.x, found.y), axis=2).reshape(-1, 2))
    assert len(found.lines) == 3
    for k, line in enumerate(found.lines):
        decided = found.lead != 0
        np.testing.assert_array_equal((line > 0)[decided], (found.predicted == k)[decided])
        others = np.delete(outputs, k, axis=1).max(axis=1)
        exact = (outputs[:, k] - others).reshape(401, 401)
        beside = np.abs(exact) < 0.02
        beside[190:211, 190:211] = False  # where three classes meet
        np.testing.assert_allclose(line[beside], exact[beside], atol=1e-9)


@pytest.mark.parametrize("task", [LOGIT, SIGMOID])
def test_one_output_changes_its_mind_where_both_classes_are_as_likely(task: Task) -> None:
    def predict(inputs: Array) -> FloatArray:
        z = 4 * (inputs[:, 0] - 0.25)
        return np.asarray(z if task is LOGIT else 1 / (1 + np.exp(-z)))

    found = survey(
        predict, task, points(CORNERS), lambda places: places,
        x=np.linspace(-1, 1, 200), y=np.linspace(-1, 1, 90), kind="inputs", labels=LABELS,
    )  # fmt: skip
    assert found.classes == 2
    np.testing.assert_array_equal(found.predicted, np.tile(found.x > 0.25, (90, 1)))
    right = 1 / (1 + np.exp(-4 * np.abs(found.x - 0.25)))
    np.testing.assert_allclose(found.confidence, np.tile(right, (90, 1)), atol=0.005)
    (line,) = found.lines
    (before,) = np.unique(np.argmax(np.diff(np.sign(line), axis=1) != 0, axis=1))
    left, other = line[0, before], line[0, before + 1]
    cell = found.x[before + 1] - found.x[before]
    assert found.x[before] + cell * left / (left - other) == pytest.approx(0.25, abs=1e-5)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_network_that_knows_one_class_only_has_no_line(value: float) -> None:
    found = survey(
        lambda x: np.full((len(x), 3), value), LOGITS, points(CORNERS), lambda places: places,
        x=np.arange(30.0), y=np.arange(20.0), kind="inputs", labels=LABELS,
    )  # fmt: skip
    assert set(np.unique(found.predicted)) == ({-1} if np.isnan(value) else {0})
    assert (found.shade == 1).all() == np.isnan(value)  # white, where there is no answer
    assert found.lines == []


def test_many_classes_have_colours_and_no_lines() -> None:
    def stripes(x: Array) -> FloatArray:
        return -np.abs(x[:, :1] - np.linspace(-1, 1, LINES + 1))

    found = survey(
        stripes, Task("logits", LINES + 1, ""), points(CORNERS), lambda places: places,
        x=np.linspace(-1, 1, 400), y=np.arange(20.0), kind="inputs", labels=LABELS,
    )  # fmt: skip
    assert len(np.unique(found.predicted)) == LINES + 1
    assert found.lines == []


# --- a regression ---------------------------------------------------------------------------------


def test_a_regression_is_a_surface() -> None:
    found = survey(
        lambda x: x.sum(axis=1, keepdims=True), VALUE, points(CORNERS, np.array([-2.0, 2.0])),
        lambda places: places, x=np.linspace(-1, 2, 70), y=np.linspace(0, 5, 31),
        kind="inputs", labels=LABELS,
    )  # fmt: skip
    assert found.classes == 0
    np.testing.assert_allclose(found.confidence, found.x + found.y[:, None], atol=1e-12)
    assert found.limits == pytest.approx((-1, 7))
    assert found.predicted.size == found.lead.size == 0


# --- how faithful ---------------------------------------------------------------------------------


def test_agreement_is_the_share_of_samples_on_their_own_answer() -> None:
    places = np.random.default_rng(0).uniform(-0.9, 0.9, size=(100, 2))
    right = Spokes().predict(places).argmax(axis=1)
    said = np.where(np.arange(100) < 30, (right + 1) % 3, right)
    found = over(Spokes(), kind="projection", shown=points(places, said))
    assert found.agreement == pytest.approx(0.7, abs=0.02)  # a sample or two lie on a line
    assert found.by_chance == np.bincount(said).max() / 100
    assert found.shown == 100


def test_samples_outside_the_picture_are_not_judged() -> None:
    places = np.array([[0.5, 0.0], [5.0, 0.0], [np.nan, 0.0]])
    found = over(Spokes(), kind="plane", shown=points(places, np.array([0, 1, 1])))
    assert (found.shown, found.agreement) == (1, 1.0)


def test_agreement_of_a_regression_is_the_share_of_variance_that_is_shown() -> None:
    draw = np.random.default_rng(0)
    places, noise = draw.uniform(-1, 1, size=(4_000, 2)), draw.normal(size=4_000)
    shown = places.sum(axis=1)
    for sd, share in ((0.0, 1.0), (shown.std(), 0.5), (100.0, 0.0)):
        found = survey(
            lambda x: x.sum(axis=1, keepdims=True), VALUE, points(places, shown + sd * noise),
            lambda places: places, x=np.linspace(-1, 1, 200), y=np.linspace(-1, 1, 200),
            kind="projection", labels=LABELS,
        )  # fmt: skip
        assert found.agreement == pytest.approx(share, abs=0.03)


def test_the_inputs_themselves_are_never_judged() -> None:
    assert np.isnan(over(Spokes()).agreement)
    with speaking("en"):
        assert over(Spokes()).heading == ""


def test_the_heading_says_how_the_picture_was_made_and_how_faithful_it_is() -> None:
    places = np.array([[0.5, 0.0], [0.6, 0.0], [0.7, 0.1], [0.8, 0.0]])
    found = survey(
        Spokes().predict, LOGITS, points(places, np.array([0, 0, 0, 1])), lambda places: places,
        x=np.linspace(-1, 1, 50), y=np.linspace(-1, 1, 50), kind="projection", labels=LABELS,
        title=Sentence("boundary.tsne"), trustworthiness=0.875,
    )  # fmt: skip
    with speaking("en"):
        assert found.heading == (
            "t-SNE with a learned way back\n"
            "75% of 4 samples lie on their own answer\n"
            "trustworthiness 0.88"
        )
    with speaking("ja"):
        assert "4サンプルの75%" in found.heading
