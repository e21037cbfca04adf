"""Chart: two coordinates for inputs of many dimensions, and a way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from kashika.distribution import Array, FloatArray, IntArray
from kashika.neighbours import NEIGHBOURS, chosen, trustworthiness
from kashika.projection import Projection, principal, project

Method = Literal["pca", "tsne"]

FRAMED = 0.95
"""At least so many of the samples lie in the frame of a plane."""


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """Where samples lie in a picture, and what lies at a place of it.

    Attributes
    ----------
    places : (n, 2) of the samples
    frame : (k, 2) places that the picture covers
    corners : (3, 2) of a plane; else (0, 2)
    inputs_at : (m, 2) places -> (m, inputs) inputs
    explained : share of the variance that the two axes carry, of a PCA; else NaN
    trustworthiness : 0 to 1, whether neighbours in the picture are neighbours among the inputs;
        NaN where the picture is a cut
    """

    places: FloatArray
    frame: FloatArray
    inputs_at: Callable[[FloatArray], FloatArray]
    explained: float = np.nan
    trustworthiness: float = np.nan
    corners: FloatArray = field(default_factory=lambda: np.empty((0, 2)))


def plane(samples: FloatArray, corners: FloatArray, *, units: FloatArray) -> Chart | None:
    """Lay a plane through three points; samples lie where they are nearest to it.

    Parameters
    ----------
    samples : (n, inputs)
    corners : (3, inputs); the first is the origin, the first axis goes to the second one
    units : (inputs,) that distances are measured in

    Returns
    -------
    The chart, or None where the three lie on one line. Its frame holds the corners and nearly all
    samples: those that are far from the others would make it a picture of nothing.
    """
    origin = corners[0]
    sides = (corners[1:] - origin).astype(np.float64) / units
    length = float(np.linalg.norm(sides[0]))
    first = sides[0] / (length or 1)
    second = sides[1] - (sides[1] @ first) * first
    height = float(np.linalg.norm(second))
    if not height > 1e-6 * length > 0:
        return None
    axes = np.stack([first, second / height])

    def inputs_at(places: FloatArray) -> FloatArray:
        return np.asarray(origin + (places @ axes) * units, dtype=corners.dtype)

    def placed(points: FloatArray) -> FloatArray:
        return np.asarray(((points - origin) / units) @ axes.T, dtype=np.float64)

    places, three = placed(samples), placed(corners)
    # Well beyond the corners, since there is more to see around three than around all; and wide
    # enough for nearly all samples.
    beyond = np.ptp(three, axis=0) / 4
    around = np.stack([three.min(axis=0) - beyond, three.max(axis=0) + beyond])
    tail = (1 - FRAMED) / 4  # a quarter of what may lie outside, at either end of either axis
    low = np.quantile(places, tail, axis=0, method="lower")
    high = np.quantile(places, 1 - tail, axis=0, method="higher")
    frame = np.stack([np.fmin(around[0], low), np.fmax(around[1], high)])
    return Chart(places, frame, inputs_at, corners=three)


def columns(samples: FloatArray, first: int, second: int, *, held: FloatArray) -> Chart:
    """Take two inputs as they are, and hold all others.

    Parameters
    ----------
    samples : (n, inputs)
    first, second : columns of `samples`
    held : (inputs,) values of the others
    """

    def inputs_at(places: FloatArray) -> FloatArray:
        inputs = np.tile(held, (len(places), 1))
        inputs[:, [first, second]] = places
        return inputs

    places = samples[:, [first, second]].astype(np.float64)
    return Chart(places, places, inputs_at)


def projected(
    samples: FloatArray, *, units: FloatArray, method: Method = "pca", seed: int = 0
) -> Chart | Projection:
    """Bring samples into a picture by PCA or t-SNE, with a way back that is learned from them.

    Parameters
    ----------
    samples : (n, inputs), all finite, more than two inputs
    units : (inputs,) that distances are measured in
    seed : of t-SNE, of the directions of wide inputs, and of the samples asked for neighbours

    Returns
    -------
    The chart, or a projection without coordinates that says why there is none.
    """
    scaled = samples.astype(np.float64) / units
    found = principal(scaled, seed=seed) if method == "pca" else project(scaled, seed=seed)[-1]
    if found.refused is not None:
        return found
    places = found.coordinates.copy()
    # Samples on one line have no second coordinate: rounding is none.
    places[:, np.ptp(places, axis=0) <= 1e-9 * np.ptp(places)] = 0.0
    trust = found.trustworthiness
    if np.isnan(trust):
        trust = trustworthiness(scaled, places, asked=chosen(len(scaled), seed=seed))
    return Chart(places, places, way_back(places, samples), found.explained, trust)


def way_back(
    places: FloatArray, samples: FloatArray, *, neighbours: int = NEIGHBOURS
) -> Callable[[FloatArray], FloatArray]:
    """Learn from samples and their places which input lies at any place.

    A plane fitted by least squares, which for a PCA is its own inverse, and what the samples around
    a place differ from it, the nearer the more. It is continuous, goes near the samples and not
    through them, since a picture that follows each of them is one of noise, and far from all of
    them it goes on as a plane does.

    Parameters
    ----------
    places : (n, 2)
    samples : (n, inputs)
    neighbours : so many samples around a place count; their weight falls to zero at the next one

    References
    ----------
    Shepard, "A two-dimensional interpolation function for irregularly-spaced data", ACM 1968;
    Cleveland, "Robust locally weighted regression", JASA 74, 1979, section 6.3, for the weights.
    """
    from scipy.spatial import cKDTree

    # About their middle, and rounded only where the parts are put together.
    middle = places.mean(axis=0)
    design = np.column_stack([np.ones(len(places)), places - middle])
    fitted = np.linalg.lstsq(design, samples.astype(np.float64), rcond=None)[0]
    rest = samples - (design @ fitted).astype(samples.dtype)
    tree = cKDTree(places)
    count = min(neighbours + 1, len(places))

    def inputs_at(asked: FloatArray) -> FloatArray:
        far, near = tree.query(asked, k=count)
        smooth = _mean(rest, near.reshape(len(asked), -1), far.reshape(len(asked), -1))
        flat = np.column_stack([np.ones(len(asked)), asked - middle]) @ fitted
        return np.asarray(flat + smooth, dtype=samples.dtype)

    return inputs_at


def _mean(values: FloatArray, near: IntArray, far: FloatArray) -> FloatArray:
    """Return (m, inputs) weighted means of the (m, count) nearest values."""
    from scipy.sparse import csr_array

    reach = far[:, -1:]
    weights = (1 - (far / np.where(reach > 0, reach, 1)) ** 2) ** 2
    weights[weights.sum(axis=1) == 0] = 1.0  # all of them are equally far
    weights /= weights.sum(axis=1, keepdims=True)
    # As a sparse matrix: all neighbours' inputs at once would be ten times as many numbers.
    starts = np.arange(0, near.size + 1, near.shape[1])
    shape = (len(near), len(values))
    product: Array = csr_array((weights.ravel(), near.ravel(), starts), shape=shape) @ values
    return product
