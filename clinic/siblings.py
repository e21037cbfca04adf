"""Another data set for each of `clinic.data`: of the same form, about as hard, and another problem.

Rules were once judged on these, and are now tuned on them as well. Noise is in such a unit that the
same number does as much harm as in the data set that each stands for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

SIBLINGS = {
    "moons": "ribbons",
    "circles": "checks",
    "spirals": "pinwheel",
    "blobs": "clusters",
    "digits": "glyphs",
    "digit_images": "glyph_images",
    "breast_cancer": "assays",
    "wine": "soils",
    "diabetes": "harvests",
    "friedman": "terrain",
    "imbalanced": "alarms",
    "noisy": "coins",
    "tones": "pulses",
    "first_token": "tenth_token",
    "counting": "ballots",
    "language": "dialect",
    "labels": "tags",
    "waves": "ripples",
    "linear": "plane",
    "reconstruction": "mixtures",
}
"""{data set of `clinic.data`: what stands for it}."""

# As in clinic.data, which imports this module.
TOKENS = 8
LENGTH = 12
SENTENCE = 16
TONES = 24


def draw(name: str, n: int, *, noise: float, seed: int) -> tuple[Array, Array]:
    """Return n inputs and targets of a data set, all of it where it has no more.

    Raises
    ------
    ValueError
        If there is no such data set.
    """
    rng = np.random.default_rng([seed, 6])
    X: Array
    y: Array
    match name:
        case "ribbons":  # two waves, one above the other
            y = rng.integers(0, 2, n)
            t = rng.uniform(-3, 3, n)
            X = np.stack([t, 0.7 * np.sin(1.5 * t) + y - 0.5], axis=1)
            return X + (noise or 0.15) * rng.normal(size=X.shape), y
        case "checks":  # two by two fields with a gap between them
            corner = rng.choice([-1.0, 1.0], (n, 2))
            X = corner + rng.uniform(-0.7, 0.7, (n, 2))
            X = X + 1.3 * (noise or 0.08) * rng.normal(size=X.shape)
            return X, (corner[:, 0] == corner[:, 1]).astype(np.int64)
        case "pinwheel":  # three blades that bend the more, the farther out
            y = rng.integers(0, 3, n)
            r = 0.1 + 0.9 * rng.random(n)
            angle = y * 2 * np.pi / 3 - 3.5 * r**2 + 0.3 * rng.normal(size=n)
            X = np.stack([r * np.cos(angle), r * np.sin(angle)], axis=1)
            return X + (noise or 0.05) * rng.normal(size=X.shape), y
        case "clusters":
            y = rng.integers(0, 4, n)
            centers = np.array([[-5, -3], [-2, 5], [4, -4], [6, 4]])
            spread = (noise or 1.5) * np.array([0.8, 1.1, 0.9, 1.2])
            return centers[y] + spread[y, None] * rng.normal(size=(n, 2)), y
        case "glyphs":
            return _glyphs()
        case "glyph_images":
            X, y = _glyphs()
            return X.reshape(-1, 1, 8, 8), y
        case "assays":
            return _assays()
        case "soils":
            return _soils()
        case "harvests":
            return _harvests()
        case "terrain":  # five of ten inputs count
            X = rng.random((n, 10))
            y = 6 * np.cos(np.pi * (X[:, 0] + 0.5 * X[:, 1])) + 8 * X[:, 2] ** 2
            y = y + 10 * X[:, 3] * X[:, 4] - 4 * X[:, 1]
            return X, y + (noise or 1.0) * rng.normal(size=n)
        case "alarms":  # one in ten; the classes overlap a little
            y = (rng.random(n) < 0.1).astype(np.int64)
            X = (1 - 0.3 * y[:, None]) * rng.normal(size=(n, 6))
            X = X + y[:, None] * np.array([1.8, 0, -1.8, 1.5, 0, 0.5])
            return X, y
        case "coins":  # the best that is possible is wrong in a quarter of the cases
            X = rng.normal(size=(n, 4))
            # Not bounded: a label that is wrong wherever it lies is a wrong label, and a fault.
            p = 1 / (1 + np.exp(-1.4 * (X[:, 1] + 0.7 * X[:, 3] - 0.5 * X[:, 0])))
            return X, (rng.random(n) < p).astype(np.int64)
        case "pulses":  # nearly square waves
            y = rng.integers(0, 3, n)
            t = np.arange(TONES) / TONES
            phase = rng.random((n, 1)) * 2 * np.pi
            wave = np.tanh(3 * np.sin(2 * np.pi * np.array([1.0, 2.5, 5.0])[y, None] * t + phase))
            return (wave + (noise or 0.2) * rng.normal(size=wave.shape))[:, :, None], y
        case "tenth_token":  # which quarter of the tokens the tenth of twelve is from
            X = rng.integers(0, TOKENS, (n, LENGTH))
            return X, X[:, 9] // 2
        case "ballots":  # are there more tokens for it than against it? Others do not vote
            X = rng.integers(0, TOKENS, (n, LENGTH + 1))
            votes = np.array([-1, 1, 0, -1, 1, 0, 1, -1])[X].sum(axis=1)
            return X, (votes > 0).astype(np.int64)
        case "dialect":
            return _dialect(n, rng=rng)
        case "tags":  # three labels that may apply together
            X = rng.normal(size=(n, 6))
            scores = np.stack(
                [X[:, 0] - X[:, 3], X[:, 1] + 0.5 * X[:, 5], 1.5 * X[:, 2] + X[:, 4]], axis=1
            )
            return X, (scores + 0.3 * rng.normal(size=scores.shape) > 0).astype(np.float32)
        case "ripples":  # three smooth functions of four inputs
            X = rng.uniform(-1, 1, (n, 4))
            y = np.stack(
                [np.cos(2 * X[:, 0]) - X[:, 2], X[:, 0] * X[:, 3], np.sin(2 * X[:, 1])], axis=1
            )
            return X, y + (noise or 0.1) * rng.normal(size=y.shape)
        case "plane":  # without noise: the loss can reach what float32 can say
            X = rng.normal(size=(n, 5))
            return X, X @ np.array([0.5, 1.5, 0.0, -1.0, 2.0])
        case "mixtures":  # of four even sources, with a little noise
            sources = rng.uniform(-1, 1, (n, 4)) * np.sqrt(3)
            X = sources @ np.random.default_rng(8).normal(size=(4, 20)) / 2
            X = X + (noise or 0.1) * rng.normal(size=X.shape)
            return X, X
        case _:
            raise ValueError(f"expected a data set that draw knows, found {name!r}")


# Those that stand for measured data are the same at every seed, as measured ones are; only their
# splits differ.


_GLYPHS = """
.####.  #####.  .#####  ######  #....#  ######  #....#  #....#  ######  ..##..
#....#  #....#  #.....  #.....  #....#  ...#..  #...#.  ##..##  #....#  ..##..
#....#  #####.  #.....  ####..  ######  ...#..  ####..  #.##.#  ....#.  ######
######  #....#  #.....  #.....  #....#  ...#..  #..#..  #....#  ..##..  ######
#....#  #....#  #.....  #.....  #....#  #..#..  #...#.  #....#  .#....  ..##..
#....#  #####.  .#####  #.....  #....#  .##...  #....#  #....#  ######  ..##..
"""
"""Ten signs of 6 x 6 pixels: A B C F H J K M Z and a cross."""


def _glyphs() -> tuple[Array, Array]:
    """Draw 1797 images of 8 x 8 with values from 0 to 16: a sign, moved by up to half a pixel.

    Another sign shines through, so that nothing that compares pixels is always right.
    """
    rng = np.random.default_rng(11)
    rows = np.array([[list(word) for word in row.split()] for row in _GLYPHS.split("\n")[1:-1]])
    signs = np.pad((rows == "#").transpose(1, 0, 2).astype(float), ((0, 0), (1, 1), (1, 1)))
    y, behind = rng.integers(0, 10, (2, 1797))
    through = 0.42 * rng.random((len(y), 1, 1))
    X = (1 - through) * signs[y] + through * signs[behind]
    for axis in (1, 2):
        by = rng.uniform(-0.5, 0.5, (len(y), 1, 1))
        beside = np.where(by > 0, np.roll(X, 1, axis=axis), np.roll(X, -1, axis=axis))
        X = (1 - np.abs(by)) * X + np.abs(by) * beside
    ink = rng.uniform(11, 18, (len(y), 1, 1))
    drawn = (ink * X + 1.5 * rng.normal(size=X.shape)).round().clip(0, 16)
    return drawn.reshape(-1, 64), y


def _assays() -> tuple[Array, Array]:
    """Draw 569 samples of two classes; six causes move 30 columns in very unequal units."""
    rng = np.random.default_rng(12)
    causes = rng.normal(size=(569, 6))
    y = (causes[:, 0] + 0.8 * causes[:, 1] + 0.15 * rng.normal(size=569) > -0.4).astype(np.int64)
    causes[:, 0] += 0.4 * (y - 0.5)  # so that few lie between the classes
    X = causes @ rng.normal(size=(6, 30)) + 0.5 * rng.normal(size=(569, 30))
    return (X + 5) * 10 ** rng.uniform(-2, 2.5, 30), y


def _soils() -> tuple[Array, Array]:
    """Draw 178 samples of three classes in 13 columns of unequal unit."""
    rng = np.random.default_rng(13)
    y = rng.choice(3, 178, p=[0.3, 0.4, 0.3])
    X = 1.1 * rng.normal(size=(3, 13))[y] + rng.normal(size=(178, 13))
    return (X + 6) * 10 ** rng.uniform(-1, 2, 13), y


def _harvests() -> tuple[Array, Array]:
    """Draw 442 samples of ten columns that explain half of the target's variance at best."""
    rng = np.random.default_rng(14)
    X = rng.normal(size=(442, 4)) @ rng.normal(size=(4, 10)) / 2 + rng.normal(size=(442, 10))
    X[:, 3] = X[:, 3] > 0
    score = X @ np.array([0.9, 0, -0.6, 0.8, 0, 0.5, 0, 0, 0.7, 0]) + 0.2 * X[:, 0] * X[:, 8]
    y = score / score.std() + rng.normal(size=442)
    units = np.array([12, 1, 5, 1, 30, 0.4, 14, 2, 0.5, 9])
    return (X + 4 * (units != 1)) * units, 150 + 55 * y


def _dialect(n: int, *, rng: np.random.Generator) -> tuple[Array, Array]:
    """Draw from a Markov chain in which three tokens may follow each; the targets are the next."""
    chain = np.random.default_rng(6)
    follow = np.stack([chain.permutation(TOKENS)[:3] for _ in range(TOKENS)])
    words = np.empty((n, SENTENCE + 1), dtype=np.int64)
    words[:, 0] = rng.integers(0, TOKENS, n)
    for t in range(SENTENCE):
        words[:, t + 1] = follow[words[:, t], rng.choice(3, size=n, p=[0.55, 0.3, 0.15])]
    return words[:, :-1], words[:, 1:]
