"""In a directory the logs and checkpoints of one run are found, and the choice is said."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kashika.load import candidates
from kashika.load.finding import find
from kashika.texts import speaking


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def files(directory: Path, *names: str, content: str = "0.5\n0.25\n") -> None:
    """Write files that are made one second after the other."""
    for second, name in enumerate(names):
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        os.utime(path, (second, second))


def relative(paths: tuple[Path, ...], directory: Path) -> list[str]:
    return [path.relative_to(directory).as_posix() for path in paths]


def test_logs_in_the_directory_itself_are_those_of_the_run(tmp_path: Path) -> None:
    files(tmp_path, "train_loss.txt", "valid_loss.txt", "old/train_loss.txt")
    found = find(tmp_path)
    assert relative(found.logs, tmp_path) == ["train_loss.txt", "valid_loss.txt"]
    assert list(map(str, found.notes)) == [
        (
            f"Several folders hold logs: {tmp_path} was read, these were not: old; "
            "name one as RUN, or add it with --log"
        )
    ]


def test_of_several_runs_below_the_newest_is_read(tmp_path: Path) -> None:
    files(tmp_path, "version_0/train_loss.txt", "version_10/train_loss.txt")
    files(tmp_path, "version_9/train_loss.txt")
    assert relative(find(tmp_path).logs, tmp_path) == ["version_10/train_loss.txt"]
    os.utime(tmp_path / "version_9" / "train_loss.txt", (99, 99))
    found = find(tmp_path)
    assert relative(found.logs, tmp_path) == ["version_9/train_loss.txt"]
    (note,) = map(str, found.notes)
    assert "these were not: version_0, version_10;" in note


def test_of_runs_of_the_same_age_the_highest_number_is_the_newest(tmp_path: Path) -> None:
    for version in (2, 10, 9):  # as in a clone of a repository, whose files are all new
        files(tmp_path, f"logs/version_{version}/train_loss.txt")
    assert relative(find(tmp_path).logs, tmp_path) == ["logs/version_10/train_loss.txt"]


def test_one_folder_for_each_split_is_one_run(tmp_path: Path) -> None:
    files(tmp_path, "logs/train/train_loss.txt", "logs/validation/valid_loss.txt")
    assert relative(find(tmp_path).logs, tmp_path) == [
        "logs/train/train_loss.txt",
        "logs/validation/valid_loss.txt",
    ]


@pytest.mark.parametrize(
    ("names", "first"),
    [
        (("old.pth", "new.pth"), "new.pth"),
        (("best.pth", "last.pth"), "best.pth"),
        (("ckpt/model_BEST.pt", "ckpt/epoch_9.pt"), "ckpt/model_BEST.pt"),
        (("a.safetensors", "b.ckpt"), "b.ckpt"),
        (("model.safetensors", "optimizer.pt"), "model.safetensors"),
        (("pytorch_model.bin", "training_args.bin", "vocab.bin"), "pytorch_model.bin"),
    ],
)
def test_the_best_checkpoint_is_read_first_else_the_newest(
    tmp_path: Path, names: tuple[str, ...], first: str
) -> None:
    files(tmp_path, *names, content="weights")
    assert relative(find(tmp_path).checkpoints, tmp_path)[0] == first


def test_the_choice_among_several_checkpoints_is_said(tmp_path: Path) -> None:
    for epoch in (1, 10, 9):
        files(tmp_path, f"epoch={epoch}.ckpt", content="weights")
    found = find(tmp_path)
    assert relative(found.checkpoints, tmp_path) == [
        "epoch=10.ckpt",
        "epoch=9.ckpt",
        "epoch=1.ckpt",
    ]
    assert list(map(str, found.notes)) == [
        (
            f"Several checkpoints: {tmp_path}/epoch=10.ckpt was read, these were not: "
            "epoch=9.ckpt, epoch=1.ckpt; choose with --checkpoint"
        )
    ]


def test_checkpoints_of_the_run_that_is_read_come_before_those_of_others(tmp_path: Path) -> None:
    files(tmp_path, "version_1/train_loss.txt", "version_1/checkpoints/last.ckpt")
    files(tmp_path, "best.pth", content="weights")
    found = find(tmp_path)
    assert relative(found.checkpoints, tmp_path) == ["version_1/checkpoints/last.ckpt"]


def test_a_set_of_shards_is_its_index_and_a_distributed_one_its_folder(tmp_path: Path) -> None:
    files(tmp_path, "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    files(tmp_path, "model.safetensors.index.json", "dcp/.metadata", "dcp/__0_0.distcp", content="")
    assert sorted(relative(find(tmp_path).checkpoints, tmp_path)) == [
        "dcp",
        "model.safetensors.index.json",
    ]


def test_what_systems_and_editors_leave_behind_is_passed_over_and_counted(tmp_path: Path) -> None:
    files(tmp_path, "train_loss.txt", "._train_loss.txt", "__MACOSX/train_acc.txt")
    files(tmp_path, ".ipynb_checkpoints/train_acc.txt", ".git/train_acc.txt")
    files(tmp_path, "venv/train_acc.txt", "_old/train_acc.txt")
    found = find(tmp_path)
    assert relative(found.logs, tmp_path) == ["train_loss.txt"]
    assert list(map(str, found.notes)) == [  # C148
        (
            "3 files and folders that systems and editors leave behind (._*, __MACOSX, "
            ".ipynb_checkpoints) were passed over"
        )
    ]


def test_a_directory_without_a_run_has_nothing(tmp_path: Path) -> None:
    files(tmp_path, "README.md", "src/main.py")
    found = find(tmp_path)
    assert (found.logs, found.checkpoints, found.notes) == ((), (), ())


def test_folders_very_far_below_are_not_looked_into(tmp_path: Path) -> None:
    files(tmp_path, "a/b/c/d/train_loss.txt", "1/2/3/4/5/train_acc.txt")
    assert relative(find(tmp_path).logs, tmp_path) == ["a/b/c/d/train_loss.txt"]


def test_names_with_blanks_brackets_and_japanese_are_names(tmp_path: Path) -> None:
    files(tmp_path, "実験 [1] (2)!/train_loss.txt")  # C147
    assert relative(find(tmp_path).logs, tmp_path) == ["実験 [1] (2)!/train_loss.txt"]


# --- code and data --------------------------------------------------------------------------------

CODE = """
import torch.nn as nn
raise SystemExit("this code is never run")

class Block(nn.Module):
    pass

class Net(nn.Module):
    def __init__(self):
        self.block = Block()

class Config:
    pass

def get_dataloaders():
    pass

def main():
    pass
"""


def test_networks_are_named_by_their_code_without_running_it(tmp_path: Path) -> None:
    files(tmp_path, "net.py", content=CODE)
    files(tmp_path, "broken.py", content="class Net(nn.Module)")
    cells = (
        '{"cells": [{"cell_type": "code", "source": ["%s", "class Lit(pl.LightningModule): ..."]}]}'
    )
    files(tmp_path, "train.ipynb", content=cells % r"%matplotlib inline\n")
    seen = find(tmp_path).files
    assert candidates.models(seen, tmp_path) == ["net.py:Net", "train.ipynb:Lit", "net.py:Block"]


def test_functions_and_files_that_may_give_the_data_are_named(tmp_path: Path) -> None:
    files(tmp_path, "net.py", content=CODE)
    files(tmp_path, "X_train.npy", "y_train.npy", "d.npz", "t10k-images-idx3-ubyte.gz", content="")
    assert candidates.data(find(tmp_path).files, tmp_path) == [
        "net.py:get_dataloaders",
        "X_train.npy",
        "d.npz",
        "t10k-images-idx3-ubyte.gz",
    ]
