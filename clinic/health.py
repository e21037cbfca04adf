"""What a training reached, beside what simple models reach on its data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from clinic.data import Array, Splits, regression
from clinic.recipe import Recipe
from clinic.training import Trained, evaluated, loss_of


@dataclass(frozen=True, slots=True)
class Health:
    """What a training reached.

    Attributes
    ----------
    score : accuracy, or R², of the last weights on valid and test together
    train_score : the same on the training split
    baseline : of the best simple model; -inf where none was asked
    error : standard error of the difference of both
    chance : loss of the best answer that does not look at the input
    least, end, before : levels of the valid loss: at its least, at the end, and at four fifths of
        the training
    train_end, train_before : of the training loss
    """

    score: float
    train_score: float
    baseline: float
    error: float
    chance: float
    least: float
    end: float
    before: float
    train_end: float
    train_before: float


def health(recipe: Recipe, trained: Trained, splits: Splits, *, compared: bool) -> Health:
    """Measure a training; `compared` with simple models on the same data."""
    valid, train = (np.array(trained.epochs[f"{s}_loss"]) for s in ("valid", "train"))
    held = _joined(splits["valid"], splits["test"])
    loss = loss_of(recipe.training, torch.tensor(splits["train"][1]))
    network = trained.network
    now = {name: value.clone() for name, value in network.state_dict().items()}
    if recipe.left.which == "best" and -1 in trained.states:
        network.load_state_dict(trained.states[-1])
    _, score = evaluated(network, loss, *map(torch.tensor, held))
    _, train_score = evaluated(network, loss, *map(torch.tensor, splits["train"]))
    network.load_state_dict(now)
    baseline = best_simple(splits["train"], held) if compared else -math.inf
    if regression(held[1]):
        error = 0.02
    else:
        error = math.sqrt(2 * max(score * (1 - score), 0.01) / held[1].size)
    return Health(
        score, train_score, baseline, error, chance(splits["train"][1]),
        float(min(_levels(valid))), _level(valid, 1.0), _level(valid, 0.8),
        _level(train, 1.0), _level(train, 0.8),
    )  # fmt: skip


def chance(y: Array) -> float:
    """Return the entropy of classes or labels in nat, or the variance of numbers."""
    if regression(y):
        return float(y.var(axis=0).mean())
    columns = [y.ravel()] if y.dtype.kind == "i" else list(y.T)
    shares = [np.unique(one, return_counts=True)[1] / len(one) for one in columns]
    return float(np.mean([-(p * np.log(p)).sum() for p in shares]))


def _joined(one: tuple[Array, Array], other: tuple[Array, Array]) -> tuple[Array, Array]:
    return np.concatenate([one[0], other[0]]), np.concatenate([one[1], other[1]])


def _window(values: Array) -> int:
    return max(min(3, len(values)), len(values) // 10)


def _level(values: Array, share: float) -> float:
    """Return the median of a tenth of the epochs, up to a share of the training."""
    end = max(1, round(share * len(values)))
    return float(np.median(values[max(0, end - _window(values)) : end]))


def _levels(values: Array) -> Sequence[float]:
    width = _window(values)
    windows = np.lib.stride_tricks.sliding_window_view(values, width)
    return [float(one) for one in np.median(windows, axis=1)]


def best_simple(train: tuple[Array, Array], held: tuple[Array, Array]) -> float:
    """Return the score on held-out samples of the best of some simple models."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    (X, y), (tried, wanted) = train, held
    if y.ndim == 2 and y.dtype.kind == "i":  # of every token by how often it follows the last
        counts = np.zeros((X.max() + 1, y.max() + 1))
        np.add.at(counts, (X.ravel(), y.ravel()), 1)
        return float((counts.argmax(axis=1)[tried] == wanted).mean())
    if X.dtype.kind == "i":  # tokens: what is where, and how many there are
        eye = np.eye(int(X.max()) + 1)
        X, tried = (np.hstack([eye[x].reshape(len(x), -1), eye[x].sum(axis=1)]) for x in (X, tried))
    elif X.ndim == 3:  # sequences of numbers: how strong each frequency is
        X, tried = (np.abs(np.fft.rfft(x[:, :, 0], axis=1)) for x in (X, tried))
    X, tried = X.reshape(len(X), -1), tried.reshape(len(tried), -1)
    if np.array_equal(X, y):
        from sklearn.decomposition import PCA

        kept = PCA(4).fit(X)
        left = wanted - kept.inverse_transform(kept.transform(tried))
        return float(1 - (left**2).mean() / wanted.var(axis=0).mean())
    if regression(y):
        models = [Ridge(), KNeighborsRegressor(), RandomForestRegressor(60, random_state=0)]
        return float(max(one.fit(X, y).score(tried, wanted) for one in models))
    models = [
        LogisticRegression(max_iter=500), KNeighborsClassifier(),
        RandomForestClassifier(60, random_state=0),
    ]  # fmt: skip
    columns = [(y, wanted)] if y.ndim == 1 else [(y[:, i], wanted[:, i]) for i in range(y.shape[1])]
    return float(
        max(np.mean([one.fit(X, c).score(tried, d) for c, d in columns]) for one in models)
    )
