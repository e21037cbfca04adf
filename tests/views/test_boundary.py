"""The decision boundary: what closed forms say, at any scale, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from torch import nn

import kashika as ks
from kashika.distribution import Array, FloatArray
from kashika.naming import Split
from kashika.palette import class_colour
from kashika.task import Task
from kashika.views.boundary import (
    RESOLUTION,
    VIEW,
    Boundary,
    Points,
    areas,
    draw_map,
    draw_surface,
    measure,
)

LOGITS = Task("logits", 3, "cross_entropy")
LOGIT = Task("logit", 2, "binary_cross_entropy_with_logits")
SIGMOID = Task("probability", 2, "binary_cross_entropy")
VALUE = Task("values", 0, "mse_loss")


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with ks.speaking("en"):
        yield


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


def points(
    inputs: Array, targets: Array | None = None, *, wrong: Array | None = None,
    split: Split = "train",
) -> dict[Split, Points]:  # fmt: skip
    n = len(inputs)
    targets = np.arange(n) % 3 if targets is None else targets
    wrong = np.zeros(n, dtype=bool) if wrong is None else wrong
    return {split: Points(np.asarray(inputs, dtype=float), targets, wrong)}


CLOUD = np.random.default_rng(0).normal(size=(60, 2)) * [3.0, 0.5]
CORNERS = np.array([[-1.0, -1.0], [1.0, 1.0]])


# --- the grid -------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_picture_does_not_depend_on_the_unit_of_the_data(scale: float) -> None:
    plain = measure(Spokes().predict, LOGITS, points(CLOUD))
    scaled = measure(Spokes(scale).predict, LOGITS, points(scale * CLOUD))
    np.testing.assert_array_equal(scaled.predicted, plain.predicted)
    np.testing.assert_allclose(scaled.confidence, plain.confidence, rtol=1e-9)
    np.testing.assert_allclose(scaled.shade, plain.shade)
    np.testing.assert_allclose(scaled.x, scale * plain.x)
    np.testing.assert_allclose(scaled.extent, scale * np.array(plain.extent))


def test_two_inputs_in_units_far_apart_each_have_their_own_range() -> None:
    # 18 to 90 years and 0 to 200 000 yen: a step of 0.02 would give 36 billion points.
    inputs = np.array([[18.0, 0.0], [90.0, 200_000.0]])
    found = measure(Spokes().predict, LOGITS, points(inputs))
    assert found.predicted.shape == RESOLUTION[::-1]
    assert (found.x[0], found.x[-1]) == pytest.approx((12, 96))
    assert (found.y[0], found.y[-1]) == pytest.approx((-200_000 / 12, 200_000 * 13 / 12))


def test_memory_is_bounded_however_many_points_the_grid_has() -> None:
    spokes = Spokes()
    x, y = np.linspace(-1, 1, 1_001), np.linspace(-1, 1, 999)
    found = measure(spokes.predict, LOGITS, points(CORNERS), x=x, y=y)
    assert found.predicted.shape == (999, 1_001)
    assert sum(spokes.asked) == 999 * 1_001
    assert max(spokes.asked) <= 16_384


def test_batches_do_not_move_the_points() -> None:
    x, y = np.linspace(-1, 1, 301), np.linspace(-2, 2, 203)
    found = measure(
        lambda inputs: inputs[:, :1] + 10 * inputs[:, 1:], VALUE, points(CORNERS), x=x, y=y
    )
    np.testing.assert_allclose(found.confidence, x + 10 * y[:, None])


@pytest.mark.parametrize("place", [0.0, 1.0, -7.5, 1e6, -1e-6])
def test_identical_points_have_a_grid_around_them(place: float) -> None:
    found = measure(Spokes().predict, LOGITS, points(np.full((5, 2), place)))
    assert found.x[0] < place < found.x[-1]
    assert (np.diff(found.x) > 0).all()
    axes = Figure().subplots()
    draw_map(found, axes)
    axes.figure.canvas.draw()


def test_inputs_that_are_not_finite_do_not_stretch_the_grid() -> None:
    broken = np.vstack([CLOUD, [[np.nan, 0.0], [np.inf, -np.inf]]])
    np.testing.assert_array_equal(
        measure(Spokes().predict, LOGITS, points(broken)).x,
        measure(Spokes().predict, LOGITS, points(CLOUD)).x,
    )


# --- classes --------------------------------------------------------------------------------------


def test_three_sectors_of_a_disc_share_a_square_evenly_and_meet_in_the_middle() -> None:
    found = measure(Spokes().predict, LOGITS, points(CORNERS), x=np.linspace(-1, 1, 401),
                    y=np.linspace(-1, 1, 401))  # fmt: skip
    xx, yy = np.meshgrid(found.x, found.y)
    inside = (np.hypot(xx, yy) < 1) & (np.hypot(xx, yy) > 0.01)
    sector = np.floor((np.arctan2(yy, xx) - 0.3 + np.pi / 3) / (2 * np.pi / 3)).astype(int) % 3
    assert np.mean(found.predicted[inside] == sector[inside]) > 0.999
    assert found.confidence[200, 200] == pytest.approx(1 / 3)
    assert found.lead.shape == (3, 401, 401)
    # The lead is above zero where the class is predicted, and nowhere else.
    for k in range(3):
        np.testing.assert_array_equal(
            found.lead[k] > 0, (found.predicted == k) & (found.lead[k] != 0)
        )


@pytest.mark.parametrize("task", [LOGIT, SIGMOID])
def test_one_output_changes_its_mind_where_both_classes_are_as_likely(task: Task) -> None:
    def predict(inputs: Array) -> FloatArray:
        z = 4 * (inputs[:, 0] - 0.25)
        return np.asarray(z if task is LOGIT else 1 / (1 + np.exp(-z)))

    found = measure(predict, task, points(CORNERS, np.array([0, 1])))
    assert found.classes == 2
    np.testing.assert_array_equal(found.predicted, np.tile(found.x > 0.25, (len(found.y), 1)))
    right = 1 / (1 + np.exp(-4 * np.abs(found.x - 0.25)))
    np.testing.assert_allclose(found.confidence, np.tile(right, (len(found.y), 1)))
    (line,) = contours(drawn(found))
    (path,) = line.get_paths()
    np.testing.assert_allclose(np.asarray(path.vertices)[:, 0], 0.25, atol=1e-6)


def test_a_regression_is_a_surface() -> None:
    found = measure(
        lambda x: x.sum(axis=1, keepdims=True), VALUE, points(CORNERS, np.array([-2, 2.0]))
    )
    assert found.classes == 0
    np.testing.assert_allclose(found.confidence, found.x + found.y[:, None])
    assert found.limits == pytest.approx((-2 * 7 / 6, 2 * 7 / 6))
    assert [picture.name for picture in VIEW.pictures if picture.each(found)] == ["surface"]
    axes = Figure().subplots()
    draw_surface(found, axes)
    (image,) = axes.images
    np.testing.assert_array_equal(np.asarray(image.get_array()), found.confidence)
    axes.figure.canvas.draw()


@pytest.mark.parametrize("value", [0.0, 3.0, np.nan])
def test_a_surface_that_is_flat_or_no_number_is_drawn_all_the_same(value: float) -> None:
    found = measure(lambda x: np.full((len(x), 1), value), VALUE, points(CORNERS, np.zeros(2)))
    axes = Figure().subplots()
    draw_surface(found, axes)
    axes.figure.canvas.draw()


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_network_that_knows_one_class_only_is_drawn_in_its_colour(value: float) -> None:
    found = measure(
        lambda x: np.full((len(x), 3), value), LOGITS, points(CORNERS, np.array([1, 2]))
    )
    axes = drawn(found)
    assert set(np.unique(found.predicted)) == ({-1} if np.isnan(value) else {0})
    assert (found.shade == 1).all() == np.isnan(value)  # white, where there is no answer
    assert contours(axes) == []
    axes.figure.canvas.draw()


def test_the_areas_are_shares_of_the_map_with_the_samples_of_each_class() -> None:
    wrong = np.array([False, True, False, False])
    inputs = np.array([[-1.0, 0.0], [1.0, 0.0], [0.5, 1.0], [0.2, -1.0]])
    found = measure(
        lambda x: np.column_stack([0.5 - x[:, 0], x[:, 0] - 0.5]),
        Task("logits", 2, "cross_entropy"),
        points(inputs, np.array([0, 0, 1, 1]), wrong=wrong),
    )
    rows = areas(found)
    assert [(row["class"], row["shown"], row["wrong"]) for row in rows] == [(0, 2, 1), (1, 2, 0)]
    # From -7/6 to 1/2, of -7/6 to 7/6.
    assert rows[0]["area"] == pytest.approx(5 / 7, abs=1 / RESOLUTION[0])
    assert sum(float(row["area"] or 0) for row in rows) == pytest.approx(1)


# --- the picture ----------------------------------------------------------------------------------


def drawn(found: Boundary) -> Axes:
    axes = Figure().subplots()
    draw_map(found, axes)
    return axes


def contours(axes: Axes) -> list[QuadContourSet]:
    return [one for one in axes.collections if isinstance(one, QuadContourSet)]


def test_the_ground_has_the_colour_of_the_class_and_is_the_stronger_the_surer() -> None:
    found = measure(Spokes().predict, LOGITS, points(CLOUD))
    for k in range(3):
        white_to_colour = np.array(to_rgb(class_colour(k))) - 1
        ground = found.shade[found.predicted == k] - 1
        strength = ground @ white_to_colour / (white_to_colour @ white_to_colour)
        np.testing.assert_allclose(ground, strength[:, None] * white_to_colour, atol=1e-9)
        order = np.argsort(found.confidence[found.predicted == k])
        assert (np.diff(strength[order]) >= -1e-9).all()
        assert 0 < strength.min() < strength.max() < 1


def test_samples_have_the_colour_of_their_class_and_the_wrong_ones_are_ringed() -> None:
    train = points(CLOUD, wrong=np.arange(60) < 4)
    test = points(CLOUD[:9] + 0.1, split="test")
    axes = drawn(measure(Spokes().predict, LOGITS, train | test))
    by_id = {line.get_gid(): line for line in axes.get_lines()}
    for k in range(3):
        mine = by_id[f"points-train-{k}"]
        np.testing.assert_array_equal(np.asarray(mine.get_data()).T, CLOUD[k::3])
        assert mine.get_color() == by_id[f"points-test-{k}"].get_color() == class_colour(k)
        assert mine.get_marker() == by_id[f"points-test-{k}"].get_marker()
        assert mine.get_markeredgecolor() != by_id[f"points-test-{k}"].get_markeredgecolor()
    assert len({by_id[f"points-train-{k}"].get_marker() for k in range(3)}) == 3
    np.testing.assert_array_equal(np.asarray(by_id["wrong-train"].get_data()).T, CLOUD[:4])
    assert by_id["wrong-train"].get_markerfacecolor() == "none"
    assert "wrong-test" not in by_id
    labels = [one.get_text() for one in axes.get_legend().get_texts()]  # type: ignore[union-attr]
    assert labels == [
        "class 0, train", "class 1, train", "class 2, train", "wrong, train: 4",
        "class 0, test", "class 1, test", "class 2, test",
    ]  # fmt: skip


def test_many_points_are_pixels_in_the_file_and_few_are_shapes() -> None:
    many = np.random.default_rng(0).normal(size=(7_000, 2))
    assert all(
        line.get_rasterized()
        for line in drawn(measure(Spokes().predict, LOGITS, points(many))).get_lines()
    )
    assert not any(
        line.get_rasterized()
        for line in drawn(measure(Spokes().predict, LOGITS, points(CLOUD))).get_lines()
    )


def test_the_image_covers_the_grid_cell_by_cell() -> None:
    found = measure(Spokes().predict, LOGITS, points(CORNERS), x=np.arange(5.0), y=np.arange(3.0))
    (image,) = (one for one in drawn(found).get_children() if isinstance(one, AxesImage))
    assert tuple(image.get_extent()) == (-0.5, 4.5, -0.5, 2.5)
    assert image.origin == "lower"


# --- what does not have two inputs ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        ((784,), "784"),
        ((1, 28, 28), "1\u00a0×\u00a028\u00a0×\u00a028"),
        ((1,), "1"),
        ((), "1"),
        ((3,), "3"),
    ],
)
def test_other_than_two_inputs_are_missing_with_a_remedy(
    shape: tuple[int, ...], found: str
) -> None:
    units = int(np.prod(shape))
    model = nn.Sequential(
        nn.Unflatten(0, (-1, 1)) if not shape else nn.Flatten(), nn.Linear(units, 2)
    )
    with pytest.raises(ks.Missing) as caught:
        ks.boundary(model, np.zeros((4, *shape)), [0, 1, 0, 1])
    assert str(caught.value) == (
        f"needs a network with two inputs; this one has {found}, look at its features instead"
    )


def test_a_regression_of_several_outputs_is_missing_with_a_remedy() -> None:
    with pytest.raises(ks.Missing) as caught:
        ks.boundary(nn.Linear(2, 3), np.zeros((4, 2)), np.full((4, 3), 0.5))
    assert str(caught.value) == (
        "needs a regression with one output; this one has 3, look at its predictions instead"
    )


def test_samples_that_the_network_gets_wrong_are_told_apart() -> None:
    model = nn.Linear(2, 2, bias=False)
    nn.init.eye_(model.weight)
    inputs = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 0.5]])
    found = ks.boundary(model, inputs, [0, 0, 0], test=(inputs[:1], [1]))
    np.testing.assert_array_equal(found.points["train"].wrong, [False, True, False])
    np.testing.assert_array_equal(found.points["test"].wrong, [True])


def test_the_valid_samples_are_shown_where_there_are_no_others() -> None:
    with torch.random.fork_rng([]):
        found = ks.boundary(nn.Linear(2, 2), CLOUD, np.arange(60) % 2, split="valid")
    assert list(found.points) == ["valid"]


def test_a_frame_has_every_point_of_the_grid() -> None:
    found = measure(Spokes().predict, LOGITS, points(CORNERS), x=np.arange(3.0), y=np.arange(2.0))
    frame = found.to_frame()
    assert list(frame.columns) == ["x", "y", "confidence", "predicted_class"]
    assert frame["x"].tolist() == [0, 1, 2, 0, 1, 2]
    assert frame["y"].tolist() == [0, 0, 0, 1, 1, 1]
    assert frame["predicted_class"].tolist() == found.predicted.ravel().tolist()
