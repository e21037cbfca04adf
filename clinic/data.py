"""Named data sets -> the samples a training uses, and those that its analysis is given."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from clinic import cousins, siblings
from clinic.recipe import Data

Array = npt.NDArray[Any]
Splits = dict[str, tuple[Array, Array]]
"""{"train", "valid", "test": (inputs, targets)}."""

TOKENS = 8
LENGTH = 12
SENTENCE = 16
TONES = 24
"""Positions of the sequences of numbers."""

IMAGES = ("digits", "digit_images", "glyphs", "glyph_images", "letters", "letter_images")
COPIED = ("reconstruction", "mixtures", "blends")
"""Their targets are their inputs."""


def splits(data: Data, *, seed: int) -> Splits:
    """Return the samples that the training uses."""
    raw = _split(data, seed=seed)
    return _corrupted(_prepared(raw, data) if data.prepared else raw, data, seed=seed)


def given(data: Data, *, seed: int) -> Splits:
    """Return the samples that the analysis is given: the same, but where that is the fault."""
    if not data.given_raw:
        return splits(data, seed=seed)
    return _corrupted(_split(data, seed=seed), data, seed=seed)


def _split(data: Data, *, seed: int) -> Splits:
    rng = np.random.default_rng([seed, 1])
    X, y = draw(data.name, data.train + data.valid + data.test, noise=data.noise, seed=seed)
    order = rng.permutation(len(X))
    sizes = np.cumsum([data.train, data.valid])
    parts = np.split(order, sizes)
    return {
        name: (X[part], y[part])
        for name, part in zip(("train", "valid", "test"), parts, strict=True)
    }


def draw(name: str, n: int, *, noise: float, seed: int) -> tuple[Array, Array]:
    """Return n inputs and targets of a data set, all of it where it has no more.

    Raises
    ------
    ValueError
        If there is no such data set.
    """
    from sklearn import datasets

    rng = np.random.default_rng([seed, 2])
    match name:
        case "moons":
            X, y = datasets.make_moons(n, noise=noise or 0.15, random_state=seed)
        case "circles":
            X, y = datasets.make_circles(n, noise=noise or 0.08, factor=0.5, random_state=seed)
        case "spirals":
            X, y = _spirals(n, noise=noise or 0.05, rng=rng)
        case "blobs":
            centers = np.array([[-4, -4], [-4, 4], [4, -4], [4, 4]])
            X, y = datasets.make_blobs(
                n, centers=centers, cluster_std=noise or 1.5, random_state=seed
            )
        case "digits" | "digit_images":
            X, y = datasets.load_digits(return_X_y=True)
            X = X.reshape(-1, 1, 8, 8) if name == "digit_images" else X
        case "breast_cancer":
            X, y = datasets.load_breast_cancer(return_X_y=True)
        case "wine":
            X, y = datasets.load_wine(return_X_y=True)
        case "diabetes":
            X, y = datasets.load_diabetes(return_X_y=True, scaled=False)
        case "friedman":
            X, y = datasets.make_friedman1(n, noise=noise or 1.0, random_state=seed)
        case "imbalanced":  # one in ten; the classes overlap a little
            y = (rng.random(n) < 0.1).astype(np.int64)
            X = rng.normal(size=(n, 6)) + y[:, None] * np.array([2.0, 2.0, 1.0, 0, 0, 0])
        case "noisy":  # the best that is possible is wrong in a quarter of the cases
            X = rng.normal(size=(n, 4))
            p = 1 / (1 + np.exp(-1.2 * (X[:, 0] - X[:, 1] + 0.5 * X[:, 2])))
            y = (rng.random(n) < p).astype(np.int64)
        case "tones":
            y = rng.integers(0, 3, n)
            t = np.arange(TONES) / TONES
            phase = rng.random((n, 1)) * 2 * np.pi
            wave = np.sin(2 * np.pi * (1.5 + 1.5 * y[:, None]) * t + phase)
            X = (wave + (noise or 0.2) * rng.normal(size=wave.shape))[:, :, None]
        case "first_token":  # copy the first of twelve tokens
            X = rng.integers(0, TOKENS, (n, LENGTH))
            y = X[:, 0] % 4
        case "counting":  # is one kind of token in the majority?
            X = rng.integers(0, TOKENS, (n, LENGTH + 1))
            y = ((X < TOKENS // 2).sum(axis=1) > LENGTH // 2).astype(np.int64)
        case "language":
            X, y = _language(n, seed=seed)
        case "labels":  # three labels that may apply together
            X = rng.normal(size=(n, 6))
            scores = np.stack([X[:, 0] + X[:, 1], X[:, 2] * 1.5, X[:, 3] - X[:, 4]], axis=1)
            y = (scores + 0.3 * rng.normal(size=scores.shape) > 0).astype(np.float32)
        case "waves":  # three smooth functions of four inputs
            X = rng.uniform(-1, 1, (n, 4))
            y = np.stack(
                [np.sin(2 * X[:, 0]) + X[:, 1], X[:, 1] * X[:, 2], np.cos(2 * X[:, 3])], axis=1
            )
            y = y + (noise or 0.1) * rng.normal(size=y.shape)
        case "linear":  # without noise: the loss can reach what float32 can say
            X = rng.normal(size=(n, 5))
            y = X @ np.array([1.0, -2.0, 0.5, 0.0, 1.5])
        case "reconstruction":  # of rank four, with a little noise
            X = rng.normal(size=(n, 4)) @ np.random.default_rng(7).normal(size=(4, 20)) / 2
            X = X + (noise or 0.1) * rng.normal(size=X.shape)
            y = X
        case _ if name in cousins.COUSINS.values():
            X, y = cousins.draw(name, n, noise=noise, seed=seed)
        case _:
            X, y = siblings.draw(name, n, noise=noise, seed=seed)
    order = np.random.default_rng([seed, 3]).permutation(len(X))[:n]
    X, y = X[order], y[order]
    X = X.astype(np.int64 if X.dtype.kind == "i" else np.float32)
    return X, y.astype(np.float32 if y.dtype.kind == "f" else np.int64)


def _spirals(n: int, *, noise: float, rng: np.random.Generator) -> tuple[Array, Array]:
    y = rng.integers(0, 3, n)
    r = 0.1 + 0.9 * rng.random(n)
    angle = 4.0 * r + y * 2 * np.pi / 3
    X = np.stack([r * np.cos(angle), r * np.sin(angle)], axis=1)
    return X + noise * rng.normal(size=X.shape), y


def _language(n: int, *, seed: int) -> tuple[Array, Array]:
    """Draw from a Markov chain in which three tokens may follow each; the targets are the next."""
    chain = np.random.default_rng(5)
    follow = np.stack([chain.permutation(TOKENS)[:3] for _ in range(TOKENS)])
    rng = np.random.default_rng([seed, 4])
    # So long that the same sequence hardly comes twice, in train and in valid, by chance.
    words = np.empty((n, SENTENCE + 1), dtype=np.int64)
    words[:, 0] = rng.integers(0, TOKENS, n)
    for t in range(SENTENCE):
        pick = rng.choice(3, size=n, p=[0.6, 0.3, 0.1])
        words[:, t + 1] = follow[words[:, t], pick]
    return words[:, :-1], words[:, 1:]


def _prepared(raw: Splits, data: Data) -> Splits:
    """Scale inputs and a regression's targets by what the training split holds."""
    X, y = raw["train"]
    if data.name in IMAGES:
        mean, deviation = np.zeros(1), np.full(1, 16.0)
    elif X.dtype.kind == "i" or X.ndim > 2:
        mean, deviation = np.zeros(1), np.ones(1)
    else:
        mean, deviation = X.mean(axis=0), X.std(axis=0) + 1e-9
    result = {}
    for name, (inputs, targets) in raw.items():
        if inputs.dtype.kind == "f":
            inputs = ((inputs - mean) / deviation).astype(np.float32)
        if data.name in COPIED:
            targets = inputs
        elif regression(y):
            targets = ((targets - y.mean(axis=0)) / y.std(axis=0)).astype(np.float32)
        result[name] = (inputs, targets)
    return result


def regression(y: Array) -> bool:
    """Tell numbers from classes and from labels that are 0 or 1."""
    return bool(y.dtype.kind == "f" and not np.isin(y, (0, 1)).all())


def _corrupted(clean: Splits, data: Data, *, seed: int) -> Splits:
    rng = np.random.default_rng([seed, 5])
    result = {}
    for name, (X, y) in clean.items():
        if X.dtype.kind == "f":
            X = (X * data.scale + data.offset).astype(np.float32)
        if regression(y):
            y = (y * data.target_scale + data.target_offset).astype(np.float32)
        result[name] = (X, y)
    result["train"] = _train(*result["train"], data, rng)
    if data.leaked:
        X, y = result["train"]
        for name in ("valid", "test"):
            inputs, targets = (part.copy() for part in result[name])
            here = rng.random(len(inputs)) < data.leaked
            there = rng.integers(0, len(X), here.sum())
            inputs[here], targets[here] = X[there], y[there]
            result[name] = (inputs, targets)
    return result


def _train(X: Array, y: Array, data: Data, rng: np.random.Generator) -> tuple[Array, Array]:
    """Do to the training split what was done to it."""
    X, y = X.copy(), y.copy()
    if data.missing:
        keep = ~np.isin(y, np.unique(y)[-data.missing :])
        X, y = X[keep], y[keep]
    if data.rare < 1:
        keep = (y != y.max()) | (rng.random(len(y)) < data.rare)
        X, y = X[keep], y[keep]
    if data.flipped:
        classes = int(y.max()) + 1
        wrong = rng.random(len(y)) < data.flipped
        y[wrong] = (y[wrong] + rng.integers(1, classes, wrong.sum())) % classes
    if data.shuffled:
        moved = np.flatnonzero(rng.random(len(y)) < data.shuffled)
        y[moved] = y[rng.permutation(moved)]
    if data.blank:
        X[rng.random(len(X)) < data.blank] = 0
    if data.ordered:
        order = np.argsort(y if y.ndim == 1 else y[:, 0], kind="stable")
        X, y = X[order], y[order]
    return X, y
