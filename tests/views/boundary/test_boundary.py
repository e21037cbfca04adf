"""The decision boundary: the pictures of it, of any number of inputs, and the margins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from torch import nn

import kashika as ks
from kashika.distribution import Array, Distribution, FloatArray
from kashika.load import Options, load
from kashika.naming import Split
from kashika.observation import Observation
from kashika.palette import class_colour
from kashika.parameters import Parameter
from kashika.run import Samples
from kashika.task import Task
from kashika.view import Level
from kashika.views.boundary import VIEW, Boundary, measure
from kashika.views.boundary.cuts import RESOLUTION
from kashika.views.boundary.landscape import Map
from kashika.views.boundary.margin import scores
from kashika.views.boundary.pictures import draw_map, draw_margins
from kashika.views.boundary.pool import SHOWN, Pool
from kashika.views.boundary.rules import unfaithful
from kashika.views.boundary.tables import areas, maps, margins

CLASSES = Task("logits", 3, "cross_entropy")
VALUE = Task("values", 0, "mse_loss")
DRAW = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with ks.speaking("en"):
        yield


class Linear:
    """One linear layer over flattened inputs; it says how many inputs it was asked."""

    def __init__(self, weight: FloatArray) -> None:
        self.weight = weight
        self.asked = 0

    def parameters(self) -> Iterator[Parameter]:
        yield from ()

    def statistics(self) -> Iterator[tuple[str, Distribution]]:
        return iter(())

    def predict(self, inputs: Array) -> FloatArray:
        self.asked += len(inputs)
        return np.asarray(inputs.reshape(len(inputs), -1) @ self.weight.T)

    def slopes(self, inputs: Array, task: Task) -> FloatArray:
        if not task.classifies:
            return np.zeros(inputs.shape)
        first, second = np.argsort(-scores(task, self.predict(inputs)), axis=1)[:, :2].T
        return np.asarray(self.weight[first] - self.weight[second]).reshape(inputs.shape)

    def observe(self, samples: Samples, *, split: str, task: Task | None = None) -> Observation:
        raise NotImplementedError


def spokes(inputs: int) -> Linear:
    """Three sectors of the plane of the first two inputs, the others without effect."""
    angles = 0.3 + np.arange(3) * 2 * np.pi / 3
    weight = np.zeros((3, inputs))
    weight[:, :2] = 5 * np.column_stack([np.cos(angles), np.sin(angles)])
    return Linear(weight)


def seen(
    network: Linear, inputs: Array, targets: Array | None = None, *, task: Task = CLASSES
) -> Observation:
    outputs = network.predict(inputs)
    targets = outputs.argmax(axis=1) if targets is None else targets
    return Observation.of(
        task, inputs=inputs, outputs=outputs, targets=targets, loss=np.zeros(len(inputs))
    )


def look(network: Linear, inputs: Array, targets: Array | None = None, **asked: Any) -> Boundary:
    return measure(network, {"train": seen(network, inputs, targets)}, **asked)


CLOUD = DRAW.normal(size=(60, 2)) * [3.0, 0.5]
MANY = DRAW.normal(size=(300, 7)) * [2.0, 2.0, 1.0, 1.0, 0.5, 0.5, 0.5]
IMAGES = DRAW.normal(size=(120, 1, 4, 4))


def drawn(one: Map) -> Axes:
    axes = Figure().subplots()
    draw_map(one, axes)
    axes.figure.canvas.draw()
    return axes


def contours(axes: Axes) -> list[QuadContourSet]:
    return [one for one in axes.collections if isinstance(one, QuadContourSet)]


def pictures(found: Boundary) -> list[str]:
    return [one.name for one in VIEW.pictures if one.each(found)]


# --- two inputs -----------------------------------------------------------------------------------


def test_two_inputs_are_shown_as_they_are() -> None:
    network = spokes(2)
    found = look(network, CLOUD)
    (one,) = found.maps
    assert (one.kind, one.predicted.shape) == ("inputs", RESOLUTION[::-1])
    assert pictures(found) == ["map", "margins"]
    np.testing.assert_array_equal(one.points["train"].places, CLOUD)
    xx, yy = np.meshgrid(one.x, one.y)
    dense = network.predict(np.column_stack([xx.ravel(), yy.ravel()])).argmax(axis=1)
    assert np.mean(one.predicted.ravel() == dense) > 0.9999


def test_two_inputs_in_units_far_apart_each_have_their_own_range() -> None:
    # 18 to 90 years and 0 to 200 000 yen: a step of 0.02 would give 36 billion points.
    (one,) = look(spokes(2), np.array([[18.0, 0.0], [90.0, 200_000.0]])).maps
    assert (one.x[0], one.x[-1]) == pytest.approx((12, 96))
    assert (one.y[0], one.y[-1]) == pytest.approx((-200_000 / 12, 200_000 * 13 / 12))


def test_a_grid_of_ones_own_is_taken_as_it_is() -> None:
    x, y = np.arange(5.0), np.arange(3.0)
    (one,) = look(spokes(2), CLOUD, grid=(x, y)).maps
    np.testing.assert_array_equal(one.x, x)
    axes = drawn(one)
    (image,) = (child for child in axes.get_children() if isinstance(child, AxesImage))
    assert tuple(image.get_extent()) == (-0.5, 4.5, -0.5, 2.5)
    assert image.origin == "lower"


def test_an_island_around_a_sample_is_shown() -> None:
    class Island(Linear):
        def predict(self, inputs: Array) -> FloatArray:
            inside = np.hypot(*(inputs - CLOUD[7]).T) < 0.02
            return np.column_stack([~inside, inside, 0 * inside]).astype(float)

    (one,) = look(Island(np.zeros((3, 2))), CLOUD).maps
    place = np.abs(one.y - CLOUD[7, 1]).argmin(), np.abs(one.x - CLOUD[7, 0]).argmin()
    assert one.predicted[place] == 1


def test_the_areas_are_shares_of_the_map_with_the_samples_of_each_class() -> None:
    network = Linear(np.array([[-1.0, 0.0], [1.0, 0.0]]))
    inputs = np.array([[-1.0, 0.0], [3.0, 0.0], [0.5, 1.0], [0.2, -1.0]])
    targets = np.array([0, 0, 1, 1])
    two = Task("logits", 2, "cross_entropy")
    found = measure(network, {"train": seen(network, inputs, targets, task=two)})
    rows = areas(found)
    assert [(row["class"], row["shown"], row["wrong"]) for row in rows] == [(0, 2, 1), (1, 2, 0)]
    # From -4/3 to 0, of -4/3 to 10/3.
    assert rows[0]["area"] == pytest.approx(2 / 7, abs=1 / RESOLUTION[0])
    assert maps(found) == []


def test_a_regression_of_two_inputs_is_a_surface_without_margins() -> None:
    network = Linear(np.ones((1, 2)))
    corners = np.array([[-1.0, -1.0], [1.0, 1.0], [0.0, 0.0]])
    found = measure(network, {"train": seen(network, corners, corners.sum(axis=1), task=VALUE)})
    assert pictures(found) == ["surface"]
    assert found.margins is None
    assert margins(found) == []
    (image,) = drawn(found.maps[0]).images
    np.testing.assert_array_equal(np.asarray(image.get_array()), found.maps[0].confidence)


@pytest.mark.parametrize("value", [0.0, 3.0, np.nan])
def test_a_surface_that_is_flat_or_no_number_is_drawn_all_the_same(value: float) -> None:
    class Flat(Linear):
        def predict(self, inputs: Array) -> FloatArray:
            return np.full((len(inputs), 1), value)

    network = Flat(np.zeros((1, 2)))
    drawn(measure(network, {"train": seen(network, CLOUD, CLOUD[:, 0], task=VALUE)}).maps[0])


# --- more inputs ----------------------------------------------------------------------------------


def test_more_inputs_are_shown_in_three_ways_and_an_image_in_two() -> None:
    assert pictures(look(spokes(7), MANY)) == ["plane", "features", "projection", "margins"]
    assert pictures(look(spokes(16), IMAGES)) == ["plane", "projection", "margins"]


def test_only_the_pictures_that_are_asked_for_are_made() -> None:
    network = spokes(7)
    assert pictures(look(network, MANY, through=(0, 1, 2)))[0] == "plane"
    assert pictures(look(network, MANY, features=(0, 1))) == ["features", "margins"]
    assert pictures(look(network, MANY, at=3)) == ["features", "margins"]
    assert pictures(look(network, MANY, method="pca", through=(0, 1, 2))) == [
        "plane", "projection", "margins",
    ]  # fmt: skip


def test_three_chosen_samples_lie_in_their_plane_on_the_answer_to_them() -> None:
    network = spokes(7)
    answers = network.predict(MANY).argmax(axis=1)
    rows = tuple(int(np.flatnonzero(answers == k)[5]) for k in range(3))
    (one,) = look(network, MANY, through=rows).maps
    np.testing.assert_allclose(one.points["train"].places[list(rows)], one.corners, atol=1e-9)
    for k, (x, y) in enumerate(one.corners):
        assert one.predicted[np.abs(one.y - y).argmin(), np.abs(one.x - x).argmin()] == k
    assert str(one.title) == "Plane through train samples " + ", ".join(map(str, rows))
    (stars,) = (line for line in drawn(one).get_lines() if line.get_gid() == "corners")
    np.testing.assert_array_equal(np.asarray(stars.get_data()).T, one.corners)


def test_the_typical_samples_are_the_middles_of_three_classes_and_rightly_classified() -> None:
    centres, draw = 6 * np.eye(5)[:3], np.random.default_rng(1)
    half = draw.normal(size=(45, 5))
    noise = np.concatenate([half, -half])  # so that the centres are the means
    inputs = np.concatenate([centres[np.arange(90) % 3] + noise, centres])
    network = Linear(np.eye(5)[:3])
    targets = np.append(np.arange(90) % 3, [0, 1, 1])  # the last one, a typical one, is wrong
    one = look(network, inputs, targets).maps[0]
    rows = {int(word) for word in str(one.title).split("samples ")[1].split(", ")}
    assert {90, 91} < rows
    assert 92 not in rows


@pytest.mark.parametrize("classes", [1, 2])
def test_with_fewer_than_three_classes_there_is_a_plane_all_the_same(classes: int) -> None:
    targets = np.arange(300) % classes
    network = spokes(7)
    assert look(network, MANY, targets).maps[0].kind == "plane"


def test_two_columns_move_and_the_others_are_held_at_their_medians_or_at_a_sample() -> None:
    # Whether x0 or x1 is greater is decided by the value of x2 that is held.
    weight = np.zeros((2, 7))
    weight[0, 0], weight[1, 1], weight[1, 2] = 1, 1, 1
    network, task = Linear(weight), Task("logits", 2, "")
    observations: Mapping[Split, Observation] = {"train": seen(network, MANY, task=task)}
    for at, held in ((None, np.median(MANY[:, 2])), (11, MANY[11, 2])):
        (one,) = measure(network, observations, features=(0, 1), at=at).maps
        xx, yy = np.meshgrid(one.x, one.y)
        expected = (yy + held > xx).astype(int)
        assert np.mean(one.predicted == expected) > 0.999
        assert [str(label) for label in one.labels] == ["Input, column 0", "Input, column 1"]
    assert str(one.title) == "Two inputs, the others as in train sample 11"


def test_axes_have_the_names_of_the_columns_where_these_are_known(tmp_path: Path) -> None:
    names = ["height", "price ($)\nof it", "x" * 60]
    frame = pd.DataFrame(DRAW.normal(size=(40, 3)), columns=names)
    y = (frame["height"] > 0).astype(int)
    net = nn.Linear(3, 2).double()
    (one,) = ks.boundary(net, frame, y, features=(2, 1)).maps
    assert tuple(map(str, one.labels)) == ("x" * 48 + "…", "price ($) of it")
    (one,) = ks.boundary(net, frame.to_numpy(), y, features=(2, 1)).maps
    assert tuple(map(str, one.labels)) == ("Input, column 2", "Input, column 1")
    two = frame[names[:2]]
    (one,) = ks.boundary(nn.Linear(2, 2).double(), two, y).maps
    assert tuple(map(str, one.labels)) == ("height", "price ($) of it")
    # The same through a run on disk, whose table has a header.
    two.set_axis(["height", "weight"], axis=1).assign(y=y).to_csv(tmp_path / "d.csv", index=False)
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "m.pth")
    (tmp_path / "net.py").write_text(
        "from torch import nn\n\n\ndef net():\n    return nn.Linear(2, 2)\n"
    )
    options = Options(model=f"{tmp_path}/net.py:net", data=f"{tmp_path}/d.csv", target="y")
    (one,) = VIEW.measure(load(tmp_path, options)).maps
    assert tuple(map(str, one.labels)) == ("height", "weight")


def test_the_columns_are_those_along_which_the_answer_changes_most() -> None:
    weight = np.zeros((3, 7))
    weight[0, 5], weight[1, 2], weight[2, 6] = 9, 4, 0.1
    labels = look(Linear(weight), MANY, at=0).maps[0].labels
    assert {str(label) for label in labels} == {"Input, column 5", "Input, column 2"}
    # A slope counts by how far the column goes: column 2 has twice the deviation of column 5.
    weight[0, 5] = 5
    first, _ = look(Linear(weight), MANY, at=0).maps[0].labels
    assert str(first) == "Input, column 2"


def test_the_columns_of_a_regression_are_those_that_go_with_the_answer() -> None:
    network = Linear(np.array([[0.0, 0, 0, 5, 0, 9, 0]]))
    observation = seen(network, MANY, network.predict(MANY)[:, 0], task=VALUE)
    found = measure(network, {"train": observation})
    assert pictures(found) == ["plane", "features", "projection"]
    assert {str(label) for label in found.maps[1].labels} == {"Input, column 3", "Input, column 5"}
    assert found.maps[1].agreement > 0.95
    drawn(found.maps[2])


def test_a_projection_is_faithful_where_two_directions_decide() -> None:
    # Two hidden causes in seven columns, and a network that goes by the causes.
    draw = np.random.default_rng(1)
    causes, mixing = draw.normal(size=(300, 2)), draw.normal(size=(2, 7))
    inputs = causes @ mixing + 0.1 * draw.normal(size=(300, 7))
    network = Linear(spokes(2).weight @ np.linalg.pinv(mixing).T)
    one = look(network, inputs, method="pca").maps[0]
    assert one.agreement > 0.95
    assert one.trustworthiness > 0.95
    # And one that goes by what is left over.
    left = np.linalg.svd(mixing)[2][2:5]
    assert look(Linear(left), inputs, method="pca").maps[0].agreement < 0.75


def test_the_costs_of_a_report_are_bounded_however_many_samples_there_are() -> None:
    asked = []
    for n in (3_000, 9_000):
        network = spokes(7)
        inputs = np.random.default_rng(1).normal(size=(n, 7))
        observation = seen(network, inputs)
        network.asked = 0
        found = measure(network, {"train": observation})
        asked.append(network.asked)
        assert all(one.shown <= SHOWN for one in found.maps)
    assert max(asked) < 0.25 * 3 * RESOLUTION[0] * RESOLUTION[1]
    assert asked[1] == pytest.approx(asked[0], rel=0.3)


def test_the_same_seed_makes_the_same_pictures() -> None:
    inputs = np.random.default_rng(1).normal(size=(1_500, 7))
    one, other, another = (look(spokes(7), inputs, seed=seed) for seed in (0, 0, 1))
    for a, b in zip(one.maps, other.maps, strict=True):
        np.testing.assert_array_equal(a.confidence, b.confidence)
        np.testing.assert_array_equal(a.points["train"].places, b.points["train"].places)
    assert not np.array_equal(
        one.maps[2].points["train"].places, another.maps[2].points["train"].places
    )


def test_train_and_test_stand_in_one_picture_and_the_margins_are_those_of_test() -> None:
    network = spokes(7)
    both: Mapping[Split, Observation] = {
        "train": seen(network, MANY), "test": seen(network, MANY[:40] + 0.1),
    }  # fmt: skip
    found = measure(network, both)
    for one in found.maps:
        assert {split: len(p.places) for split, p in one.points.items()} == {
            "train": 300, "test": 40,
        }  # fmt: skip
    assert found.margins is not None
    assert found.margins.split == "test"
    assert sum(group.distances.size for group in found.margins.groups) == 40


def test_samples_that_are_not_finite_stand_in_no_picture() -> None:
    broken = MANY.copy()
    broken[[3, 8], 2] = np.nan, np.inf
    observation = replace(seen(spokes(7), MANY), inputs=broken)
    for one in measure(spokes(7), {"train": observation}).maps:
        assert len(one.points["train"].places) == 298


def test_a_pool_has_units_for_columns_and_none_for_pixels() -> None:
    network = spokes(16)
    pool = Pool.of({"train": seen(network, IMAGES)})
    np.testing.assert_array_equal(pool.units, np.ones(16))
    flat = Pool.of({"train": seen(network, IMAGES.reshape(120, 16) * np.arange(16))})
    np.testing.assert_allclose(flat.units[1:] / flat.inputs.std(axis=0)[1:], 1)
    assert flat.units[0] == 1  # a constant column has no deviation


# --- the rule -------------------------------------------------------------------------------------


def judged(agreement: float, by_chance: float) -> Boundary:
    one = look(spokes(7), MANY, method="pca").maps[0]
    return Boundary((replace(one, agreement=agreement, by_chance=by_chance),), None)


@pytest.mark.parametrize(
    ("agreement", "by_chance", "level"),
    [
        (1.0, 0.1, Level.OK),
        (0.65, 0.1, Level.OK),  # 61 % of what lies above chance
        (0.63, 0.1, Level.NOTE),
        (0.9, 0.9, Level.NOTE),  # a picture of one colour
        (0.97, 0.9, Level.OK),
        (1.0, 1.0, Level.UNKNOWN),  # the network gives one answer to all
        (np.nan, np.nan, Level.UNKNOWN),
    ],
)
def test_a_picture_is_judged_by_what_lies_above_chance(
    agreement: float, by_chance: float, level: Level
) -> None:
    assert unfaithful(judged(agreement, by_chance)).level is level


def test_a_cut_is_no_map_of_the_samples_and_is_not_judged() -> None:
    good, bad = judged(0.9, 0.1).maps[0], judged(0.3, 0.1).maps[0]
    for kind in ("plane", "features"):
        cut = replace(bad, kind=kind)
        assert unfaithful(Boundary((cut, good), None)).level is Level.OK
        assert unfaithful(Boundary((cut,), None)).level is Level.UNKNOWN
        assert "30% of 300 samples" in cut.heading


def test_a_projection_worse_than_one_colour_shows_nothing_and_not_less() -> None:
    finding = unfaithful(judged(0.3, 0.9))
    shown = {one.quantity: one.value for one in finding.evidence}
    assert shown == {"own_answer": 0.3, "one_colour": 0.9, "above_chance": 0.0, "samples": 300}
    assert finding.summary == (
        "boundary.projection shows 30% of the network's answers to the 300 samples in it; a "
        "picture of a single colour would show 90%. That is too little to read off how the "
        "network answers a sample."
    )


def test_two_inputs_are_never_unfaithful() -> None:
    for inputs in (CLOUD, np.repeat(CLOUD[:1], 9, axis=0)):
        assert unfaithful(look(spokes(2), inputs)).level is Level.OK


# --- pictures -------------------------------------------------------------------------------------


def test_the_ground_has_the_colour_of_the_class_and_is_the_stronger_the_surer() -> None:
    (one,) = look(spokes(2), CLOUD).maps
    for k in range(3):
        white_to_colour = np.array(to_rgb(class_colour(k))) - 1
        ground = one.shade[one.predicted == k] - 1
        strength = ground @ white_to_colour / (white_to_colour @ white_to_colour)
        np.testing.assert_allclose(ground, strength[:, None] * white_to_colour, atol=1e-9)
        order = np.argsort(one.confidence[one.predicted == k])
        assert (np.diff(strength[order]) >= -1e-9).all()
        assert 0 < strength.min() < strength.max() < 1


def test_samples_have_the_colour_of_their_class_and_the_wrong_ones_are_ringed() -> None:
    network = spokes(2)
    right = network.predict(CLOUD).argmax(axis=1)
    targets = np.where(np.arange(60) < 4, (right + 1) % 3, right)
    both: Mapping[Split, Observation] = {
        "train": seen(network, CLOUD, targets), "test": seen(network, CLOUD[:20] + 0.1),
    }  # fmt: skip
    axes = drawn(measure(network, both).maps[0])
    by_id = {line.get_gid(): line for line in axes.get_lines()}
    for k in range(3):
        mine = by_id[f"points-train-{k}"]
        np.testing.assert_array_equal(np.asarray(mine.get_data()).T, CLOUD[targets == k])
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


def test_the_lines_are_drawn_around_each_class() -> None:
    (one,) = look(spokes(2), CLOUD).maps
    assert len(contours(drawn(one))) == 3
    assert one.heading == drawn(one).get_title() == ""


def test_the_title_of_a_picture_says_how_faithful_it_is() -> None:
    for one in look(spokes(7), MANY).maps:
        assert f"{one.agreement:.0%} of {one.shown} samples" in drawn(one).get_title()


def test_nearly_all_samples_lie_in_the_frame_of_a_plane_and_those_that_do_not_are_counted() -> None:
    draw = np.random.default_rng(3)
    heavy = draw.standard_t(2, size=(400, 7))
    near = tuple(int(row) for row in np.argsort(np.abs(heavy).max(axis=1))[:3])
    (one,) = look(spokes(7), heavy, through=near).maps
    assert 0.95 * 400 <= one.shown < 400
    assert drawn(one).get_title().endswith(f"\n{one.shown} of 400 samples lie in the frame")
    (two,) = look(spokes(7), heavy, features=(0, 1)).maps
    assert two.shown == 400
    assert "frame" not in two.heading


def test_many_points_are_pixels_in_the_file_and_few_are_shapes() -> None:
    inputs = np.random.default_rng(0).normal(size=(9_000, 2))
    many, few = (
        [line for line in drawn(look(spokes(2), one).maps[0]).get_lines()
         if str(line.get_gid()).startswith("points")]
        for one in (inputs, CLOUD)
    )  # fmt: skip
    assert all(line.get_rasterized() for line in many)
    assert not any(line.get_rasterized() for line in few)


def test_the_margins_are_drawn_as_they_were_measured() -> None:
    network = spokes(7)
    found = look(network, MANY, (network.predict(MANY).argmax(axis=1) + (np.arange(300) < 30)) % 3)
    assert found.margins is not None
    axes = Figure().subplots()
    draw_margins(found.margins, axes)
    medians = {
        line.get_gid(): np.asarray(line.get_xdata()).item() for line in axes.get_lines()
        if line.get_gid()
    }  # fmt: skip
    table = {(row["class"], row["right"]): row["median"] for row in margins(found)}
    assert medians == {
        f"margin-{k}-{'right' if right else 'wrong'}": value for (k, right), value in table.items()
    }
    assert len(medians) == 6
    assert sum(int(row["samples"] or 0) for row in margins(found)) == 300


def test_every_class_with_margins_is_named_inside_the_frame() -> None:
    found = look(spokes(7), MANY)
    assert found.margins is not None
    axes = Figure().subplots()
    draw_margins(found.margins, axes)
    bottom, top = axes.get_ylim()
    medians = [
        np.asarray(line.get_ydata()).item() for line in axes.get_lines() if line.get_gid()
    ]  # of the right ones alone: each at the name of its class
    assert sorted(medians) == sorted(axes.get_yticks()) == [0, 1, 2]
    assert bottom - 2 == pytest.approx(0 - top) == pytest.approx(0.6)


def many_classes(classes: int, *, wrong: int = 0) -> Axes:
    """A map of two inputs with so many classes in a fan, and so many samples of the wrong one."""
    angles = np.arange(classes) * 2 * np.pi / classes
    network = Linear(np.column_stack([np.cos(angles), np.sin(angles)]))
    inputs = np.random.default_rng(2).normal(size=(200, 2))
    answers = network.predict(inputs).argmax(axis=1)
    targets = (answers + (np.arange(200) < wrong)) % classes
    task = Task("logits", classes, "cross_entropy")
    both: Mapping[Split, Observation] = {
        "train": seen(network, inputs, targets, task=task),
        "test": seen(network, inputs[-9:], answers[-9:], task=task),
    }
    return drawn(measure(network, both).maps[0])


@pytest.mark.parametrize(
    ("classes", "said", "title"),
    [
        (5, [f"class {k}" for k in range(5)], ""),
        (10, [f"class {k}" for k in range(10)], ""),
        (11, [], "11 classes, too many to name"),
    ],
)
def test_up_to_ten_classes_are_named_once_and_more_are_counted(
    classes: int, said: list[str], title: str
) -> None:
    legend = many_classes(classes, wrong=3).get_legend()
    assert legend is not None
    assert sorted(one.get_text() for one in legend.get_texts()) == [*said, "wrong, train: 3"]
    assert legend.get_title().get_text() == title


def test_rings_are_narrow_where_there_are_many_and_none_where_they_would_hide_the_points() -> None:
    found = []
    for wrong in (20, 21, 101):
        lines = {line.get_gid(): line for line in many_classes(5, wrong=wrong).get_lines()}
        found.append(lines["wrong-train"].get_markersize() if "wrong-train" in lines else None)
        assert lines["points-test-0"].get_markersize() < 6
    assert found == [9, 6, None]


# --- what does not fit ----------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_a_single_input_is_missing_with_a_remedy(shape: tuple[int, ...]) -> None:
    with pytest.raises(ks.Missing) as caught:
        look(Linear(np.ones((3, 1))), np.zeros((4, *shape)))
    assert str(caught.value) == (
        "needs a network with at least two numbers as input; this one has 1, look at its "
        "predictions instead"
    )


def test_inputs_that_were_not_kept_or_are_never_finite_are_missing() -> None:
    observation = seen(spokes(7), MANY)
    none = replace(observation, inputs=np.empty((0, 7)), input_rows=np.empty(0, dtype=int))
    nan = replace(observation, inputs=np.full_like(MANY, np.nan))
    for one, said in ((none, "needs inputs that are one array"), (nan, "needs inputs that are fi")):
        with pytest.raises(ks.Missing, match=said):
            measure(spokes(7), {"train": one})


def test_a_regression_of_several_outputs_is_missing_with_a_remedy() -> None:
    network = Linear(np.ones((3, 2)))
    with pytest.raises(ks.Missing) as caught:
        measure(network, {"train": seen(network, CLOUD, np.zeros((60, 3)), task=VALUE)})
    assert str(caught.value) == (
        "needs a regression with one output; this one has 3, look at its predictions instead"
    )


@pytest.mark.parametrize(
    "task", [Task("label_logits", 0, "", labels=3), replace(CLASSES, positional=True)]
)
def test_several_answers_for_a_sample_are_missing_with_a_remedy(task: Task) -> None:
    observation = replace(seen(spokes(2), CLOUD), task=task)
    with pytest.raises(ks.Missing, match="needs one answer for each sample"):
        measure(spokes(2), {"train": observation})


def test_whole_numbers_are_numbers_unless_the_network_takes_no_others() -> None:
    class Tokens(Linear):
        def predict(self, inputs: Array) -> FloatArray:
            if (inputs % 1).any():
                raise IndexError("tokens are whole")
            return super().predict(inputs)

    whole = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    weight = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    assert pictures(look(Linear(weight), whole))[0] == "map"
    with pytest.raises(ks.Missing, match="needs inputs that may lie between whole numbers"):
        look(Tokens(weight), whole)


class Categories(Linear):
    """The last column numbers one of three categories, as for an embedding."""

    def predict(self, inputs: Array) -> FloatArray:
        if not set(inputs[:, -1].tolist()) <= {0, 1, 2}:
            raise IndexError("index out of range in self")
        return super().predict(inputs)


def test_a_picture_that_the_network_cannot_answer_leaves_a_sentence_and_all_the_others() -> None:
    network, inputs = Categories(spokes(7).weight), MANY.copy()
    inputs[:, -1] = spokes(7).predict(MANY).argmax(axis=1)  # so that typical samples differ in it
    found = look(network, inputs, method="pca")
    assert found.maps == ()
    (refused,) = found.refused
    assert str(refused.reason) == (
        "Expected a network that answers inputs between and around the samples, found IndexError: "
        "index out of range in self; where columns number categories, give two that measure "
        "something to ks.boundary as features"
    )
    assert unfaithful(found).level is Level.UNKNOWN
    (words,) = found.plot(Figure().subplots()).texts
    assert words.get_text() == str(refused.reason)
    assert found.margins is not None
    assert sum(one.distances.finite for one in found.margins.groups) > 250
    every = look(network, inputs)
    assert [one.kind for one in every.maps] == ["features"]
    assert [one.kind for one in every.refused] == ["plane", "projection"]
    assert pictures(every) == ["plane", "features", "projection", "margins"]
    assert len(found.to_frame()) == 0


def test_a_network_that_cannot_be_asked_at_all_has_no_boundary_and_says_why() -> None:
    class Broken(Linear):
        def predict(self, inputs: Array) -> FloatArray:
            raise ZeroDivisionError("by zero") from AssertionError(inputs)

    observation = seen(spokes(7), MANY)
    with pytest.raises(ks.Missing, match="found ZeroDivisionError: by zero; where"):
        measure(Broken(np.ones((3, 7))), {"train": observation})


def test_margins_that_the_network_cannot_answer_leave_a_sentence_and_the_maps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ValueError("too large")

    monkeypatch.setattr("kashika.views.boundary.margins_of", fails)
    found = look(spokes(7), MANY, method="pca")
    assert (len(found.maps), found.margins) == (1, None)
    assert [one.kind for one in found.refused] == ["margins"]
    assert pictures(found) == ["projection", "margins"]
    axes = Figure().subplots()
    draw_margins(found.refused[0], axes)
    assert "found ValueError: too large" in axes.texts[0].get_text()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"through": (1, 2)},
            "through: expected three different row numbers, found (1, 2); correct them",
        ),
        (
            {"through": (1, 2, 1)},
            "through: expected three different row numbers, found (1, 2, 1); correct them",
        ),
        (
            {"through": (0, 1, 300)},
            (
                "train: expected one of the 300 kept rows out of 0 to 299, found row 300; "
                "choose another, or give fewer samples"
            ),
        ),
        (
            {"through": (0, 1, 2), "inputs": np.outer(np.arange(300.0), np.ones(7))},
            (
                "through: expected three samples that span a plane, found that rows 0, 1, 2 lie on "
                "one line; choose others"
            ),
        ),
        (
            {"features": (0, 7)},
            "features: expected two different columns from 0 to 6, found (0, 7); correct them",
        ),
        (
            {"features": (3, 3)},
            "features: expected two different columns from 0 to 6, found (3, 3); correct them",
        ),
        ({"method": "umap"}, "method: expected pca or tsne, found 'umap'; choose one of them"),
        (
            {"grid": (np.arange(3.0), np.arange(3.0))},
            (
                "grid: expected one map to lay it over, found several; choose one by through, "
                "features or method"
            ),
        ),
    ],
)
def test_what_cannot_be_shown_is_said(asked: dict[str, Any], message: str) -> None:
    inputs = asked.pop("inputs", MANY)
    with pytest.raises(ks.LoadError) as caught:
        look(spokes(7), inputs, **asked)
    assert str(caught.value) == message


def test_samples_that_are_all_the_same_leave_the_pictures_that_can_be_made() -> None:
    found = look(spokes(7), np.ones((20, 7)))
    assert [one.kind for one in found.maps] == ["features"]
    drawn(found.maps[0])
    with pytest.raises(ks.Missing):
        look(spokes(7), np.ones((20, 7)), method="pca")


# --- through the front door -----------------------------------------------------------------------


def test_samples_that_the_network_gets_wrong_are_told_apart() -> None:
    model = nn.Linear(2, 2, bias=False)
    nn.init.eye_(model.weight)
    inputs = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 0.5]])
    found = ks.boundary(model, inputs, [0, 0, 0], test=(inputs[:1], [1]))
    (one,) = found.maps
    np.testing.assert_array_equal(one.points["train"].wrong, [False, True, False])
    np.testing.assert_array_equal(one.points["test"].wrong, [True])
    assert found.margins is not None
    assert found.margins.groups[0].distances.mean == pytest.approx(np.sqrt(0.5), rel=1e-5)


def test_the_valid_samples_are_shown_where_there_are_no_others() -> None:
    with torch.random.fork_rng([]):
        found = ks.boundary(nn.Linear(2, 2), CLOUD, np.arange(60) % 2, split="valid")
    assert list(found.maps[0].points) == ["valid"]


def test_an_image_network_is_shown_and_comes_back_as_it_was() -> None:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 3))
    before = {name: one.clone() for name, one in model.state_dict().items()}
    found = ks.boundary(model, IMAGES.astype(np.float32), np.arange(120) % 3)
    assert pictures(found) == ["plane", "projection", "margins"]
    assert all(torch.equal(one, before[name]) for name, one in model.state_dict().items())
    assert all(one.grad is None for one in model.parameters())
    assert found.margins is not None
    assert all(group.distances.finite for group in found.margins.groups)


def test_a_frame_has_every_point_of_the_grid() -> None:
    found = look(spokes(2), CLOUD, grid=(np.arange(3.0), np.arange(2.0)))
    frame = found.to_frame()
    assert list(frame.columns) == ["map", "x", "y", "confidence", "predicted_class"]
    assert frame["map"].unique().tolist() == ["inputs"]
    assert frame["x"].tolist() == [0, 1, 2, 0, 1, 2]
    assert frame["y"].tolist() == [0, 0, 0, 1, 1, 1]
    assert frame["predicted_class"].tolist() == found.maps[0].predicted.ravel().tolist()
