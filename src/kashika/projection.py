"""Projection: features in two dimensions, with a figure for how faithful that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from kashika.distribution import Array, FloatArray
from kashika.neighbours import NEIGHBOURS, chosen, trustworthiness
from kashika.palette import RINGS
from kashika.texts import Sentence

Key = Literal["below", "inside", ""]
"""Where a picture names the classes: below its axes, inside them, or nowhere."""

MAPPED = 5_000
"""So many rows make the t-SNE that other rows are embedded into, a seeded choice of more."""

_REDUCED = 50  # dimensions that wide features are brought to first, as in t-SNE's own paper
_FITTED = 2_000  # rows that the directions of wide features are taken from
_LARGE = 4_000  # rows from which t-SNE by interpolation takes less time than Barnes and Hut's


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """The features of one layer in two dimensions, with a figure for how faithful that is.

    Attributes
    ----------
    method : "plain" where there are at most two features, else "pca" or "tsne"
    coordinates : (rows, 2), or (rows, 1) for a single feature
    targets : (rows,) class, or value of a regression
    wrong : (rows,) bool, misclassified; all False for a regression
    classifies : whether the targets are classes
    layer : the layer; "" for the outputs
    pooled : what became of its positions, where it has several
    dropped : how many more rows were left out because their features are not finite
    trustworthiness : 0 to 1, whether neighbours in the picture are neighbours in the layer;
        estimated from a thousand rows, where there are more
    explained : share of the variance that the two axes of a PCA carry; else NaN
    perplexity : of t-SNE; else NaN
    refused : why there are no coordinates
    alike : other layers with the same features; "" for the outputs
    key : where its picture names the classes

    References
    ----------
    Venna and Kaski, "Neighborhood preservation in nonlinear projection methods", ICANN 2001;
    van der Maaten and Hinton, "Visualizing data using t-SNE", JMLR 9, 2008.
    """

    method: Literal["plain", "pca", "tsne"]
    coordinates: FloatArray
    targets: Array
    wrong: Array
    classifies: bool = True
    layer: str = ""
    pooled: Sentence | None = None
    dropped: int = 0
    trustworthiness: float = np.nan
    explained: float = np.nan
    perplexity: float = np.nan
    refused: Sentence | None = None
    alike: tuple[str, ...] = ()
    key: Key = "below"

    @property
    def places(self) -> tuple[FloatArray, Array]:
        """(rows,) and (rows,) where the samples are drawn: a single feature against the target."""
        single = self.coordinates.shape[1] == 1
        return self.coordinates[:, 0], self.targets if single else self.coordinates[:, 1]

    @property
    def ringed(self) -> Array:
        """(rows,) bool, the misclassified ones; none where rings would hide the points."""
        return np.asarray(self.wrong & (self.wrong.sum() <= RINGS))

    @property
    def classes(self) -> list[int]:
        """The classes that occur."""
        return [int(k) for k in np.unique(self.targets)]


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """Samples at their places in a picture that was made of other samples.

    Attributes
    ----------
    train : the samples that made the picture
    test : those that were put into it; their trustworthiness tells whether their neighbours among
        the former are neighbours in the layer, too

    References
    ----------
    Poličar, Stražar and Zupan, "Embedding to reference t-SNE space addresses batch effects in
    single-cell classification", Machine Learning 112, 2023.
    """

    train: Projection
    test: Projection

    @property
    def layer(self) -> str:
        """The layer; "" for the outputs."""
        return self.test.layer

    @property
    def alike(self) -> tuple[str, ...]:
        """Other layers with the same features."""
        return self.test.alike

    @property
    def limits(self) -> tuple[float, float]:
        """Least and greatest target of a regression, of both."""
        both = np.concatenate([self.train.targets, self.test.targets])
        return float(both.min()), float(both.max())


def project(features: FloatArray, *, seed: int = 0) -> tuple[Projection, ...]:
    """Bring features into two dimensions: as they are, else by PCA and by t-SNE.

    Parameters
    ----------
    features : (rows, units), all finite
    seed : of t-SNE, of the directions of very wide features, and of the rows that are asked how
        faithful it is

    Returns
    -------
    Projections without labels; one that cannot be made says why.
    """
    features = np.asarray(features, dtype=np.float64)
    plane = planar(features, seed=seed)
    if plane.refused is not None or plane.method == "plain":
        return (plane,)
    tsne = replace(plane, method="tsne", explained=np.nan)
    if len(features) < NEIGHBOURS:
        return plane, _refused(tsne, "features.few_for_tsne", rows=len(features))
    perplexity, fitted = _tsne(_narrowing(features, seed=seed)(features), seed)
    places = np.asarray(fitted, dtype=np.float64)
    if not np.isfinite(places).all():
        return plane, _refused(tsne, "features.tsne_failed")
    rate = _trust(features, places, seed)
    return plane, replace(tsne, coordinates=places, perplexity=perplexity, trustworthiness=rate)


def principal(features: FloatArray, *, seed: int = 0) -> Projection:
    """Bring features into the plane of their largest variance; up to two stay as they are.

    Parameters
    ----------
    features : (rows, units), all finite

    Returns
    -------
    A projection without labels, and without its trustworthiness, which takes longer than the rest.
    """
    features = np.asarray(features, dtype=np.float64)
    rows, units = features.shape
    method: Literal["plain", "pca"] = "pca" if units > 2 else "plain"
    one = _unlabelled(Projection(method, np.empty((0, 2)), np.empty(0), np.empty(0)), rows)
    if rows < 3:
        return _refused(one, "features.few_rows", rows=rows)
    if not np.ptp(features, axis=0).any():
        return _refused(one, "features.identical", rows=rows)
    if method == "plain":
        return replace(one, coordinates=features, trustworthiness=1.0)
    from sklearn.decomposition import PCA

    # The exact solver needs no seed; the sign that it leaves open is fixed by scikit-learn.
    places = PCA(2, svd_solver="full").fit_transform(_narrowing(features, seed=seed)(features))
    explained = float(places.var(axis=0).sum() / features.var(axis=0).sum())
    return replace(one, coordinates=places, explained=explained)


def planar(features: FloatArray, *, seed: int = 0) -> Projection:
    """Bring features into the plane of their largest variance, and tell how faithful that is.

    Parameters
    ----------
    features : (rows, units), all finite
    seed : of the rows that are asked, and of the directions of very wide features
    """
    plane = principal(features, seed=seed)
    if plane.refused is not None or plane.method == "plain":
        return plane
    places = plane.coordinates
    return replace(plane, trustworthiness=_trust(np.asarray(features, np.float64), places, seed))


def embed_in_plane(train: FloatArray, test: FloatArray, *, seed: int = 0) -> Embedding:
    """Put test samples into the plane of the largest variance of the training samples.

    Parameters and result as those of `embed`; it takes a hundredth of the time.
    """
    train, test = (np.asarray(one, dtype=np.float64) for one in (train, test))
    plane = planar(train, seed=seed)
    if plane.refused is not None:
        return Embedding(plane, _unlabelled(plane, len(test)))
    if plane.method == "plain" or not len(test):
        return embed(train, test, seed=seed)
    from sklearn.decomposition import PCA

    narrow = _narrowing(train, seed=seed)
    made = PCA(2, svd_solver="full").fit(narrow(train))
    places, placed = made.transform(narrow(train)), made.transform(narrow(test))
    rate = _trust_among(train, test, places, placed, seed)
    one, other = replace(plane, coordinates=places), _unlabelled(plane, len(test))
    return Embedding(one, replace(other, coordinates=placed, trustworthiness=rate))


def embed(train: FloatArray, test: FloatArray, *, seed: int = 0) -> Embedding:
    """Put test samples into the t-SNE of the training samples, which does not move for them.

    Parameters
    ----------
    train : (rows, units), all finite
    test : (other rows, units), all finite, at least one

    Returns
    -------
    Projections without labels; up to two features stay as they are. Where it cannot be made, both
    say why.
    """
    train, test = (np.asarray(one, dtype=np.float64) for one in (train, test))
    rows, units = train.shape
    method: Literal["plain", "tsne"] = "tsne" if units > 2 else "plain"
    one = _unlabelled(Projection(method, np.empty((0, 2)), np.empty(0), np.empty(0)), rows)
    other = _unlabelled(one, len(test))
    if not len(test):
        return _both_refused(one, other, "features.few_rows", rows=0)
    if method == "plain":
        one, other = replace(one, coordinates=train), replace(other, coordinates=test)
        return Embedding(replace(one, trustworthiness=1.0), replace(other, trustworthiness=1.0))
    if rows < NEIGHBOURS:
        return _both_refused(one, other, "features.few_for_tsne", rows=rows)
    if not np.ptp(train, axis=0).any():
        return _both_refused(one, other, "features.identical", rows=rows)
    narrow = _narrowing(train, seed=seed)
    perplexity, fitted = _tsne(narrow(train), seed)
    # First the test samples: to put them in, openTSNE moves the picture about its middle.
    few = min(5.0, perplexity)  # as openTSNE has it, which would complain where there are fewer
    placed = np.asarray(fitted.transform(narrow(test), perplexity=few), dtype=np.float64)
    places = np.asarray(fitted, dtype=np.float64)
    if not (np.isfinite(places).all() and np.isfinite(placed).all()):
        return _both_refused(one, other, "features.tsne_failed")
    rate = _trust_among(train, test, places, placed, seed)
    one = replace(one, coordinates=places, trustworthiness=_trust(train, places, seed))
    other = replace(other, coordinates=placed, trustworthiness=rate)
    return Embedding(replace(one, perplexity=perplexity), replace(other, perplexity=perplexity))


def _narrowing(features: FloatArray, *, seed: int) -> Callable[[FloatArray], FloatArray]:
    """Return what brings very wide features to 50 dimensions, which keeps the large distances."""
    if features.shape[1] <= 5 * _REDUCED or len(features) <= _REDUCED:
        return lambda same: same
    from sklearn.decomposition import PCA

    made = PCA(n_components=_REDUCED, svd_solver="randomized", random_state=seed)
    made.fit(features[chosen(len(features), most=_FITTED, seed=seed)])
    return lambda rows: np.asarray(made.transform(rows))


def _tsne(features: FloatArray, seed: int) -> tuple[float, Any]:
    """Return the perplexity and openTSNE's embedding, of ten rows or more."""
    from openTSNE import TSNE

    perplexity = min(30.0, (len(features) - 1) / 3)
    # One thread: with several the order of the sums, and so the picture, depends on the machine.
    made = TSNE(
        perplexity=perplexity,
        negative_gradient_method="fft" if len(features) > _LARGE else "bh",
        random_state=seed,
        n_jobs=1,
    )
    return perplexity, made.fit(features)


def _trust(features: FloatArray, places: FloatArray, seed: int) -> float:
    return trustworthiness(features, places, asked=chosen(len(features), seed=seed))


def _trust_among(
    train: FloatArray, test: FloatArray, places: FloatArray, placed: FloatArray, seed: int
) -> float:
    """Return whether the neighbours of test samples among the training samples are theirs."""
    rows = len(train)
    return trustworthiness(
        np.concatenate([train, test]), np.concatenate([places, placed]),
        asked=rows + chosen(len(test), seed=seed), among=rows,
    )  # fmt: skip


def _unlabelled(projection: Projection, rows: int) -> Projection:
    return replace(projection, targets=np.zeros(rows, dtype=int), wrong=np.zeros(rows, dtype=bool))


def _refused(projection: Projection, key: str, *, rows: int = 0) -> Projection:
    return replace(
        projection, coordinates=np.empty((0, 2)), trustworthiness=np.nan,
        refused=Sentence(key, rows=rows),
    )  # fmt: skip


def _both_refused(train: Projection, test: Projection, key: str, *, rows: int = 0) -> Embedding:
    return Embedding(_refused(train, key, rows=rows), _refused(test, key, rows=rows))
