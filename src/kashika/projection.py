"""Projection: features in two dimensions, with a figure for how faithful that is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from kashika.distribution import Array, FloatArray
from kashika.palette import RINGS
from kashika.texts import Sentence

NEIGHBOURS = 10
"""So many neighbours of a sample are looked at."""

_REDUCED = 50  # dimensions that wide features are brought to first, as in t-SNE's own paper


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
    trustworthiness : 0 to 1, whether neighbours in the picture are neighbours in the layer
    explained : share of the variance that the two axes of a PCA carry; else NaN
    perplexity : of t-SNE; else NaN
    refused : why there are no coordinates

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
    trustworthiness: float = np.nan
    explained: float = np.nan
    perplexity: float = np.nan
    refused: Sentence | None = None

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


def project(features: FloatArray, *, seed: int = 0) -> tuple[Projection, ...]:
    """Bring features into two dimensions: as they are, else by PCA and by t-SNE.

    Parameters
    ----------
    features : (rows, units), all finite

    Returns
    -------
    Projections without labels; one that cannot be made says why.
    """
    features = np.asarray(features, dtype=np.float64)
    rows, units = features.shape
    nothing = np.zeros(rows, dtype=int)
    one = Projection(
        "pca" if units > 2 else "plain", np.empty((0, 2)), nothing, nothing.astype(bool)
    )
    if rows < 3:
        return (replace(one, refused=Sentence("features.few_rows", rows=rows)),)
    if not np.ptp(features, axis=0).any():
        return (replace(one, refused=Sentence("features.identical", rows=rows)),)
    if units <= 2:
        return (replace(one, coordinates=features, trustworthiness=1.0),)
    reduced = narrow(features, seed=seed)
    return _pca(reduced, one), _tsne(reduced, replace(one, method="tsne"), seed)


def narrow(features: FloatArray, *, seed: int) -> FloatArray:
    """Bring very wide features to 50 dimensions by PCA, which keeps the large distances."""
    if features.shape[1] <= 5 * _REDUCED or len(features) <= _REDUCED:
        return features
    from sklearn.decomposition import PCA

    made = PCA(n_components=_REDUCED, svd_solver="randomized", random_state=seed)
    return np.asarray(made.fit_transform(features))


def _pca(features: FloatArray, one: Projection) -> Projection:
    from sklearn.decomposition import PCA

    # The exact solver needs no seed; the sign that it leaves open is fixed by scikit-learn.
    fitted = PCA(n_components=2, svd_solver="full").fit(features)
    explained = float(fitted.explained_variance_ratio_.sum())
    return _rated(
        features, replace(one, coordinates=fitted.transform(features), explained=explained)
    )


def _tsne(features: FloatArray, one: Projection, seed: int) -> Projection:
    if len(features) < NEIGHBOURS:
        return replace(one, refused=Sentence("features.few_for_tsne", rows=len(features)))
    from openTSNE import TSNE

    perplexity = min(30.0, (len(features) - 1) / 3)
    made = TSNE(perplexity=perplexity, random_state=seed, n_jobs=1).fit(features)
    coordinates = np.asarray(made, dtype=np.float64)
    if not np.isfinite(coordinates).all():
        return replace(one, refused=Sentence("features.tsne_failed"))
    return _rated(features, replace(one, coordinates=coordinates, perplexity=perplexity))


def _rated(features: FloatArray, projection: Projection) -> Projection:
    from sklearn.manifold import trustworthiness

    k = min(NEIGHBOURS, (len(features) - 1) // 2)
    rate = trustworthiness(features, projection.coordinates, n_neighbors=k)
    return replace(projection, trustworthiness=float(rate))
