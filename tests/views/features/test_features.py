"""Feature space: separation in closed form, faithful projections, and rows that cannot be shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from sklearn.metrics import silhouette_score
from torch import nn

import kashika as ks
from kashika import figure
from kashika.distribution import Array, Distribution, FloatArray, IntArray
from kashika.naming import Split
from kashika.observation import Layer, Observation
from kashika.palette import BLACK, class_colour
from kashika.projection import Projection, embed_in_plane, project
from kashika.task import Task
from kashika.views.features import VIEW, Features, measure
from kashika.views.features.layer_features import named
from kashika.views.features.pictures import (
    draw_by_target,
    draw_depth,
    draw_layer,
    draw_projection,
    draw_train_test,
)
from kashika.views.features.projecting import once
from kashika.views.features.rules import FEW, dead_units
from kashika.views.features.tables import layers, projections


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with ks.speaking("en"):
        yield


def seen(outputs: Array, labels: Array | None = None, *inside: Layer) -> Observation:
    """What a network was seen to do; the classes are those of the greatest outputs if not given."""
    outputs = np.asarray(outputs, dtype=float)
    return Observation.of(
        Task("logits", outputs.shape[1], "cross_entropy"),
        outputs=outputs,
        targets=outputs.argmax(axis=1) if labels is None else labels,
        loss=np.zeros(len(outputs)),
        inputs=outputs,
        layers=inside,
    )


def layer(name: str, values: Array, *, positions: int = 1, pooled: str = "mean") -> Layer:
    """A layer that put this out for all samples."""
    active = (values > 0).sum(axis=0)
    return Layer(
        name, "Linear", Distribution.of(values), active, values, np.arange(len(values)), positions,
        pooled,
    )  # fmt: skip


def features(outputs: Array, labels: Array | None = None, *, seed: int = 0) -> Features:
    return measure({"test": seen(outputs, labels)}, split="test", seed=seed)


def relu(active: list[int], *, name: str = "act", rows: int = 4) -> Layer:
    """A ReLU layer whose units were active in so many samples."""
    shown = np.maximum(noise(rows, len(active)), 0.0) * (np.array(active) > 0)
    return Layer(name, "ReLU", Distribution.of(shown), np.array(active), shown, np.arange(rows))


def noise(rows: int, units: int, *, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).normal(size=(rows, units))


def blobs(distance: float, *, rows: int = 60, units: int = 5) -> tuple[FloatArray, IntArray]:
    """Two clouds of unit size, so far apart."""
    labels = np.arange(rows) % 2
    return noise(rows, units) + distance * labels[:, None], labels


# --- separation -----------------------------------------------------------------------------------


def test_two_far_clouds_are_pure_and_fully_apart() -> None:
    (outputs,) = features(*blobs(1e4)).separations
    assert outputs.purity == 1.0
    assert outputs.silhouette == pytest.approx(1.0, abs=1e-3)


def test_shuffled_labels_have_neighbours_of_either_class() -> None:
    values = noise(2000, 2)  # shown as they are, without the wait for a t-SNE
    labels = np.random.default_rng(1).permutation(np.arange(2000) % 2)
    (outputs,) = features(values, labels).separations
    # Twenty thousand neighbours, of which half are of the own class: one standard deviation is
    # a third of a per cent.
    assert outputs.purity == pytest.approx(0.5, abs=0.02)
    assert outputs.silhouette == pytest.approx(0.0, abs=0.01)


def test_among_few_samples_all_others_are_neighbours() -> None:
    # Three of either class: two of the five others are of the own one.
    (outputs,) = features(noise(6, 2), np.arange(6) % 2).separations
    assert outputs.purity == pytest.approx(2 / 5)


def test_the_silhouette_is_scikit_learns_and_ignores_the_unit() -> None:
    values, labels = blobs(3.0)
    expected = silhouette_score(values, labels)
    for scale in (1e-6, 1.0, 1e6):
        (outputs,) = features(scale * values, labels).separations
        assert outputs.silhouette == pytest.approx(expected)


@pytest.mark.parametrize(
    "labels", [np.zeros(6, dtype=int), np.arange(6)], ids=["one class", "all different"]
)
def test_without_two_classes_of_several_samples_there_is_no_separation(labels: IntArray) -> None:
    (outputs,) = features(noise(6, 6), labels).separations
    assert np.isnan(outputs.silhouette)
    assert np.isnan(outputs.purity)


def test_separation_is_measured_at_every_layer_and_at_the_outputs() -> None:
    values, labels = blobs(1e4, units=2)
    mixed = layer("mixed", noise(60, 2, seed=5))
    found = measure({"test": seen(values, labels, mixed)}, split="test")
    assert [one.layer for one in found.separations] == ["mixed", ""]
    assert found.separations[0].purity < 0.7
    assert found.separations[1].purity == 1.0
    axes = Figure().subplots()
    draw_depth(found, axes)
    purity, silhouette, rank = axes.get_lines()
    assert np.asarray(purity.get_ydata()).tolist() == [one.purity for one in found.separations]
    assert np.asarray(silhouette.get_ydata()).tolist() == [
        one.silhouette for one in found.separations
    ]
    assert np.asarray(rank.get_ydata()).tolist() == [one.rank_share for one in found.separations]
    assert [one.get_text() for one in axes.get_xticklabels()] == ["mixed", "(outputs)"]


# --- projections ----------------------------------------------------------------------------------


def test_two_features_are_shown_as_they_are() -> None:
    values = noise(30, 2)
    (plain,) = project(values)
    assert plain.method == "plain"
    np.testing.assert_array_equal(plain.coordinates, values)
    assert plain.trustworthiness == 1.0


def test_one_feature_is_shown_by_class() -> None:
    found = measure({"test": seen(noise(30, 1), np.zeros(30, dtype=int))}, split="test")
    (plain,) = found.projections
    assert plain.coordinates.shape == (30, 1)
    axes = Figure().subplots()
    draw_projection(plain, axes)
    np.testing.assert_array_equal(np.asarray(axes.get_lines()[0].get_ydata()), np.zeros(30))


def test_the_plane_of_a_pca_carries_the_two_largest_variances() -> None:
    values = noise(80, 6) @ noise(6, 6, seed=1)
    pca, _ = project(values)
    assert pca.method == "pca"
    spectrum = np.sort(np.linalg.eigvalsh(np.cov(values.T)))[::-1]
    assert pca.explained == pytest.approx(spectrum[:2].sum() / spectrum.sum())
    assert pca.explained == pytest.approx(PCA(2).fit(values).explained_variance_ratio_.sum())
    np.testing.assert_allclose(pca.coordinates.var(axis=0, ddof=1), spectrum[:2])


def test_features_that_lie_in_a_plane_lose_nothing_by_a_pca() -> None:
    pca, _ = project(noise(40, 2) @ noise(2, 7, seed=1))
    assert pca.explained == pytest.approx(1.0)
    assert pca.trustworthiness == pytest.approx(1.0)


def test_the_trustworthiness_is_scikit_learns() -> None:
    values = noise(50, 8)
    for one in project(values):
        expected = trustworthiness(values, one.coordinates, n_neighbors=10)
        assert one.trustworthiness == pytest.approx(expected)


def test_t_sne_gives_the_same_picture_for_the_same_seed() -> None:
    values, _ = blobs(5.0)
    (_, first), (_, second), (_, other) = (project(values, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.coordinates, second.coordinates)
    assert np.isfinite(other.coordinates).all()


def test_t_sne_keeps_far_clouds_apart() -> None:
    values, labels = blobs(100.0, rows=80)
    _, tsne = project(values)
    assert silhouette_score(tsne.coordinates, labels) > 0.5


@pytest.mark.parametrize(("rows", "perplexity"), [(10, 3.0), (20, 19 / 3), (91, 30.0), (120, 30.0)])
def test_the_perplexity_is_a_third_of_the_others_and_at_most_thirty(
    rows: int, perplexity: float
) -> None:
    _, tsne = project(noise(rows, 4))
    assert tsne.perplexity == pytest.approx(perplexity)


# --- rows that cannot be shown --------------------------------------------------------------------


def remarks(found: Features) -> list[object]:
    return [row["remark"] for row in projections(found)]


def counts(found: Features) -> tuple[int, int]:
    """How many rows are projected, and how many were left out."""
    return len(found.projections[0].targets), found.projections[0].dropped


def drawable(found: Features) -> list[str]:
    """Draw whatever there is to draw."""
    there = []
    for picture in VIEW.pictures:
        for subject in picture.each(found):
            axes = Figure().subplots()
            picture.draw(subject, axes)
            axes.figure.canvas.draw()
            there.append(picture.name)
    return there


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("units", [2, 5])
def test_fewer_than_three_rows_are_told_and_not_projected(rows: int, units: int) -> None:
    found = features(noise(rows, units))
    assert remarks(found) == [
        f"{rows} row{' is' if rows == 1 else 's are'} too few to project: at least 3 are needed."
    ]
    assert "projection" not in drawable(found)


@pytest.mark.parametrize("rows", [3, 4, 9])
def test_fewer_than_ten_rows_have_a_pca_and_no_t_sne(rows: int) -> None:
    found = features(noise(rows, 5))
    assert remarks(found) == ["", f"{rows} rows are too few for t-SNE: at least 10 are needed."]
    assert drawable(found).count("projection") == 1
    assert 0 <= found.projections[0].trustworthiness <= 1


@pytest.mark.parametrize("units", [1, 2, 5])
def test_identical_rows_are_told_and_not_projected(units: int) -> None:
    found = features(np.full((20, units), 0.5), np.arange(20) % 2 * (units > 1))
    assert remarks(found) == [
        "All 20 rows are identical, so there is nothing to project. Has the layer collapsed?"
    ]
    assert "projection" not in drawable(found)


def test_rows_that_are_not_finite_are_left_out_and_counted() -> None:
    values = noise(20, 5)
    values[3, 1], values[7, 0] = np.nan, np.inf
    found = features(values, np.arange(20) % 2)
    assert counts(found) == (18, 2)
    np.testing.assert_array_equal(
        found.projections[0].targets, np.delete(np.arange(20) % 2, [3, 7])
    )
    expected, _ = project(np.delete(values, [3, 7], axis=0))
    np.testing.assert_array_equal(found.projections[0].coordinates, expected.coordinates)


def test_when_no_row_is_finite_that_is_told() -> None:
    found = features(np.full((20, 5), np.nan), np.arange(20) % 2)
    assert counts(found) == (0, 20)
    assert remarks(found) == ["0 rows are too few to project: at least 3 are needed."]
    assert np.isnan(found.separations[0].purity)
    assert drawable(found) == []


def test_two_different_rows_among_many_equal_ones_are_shown() -> None:
    values = np.repeat(noise(2, 5), 10, axis=0)
    found = features(values, np.repeat([0, 1], 10))
    assert found.projections[0].explained == pytest.approx(1.0)
    assert found.separations[0].purity == pytest.approx(9 / 10)  # nine others, and one stranger
    drawable(found)


def test_a_single_constant_feature_among_others_does_no_harm() -> None:
    values = noise(20, 5)
    values[:, 2] = 0.0
    assert drawable(features(values)).count("projection") == 2


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_very_small_and_very_large_features_are_projected(scale: float) -> None:
    plain, scaled = project(noise(20, 5))[0], project(scale * noise(20, 5))[0]
    assert scaled.explained == pytest.approx(plain.explained)


# --- dead units -----------------------------------------------------------------------------------


def test_a_unit_is_dead_when_no_split_switches_it_on() -> None:
    train = seen(noise(30, 2), None, relu([3, 0, 0, 9], rows=30))
    test = seen(noise(10, 2), None, relu([0, 0, 1, 0], rows=10))
    found = measure({"train": train, "test": test}, split="test")
    assert [(one.layer, one.dead) for one in found.separations] == [("act", 1), ("", None)]
    assert found.separations[0].samples == 40


@pytest.mark.parametrize(
    ("dead", "level"),
    [(0, ks.Level.OK), (9, ks.Level.OK), (10, ks.Level.NOTE), (15, ks.Level.WARNING),
     (17, ks.Level.WARNING), (18, ks.Level.PROBLEM), (20, ks.Level.PROBLEM)],
)  # fmt: skip
def test_half_of_a_layer_dead_is_a_note_and_nine_tenths_a_problem(
    dead: int, level: ks.Level
) -> None:
    layer = relu([0] * dead + [1] * (20 - dead), rows=40)
    found = measure(
        {"test": seen(noise(40, 2), None, relu([1, 1], name="fine", rows=40), layer)},
        split="test",
    )
    finding = dead_units(found)
    assert finding.level is level
    by_name = {one.quantity: one for one in finding.evidence}
    assert by_name["dead_share"].value == dead / 20
    if dead:
        assert by_name["dead_share"].where == "act"
        assert (by_name["dead"].value, by_name["units"].value) == (dead, 20)


def test_where_no_unit_can_be_off_death_is_unknown() -> None:
    assert dead_units(features(noise(4, 2))).level is ks.Level.UNKNOWN
    tanh = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2))
    found = ks.features(tanh, noise(10, 2), np.arange(10) % 2)
    assert dead_units(found).level is ks.Level.UNKNOWN


# --- by the name of a layer -----------------------------------------------------------------------


with torch.random.fork_rng([]):
    torch.manual_seed(0)
    MODEL = nn.Sequential(nn.Sequential(nn.Linear(2, 4), nn.ReLU()), nn.Linear(4, 2))


@pytest.mark.parametrize("layer", ["0", "0.0", "0.1", "1"])
def test_any_submodule_is_looked_at_by_its_name(layer: str) -> None:
    inputs = noise(12, 2).astype(np.float32)
    found = ks.features(MODEL, inputs, np.arange(12) % 2, layer=layer)
    assert found.layers == (layer,)
    first = MODEL.get_submodule("0.0")(torch.tensor(inputs))
    inside = {
        "0.0": first,
        "0.1": first.relu(),
        "0": first.relu(),
        "1": MODEL(torch.tensor(inputs)),
    }
    expected = project(inside[layer].detach().numpy())[0].coordinates
    np.testing.assert_allclose(found.projections[0].coordinates, expected, atol=1e-5)
    assert layer in [one.layer for one in found.separations]
    assert [one.layer for one in found.separations][-1] == ""


def test_a_block_has_the_features_of_its_last_layer() -> None:
    inputs = noise(12, 2).astype(np.float32)
    block, last = (
        ks.features(MODEL, inputs, np.arange(12) % 2, layer=name).projections[0].coordinates
        for name in ("0", "0.1")
    )
    np.testing.assert_array_equal(block, last)


def test_a_layer_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(ks.LoadError) as caught:
        ks.features(MODEL, noise(12, 2), np.arange(12) % 2, layer="fc")
    assert str(caught.value) == (
        "layer: expected one of 0.0, 0.1, 1, found 'fc'; choose one of them"
    )


# --- pictures and tables --------------------------------------------------------------------------


def test_classes_differ_by_colour_and_marker_and_wrong_ones_are_ringed() -> None:
    values = noise(30, 3)
    labels = np.arange(30) % 3
    found = features(values, labels)
    axes = Figure().subplots()
    draw_projection(found.projections[0], axes)
    *classes, rings = axes.get_lines()
    for k, line in enumerate(classes):
        np.testing.assert_array_equal(
            np.asarray(line.get_data()).T, found.projections[0].coordinates[labels == k]
        )
        assert line.get_color() == class_colour(k)
    assert len({line.get_marker() for line in classes}) == 3
    wrong = values.argmax(axis=1) != labels
    np.testing.assert_array_equal(
        np.asarray(rings.get_data()).T, found.projections[0].coordinates[wrong]
    )


def test_every_projection_says_on_the_picture_how_faithful_it_is() -> None:
    pca, tsne = project(noise(20, 5))
    titles = []
    for one in (pca, tsne):
        axes = Figure().subplots()
        draw_projection(one, axes)
        titles.append(axes.get_title())
    assert titles == [
        f"PCA: {pca.explained:.0%} of the variance, trustworthiness {pca.trustworthiness:.2f}",
        f"t-SNE, perplexity 6: trustworthiness {tsne.trustworthiness:.2f}",
    ]


def test_a_table_has_a_dash_where_a_number_is_not_defined() -> None:
    same = replace(relu([1, 0]), features=np.ones((4, 2)))
    found = measure({"test": seen(noise(4, 2), np.zeros(4, int), same)}, split="test")
    rank = found.separations[-1].effective_rank
    assert layers(found) == [
        {"layer": "act", "kind": "ReLU", "units": 2, "positions": "", "silhouette": None,
         "purity": None, "effective_rank": None, "dead": 1},
        {"layer": "(outputs)", "kind": "", "units": 2, "positions": "", "silhouette": None,
         "purity": None, "effective_rank": pytest.approx(rank), "dead": None},
    ]  # fmt: skip


def test_a_regression_is_coloured_by_its_targets_and_has_no_classes() -> None:
    targets = noise(12, 1).astype(np.float32)
    found = ks.features(nn.Linear(2, 1), noise(12, 2), targets)
    assert np.isnan(found.separations[0].purity)
    assert drawable(found) == ["by_target"]  # and no curve by depth, of the outputs alone
    axes = Figure().subplots()
    draw_by_target(found.projections[0], axes)
    (dots,) = axes.collections
    np.testing.assert_array_equal(np.asarray(dots.get_array()), targets[:, 0])
    np.testing.assert_array_equal(
        np.asarray(dots.get_offsets()),
        np.column_stack([found.projections[0].coordinates[:, 0], targets[:, 0]]),
    )


def test_on_a_few_samples_a_unit_that_is_off_says_nothing() -> None:
    layer = relu([0] * 20, rows=FEW - 1)
    assert dead_units(measure({"test": seen(noise(FEW - 1, 2), None, layer)}, split="test")) == (
        ks.Finding("features.dead_units", ks.Level.UNKNOWN)
    )


def test_a_layer_that_puts_out_nan_has_no_dead_units_but_another_fault() -> None:
    broken = replace(relu([0, 0], rows=40), values=Distribution.of([np.nan, 1.0]))
    found = measure({"test": seen(noise(40, 2), None, broken)}, split="test")
    assert found.separations[0].dead is None


def test_a_refused_projection_is_drawn_as_its_reason() -> None:
    axes = Figure().subplots()
    measure({"test": seen(noise(1, 2), None)}, split="test").plot(axes)
    assert [one.get_text() for one in axes.texts] == [
        "1 row is too few to project: at least 3 are needed."
    ]


# --- several layers -------------------------------------------------------------------------------


DEEP = [f"layer{i}.{part}" for i in range(1, 5) for part in ("conv1", "conv2", "bn")]


def deep(names: list[str] = DEEP, *, rows: int = 30) -> Observation:
    """What a network with these layers was seen to do; each is the outputs and some noise."""
    outputs, _ = blobs(3.0, rows=rows, units=3)
    inside = [
        layer(name, outputs + noise(rows, 3, seed=i), positions=49) for i, name in enumerate(names)
    ]
    return seen(outputs, np.arange(rows) % 2, *inside)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (None, [""]),
        ("layer2.conv1", ["layer2.conv1"]),
        ("layer*.conv2", ["layer1.conv2", "layer2.conv2", "layer3.conv2", "layer4.conv2"]),
        ("layer[12].bn", ["layer1.bn", "layer2.bn"]),
        ("layer1.*", ["layer1.conv1", "layer1.conv2", "layer1.bn"]),
    ],
)
def test_layers_are_chosen_by_name_or_by_pattern(wanted: str | None, found: list[str]) -> None:
    chosen = measure({"test": deep(rows=5)}, split="test", layer=wanted)
    assert list(chosen.layers) == found
    assert {row["layer"] for row in projections(chosen)} == {name or "(outputs)" for name in found}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("act", ["act", "act#2"]),
        ("act#2", ["act#2"]),
        ("f[0]", ["f[0]", "f[0]#2"]),
        ("a*", ["act", "act#2"]),
    ],
)
def test_the_calls_of_a_module_are_meant_by_its_name(wanted: str, found: list[str]) -> None:
    assert named(["act", "act#2", "f[0]", "f[0]#2"], wanted) == found


def test_of_very_many_layers_the_message_names_the_first_twenty() -> None:
    with pytest.raises(ks.LoadError) as caught:
        named([f"block{i}" for i in range(100)], "head*")
    listed = ", ".join(f"block{i}" for i in range(20))
    assert str(caught.value) == (
        f"layer: expected one of {listed}, …, found 'head*'; choose one of them"
    )


def test_each_layer_belongs_to_its_own_samples() -> None:
    values, labels = blobs(1e4)
    some = np.concatenate([np.arange(0, 20, 2), np.arange(21, 41, 2)])  # ten of either class
    few = replace(layer("few", values[some]), rows=some)
    found = measure({"test": seen(values, labels, few)}, split="test", layer="few")
    assert [one.purity for one in found.separations] == [
        pytest.approx(9 / 10),
        1.0,
    ]  # ten of either class
    np.testing.assert_array_equal(found.projections[0].targets, labels[some])


def test_up_to_nine_layers_are_shown_small_evenly_and_the_outputs_always() -> None:
    found = measure({"test": deep()}, split="test")
    names = [one.projection.layer for one in found.planes]
    assert len(names) == 9
    assert (names[0], names[-1]) == ("layer1.conv1", "")
    steps = np.diff([[*DEEP, ""].index(name) for name in names])
    assert set(steps) <= {1, 2}
    axes = Figure().subplots()
    draw_layer(found.planes[0], axes)
    assert axes.get_title() == f"layer1.conv1: purity {found.separations[0].purity:.2f}"
    explained = found.planes[0].projection.explained
    assert axes.get_xlabel() == f"PCA, {explained:.0%} of the variance, mean over 49 positions"
    np.testing.assert_array_equal(
        np.concatenate([np.asarray(line.get_data()).T for line in axes.get_lines()]),
        found.planes[0].projection.coordinates[np.argsort(np.arange(30) % 2, kind="stable")],
    )


def test_a_curve_by_depth_of_very_many_layers_names_some_of_them() -> None:
    found = measure({"test": deep([f"block{i}" for i in range(150)], rows=6)}, split="test")
    axes = Figure().subplots()
    draw_depth(found, axes)
    names = [one.get_text() for one in axes.get_xticklabels()]
    assert len(names) == 20
    assert (names[0], names[-1]) == ("block0", "(outputs)")
    assert len(np.asarray(axes.get_lines()[0].get_ydata())) == 151


@pytest.mark.parametrize(
    ("positions", "pooled", "said"),
    [
        (1, "mean", ""),
        (49, "mean", "mean over 49 positions"),
        (12, "own", "each position by itself"),
        (12, "3", "position 3 of 12"),
    ],
)
def test_what_became_of_the_positions_is_said(positions: int, pooled: str, said: str) -> None:
    values, labels = blobs(3.0, rows=8)
    inside = layer("conv", values, positions=positions, pooled=pooled)
    found = measure({"test": seen(values, labels, inside)}, split="test", layer="conv")
    assert [row["positions"] for row in layers(found)] == [said, ""]
    axes = Figure().subplots()
    draw_projection(found.projections[0], axes)
    assert axes.get_xlabel() == ", ".join(filter(None, ["Axis 1", "conv", said]))


def panels(found: Features, name: str) -> list[Axes]:
    """The axes of one of the pictures."""
    (picture,) = (one for one in VIEW.pictures if one.name == name)
    made = figure.draw(picture, found)
    return [] if made is None else [axes for axes in made.axes if axes.axison]


def alikes(*, differ: int = 1) -> dict[Split, Observation]:
    """Train and test of a network of so many layers, a dropout after the last, and outputs."""
    splits: dict[Split, Observation] = {}
    sizes: dict[Split, int] = {"train": 30, "test": 20}
    for split, rows in sizes.items():
        outputs, labels = blobs(3.0, rows=rows, units=3)
        inside: dict[str, FloatArray] = {
            f"layer{i}": outputs + noise(rows, 3, seed=i) for i in range(differ)
        }
        last = list(inside.values())[-1]
        inside |= {"drop": last, "flat": last, "head": outputs}
        splits[split] = seen(outputs, labels, *(layer(name, v) for name, v in inside.items()))
    return splits


def test_layers_with_the_same_features_are_projected_once_and_shown_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def counted(features: FloatArray, *, seed: int = 0) -> tuple[Projection, ...]:
        asked.append(features)
        return project(features, seed=seed)

    monkeypatch.setattr("kashika.views.features.projecting.project", counted)
    found = measure(alikes(), split="test", layer="*")
    for rule in VIEW.rules:
        rule(found)
    assert not asked  # not before somebody looks
    assert found.projections is found.projections
    assert len(asked) == 2  # layer0, drop and flat; head
    assert found.layers == ("layer0", "drop", "flat", "head")
    first, _, second, *_ = found.projections
    np.testing.assert_array_equal(first.coordinates, second.coordinates)
    assert [axes.get_xlabel() for axes in panels(found, "projection")] == [
        "Axis 1, layer0 = … = flat", "Axis 1, layer0 = … = flat", "Axis 1, head", "Axis 1, head",
    ]  # fmt: skip
    assert len(panels(found, "train_test")) == 2
    assert [axes.get_title().partition(":")[0] for axes in panels(found, "layers")] == [
        "layer0 = … = flat", "head = (outputs)",
    ]  # fmt: skip


def test_what_is_alike_in_one_split_alone_is_not_alike() -> None:
    splits = alikes()
    other = replace(splits["train"].layers[1], features=noise(30, 3, seed=9))
    train = replace(splits["train"], layers=(splits["train"].layers[0], other))
    test = replace(splits["test"], layers=splits["test"].layers[:2])
    found = measure({"train": train, "test": test}, split="test", layer="*")
    one, two = found.embeddings
    assert one.alike == two.alike == ()
    assert not np.array_equal(one.train.coordinates, two.train.coordinates)


@pytest.mark.parametrize("differ", [2, 3])
def test_of_more_than_three_layers_that_differ_only_the_plane_is_shown(differ: int) -> None:
    found = measure(alikes(differ=differ), split="test", layer="*")
    by_pca = {"pca"} if differ == 3 else {"pca", "tsne"}
    assert {one.method for one in found.projections} == by_pca
    embedded = "pca" if differ == 3 else "tsne"
    assert {one.test.method for one in found.embeddings} == {embedded}
    said = {"pca": "PCA of train", "tsne": "t-SNE"}[embedded]
    for axes, one in zip(panels(found, "train_test"), once(found.embeddings), strict=True):
        assert axes.get_title() == (
            f"{said}, trustworthiness: train {one.train.trustworthiness:.2f}, "
            f"test {one.test.trustworthiness:.2f}"
        )
    methods = [row["method"] for row in projections(found)][-2:]
    assert methods == (["PCA", "PCA of train"] if differ == 3 else ["t-SNE", "t-SNE of train"])


@pytest.mark.parametrize("name", ["projection", "train_test"])
def test_the_classes_are_named_in_the_first_panel_and_inside_it_where_others_stand_below(
    name: str,
) -> None:
    for differ in (1, 3):
        axes = panels(measure(alikes(differ=differ), split="test", layer="*"), name)
        legends = [one.get_legend() for one in axes]
        assert legends[0] is not None
        assert legends[1:] == [None] * (len(axes) - 1)
        box = legends[0].get_window_extent()
        assert (box.y0 >= axes[0].bbox.y0) == (len(axes) > 2)


# --- test samples among training samples ----------------------------------------------------------


def both(distance: float = 5.0) -> dict[Split, Observation]:
    """Sixty training and twenty test samples of the same two clouds."""
    train, labels = blobs(distance)
    return {"train": seen(train, labels), "test": seen(train[:20] + 0.1, labels[:20])}


def test_a_training_sample_that_comes_again_lies_on_itself_in_the_plane_of_the_others() -> None:
    train = noise(40, 6) @ noise(6, 6, seed=1)
    made = embed_in_plane(train, train[5:12])
    np.testing.assert_allclose(made.test.coordinates, made.train.coordinates[5:12])
    np.testing.assert_allclose(
        np.abs(made.train.coordinates), np.abs(project(train)[0].coordinates)
    )
    assert made.test.method == "pca"
    assert made.train.explained == pytest.approx(project(train)[0].explained)
    for few in (train[:0], train[:2], np.ones((9, 6))):
        assert embed_in_plane(few, train).test.refused is not None
        assert len(embed_in_plane(train, few).test.coordinates) == len(few)


def test_test_samples_are_shown_among_the_training_samples() -> None:
    found = measure(both(), split="test")
    (embedding,) = found.embeddings
    assert len(embedding.train.targets) == 60
    assert len(embedding.test.targets) == 20
    axes = Figure().subplots()
    draw_train_test(embedding, axes)
    lines = {str(line.get_gid()): line for line in axes.get_lines()}
    assert list(lines) == ["train-0", "train-1", "wrong-train", "test-0", "test-1", "wrong-test"]
    for k in (0, 1):
        np.testing.assert_array_equal(
            np.asarray(lines[f"test-{k}"].get_data()).T,
            embedding.test.coordinates[embedding.test.targets == k],
        )
        assert lines[f"test-{k}"].get_markeredgecolor() == BLACK
        assert lines[f"train-{k}"].get_markeredgecolor() == "white"
        assert lines[f"train-{k}"].get_color() == lines[f"test-{k}"].get_color()
    np.testing.assert_array_equal(
        np.asarray(lines["wrong-test"].get_data()).T,
        embedding.test.coordinates[embedding.test.wrong],
    )
    assert axes.get_title() == (
        f"t-SNE, trustworthiness: train {embedding.train.trustworthiness:.2f}, "
        f"test {embedding.test.trustworthiness:.2f}"
    )


def test_the_faithfulness_of_both_stands_in_the_table() -> None:
    found = measure(both(), split="test")
    (embedding,) = found.embeddings
    rows = [(r["split"], r["method"], r["rows"], r["trustworthiness"]) for r in projections(found)]
    assert rows[2:] == [
        ("train", "t-SNE", 60, embedding.train.trustworthiness),
        ("test", "t-SNE of train", 20, embedding.test.trustworthiness),
    ]


@pytest.mark.parametrize(("split", "other"), [("test", "valid"), ("train", "test")])
def test_without_both_splits_there_is_the_picture_of_the_one(split: Split, other: Split) -> None:
    one, two = both().values()
    found = measure({split: one, other: two}, split=split)
    assert found.embeddings == ()
    assert len(found.projections) == 2


def test_of_very_many_training_samples_a_seeded_choice_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kashika.views.features.projecting.MAPPED", 30)
    first, second = (measure(both(), split="test").embeddings[0] for _ in range(2))
    assert len(first.train.targets) == 30
    np.testing.assert_array_equal(first.test.coordinates, second.test.coordinates)


def test_training_samples_are_given_beside_test_samples_in_a_notebook() -> None:
    x = noise(40, 2).astype(np.float32)
    y = np.arange(40) % 2
    found = ks.features(MODEL, x[:12], y[:12], train=(x, y), layer="0.0")
    (embedding,) = found.embeddings
    assert (len(embedding.train.targets), len(embedding.test.targets)) == (40, 12)


# --- whatever the task and the features -----------------------------------------------------------


def test_several_labels_are_shown_by_how_many_apply() -> None:
    outputs = noise(30, 4)
    given = (noise(30, 4, seed=1) > 0).astype(int)
    found = measure(
        {
            "test": Observation.of(
                Task("label_logits", 0, "binary_cross_entropy_with_logits", labels=4),
                inputs=outputs, outputs=outputs, targets=given, loss=np.zeros(30),
            )
        },
        split="test",
    )  # fmt: skip
    assert drawable(found) == ["by_target"] * 2
    np.testing.assert_array_equal(found.projections[0].targets, given.sum(axis=1))
    assert not found.projections[0].wrong.any()


SHAPES = [(1, 1), (1, 5), (2, 2), (3, 5), (12, 1), (12, 2), (12, 5), (12, 400)]
ODD = [
    *(("classes", "noise", *shape) for shape in SHAPES),
    *(("values", "noise", *shape) for shape in SHAPES[::2]),
    *(("classes", kind, 12, 1) for kind in ("constant", "one class", "nan")),
    *(("classes", kind, 12, 5) for kind in ("constant", "one class", "nan", "half nan")),
    *(("values", kind, 12, 5) for kind in ("constant", "nan", "half nan")),
]


@pytest.mark.parametrize(("task", "kind", "rows", "units"), ODD)
@pytest.mark.filterwarnings("error")
def test_nothing_is_too_odd_to_be_measured_drawn_and_listed(
    task: str, kind: str, rows: int, units: int
) -> None:
    values = np.full((rows, units), 0.3) if kind == "constant" else noise(rows, units)
    labels = np.zeros(rows, int) if kind == "one class" else np.arange(rows) % 2
    values[:: 1 if kind == "nan" else 2] *= np.nan if "nan" in kind else 1.0
    outputs = noise(rows, 2 if task == "classes" else 1)
    one = Observation.of(
        Task("logits", 2, "cross_entropy") if task == "classes" else Task("values", 0, "mse_loss"),
        inputs=outputs,
        outputs=outputs,
        targets=labels if task == "classes" else noise(rows, 1, seed=2),
        loss=np.zeros(rows),
        layers=(layer("inside", values),),
    )
    before = values.copy()
    found = measure({"train": one, "test": one}, split="test", layer="inside")
    drawable(found)
    assert len(layers(found)) == 2
    for row in projections(found):
        assert (row["remark"] == "") == (row["trustworthiness"] is not None)
    np.testing.assert_array_equal(values, before)
