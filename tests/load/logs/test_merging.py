"""Several files become one history; every decision on the way is said."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kashika.history import History, Series
from kashika.load.logs.logged import Logged
from kashika.load.logs.merging import EVENTS, merge, remarks
from kashika.texts import speaking


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def rows(*values: float) -> Series:
    return Series(np.arange(1, len(values) + 1), np.array(values), "row")


def steps(x: list[int], y: list[float] | None = None) -> Series:
    return Series(np.array(x), np.array(y or x, dtype=float), "step")


def logged(name: str, series: Series, *, form: str = "text") -> Logged:
    return Logged(form, {name: series})


def merged(
    logs: dict[str, Logged], rename: dict[str, str] | None = None
) -> tuple[History, list[str]]:
    history, notes = merge({Path(name): one for name, one in logs.items()}, rename=rename or {})
    assert history is not None
    return history, list(map(str, notes))


# --- names ----------------------------------------------------------------------------------------


def test_a_series_without_a_name_is_called_after_its_file() -> None:
    history, _ = merged({"val_loss.txt": logged("", rows(1, 2))})
    assert list(history.series) == ["valid_loss"]


def test_a_name_without_a_split_takes_that_of_its_file_and_else_of_its_folder() -> None:
    history, _ = merged(
        {"val_log.csv": logged("loss", rows(1)), "train/log.csv": logged("loss", rows(2))}
    )
    assert {name: one.y.tolist() for name, one in history.series.items()} == {
        "train_loss": [2], "valid_loss": [1]
    }  # fmt: skip


def test_a_series_is_called_as_the_user_says() -> None:
    history, _ = merged({"log.csv": logged("my_score", rows(1))}, {"my_score": "valid_acc"})
    assert list(history.series) == ["valid_acc"]


def test_the_loss_comes_first_then_the_accuracy_and_each_in_the_order_of_its_splits() -> None:
    names = ("f1", "val_acc", "val_loss", "loss", "acc")
    history, _ = merged({"log.csv": Logged("CSV", dict.fromkeys(names, rows(1)))})
    assert list(history.series) == [
        "train_loss", "valid_loss", "train_acc", "valid_acc", "train_f1"
    ]  # fmt: skip


# --- the same in two places -----------------------------------------------------------------------


def test_two_files_that_say_the_same_are_one_series() -> None:
    history, notes = merged(
        {"a/loss.csv": logged("loss", rows(1, 2)), "b.csv": logged("loss", rows(1, 2))}
    )
    assert history.series["train_loss"].y.tolist() == [1, 2]
    assert notes == ["train_loss stands in a/loss.csv and in b.csv with the same values"]


@pytest.mark.parametrize("order", [("long.csv", "short.csv"), ("short.csv", "long.csv")])
def test_of_two_files_of_one_run_the_one_with_more_of_it_is_read(order: tuple[str, str]) -> None:
    content = {
        "long.csv": logged("loss", steps([1, 2, 3, 4], [4, 3, 2, 1])),
        "short.csv": logged("loss", steps([2, 4], [3, 1])),
    }
    history, notes = merged({name: content[name] for name in order})
    assert history.series["train_loss"].y.tolist() == [4, 3, 2, 1]
    assert notes == [
        (
            "train_loss stands in two files: long.csv (4 values) was read, short.csv (2) was not; "
            "choose with --log"
        )
    ]


def test_a_file_that_contradicts_a_newer_one_is_of_another_run(tmp_path: Path) -> None:
    for second, name in enumerate(("old.csv", "new.csv")):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (second, second))
    old = Logged("CSV", {"loss": steps([1, 2], [9, 8]), "f1": steps([1, 2])})
    logs = {tmp_path / "old.csv": old, tmp_path / "new.csv": logged("loss", steps([1, 2], [3, 1]))}
    history, notes = merge(logs, rename={})
    assert history is not None
    assert {name: one.y.tolist() for name, one in history.series.items()} == {"train_loss": [3, 1]}
    assert list(map(str, notes)) == [
        (
            f"{tmp_path}/old.csv is of another run than {tmp_path}/new.csv, since they "
            "differ in train_loss, and was not read; choose with --log"
        )
    ]


def test_two_names_in_one_file_for_the_same_are_both_kept() -> None:
    history, _ = merged({"log.csv": Logged("CSV", {"acc": rows(0.5), "accuracy": rows(0.6)})})
    assert {name: one.y.tolist() for name, one in history.series.items()} == {
        "train_acc": [0.5], "train_acc_2": [0.6]
    }  # fmt: skip


def test_a_file_that_begins_later_and_ends_later_goes_on_with_the_first() -> None:
    history, notes = merged({
        "0/a.csv": logged("loss", steps([1, 2, 3])),
        "1/a.csv": logged("loss", steps([2, 4], [9, 9])),
    })  # fmt: skip
    series = history.series["train_loss"]
    assert series.latest.x.tolist() == [1, 2, 4]
    assert series.latest.y.tolist() == [1, 9, 9]
    assert notes == []


def test_event_files_of_one_folder_go_on_with_each_other() -> None:
    history, notes = merged({
        "run/a.tfevents": logged("val/loss", steps([1, 2]), form=EVENTS),
        "run/b.tfevents": logged("val/loss", steps([3]), form=EVENTS),
    })  # fmt: skip
    assert history.series["valid_loss"].x.tolist() == [1, 2, 3]
    assert notes == []


# --- rows ----------------------------------------------------------------------------------------


def test_one_value_a_row_is_one_an_epoch() -> None:
    history, notes = merged(
        {"train_loss.txt": logged("", rows(1, 2)), "val_loss.txt": logged("", rows(1))}
    )
    assert {one.unit for one in history.series.values()} == {"epoch"}
    assert notes == []


def test_the_much_longer_series_of_two_is_one_of_steps() -> None:
    history, notes = merged({  # C040
        "train_loss.txt": logged("", rows(*range(2222))),
        "test_loss.txt": logged("", rows(*range(21))),
    })  # fmt: skip
    assert history.series["train_loss"].unit == "step"
    assert history.series["test_loss"].unit == "epoch"
    assert notes == [
        (
            "No epochs or steps were logged: the longer series are taken as one value for each "
            "step (train_loss (2222)), the shorter ones as one for each epoch (test_loss (21)), "
            "and both are drawn over the same span"
        )
    ]


# --- percent -------------------------------------------------------------------------------------


def test_shares_above_one_are_percent_and_losses_never_are() -> None:
    history, notes = merged({
        "log.csv": Logged("CSV", {
            "acc": rows(50, 97.5), "val_acc": rows(0.5, 0.975), "loss": rows(50, 2),
            "loss_giou": rows(2.5, 1.5),
        }),
    })  # fmt: skip
    marked = {name for name, one in history.series.items() if one.percent}
    assert marked == {"train_acc"}
    assert history.series["train_acc"].y.tolist() == [50, 97.5]
    assert notes == ["Logged in percent and shown as shares: train_acc"]


# --- remarks -------------------------------------------------------------------------------------


def said(**series: Series) -> list[str]:
    return list(map(str, remarks(History(series))))


def test_a_usual_series_needs_no_remark() -> None:
    assert said(train_loss=steps([1, 2, 3, 4, 5]), valid_loss=steps([50, 100, 150])) == []
    assert said(train_loss=Series(np.array([], dtype=int), np.array([]))) == []


def test_runs_in_one_file_are_counted_with_their_ranges() -> None:
    again = steps([1, 2, 3, 4, 5, 1, 2, 3])
    assert said(train_loss=again, valid_loss=again) == [
        (
            "train_loss, valid_loss: the log was begun anew, it has 2 segments (1–5: 5, 1–3: 3). "
            "The last run (1–3) is judged, the earlier ones are drawn pale"
        )
    ]


def test_several_values_at_each_step_are_counted() -> None:
    assert said(valid_loss=steps([1] * 10 + [2] * 10)) == [  # C037
        (
            "valid_loss: on average 10 values were logged at the same place; their mean is drawn, "
            "with the range from least to greatest"
        )
    ]


def test_a_log_that_begins_late_is_told_and_not_renumbered() -> None:
    late = Series(np.arange(35, 51), np.ones(16))  # C052
    assert said(train_loss=late) == [
        "train_loss starts at epoch 35; what came before may be in another log: add it with --log"
    ]


def test_a_value_after_the_end_is_told() -> None:
    x = [1718, 3437, 5156, 6875, 8594, 8595]  # C054
    late = steps(x, [0.0711, 0.0459, 0.0443, 0.0467, 0.0392, 0.0142])
    assert said(valid_loss=late) == [
        (
            "valid_loss: the value at step 8595 (0.0142) was measured right after the end of "
            "training, where it was 0.0392; it is drawn apart and is no candidate for the best, "
            "since it may come from other data"
        )
    ]


def test_a_series_without_a_finite_value_is_told() -> None:
    nothing = replace(steps([1, 2, 3]), y=np.full(3, np.nan))  # C045
    assert said(valid_box_loss=nothing) == ["valid_box_loss: 0 finite of 3 values, not drawn"]
