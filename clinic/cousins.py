"""A third data set for each of `clinic.data`: of the same form, about as hard, and a third problem.

Nothing was tuned on these: the errors that are published are measured here. Noise is in such a unit
that the same number does as much harm as in the data set that each stands for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

COUSINS = {
    "moons": "magnets",
    "circles": "frames",
    "spirals": "stripes",
    "blobs": "towns",
    "digits": "letters",
    "digit_images": "letter_images",
    "breast_cancer": "bearings",
    "wine": "honeys",
    "diabetes": "rents",
    "friedman": "currents",
    "imbalanced": "leaks",
    "noisy": "bets",
    "tones": "saws",
    "first_token": "eleventh_token",
    "counting": "quorum",
    "language": "slang",
    "labels": "stamps",
    "waves": "swells",
    "linear": "slope",
    "reconstruction": "blends",
}
"""{data set of `clinic.data`: what stands for it in the half "publish"}."""

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
    rng = np.random.default_rng([seed, 7])
    X: Array
    y: Array
    match name:
        case "magnets":  # a horseshoe, and a bar that reaches into it
            y = rng.integers(0, 2, n)
            t = rng.uniform(-1, 1, n)
            angle = np.pi + 0.65 * np.pi * t
            shoe = np.stack([np.cos(angle), 0.75 * np.sin(angle)], axis=1)
            bar = np.stack([0.7 + t, 0.1 * t], axis=1)
            X = np.where(y[:, None] == 0, shoe, bar)
            return X + (noise or 0.15) * rng.normal(size=X.shape), y
        case "frames":  # an ellipse in a square
            y = rng.integers(0, 2, n)
            angle = rng.uniform(0, 2 * np.pi, n)
            X = np.stack([np.cos(angle), np.sin(angle)], axis=1)
            square = X / np.abs(X).max(axis=1, keepdims=True)
            X = np.where(y[:, None] == 0, square, X * np.array([0.6, 0.45]))
            return X + (noise or 0.08) * rng.normal(size=X.shape), y
        case "stripes":  # six bent bands, two of each class
            band = rng.integers(0, 6, n)
            t = rng.uniform(-1, 1, n)
            across = 0.42 * (band - 2.5) + 0.2 * t**2 + 0.04 * rng.normal(size=n)
            X = np.stack([t, across + 0.3 * t], axis=1)
            return X + (noise or 0.05) * rng.normal(size=X.shape), band % 3
        case "towns":  # three in a row and one below
            y = rng.integers(0, 4, n)
            centers = np.array([[-8, 3], [0, 4], [0, -4], [8, 3]])
            return centers[y] + (noise or 1.5) * rng.normal(size=(n, 2)), y
        case "letters":
            return _letters()
        case "letter_images":
            X, y = _letters()
            return X.reshape(-1, 1, 8, 8), y
        case "bearings":
            return _bearings()
        case "honeys":
            return _honeys()
        case "rents":
            return _rents()
        case "currents":  # six of ten inputs count
            X = rng.random((n, 10))
            y = 5 * np.tanh(3 * (X[:, 0] + X[:, 1] - 1)) + 22 * (X[:, 2] - 0.4) ** 2
            y = y + 8 * X[:, 3] * X[:, 5] - 6 * X[:, 4]
            return X, y + (noise or 1.0) * rng.normal(size=n)
        case "leaks":  # one in ten; the classes overlap a little
            y = (rng.random(n) < 0.1).astype(np.int64)
            X = rng.normal(size=(n, 6))
            X[:, 1] = 0.8 * X[:, 1] + 0.6 * X[:, 0]
            return X + y[:, None] * np.array([0.5, -1.2, 0, 1.6, 1.4, 0]), y
        case "bets":  # the best that is possible is wrong in a quarter of the cases
            X = rng.normal(size=(n, 4))
            p = 1 / (1 + np.exp(1.3 * X[:, 1] - 0.9 * X[:, 2] - 0.8 * X[:, 3]))
            return X, (rng.random(n) < p).astype(np.int64)
        case "saws":  # sawtooths without their edges
            y = rng.integers(0, 3, n)
            t = np.arange(TONES) / TONES
            turns = np.array([1.5, 3.0, 4.5])[y, None] * t + rng.random((n, 1))
            wave = np.sin(2 * np.pi * turns) + 0.4 * np.sin(4 * np.pi * turns)
            return (wave + (noise or 0.2) * rng.normal(size=wave.shape))[:, :, None], y
        case "eleventh_token":  # of which pair of neighbours in a ring is the eleventh of twelve?
            X = rng.integers(0, TOKENS, (n, LENGTH))
            return X, (X[:, 10] + 1) // 2 % 4
        case "quorum":  # are five or more of thirteen tokens of three of the kinds?
            X = rng.integers(0, TOKENS, (n, LENGTH + 1))
            return X, (np.isin(X, (1, 4, 6)).sum(axis=1) > 4).astype(np.int64)
        case "slang":
            return _slang(n, rng=rng)
        case "stamps":  # three labels that may apply together
            X = rng.normal(size=(n, 6))
            scores = np.stack(
                [X[:, 0] + 0.5 * X[:, 1] - X[:, 5], X[:, 3] - X[:, 2], 1.5 * X[:, 4] - X[:, 0]],
                axis=1,
            )
            return X, (scores + 0.3 * rng.normal(size=scores.shape) > 0).astype(np.float32)
        case "swells":  # three smooth functions of four inputs
            X = rng.uniform(-1, 1, (n, 4))
            y = np.stack(
                [np.tanh(2 * X[:, 3]) + X[:, 0] ** 2, X[:, 1] * X[:, 3], np.sin(2 * X[:, 2] + 0.5)],
                axis=1,
            )
            return X, y + (noise or 0.1) * rng.normal(size=y.shape)
        case "slope":  # without noise: the loss can reach what float32 can say
            X = rng.normal(size=(n, 5))
            return X, X @ np.array([-1.0, 0.0, 2.0, 1.5, -0.5])
        case "blends":  # of four sources that are seldom strong, with a little noise
            sources = rng.triangular(-1, 0, 1, (n, 4)) * np.sqrt(6)
            X = sources @ np.random.default_rng(15).normal(size=(4, 20)) / 2
            X = X + (noise or 0.1) * rng.normal(size=X.shape)
            return X, X
        case _:
            raise ValueError(f"expected a data set that draw knows, found {name!r}")


# Those that stand for measured data are the same at every seed, as measured ones are; only their
# splits differ.


_LETTERS = """
####..  ######  .####.  #.....  #....#  #####.  .#####  ######  #....#  #....#
#...#.  #.....  #....#  #.....  ##...#  #....#  #.....  ..##..  #....#  .#..#.
#....#  #####.  #.....  #.....  #.#..#  #....#  .####.  ..##..  #....#  ..##..
#....#  #.....  #..###  #.....  #..#.#  #####.  .....#  ..##..  #....#  ..##..
#...#.  #.....  #....#  #.....  #...##  #.....  .....#  ..##..  #....#  .#..#.
####..  ######  .####.  ######  #....#  #.....  #####.  ..##..  .####.  #....#
"""
"""D E G L N P S T U X, of 6 x 6 pixels."""


def _letters() -> tuple[Array, Array]:
    """Draw 1797 images of 8 x 8 with values from 0 to 16: a slanting letter with three spots.

    Slant moves the top and the bottom by up to a pixel, to opposite sides; a spot adds ink or
    takes it away.
    """
    rng = np.random.default_rng(16)
    rows = np.array([[list(word) for word in row.split()] for row in _LETTERS.split("\n")[1:-1]])
    signs = np.pad((rows == "#").transpose(1, 0, 2).astype(float), ((0, 0), (1, 1), (1, 1)))
    y = rng.integers(0, 10, 1797)
    X = signs[y]
    slant = rng.uniform(-1, 1, (len(y), 1, 1)) * np.linspace(-1, 1, 8)[:, None]
    beside = np.where(slant > 0, np.roll(X, 1, axis=2), np.roll(X, -1, axis=2))
    X = (1 - np.abs(slant)) * X + np.abs(slant) * beside
    for _ in range(3):
        height, place = rng.integers(0, 7, (2, len(y)))
        spot = rng.uniform(-1, 1, len(y))
        for down in range(2):
            for right in range(2):
                X[np.arange(len(y)), height + down, place + right] += spot
    ink = rng.uniform(10, 17, (len(y), 1, 1))
    drawn = (ink * X.clip(0, 1) + 1.5 * rng.normal(size=X.shape)).round().clip(0, 16)
    return drawn.reshape(-1, 64), y


def _bearings() -> tuple[Array, Array]:
    """Draw 569 samples of two classes in 30 columns; five causes move them, and wear the class."""
    rng = np.random.default_rng(17)
    y = (rng.random(569) < 0.6).astype(np.int64)
    causes = rng.normal(size=(569, 5))
    causes[:, 0] += 3.0 * (y - 0.5)
    causes[:, 1] -= 2.6 * (y - 0.5)
    X = causes @ rng.normal(size=(5, 30)) + 0.7 * rng.normal(size=(569, 30))
    return np.exp(0.15 * X) * 10 ** rng.uniform(-2, 3, 30), y


def _honeys() -> tuple[Array, Array]:
    """Draw 178 samples of three classes in 13 columns of unequal unit that go together."""
    rng = np.random.default_rng(18)
    y = rng.choice(3, 178, p=[0.35, 0.35, 0.3])
    X = 2.5 * rng.normal(size=(3, 4))[y] + rng.normal(size=(178, 4))
    X = X @ rng.normal(size=(4, 13)) + 0.8 * rng.normal(size=(178, 13))
    return (X + 9) * 10 ** rng.uniform(-1, 2, 13), y


def _rents() -> tuple[Array, Array]:
    """Draw 442 samples of ten columns that explain half of the target's variance at best."""
    rng = np.random.default_rng(19)
    X = rng.normal(size=(442, 3)) @ rng.normal(size=(3, 10)) / 2 + rng.normal(size=(442, 10))
    X[:, 7] = X[:, 7] > 0.3
    score = X @ np.array([0, 0.8, 0.5, 0, -0.7, 0, 0.9, 0.6, 0, 0.4]) + 0.2 * X[:, 1] * X[:, 4]
    y = score / score.std() + rng.normal(size=442)
    units = np.array([3, 0.2, 8, 20, 1, 11, 0.6, 1, 45, 6])
    return (X + 4 * (np.arange(10) != 7)) * units, 700 + 120 * y


def _slang(n: int, *, rng: np.random.Generator) -> tuple[Array, Array]:
    """Draw from a Markov chain in which three tokens may follow each; the targets are the next."""
    chain = np.random.default_rng(20)
    follow = np.stack([chain.permutation(TOKENS)[:3] for _ in range(TOKENS)])
    words = np.empty((n, SENTENCE + 1), dtype=np.int64)
    words[:, 0] = rng.integers(0, TOKENS, n)
    for t in range(SENTENCE):
        words[:, t + 1] = follow[words[:, t], rng.choice(3, size=n, p=[0.6, 0.25, 0.15])]
    return words[:, :-1], words[:, 1:]
