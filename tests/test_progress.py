"""How far a pass has come: said not too often, with the time that is left."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kashika.progress import Clock
from kashika.texts import speaking


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    time = [100.0]
    monkeypatch.setattr("kashika.progress.time.monotonic", lambda: time[0])
    return time


def test_the_time_that_is_left_follows_from_what_was_done(now: list[float]) -> None:
    clock = Clock()
    assert clock.line("train", 100, 1_000) == "train: 100 of 1,000 samples"
    now[0] += 2
    assert clock.line("train", 300, 1_000) == "train: 300 of 1,000 samples, 7 s left"
    now[0] += 0.01
    assert clock.line("train", 400, 1_000) is None
    assert clock.line("train", 1_000, 1_000) == ""
    assert clock.line("test", 10, 20) == "test: 10 of 20 samples"


def test_data_without_a_known_end_are_warned_of_once(now: list[float]) -> None:
    clock = Clock()
    assert clock.line("train", 64, None) == "train: 64 samples"
    now[0] += 599
    assert clock.warning(128, None) is None
    now[0] += 2
    said = clock.warning(192, None)
    assert said is not None
    assert said.startswith("Still reading after 10 minutes, 192 samples so far")
    assert clock.warning(256, None) is None
