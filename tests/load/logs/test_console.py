"""What training loops print: the numbers of each line under their names, at their epoch or step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kashika.errors import LoadError
from kashika.load.logs import console, is_log, read_all
from kashika.texts import speaking

Values = dict[str, tuple[str, list[float], list[float]]]
"""{name: (unit, x, y)}"""


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def found(path: Path, content: str) -> Values:
    path.write_text(content, encoding="utf-8", newline="")
    assert is_log(path)
    history = read_all([path], rename={}).history
    assert history is not None
    return {
        name: (one.unit, one.x.tolist(), one.y.tolist()) for name, one in history.series.items()
    }


LOGS: dict[str, tuple[str, Values]] = {
    "a loop": (
        "Epoch 1/2 | loss 0.5 | lr 1e-3\nEpoch 2/2 | loss 0.4 | lr 5e-4\n",
        {"train_loss": ("epoch", [1, 2], [0.5, 0.4]), "train_lr": ("epoch", [1, 2], [1e-3, 5e-4])},
    ),
    "brackets": (
        ("[Epoch 1] train loss: 0.50 | train acc: 0.81 | val loss: 0.60 | val acc: 0.79\n"
        "[Epoch 2] train loss: 0.40 | train acc: 0.85 | val loss: 0.55 | val acc: 0.80\n"),
        {
            "train_loss": ("epoch", [1, 2], [0.5, 0.4]),
            "valid_loss": ("epoch", [1, 2], [0.6, 0.55]),
            "train_acc": ("epoch", [1, 2], [0.81, 0.85]),
            "valid_acc": ("epoch", [1, 2], [0.79, 0.8]),
        },
    ),
    "labels": (
        ("Epoch 1 Train: loss 0.1 acc 0.9 | Val: loss 0.2 acc 0.8\n"
        "Epoch 2 Train: loss 0.05 acc 0.95 | Val: loss 0.15 acc 0.85\n"),
        {
            "train_loss": ("epoch", [1, 2], [0.1, 0.05]),
            "valid_loss": ("epoch", [1, 2], [0.2, 0.15]),
            "train_acc": ("epoch", [1, 2], [0.9, 0.95]),
            "valid_acc": ("epoch", [1, 2], [0.8, 0.85]),
        },
    ),
    "PyTorch, MNIST": (
        ("Train Epoch: 1 [0/60000 (0%)]\tLoss: 2.300000\n"
        "Train Epoch: 1 [640/60000 (1%)]\tLoss: 1.900000\n\n"
        "Test set: Average loss: 0.0512, Accuracy: 9830/10000 (98%)\n\n"
        "Train Epoch: 2 [0/60000 (0%)]\tLoss: 0.300000\n"
        "Train Epoch: 2 [640/60000 (1%)]\tLoss: 0.200000\n\n"
        "Test set: Average loss: 0.0412, Accuracy: 9860/10000 (99%)\n"),
        {
            "train_loss": ("step", [0, 640, 60000, 60640], [2.3, 1.9, 0.3, 0.2]),
            "test_loss": ("epoch", [1, 2], [0.0512, 0.0412]),
            "test_acc": ("epoch", [1, 2], [0.983, 0.986]),
        },
    ),
    "PyTorch, quickstart": (
        ("Epoch 1\n-------------------------------\n"
        "loss: 2.303494  [   64/60000]\nloss: 2.294637  [ 6464/60000]\n"
        "Test Error: \n Accuracy: 50.9%, Avg loss: 2.156374 \n\n"
        "Epoch 2\n-------------------------------\n"
        "loss: 2.167171  [   64/60000]\nloss: 2.157542  [ 6464/60000]\n"
        "Test Error: \n Accuracy: 57.1%, Avg loss: 1.900000 \n\n"),
        {
            "train_loss": (
                "step", [64, 6464, 60064, 66464], [2.303494, 2.294637, 2.167171, 2.157542],
            ),
            "test_loss": ("epoch", [1, 2], [2.156374, 1.9]),
            "test_acc": ("epoch", [1, 2], [50.9, 57.1]),
        },
    ),
    "PyTorch, CIFAR": (
        "[1,  2000] loss: 2.182\n[1,  4000] loss: 1.847\n[2,  2000] loss: 1.382\n",
        {"train_loss": ("step", [2000, 4000, 6000], [2.182, 1.847, 1.382])},
    ),
    "Keras": (
        ("Epoch 1/2\n1875/1875 [======] - 4s 2ms/step - loss: 0.29 - val_loss: 0.13\n"
        "Epoch 2/2\n   1/1875 [......] - ETA: 5s - loss: 0.2\r 640/1875 [=>....] - ETA: 2s - "
        "loss: 0.5\r1875/1875 [======] - 4s 2ms/step - loss: 0.14 - val_loss: 0.1\n"),
        {
            "train_loss": ("epoch", [1, 2], [0.29, 0.14]),
            "valid_loss": ("epoch", [1, 2], [0.13, 0.1]),
        },
    ),
    "tqdm": (
        ("100%|██████████| 200/200 [00:05<00:00, 39.5it/s, loss=0.5]\nepoch 1 val_loss 0.6\n"
        "100%|██████████| 200/200 [00:05<00:00, 39.5it/s, loss=0.4]\nepoch 2 val_loss 0.5\n"),
        {
            "train_loss": ("epoch", [1, 2], [0.5, 0.4]),
            "valid_loss": ("epoch", [1, 2], [0.6, 0.5]),
        },
    ),
    "nanoGPT": (
        "step 0: train loss 4.2, val loss 4.3\nstep 250: train loss 1.9, val loss 2.0\n",
        {
            "train_loss": ("step", [0, 250], [4.2, 1.9]),
            "valid_loss": ("step", [0, 250], [4.3, 2.0]),
        },
    ),
    "detectron2": (
        ("[01/02 10:00:00 d2.utils.events]:  eta: 0:10:00  iter: 19  total_loss: 5.1\n"
        "[01/02 10:00:10 d2.utils.events]:  eta: 0:09:00  iter: 39  total_loss: 4.1\n"),
        {"train_total_loss": ("step", [19, 39], [5.1, 4.1])},
    ),
    "OpenMMLab": (
        ("2021-01-01 10:00:00,000 - mmdet - INFO - Epoch [1][50/100]\teta: 1:00:00, loss: 1.2\n"
        "2021-01-01 10:00:10,000 - mmdet - INFO - Epoch [1][100/100]\teta: 1:00:00, loss: 1.1\n"
        "2021-01-01 10:01:00,000 - mmdet - INFO - Epoch [2][50/100]\teta: 0:59:00, loss: 0.9\n"),
        {"train_loss": ("step", [50, 100, 150], [1.2, 1.1, 0.9])},
    ),
    "validation within one epoch": (
        ("Epoch [1][50/100] loss: 1.3\nEpoch [1][100/100] loss: 1.2\n"
        "Epoch(val) [1][25]\tmAP: 0.12\n"),
        {
            "train_loss": ("step", [50, 100], [1.3, 1.2]),
            "valid_map": ("epoch", [1], [0.12]),
        },
    ),
    "PyTorch, ImageNet": (
        ("Epoch: [0][ 10/100]\tLoss 5.9e+00 (6.4e+00)\tAcc@1 1.00 (0.50)\n"
        "Epoch: [0][ 20/100]\tLoss 4.9e+00 (5.9e+00)\tAcc@1 2.00 (1.00)\n"
        " *   Acc@1 10.000 Acc@5 30.000\n"),
        {
            "train_loss": ("step", [10, 20], [5.9, 4.9]),
            "train_acc": ("step", [10, 20], [1.0, 2.0]),
            "valid_acc": ("epoch", [0], [10.0]),
            "valid_acc@5": ("epoch", [0], [30.0]),
        },
    ),
    "tensors": (
        ('epoch 1 loss: tensor(0.6931, device="cuda:0", grad_fn=<NllLossBackward0>)\n'
        "epoch 2 loss: np.float64(0.5) acc: 90/100\n"),
        {"train_loss": ("epoch", [1, 2], [0.6931, 0.5]), "train_acc": ("epoch", [2], [0.9])},
    ),
    "OpenMMLab, by iteration": (
        ("01/01 10:00:00 - mmengine - INFO - Iter(train) [  50/160000]  lr: 1.0e-02  loss: 2.5\n"
        "01/01 10:00:10 - mmengine - INFO - Iter(train) [ 100/160000]  lr: 1.0e-02  loss: 1.5\n"
        "01/01 10:01:00 - mmengine - INFO - Iter(val) [500/500]    mIoU: 0.25\n"
        "01/01 10:02:00 - mmengine - INFO - Iter(train) [ 150/160000]  lr: 1.0e-02  loss: 1.25\n"),
        {
            "train_loss": ("step", [50, 100, 150], [2.5, 1.5, 1.25]),
            "train_lr": ("step", [50, 100, 150], [0.01, 0.01, 0.01]),
            "valid_m_iou": ("step", [100], [0.25]),
        },
    ),
    "a validation between steps": (
        "step 100 loss 0.5\nstep 200 loss 0.4\nvalidation loss: 0.45\nstep 300 loss 0.3\n",
        {
            "train_loss": ("step", [100, 200, 300], [0.5, 0.4, 0.3]),
            "valid_loss": ("step", [200], [0.45]),
        },
    ),
    "dictionaries between bars": (
        ("  0%|          | 0/9 [00:00<?, ?it/s]\r                 \r{'loss': 0.5, 'epoch': 0.5}\n"
        " 50%|#####     | 5/9 [00:01<00:01, 1.5it/s]\r          \r{'loss': 0.4, 'epoch': 1.0}\n"),
        {"train_loss": ("epoch", [0.5, 1.0], [0.5, 0.4])},
    ),
    "timm": (
        ("Train: 0 [   0/100 (  0%)]  Loss:  6.9 (6.9)\n"
        "Train: 0 [  50/100 ( 50%)]  Loss:  6.5 (6.7)\n"
        "Train: 1 [   0/100 (  0%)]  Loss:  6.1 (6.1)\n"),
        {"train_loss": ("step", [0, 50, 100], [6.9, 6.5, 6.1])},
    ),
    "places in sources": (
        ("2024-01-02 10:00:00.123 | INFO     | __main__:train:42 - Epoch 1 | val_loss 0.6\n"
        "I0102 10:00:10.123456 140000 train.py:42] epoch: 2, val_loss: 0.5\n"),
        {"valid_loss": ("epoch", [1, 2], [0.6, 0.5])},
    ),
    "XGBoost": (
        "[0]\ttrain-rmse:0.5\teval-rmse:0.6\n[1]\ttrain-rmse:0.4\teval-rmse:0.5\n",
        {
            "train_rmse": ("step", [0, 1], [0.5, 0.4]),
            "valid_rmse": ("step", [0, 1], [0.6, 0.5]),
        },
    ),
    "LightGBM": (
        ("[10]\ttraining's binary_logloss: 0.5\tvalid_1's binary_logloss: 0.6\n"
        "[20]\ttraining's binary_logloss: 0.4\tvalid_1's binary_logloss: 0.5\n"),
        {
            "train_binary_logloss": ("step", [10, 20], [0.5, 0.4]),
            "valid_1_binary_logloss": ("step", [10, 20], [0.6, 0.5]),
        },
    ),
    "commas in numbers": (
        "step 1,000: loss: 1,234.5\nstep 2,000: loss: 0,25\n",
        {"train_loss": ("step", [1000, 2000], [1234.5, 0.25])},
    ),
    "what was reached in the end": (
        ("[1,  2000] loss: 2.2\n[1,  4000] loss: 1.8\nFinished Training\n"
        "Accuracy of the network on the 10000 test images: 55 %\n"),
        {
            "train_loss": ("step", [2000, 4000], [2.2, 1.8]),
            "test_acc": ("epoch", [1], [55.0]),
        },
    ),
    "PyTorch, VAE": (
        ("====> Epoch: 1 Average loss: 165.5\n====> Test set loss: 127.5\n"
        "====> Epoch: 2 Average loss: 121.5\n====> Test set loss: 115.5\n"),
        {
            "train_loss": ("epoch", [1, 2], [165.5, 121.5]),
            "test_loss": ("epoch", [1, 2], [127.5, 115.5]),
        },
    ),
    "episodes": (
        "Episode 10\tAverage reward: 15.5\nEpisode 20\tAverage reward: 18.5\n",
        {"train_average_reward": ("epoch", [10, 20], [15.5, 18.5])},
    ),
    "Japanese sentences": (
        ("1エポック目: 訓練データの損失は0.5、テストデータの正解率は0.8\n"
        "第2エポック: 訓練データの損失は0.4、テストデータの正解率は0.9\n"),
        {
            "train_loss": ("epoch", [1, 2], [0.5, 0.4]),
            "test_acc": ("epoch", [1, 2], [0.8, 0.9]),
        },
    ),
    "early stopping": (
        ("Epoch: 1 \tTraining Loss: 0.5 \tValidation Loss: 0.6\n"
        "Validation loss decreased (inf --> 0.6).  Saving model ...\n"
        "Epoch: 2 \tTraining Loss: 0.4 \tValidation Loss: 0.5\n"
        "Validation loss decreased (0.6 --> 0.5).  Saving model ...\n"),
        {
            "train_loss": ("epoch", [1, 2], [0.5, 0.4]),
            "valid_loss": ("epoch", [1, 2], [0.6, 0.5]),
        },
    ),
    "colours": (
        ("\x1b[32mEpoch 1\x1b[0m loss: \x1b[1m0.5\x1b[0m\n"
        "\x1b[32mEpoch 2\x1b[0m loss: \x1b[1m0.4\x1b[0m\n"),
        {"train_loss": ("epoch", [1, 2], [0.5, 0.4])},
    ),
    "Japanese": (
        ("エポック 1/2 - 訓練損失: 0.5, 検証損失: 0.6\n"
        "エポック 2/2 - 訓練損失: 0.4, 検証損失: 0.5\n"),
        {
            "train_loss": ("epoch", [1, 2], [0.5, 0.4]),
            "valid_loss": ("epoch", [1, 2], [0.6, 0.5]),
        },
    ),
    "full width": ("ｅｐｏｃｈ　１：ｌｏｓｓ＝０．５\nｅｐｏｃｈ　２：ｌｏｓｓ＝０．４\n",
                   {"train_loss": ("epoch", [1, 2], [0.5, 0.4])}),
}  # fmt: skip


@pytest.mark.parametrize("name", LOGS)
def test_every_number_is_found_at_its_place(tmp_path: Path, name: str) -> None:
    content, values = LOGS[name]
    assert found(tmp_path / "output.log", content) == values


NUMBERS = st.lists(
    st.floats(0, 1e6, allow_nan=False) | st.floats(1e-30, 1e-3), min_size=2, max_size=20
)


@given(NUMBERS)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_a_loop_prints_is_read_to_the_last_bit(tmp_path: Path, values: list[float]) -> None:
    lines = [f"Epoch {i}/{len(values)} loss: {y!r}\n" for i, y in enumerate(values, start=1)]
    assert found(tmp_path / "out.log", "".join(lines)) == {
        "train_loss": ("epoch", [*range(1, len(values) + 1)], values)
    }


@pytest.mark.parametrize(
    "content",
    [
        "This network reaches an accuracy of 95% after 10 epochs.\n",
        "torch==2.6\nnumpy>=1.26\n",
        "epochs: 10\nlr: 0.1\nbatch_size: 32\n",
        "Namespace(epochs=10, lr=0.1)\n",
        "We reach an accuracy of 95.\nAt epoch 3 the loss was 0.5.\nThe loss is 0.3 with this.\n",
        "def loss(x):\n    return x\n",
        "",
    ],
)
def test_prose_and_code_are_no_logs(tmp_path: Path, content: str) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(content, encoding="utf-8")
    assert not is_log(path)


def test_a_file_without_a_named_number_is_told(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    path.write_text("nothing was logged\n", encoding="utf-8")
    with pytest.raises(LoadError) as caught:
        console.read(path)
    assert str(caught.value) == (
        f"{path}: expected numbers of a training, found 'nothing was logged'; name a log, "
        "or give its series as a file of one number a line"
    )


@pytest.mark.parametrize(
    "line", ["(" * 19_000 + "1", "-" * 19_000 + "1", "loss " * 3_900 + "1", "a.b-c " * 3_000 + "1",
             "[1/2 " * 3_900, "1:1" * 6_000, "loss on " * 2_400 + "1", "train.py" * 2_400 + "1",
             "1,234" * 3_900, "a:b:" * 4_800 + "1", "'loss'" * 3_000 + "1", "損失は" * 6_000 + "1",
             "=>" * 9_000 + "1"],
)  # fmt: skip
def test_no_line_takes_long(line: str) -> None:
    start = time.process_time()
    console._row(line)
    assert time.process_time() - start < 5  # a search that tries every way takes hours
