"""A chart gives inputs two coordinates, and finds its way back: what geometry says."""

from __future__ import annotations

import numpy as np
import pytest

from kashika.distribution import FloatArray
from kashika.projection import Projection
from kashika.views.boundary.chart import Chart, columns, plane, projected, way_back

CLOUD = np.random.default_rng(0).normal(size=(300, 6)) * [5, 3, 1, 1, 1, 0.5]
ONES = np.ones(6)


def draw() -> np.random.Generator:
    return np.random.default_rng(1)


def three(units: FloatArray = ONES) -> Chart:
    made = plane(CLOUD, CLOUD[:3], units=units)
    assert made is not None
    return made


# --- a plane --------------------------------------------------------------------------------------


def test_the_three_corners_lie_where_their_inputs_are() -> None:
    chart = three()
    np.testing.assert_allclose(chart.inputs_at(chart.corners), CLOUD[:3], atol=1e-12)
    np.testing.assert_allclose(chart.places[:3], chart.corners, atol=1e-12)
    np.testing.assert_allclose(chart.corners[0], 0)
    assert chart.corners[1, 1] == pytest.approx(0)  # the first axis goes to the second corner


def test_distances_in_the_plane_are_distances_between_inputs() -> None:
    chart = three()
    places = draw().normal(size=(20, 2))
    inputs = chart.inputs_at(places)
    np.testing.assert_allclose(
        np.linalg.norm(inputs - inputs[0], axis=1), np.linalg.norm(places - places[0], axis=1)
    )


def test_every_sample_lies_where_it_is_nearest_to_the_plane() -> None:
    chart = three()
    foot = chart.inputs_at(chart.places)
    sides = CLOUD[1:3] - CLOUD[0]
    np.testing.assert_allclose((CLOUD - foot) @ sides.T, 0, atol=1e-9)


def test_units_measure_the_distances_and_the_corners_stay() -> None:
    units = np.array([10.0, 1, 1, 1, 1, 0.1])
    chart = three(units)
    np.testing.assert_allclose(chart.inputs_at(chart.corners), CLOUD[:3], atol=1e-12)
    apart = np.linalg.norm((CLOUD[1] - CLOUD[0]) / units)
    assert np.linalg.norm(chart.corners[1]) == pytest.approx(apart)


def test_the_frame_of_a_plane_holds_its_corners_and_nearly_all_samples() -> None:
    for corners in (CLOUD[:3], CLOUD[0] + 1e-3 * np.eye(6)[:3], 1e3 * np.eye(6)[:3]):
        chart = plane(CLOUD, corners, units=ONES)
        assert chart is not None
        low, high = chart.frame
        assert (low < chart.corners).all()
        assert (chart.corners < high).all()
        inside = ((low <= chart.places) & (chart.places <= high)).all(axis=1)
        assert inside.mean() >= 0.95


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0, -3.0])
def test_three_inputs_on_a_line_span_no_plane(share: float) -> None:
    corners = np.stack([CLOUD[0], CLOUD[1], CLOUD[0] + share * (CLOUD[1] - CLOUD[0])])
    assert plane(CLOUD, corners, units=ONES) is None
    assert plane(CLOUD, corners[[0, 0, 1]], units=ONES) is None


# --- two columns ----------------------------------------------------------------------------------


def test_two_columns_move_and_the_others_are_held() -> None:
    held = np.median(CLOUD, axis=0)
    chart = columns(CLOUD, 4, 1, held=held)
    np.testing.assert_array_equal(chart.places, CLOUD[:, [4, 1]])
    inputs = chart.inputs_at(np.array([[7.0, 8.0], [9.0, 10.0]]))
    np.testing.assert_array_equal(inputs[:, [4, 1]], [[7, 8], [9, 10]])
    np.testing.assert_array_equal(inputs[:, [0, 2, 3, 5]], np.tile(held[[0, 2, 3, 5]], (2, 1)))


# --- a projection and its way back ----------------------------------------------------------------


def chart_of(samples: FloatArray, *, units: FloatArray = ONES) -> Chart:
    made = projected(samples, units=units)
    assert isinstance(made, Chart)
    return made


def test_of_samples_in_a_plane_a_pca_loses_nothing_and_finds_back_exactly() -> None:
    flat = draw().normal(size=(100, 2)) @ np.random.default_rng(2).normal(size=(2, 6)) + 3
    chart = chart_of(flat)
    assert chart.explained == pytest.approx(1)
    assert chart.trustworthiness == pytest.approx(1)
    np.testing.assert_allclose(chart.inputs_at(chart.places), flat, atol=1e-9)
    # Beyond all samples it goes on as the plane does.
    middle = flat.mean(axis=0)
    far = chart.inputs_at(10 * chart.places)
    np.testing.assert_allclose(far, middle + 10 * (flat - middle), atol=1e-8)


def test_the_way_back_is_that_of_pca_where_the_rest_is_noise() -> None:
    chart = chart_of(CLOUD)
    # The residuals of ten neighbours average out: the way back is nearer to the plane than the
    # samples are, and the plane is that of the two widest directions.
    back = chart.inputs_at(chart.places)
    rest = CLOUD - back
    assert np.var(rest[:, :2]) < 0.1 * np.var(CLOUD[:, :2])
    assert np.var(back[:, 2:]) < 0.5 * np.var(CLOUD[:, 2:])


def test_the_way_back_follows_samples_that_are_bent() -> None:
    places = draw().uniform(-1, 1, size=(20_000, 2))

    def bent(at: FloatArray) -> FloatArray:
        return np.column_stack([at, np.sin(3 * at[:, 0]), at[:, 0] * at[:, 1]])

    inside = np.random.default_rng(2).uniform(-0.8, 0.8, size=(200, 2))
    np.testing.assert_allclose(way_back(places, bent(places))(inside), bent(inside), atol=0.04)


def test_the_way_back_is_continuous() -> None:
    back = way_back(CLOUD[:, :2], CLOUD)
    along = np.column_stack([np.linspace(-5, 5, 20_001), np.zeros(20_001)])
    steps = np.abs(np.diff(back(along), axis=0)).max(axis=1)
    # From one side to the other a bounded way in small steps, none of them a jump.
    assert steps.max() < 0.05


def test_samples_at_one_place_have_their_mean_there() -> None:
    samples = np.arange(60.0).reshape(20, 3)
    back = way_back(np.zeros((20, 2)), samples, neighbours=20)
    np.testing.assert_allclose(back(np.zeros((1, 2))), samples.mean(axis=0)[None])


def test_inputs_keep_their_type() -> None:
    narrow = CLOUD.astype(np.float32)
    chart = chart_of(narrow)
    assert chart.inputs_at(chart.places).dtype == np.float32
    made = plane(narrow, narrow[:3], units=ONES)
    assert made is not None
    assert made.inputs_at(made.frame).dtype == np.float32


def test_the_unit_of_a_column_does_not_move_the_picture() -> None:
    scale = np.array([1e6, 1, 1, 1, 1e-6, 1])
    plain = chart_of(CLOUD, units=CLOUD.std(axis=0))
    scaled = chart_of(scale * CLOUD, units=(scale * CLOUD).std(axis=0))
    np.testing.assert_allclose(scaled.places, plain.places, atol=1e-9)
    np.testing.assert_allclose(
        scaled.inputs_at(plain.places), scale * plain.inputs_at(plain.places), rtol=1e-6
    )


def test_samples_on_a_line_have_one_coordinate() -> None:
    line = np.outer(np.arange(30.0), [1.0, 2.0, 3.0])
    chart = chart_of(line, units=np.ones(3))
    np.testing.assert_array_equal(chart.places[:, 1], 0)
    np.testing.assert_allclose(chart.inputs_at(chart.places), line, atol=1e-6)


def test_what_cannot_be_projected_says_why() -> None:
    for samples, said in ((CLOUD[:2], "few_rows"), (np.ones((20, 6)), "identical")):
        made = projected(samples, units=ONES)
        assert isinstance(made, Projection)
        assert made.refused is not None
        assert said in made.refused.key


def test_tsne_keeps_clusters_apart_and_finds_back_to_them() -> None:
    centres = 10 * np.eye(6)[:3]
    cluster = np.arange(90) % 3
    samples = centres[cluster] + draw().normal(size=(90, 6))
    made = projected(samples, units=ONES, method="tsne")
    assert isinstance(made, Chart)
    assert np.isnan(made.explained)
    assert made.trustworthiness > 0.8
    back = made.inputs_at(made.places)
    nearest = np.linalg.norm(back[:, None] - centres, axis=2).argmin(axis=1)
    np.testing.assert_array_equal(nearest, cluster)
