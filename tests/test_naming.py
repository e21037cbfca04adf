"""A name says which split and which metric a series is, however it is spelled."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kashika.naming import (
    SPLITS,
    is_metric,
    names_only_split,
    names_series,
    series_name,
    split_of,
    standard_name,
)  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["val_loss", "valid_loss", "validation_loss", "dev_loss", "eval_loss", "val/loss", "Loss/val",
     "loss_val", "valLoss", "ValLoss", "val-loss", "val.loss", "val loss", "VAL_LOSS", "valloss",
     "Validation Loss", "検証損失", "検証データの損失", "評価損失", "ｖａｌ＿ｌｏｓｓ",
     "val_losses"],
)  # fmt: skip
def test_the_validation_loss_goes_by_many_names(name: str) -> None:
    assert series_name(name) == standard_name(name) == "valid_loss"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("loss", "train_loss"), ("train/acc", "train_acc"), ("training_accuracy", "train_acc"),
        ("学習率", "train_lr"), ("学習損失", "train_loss"), ("正解率", "train_acc"),
        ("test/loss", "test_loss"), ("テスト正解率", "test_acc"), ("testing_f1", "test_f1"),
        ("learning_rate", "train_lr"), ("LR", "train_lr"), ("train_top_5", "train_top_5"),
        ("train_loss_epoch", "train_loss_epoch"), ("train_loss_step", "train_loss_step"),
        ("eval_g0_loss", "valid_g0_loss"), ("metrics/precision(B)", "valid_precision(b)"),
        ("metrics/mAP50-95(B)", "valid_map50_95(b)"), ("train/box_loss", "train_box_loss"),
        ("x/lr0", "train_lr0"), ("epoch_loss", "train_loss"), ("grad_norm", "train_grad_norm"),
        ("D loss", "train_d_loss"), ("acc.", "train_acc"), ("total_loss", "train_total_loss"),
        ("sparse_categorical_accuracy", "train_acc"), ("val_acc@1", "valid_acc"),
        ("latest_contest", "train_latest_contest"), ("evaluator", "train_evaluator"),
    ],
)  # fmt: skip
def test_a_name_has_one_standard(name: str, found: str) -> None:
    assert series_name(name) == found


def test_a_name_without_a_split_takes_that_of_the_nearest_thing_around_it() -> None:
    assert series_name("loss", context=("val_log", "train")) == "valid_loss"
    assert series_name("loss", context=("metrics", "train")) == "train_loss"
    assert series_name("test_loss", context=("val_log",)) == "test_loss"


def test_a_split_alone_takes_its_metric_from_around_it() -> None:
    assert series_name("train", context=("loss",)) == "train_loss"
    assert series_name("val", context=("accuracy_log",)) == "valid_acc"
    assert series_name("", context=("val_loss",)) == "valid_loss"
    assert series_name("", context=("run1_metric",)) == "train_run1_metric"


def test_the_user_has_the_last_word() -> None:
    assert series_name("my_score", rename={"my_score": "valid_acc"}) == "valid_acc"
    assert series_name("loss", rename={"loss": "test_loss"}, context=("val",)) == "test_loss"


@pytest.mark.parametrize("name", ["loss", "train", "", "fold1_loss", "notes"])
def test_a_name_that_lacks_its_split_or_its_metric_has_no_standard(name: str) -> None:
    assert standard_name(name) is None


@given(st.sampled_from(SPLITS), st.sampled_from(["loss", "acc", "lr", "f1", "grad_norm"]))
def test_a_standard_name_stays_as_it_is(split: str, metric: str) -> None:
    name = f"{split}_{metric}"
    assert series_name(name) == standard_name(name) == name


@given(st.text(max_size=30))
def test_every_name_has_a_split_and_a_metric(name: str) -> None:
    split, _, metric = series_name(name).partition("_")
    assert split in SPLITS
    assert metric


def test_folders_of_one_split_are_told_from_folders_that_have_a_split_in_their_name() -> None:
    assert all(map(names_only_split, ("train", "validation", "Loss_train", "検証")))
    assert not any(map(names_only_split, ("test_project", "latest", "runs", "loss", "")))


def test_files_that_are_called_after_a_series_are_known() -> None:
    assert all(map(names_series, ("train_loss", "valAcc", "Test_Loss", "検証損失")))
    assert not any(map(names_series, ("train_list", "train", "loss", "X_test")))


def test_words_of_trainings_are_told_from_columns_of_data() -> None:
    names = ("val_loss", "Top1", "mAP50", "learning_rate", "正解率", "precision(B)", "PSNR")
    assert all(map(is_metric, names[:3] + names[4:]))
    assert not any(map(is_metric, ("sepal_length", "species", "price", "age", "id", "closs")))


def test_words_that_only_begin_like_a_split_are_none() -> None:
    assert [split_of(name) for name in ("tests", "value", "trainer", "evaluator")] == [None] * 4
