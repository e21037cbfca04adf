"""Two samples have one fingerprint exactly where their inputs are the same bytes."""

from __future__ import annotations

from hashlib import sha1

import numpy as np
import pytest

from kashika.distribution import Array
from kashika.fingerprint import fingerprints

X = np.random.default_rng(0).normal(size=(50, 3, 2))


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "i1", "i8", "u1", "?"])
def test_equal_samples_and_no_others_have_equal_numbers(kind: str) -> None:
    few = np.random.default_rng(0).integers(0, 2, size=(60, 5)).astype(kind)  # 32 different ones
    found = fingerprints([few])
    _, groups = np.unique(few, axis=0, return_inverse=True)
    same = groups.ravel()[:, None] == groups.ravel()
    np.testing.assert_array_equal(found[:, None] == found, same)


@pytest.mark.parametrize("other", [X[:, ::-1][:, ::-1], np.asfortranarray(X), X[::-1].copy()[::-1]])
def test_how_an_array_lies_in_memory_does_not_matter(other: Array) -> None:
    np.testing.assert_array_equal(fingerprints([other]), fingerprints([X]))


def test_all_arrays_of_a_sample_count() -> None:
    words, mask = np.zeros((4, 3), dtype=int), np.array([[1, 1, 1], [1, 1, 0]] * 2)
    found = fingerprints([words, mask])
    assert len(set(found.tolist())) == 2
    np.testing.assert_array_equal(found[:2], found[2:])


def test_samples_of_one_number_each_have_one_too() -> None:
    assert len(set(fingerprints([np.arange(100.0)]).tolist())) == 100


def test_a_number_is_the_same_at_every_time_and_on_every_machine() -> None:
    little = np.arange(6, dtype="<i2").reshape(2, 3)
    digests = [sha1(row.tobytes(), usedforsecurity=False).digest() for row in little]
    expected = [int.from_bytes(one[:8], "little", signed=True) for one in digests]
    assert fingerprints([little]).tolist() == expected


def test_there_are_no_samples_without_arrays() -> None:
    assert fingerprints([]).shape == (0,)
    assert fingerprints([np.empty((0, 3))]).shape == (0,)
