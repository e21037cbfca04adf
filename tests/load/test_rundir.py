"""The parts of a run are found where a training leaves them, and where the user says they are."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from kashika.errors import LoadError, MismatchError
from kashika.load import Options, load
from kashika.load.rundir import load_history
from kashika.run import Cut, Run
from kashika.texts import speaking
from kashika.views.boundary import VIEW as BOUNDARY

CODE = """
import numpy as np
from torch import nn

def net(width=2):
    return nn.Linear(2, width)

class Net(nn.Module):
    def __init__(self, width=2):
        super().__init__()
        self.weight = nn.Parameter(nn.Linear(2, width).weight.data)
        self.bias = nn.Parameter(nn.Linear(2, width).bias.data)

    def forward(self, x):
        return x @ self.weight.T + self.bias

built = net()
number = 3

X = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
y = np.array([0, 1, 1])
splits = {"train": (X, y), "val": (X[:2], y[:2])}

def load(keys=("train", "test")):
    return {key: (X, y) for key in keys}

def nothing():
    return {}

def pair():
    return X, y

def absolute(outputs, targets):
    return (outputs.sum(1) - targets).abs().mean()
"""


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    with speaking("en"):
        yield
    sys.modules.pop("code_of_the_user", None)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """What the seed's training leaves behind: code, and in output/ the logs and the weights."""
    output = tmp_path / "run" / "output"
    output.mkdir(parents=True)
    for name in ("train_loss", "train_acc", "valid_loss", "valid_acc"):
        np.savetxt(output / f"{name}.txt", [0.5, 0.25])
    torch.save(nn.Linear(2, 2).state_dict(), output / "model.pth")
    (output.parent / "code_of_the_user.py").write_text(CODE, encoding="utf-8")
    return output.parent


def loaded(run: Path, **given: str) -> Run:
    """Load a run with options whose files are those of the run."""
    words: dict[str, Any] = {
        name: f"{run / 'code_of_the_user.py'}{word}" if word.startswith(":") else word
        for name, word in given.items()
    }
    return load(run, replace(Options(), **words))


def refused(run: Path, **given: str) -> str:
    with pytest.raises((LoadError, MismatchError)) as caught:
        loaded(run, **given)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


# --- finding the parts ---------------------------------------------------------------------------


def test_the_seeds_run_is_found_by_its_folder_and_by_the_one_above(run: Path) -> None:
    for folder in (run, run / "output"):
        found = load(folder, Options())
        assert found.name == folder.name
        assert found.history is not None
        assert list(found.history.series) == ["train_loss", "valid_loss", "train_acc", "valid_acc"]
        assert found.checkpoint is not None
        assert found.checkpoint.path == run / "output" / "model.pth"
        assert (found.network, len(found.observations)) == (None, 0)
        assert list(load_history(folder).series) == list(found.history.series)


def test_a_relative_folder_has_its_own_name(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run)
    assert load(Path(), Options()).name == "run"


def test_logs_alone_and_weights_alone_are_a_run(run: Path) -> None:
    (run / "output" / "model.pth").rename(run / "weights.pt")
    both = load(run, Options())
    assert both.checkpoint is not None
    assert both.checkpoint.path == run / "weights.pt"
    (run / "weights.pt").unlink()
    assert load(run, Options()).checkpoint is None
    torch.save(nn.Linear(2, 2).state_dict(), run / "weights.bin")
    for log in (run / "output").iterdir():
        log.unlink()
    only = load(run, Options())
    assert only.history is None
    assert only.checkpoint is not None


def test_what_was_read_is_listed_with_its_hash(run: Path) -> None:
    found = dict(loaded(run, model=":net", data=":load", loss="cross_entropy").provenance)
    for name in ("output/train_loss.txt", "output/model.pth", "code_of_the_user.py"):
        digest = hashlib.sha256((run / name).read_bytes()).hexdigest()
        assert found[name] == f"sha256 {digest}"
    assert found["torch"] == torch.__version__
    assert found["numpy"] == np.__version__
    assert found["seed"] == "0"


def test_a_folder_without_anything_to_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("lr 0.1")
    assert refused(tmp_path) == (
        f"{tmp_path}: expected logs such as train_loss.txt or a checkpoint such as model.pth, "
        "found neither; name the folder that holds them"
    )
    with pytest.raises(LoadError) as caught:
        load_history(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: expected logs such as train_loss.txt, found none; "
        "name the folder that holds them"
    )


def test_the_choice_among_several_checkpoints_is_said_and_can_be_made(run: Path) -> None:
    torch.save(nn.Linear(2, 3).state_dict(), run / "output" / "best.pt")
    found = load(run, Options())
    assert found.checkpoint is not None
    assert found.checkpoint.path.name == "best.pt"
    said = (
        f"Several checkpoints: {run}/output/best.pt was read, these were not: output/model.pth; "
        "choose with --checkpoint"
    )
    assert said in map(str, found.notes)
    chosen = loaded(run, checkpoint=str(run / "output" / "model.pth"))
    assert chosen.checkpoint is not None
    assert chosen.checkpoint.parameters[0].values.shape == (2, 2)
    assert said not in map(str, chosen.notes)


def test_a_model_without_a_checkpoint_is_told(run: Path) -> None:
    (run / "output" / "model.pth").unlink()
    assert refused(run, model=":net") == (
        f"{run}: expected a checkpoint for --model, found none; give --checkpoint FILE"
    )


def test_a_checkpoint_that_is_not_there_is_told(run: Path) -> None:
    path = run / "no.pth"
    assert refused(run, checkpoint=str(path)) == (
        f"{path}: expected a checkpoint, found nothing; check the path"
    )


# --- the network ---------------------------------------------------------------------------------


@pytest.mark.parametrize("word", [":net", ":net()", ":net(2)", ":Net", ":Net(width=2)", ":built"])
def test_a_model_is_a_module_or_what_builds_one(run: Path, word: str) -> None:
    network = loaded(run, model=word).network
    assert network is not None
    state = torch.load(run / "output" / "model.pth", weights_only=True)
    for parameter in network.parameters():
        assert parameter.values.least == state[parameter.name].min()
        assert parameter.values.greatest == state[parameter.name].max()


def test_something_else_than_a_model_is_told(run: Path) -> None:
    word = f"{run / 'code_of_the_user.py'}:load"
    assert refused(run, model=":load") == (
        f"--model {word}: expected an nn.Module, or a class or function that builds one, "
        "found dict; name another object"
    )


def test_a_model_of_another_width_is_told_with_its_keys_and_shapes(run: Path) -> None:
    checkpoint, file = run / "output" / "model.pth", run / "code_of_the_user.py"
    assert refused(run, model=":net(3)") == (
        f"{checkpoint} does not fit {file}:net: weight is (2, 2), expected (3, 2) / "
        "bias is (2,), expected (3,), so the file has 2 outputs, the model 3; "
        "give the arguments of the trained network in --model"
    )
    with speaking("ja"):
        assert refused(run, model=":net(3)") == (
            f"{checkpoint} は {file}:net に合いません: "
            "weight は (2, 2) ですが、(3, 2) のはずです / "
            "bias は (2,) ですが、(3,) のはずです。"
            "ファイルの出力は 2 個、モデルの出力は 3 個です。"
            "学習したときの引数を --model に指定してください。"
        )


def test_a_loss_may_be_a_function_of_the_users(run: Path) -> None:
    found = loaded(run, model=":net(1)", data=":splits", loss=":absolute", checkpoint=one(run))
    assert found.observations["train"].task.loss == "absolute"


def one(run: Path) -> str:
    """Save the weights of a network with one output."""
    path = run / "one.pth"
    torch.save(nn.Linear(2, 1).state_dict(), path)
    return str(path)


# --- the data ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "splits"),
    [
        (":load", ["train", "test"]),
        (":load()", ["train", "test"]),
        (":load(['validation', 'train'])", ["train", "valid"]),
        (":splits", ["train", "valid"]),
    ],
)
def test_data_are_a_mapping_or_what_returns_one(run: Path, word: str, splits: list[str]) -> None:
    found = loaded(run, model=":net", data=word)
    assert list(found.observations) == splits
    assert found.observations["train"].samples == 3


@pytest.mark.parametrize(
    ("word", "name", "found"),
    [(":number", "number", "int"), (":nothing", "nothing", "dict")],
)
def test_something_else_than_a_mapping_is_told(run: Path, word: str, name: str, found: str) -> None:
    assert refused(run, model=":net", data=word) == (
        f"--data: expected {name} to return a mapping from train, valid, test to (X, y), "
        f"found {found}; correct the function"
    )


def test_a_split_of_another_name_is_told(run: Path) -> None:
    message = refused(run, model=":net", data=":load(['fold1'])")
    expected = "--data load: expected splits called train, valid or test, found fold1"
    assert message.startswith(expected)


def test_what_has_no_effect_without_a_model_is_noted(run: Path) -> None:
    notes = list(map(str, loaded(run, data=":load", layer="hidden").notes))
    assert "--data, --layer had no effect, since there is no --model" in notes


def test_what_is_left_out_of_a_checkpoint_is_noted(run: Path) -> None:
    checkpoint = run / "output" / "model.pth"
    torch.save({"weight": torch.ones(2, 2), "phase": torch.tensor([1j, 2j])}, checkpoint)
    assert any(note.endswith(": phase") for note in map(str, load(run, Options()).notes))


def test_what_has_no_effect_without_a_network_is_noted_even_beside_logs_alone(
    tmp_path: Path,
) -> None:
    (tmp_path / "train_loss.txt").write_text("0.5\n", encoding="utf-8")
    notes = load(tmp_path, Options(data="mine.py:load")).notes
    with speaking("en"):
        assert list(map(str, notes)) == ["--data had no effect, since there is no --model"]


# --- where the boundary is looked at --------------------------------------------------------------


def flowers(directory: Path, **given: Any) -> Run:
    """Load a network for the four columns of the irises."""
    torch.save(nn.Linear(4, 3).state_dict(), directory / "model.pth")
    code = directory / "code_of_the_user.py"
    code.write_text("from torch import nn\ndef net():\n    return nn.Linear(4, 3)\n", "utf-8")
    return load(directory, Options(**{"data": "iris"} | given, model=f"{code}:net"))


@pytest.mark.parametrize(
    ("features", "found"),
    [
        (("petal length (cm)", "sepal width (cm)"), (2, 1)),
        ((3, 0), (3, 0)),
        (("petal width (cm)", 0), (3, 0)),
    ],
)
def test_columns_are_named_as_the_data_name_them_or_by_number(
    tmp_path: Path, features: tuple[int | str, ...], found: tuple[int, int]
) -> None:
    assert flowers(tmp_path, features=features, at=7).cut == Cut(features=found, at=7)


def test_the_columns_of_a_table_are_those_that_are_inputs(tmp_path: Path) -> None:
    table = "id,kind,long,wide,2019,deep\n" + "\n".join(
        f"{k},{k % 3},{k / 3},{k * k % 7},{k % 5},{k % 2}" for k in range(30)
    )
    (tmp_path / "flowers.csv").write_text(table, encoding="utf-8")
    given = {"data": str(tmp_path / "flowers.csv"), "target": "kind"}
    assert flowers(tmp_path, **given, features=("deep", "long")).cut.features == (3, 0)
    assert flowers(tmp_path, **given, features=(2019, 1)).cut.features == (2, 1)
    with pytest.raises(LoadError) as caught:
        flowers(tmp_path, **given, features=("deep", "kind"))
    assert str(caught.value) == (
        "--features: expected the number of a column from 0, or one of the names "
        "long, wide, 2019, deep, found 'kind'; correct it"
    )


def test_a_column_has_no_name_where_the_data_give_none(run: Path) -> None:
    with pytest.raises(LoadError) as caught:
        load(
            run,
            Options(
                model=f"{run}/code_of_the_user.py:net",
                data=f"{run}/code_of_the_user.py:load",
                features=("width", 1),
            ),
        )
    assert str(caught.value) == (
        "--features: expected numbers of columns from 0, since the data name none, found 'width'; "
        "give numbers"
    )


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        ({}, ["plane", "features", "projection"]),
        ({"through": (3, 60, 110)}, ["plane"]),
        ({"features": (0, 3)}, ["features"]),
        ({"at": 3}, ["features"]),
        ({"projection": "pca"}, ["projection"]),
        ({"through": (3, 60, 110), "projection": "pca"}, ["plane", "projection"]),
    ],
)
def test_only_the_pictures_that_are_asked_for_are_made(
    tmp_path: Path, given: dict[str, Any], kinds: list[str]
) -> None:
    assert [one.kind for one in BOUNDARY.measure(flowers(tmp_path, **given)).maps] == kinds


def test_where_to_cut_has_no_effect_without_a_network(run: Path) -> None:
    notes = list(map(str, load(run, Options(at=0, through=(1, 2, 3))).notes))
    assert "--through, --at had no effect, since there is no --model" in notes
