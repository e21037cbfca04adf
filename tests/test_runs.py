"""What real trainings left behind is read to the last value.

The files lie beside the repository, which does not ship them; their README says what is in them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kashika.contents import inspect
from kashika.errors import LoadError
from kashika.history import History
from kashika.load import Options, load, logs
from kashika.texts import speaking
from kashika.views import curves

RUNS = Path(__file__).parents[2] / "shared" / "runs"

pytestmark = pytest.mark.skipif(not RUNS.is_dir(), reason=f"{RUNS} is not here")


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def history(*names: str) -> History:
    found = logs.read_all([RUNS / name for name in names], rename={}).history
    assert found is not None
    return found


# --- logs -----------------------------------------------------------------------------------------


def test_the_unet_log_and_the_lists_of_the_same_run_agree() -> None:
    table = history("unet_log.csv").series
    printed = history("list_repr_train.txt", "list_repr_val.txt").series
    train, valid = table["train_loss"], table["valid_loss"]
    assert (train.y.size, valid.y.size, train.unit) == (100, 100, "epoch")
    np.testing.assert_allclose([train.y[0], train.y[-1]], [0.8133, 0.3382], atol=5e-5)
    np.testing.assert_allclose([valid.y[0], valid.y[-1]], [0.9702, 0.2361], atol=5e-5)
    assert (int(np.argmin(valid.y)), valid.y.min()) == (92, pytest.approx(0.23585, abs=5e-6))
    assert valid.y[-1] / valid.y.min() == pytest.approx(1.001, abs=5e-4)
    by_place = {name.partition("_")[0]: one.y for name, one in printed.items()}
    np.testing.assert_array_equal(by_place["train"], train.y)
    np.testing.assert_array_equal(by_place["valid"], valid.y)


def test_the_keras_log_has_fifteen_epochs_in_two_runs() -> None:
    valid = history("keras_csvlogger_mnist.csv").series["valid_loss"]
    assert valid.y.size == 15
    assert int(np.argmin(valid.y)) == 11
    assert valid.y[11] == pytest.approx(0.0657, abs=5e-5)
    assert valid.y[-1] / valid.y[11] == pytest.approx(1.099, abs=5e-4)
    assert [one.y.size for one in valid.segments] == [5, 10]


def test_the_whisper_log_is_read_by_step_without_its_summary() -> None:
    series = history("hf_whisper_ja_trainer_state.json").series
    assert series["train_loss"].y.size == 200
    assert series["valid_loss"].x.tolist() == [1000, 2000, 3000, 4000, 5000]
    assert series["valid_loss"].unit == "step"
    np.testing.assert_allclose(
        series["valid_loss"].y, [0.3210, 0.3585, 0.3937, 0.4123, 0.4200], atol=5e-5
    )
    np.testing.assert_allclose(
        series["valid_wer"].y, [0.7888, 0.7478, 0.7432, 0.7443, 0.7449], atol=5e-5
    )
    assert series["train_loss"].y[-1] == pytest.approx(0.0002)  # 0.0189 is the mean of the run
    assert series["train_loss"].x[-1] == 5000


def test_train_and_eval_at_the_same_steps_are_two_series() -> None:
    series = history("hf_takemeter_trainer_state.json").series
    for name in ("train_loss", "valid_loss"):
        assert series[name].x.tolist() == [10, 20, 30]
    assert series["train_grad_norm"].y.size == 3


def test_six_validation_sets_are_six_series() -> None:
    series = history("hf_multi_eval_trainer_state.json").series
    assert series["train_loss"].y.size == 30
    for name in range(6):
        assert series[f"valid_g{name}_loss"].y.size == 31
    first = series["valid_g0_loss"].y
    np.testing.assert_allclose([first[0], first.min(), first[-1]], [5.742, 1.114, 2.749], atol=5e-4)
    assert (int(np.argmin(first)), series["valid_g0_loss"].x[0]) == (1, 0)


def test_the_events_of_yolo_agree_with_its_table() -> None:
    events = history("yolov5_circle.tfevents").series
    table = history("yolov5_circle_results.csv").series
    for name in ("train_box_loss", "valid_box_loss", "valid_map_0.5"):
        assert events[name].y.size == table[name].y.size == 300
        np.testing.assert_allclose(events[name].y, table[name].y, rtol=1e-3, atol=1e-5)
    best = int(np.argmax(table["valid_map_0.5"].y))
    assert (best, table["valid_map_0.5"].y[best]) == (275, 0.77742)


def test_five_runs_in_one_file_are_five_segments() -> None:
    series = history("step_comma_loss_train.txt").series["train_loss"]
    assert (series.y.size, series.unit) == (1055, "step")
    assert [one.y.size for one in series.segments] == [504, 11, 10, 30, 500]
    assert series.x[:3].tolist() == [1, 2, 3]


def test_the_detr_log_has_eleven_pieces() -> None:
    series = history("detr_log.txt").series["train_loss"]
    assert (series.y.size, series.unit) == (347, "epoch")
    ends = [(int(one.x[0]), int(one.x[-1])) for one in series.segments]
    assert ends == [
        (0, 38), (0, 1), (35, 39), (0, 21), (0, 36), (35, 49), (0, 1), (0, 49), (0, 55), (0, 56),
        (0, 61),
    ]  # fmt: skip
    assert series.latest.y.size == 62


def test_the_table_of_lightning_has_its_series_by_step_and_one_value_after_the_end() -> None:
    series = history("lightning_cnn_v0_metrics.csv").series
    sizes = [series[name].y.size for name in ("train_loss", "valid_loss", "test_loss")]
    assert sizes == [171, 6, 1]
    valid = series["valid_loss"]
    assert valid.x.tolist() == [1718, 3437, 5156, 6875, 8594, 8595]
    np.testing.assert_allclose(valid.y, [0.0711, 0.0459, 0.0443, 0.0467, 0.0392, 0.0142], atol=5e-5)
    assert valid.afterwards.x.tolist() == [8595]
    assert curves.measure(history("lightning_cnn_v0_metrics.csv")).best == 8594
    assert series["test_loss"].y[0] == pytest.approx(0.0322248712, abs=1e-10)


def test_rows_of_steps_and_of_epochs_are_kept_apart() -> None:
    series = history("lightning_mnist_v3_metrics.csv").series
    by_step, by_epoch = series["train_loss_step"], series["train_loss_epoch"]
    assert by_step.x[:3].tolist() == [49, 99, 149]
    assert by_step.y[0] == 0.644082248210907
    assert 0 < by_epoch.y.size < by_step.y.size
    assert history("lightning_one_row_metrics.csv").series["train_loss"].x.tolist() == [49, 99]


def test_three_event_files_of_one_folder_are_one_log() -> None:
    names = [f"lightning_cnn_tb_v0_{part}.tfevents" for part in "abc"]
    series = history(*names).series
    assert {"train_loss", "valid_loss", "valid_acc", "test_loss", "test_acc"} <= series.keys()
    assert series["test_loss"].y[-1] == pytest.approx(0.0400, abs=5e-5)
    assert series["test_acc"].y[-1] == pytest.approx(0.9879, abs=5e-5)
    assert series["test_loss"].x[-1] == 8595
    assert not any("hp_metric" in name for name in series)


def test_the_four_files_of_the_snn_are_its_curves() -> None:
    names = [
        f"snn_{split}_{metric}.txt" for split in ("train", "test") for metric in ("loss", "acc")
    ]
    series = history(*names).series
    found = {name.split("_")[0] + "_" + name.split("_")[-1]: one for name, one in series.items()}
    assert {one.y.size for one in series.values()} == {64}
    assert int(np.argmax(found["test_acc"].y)) == 45
    assert found["test_acc"].y.max() == pytest.approx(0.9933)
    assert found["train_acc"].y.max() == pytest.approx(0.99987, abs=5e-6)


def test_the_print_log_of_the_pinn_has_its_epochs() -> None:
    series = history("pinn_print_log.txt").series["train_loss"]
    assert (series.y.size, series.unit) == (50, "epoch")
    assert (series.x[0], series.x[-1]) == (100, 5000)
    assert (series.y[0], series.y[-1]) == (0.009128, 0.002016)


@pytest.mark.parametrize("name", ["deepfd_31556268_log.csv", "deepfd_59282996_log.csv"])
def test_the_known_faulty_programs_have_losses_that_do_not_fall(name: str) -> None:
    train = history(name).series["train_loss"].y
    assert train.size == {"deepfd_31556268_log.csv": 4, "deepfd_59282996_log.csv": 10}[name]
    assert train[-1] > 0.99 * train[0]


def test_three_columns_without_a_name_are_three_series() -> None:
    series = history("three_columns_train.txt").series
    assert [one.y.size for one in series.values()] == [2222] * 3
    assert [one.y[0] for one in series.values()] == pytest.approx(
        [1149.2355, 324.5146, 2717.0520], abs=5e-5
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("single_value_acc.txt", 7.863970398902893066e-01),
        ("single_value_loss.txt", 4.539076745510101096e-01),
        ("single_value_no_newline.txt", 1.018072928107062),
    ],
)
def test_a_single_value_is_a_series_of_one(name: str, value: float) -> None:
    (series,) = history(name).series.values()
    assert series.y.tolist() == [value]


@pytest.mark.parametrize("name", ["empty_0byte.tfevents", "header_only_40byte.tfevents"])
def test_an_event_file_without_a_value_is_none_and_says_so(name: str) -> None:
    found = inspect(RUNS / name, rename={})
    assert found.series == ()
    assert found.notes


def test_one_epoch_of_keras_is_four_series_of_one() -> None:
    series = history("keras_history_one_epoch.json").series
    assert {name: one.y.tolist() for name, one in series.items()} == {
        "train_loss": [0.062166668474674225],
        "train_acc": [0.9884239435195923],
        "valid_loss": [0.04527220502495766],
        "valid_acc": [0.9942640662193298],
    }


# --- checkpoints ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "count", "some"),
    [
        ("lightning_cnn_v0.ckpt", 6, {"classifier.weight": "(10, 3136)"}),
        ("lightning_cnn_tb_v0.ckpt", 6, {"classifier.bias": "(10,)"}),
        ("pinn_model.pt", 20, {}),
        ("snn_mnist.pth", 1, {}),
    ],
)
def test_a_real_checkpoint_has_its_tensors(name: str, count: int, some: dict[str, str]) -> None:
    found = inspect(RUNS / name, rename={})
    shapes = {str(row["tensor"]): row["shape"] for row in found.tensors}
    assert len(shapes) == count
    assert some.items() <= shapes.items()


def test_a_checkpoint_says_when_it_was_saved() -> None:
    other = inspect(RUNS / "lightning_cnn_tb_v0.ckpt", rename={}).other
    assert other is not None
    assert (other["epoch"], other["global_step"]) == (2, 5157)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("http_error_body.pth", "400: Invalid request"),
        ("lfs_pointer_optimizer.pt", "Git LFS"),
    ],
)
def test_what_was_saved_in_place_of_a_checkpoint_is_named(name: str, words: str) -> None:
    with pytest.raises(LoadError) as caught:
        inspect(RUNS / name, rename={})
    assert words in str(caught.value)


# --- one run, end to end --------------------------------------------------------------------------

MODEL = """
from torch import nn

class CNN(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        )
        self.classifier = nn.Linear(3136, num_classes)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("checkpoint", "loss", "accuracy", "step"),
    [
        ("lightning_cnn_v0.ckpt", 0.03222, 0.9907, 8595),
        ("lightning_cnn_tb_v0.ckpt", 0.03152, 0.9894, 5157),
    ],
)
def test_the_network_of_lightning_gets_on_the_test_data_what_was_logged(
    tmp_path: Path, checkpoint: str, loss: float, accuracy: float, step: int
) -> None:
    for name in ("lightning_cnn_v0_metrics.csv", checkpoint):
        shutil.copy(RUNS / name, tmp_path / name)
    (tmp_path / "cnn.py").write_text(MODEL, encoding="utf-8")
    images = RUNS / "mnist_t10k-images-idx3-ubyte.gz"
    run = load(tmp_path, Options(model=f"{tmp_path}/cnn.py:CNN", data=str(images)))
    assert run.checkpoint is not None
    assert run.checkpoint.step == step
    seen = run.observations["test"]
    assert seen.samples == 10_000
    assert seen.mean_loss == pytest.approx(loss, abs=5e-6)
    assert np.mean(seen.predicted == seen.targets) == pytest.approx(accuracy, abs=5e-5)
    if step == 8595:
        assert run.history is not None
        logged = run.history.series["test_loss"].y[0]
        assert seen.mean_loss == pytest.approx(logged, rel=1e-5)
    else:  # C150: the log goes on after the weights were saved
        assert "The weights are those of step 5157, the log goes on to step 8595" in map(
            str, run.notes
        )
