"""What is in a file is said in words and as one JSON object."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from kashika.contents import inspect
from kashika.errors import LoadError
from kashika.texts import speaking


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def test_a_log_has_a_row_for_each_series(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("epoch,loss,val_acc\n1,0.5,0.25\n2,0.25,0.5\n3,nan,0.375\n", encoding="utf-8")
    content = json.loads(inspect(path, rename={}).to_json())
    assert content["series"] == [
        {"series": "train_loss", "points": 3, "unit": "epoch", "from": 1, "to": 3, "segments": 1,
         "first": 0.5, "best": 0.25, "best_at": 2, "last": 0.25},
        {"series": "valid_acc", "points": 3, "unit": "epoch", "from": 1, "to": 3, "segments": 1,
         "first": 0.25, "best": 0.5, "best_at": 2, "last": 0.375},
    ]  # fmt: skip
    assert (content["format"], content["tensors"]) == ("CSV", [])
    assert content["notes"] == ["train_loss: 1 value is not finite, the first at epoch 3"]
    assert str(inspect(path, rename={})).splitlines() == [
        f"{path}: CSV",
        "",
        "Series      Points  Unit   From  To  Segments  First  Best  Best at  Last",
        "train_loss  3       epoch  1     3   1         0.5    0.25  2        0.25",
        "valid_acc   3       epoch  1     3   1         0.25   0.5   2        0.375",
        "",
        "train_loss: 1 value is not finite, the first at epoch 3",
    ]


def test_a_checkpoint_has_a_row_for_each_tensor_and_what_stands_beside_them(tmp_path: Path) -> None:
    path = tmp_path / "c.pth"
    state = nn.Linear(2, 3).state_dict()
    torch.save({"model": state, "epoch": 7, "best": float("nan"), "losses": [3.0, 2.0]}, path)
    content = json.loads(inspect(path, rename={}).to_json())
    assert content["tensors"] == [
        {"tensor": "weight", "shape": "(3, 2)", "type": "float32", "numbers": 6},
        {"tensor": "bias", "shape": "(3,)", "type": "float32", "numbers": 3},
    ]
    assert content["other"] == {"epoch": 7, "best": "nan", "losses": [3.0, 2.0]}
    lines = str(inspect(path, rename={})).splitlines()
    assert lines[:2] == [f"{path}: PyTorch zip", "tensors: 2, numbers: 9"]
    assert lines[-3:] == ["epoch: 7", "best: nan", "losses: 3.0, 2.0"]


def test_a_directory_has_what_a_report_would_read(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "train_loss.txt", [0.5, 0.25])
    torch.save(nn.Linear(2, 3).state_dict(), tmp_path / "c.pth")
    (tmp_path / "net.py").write_text("class Net(nn.Module): ...\n", encoding="utf-8")
    found = inspect(tmp_path, rename={})
    assert found.other == {
        "logs": ["train_loss.txt"], "checkpoint": ["c.pth"], "model": ["net.py:Net"]
    }  # fmt: skip
    with speaking("ja"):
        assert str(inspect(tmp_path, rename={})).splitlines() == [
            f"{tmp_path}: 学習結果のフォルダ",
            "",
            "ログ: train_loss.txt",
            "チェックポイント: c.pth",
            "コードにあるネットワーク（--model で指定）: net.py:Net",
        ]


def test_a_place_with_nothing_to_read_is_told(tmp_path: Path) -> None:
    for path, words in (
        (tmp_path / "no", "expected a file or a directory, found nothing"),
        (tmp_path, "expected logs such as train_loss.txt or a checkpoint"),
    ):
        with pytest.raises(LoadError) as caught:
            inspect(path, rename={})
        assert words in str(caught.value)
