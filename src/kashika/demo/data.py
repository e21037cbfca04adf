"""The data of the demo: two half moons, split into train, valid and test."""

import numpy as np
from sklearn.datasets import make_moons
from sklearn.model_selection import train_test_split

Split = tuple[np.ndarray, np.ndarray]


def load(noise: float = 0.1, train: int = 300, flipped: float = 0.0) -> dict[str, Split]:
    """Return the three splits as (inputs, classes).

    Parameters
    ----------
    noise : standard deviation of the noise on the inputs
    train : keep so many of the 300 training samples
    flipped : share of the training samples whose class is the wrong one
    """
    X, y = make_moons(500, noise=noise, random_state=1234)
    X_train, X_rest, y_train, y_rest = train_test_split(X, y, test_size=0.4, random_state=1234)
    X_valid, X_test, y_valid, y_test = train_test_split(
        X_rest, y_rest, test_size=0.5, random_state=1234
    )
    X_train, y_train = X_train[:train], y_train[:train]
    wrong = np.random.default_rng(1234).random(len(y_train)) < flipped
    y_train = np.where(wrong, 1 - y_train, y_train)
    return {"train": (X_train, y_train), "valid": (X_valid, y_valid), "test": (X_test, y_test)}
