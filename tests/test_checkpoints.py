"""Weights out of a file: all of them, to the last bit, and never any code."""

from __future__ import annotations

import os
import pickle
import re
import zipfile
from collections.abc import Callable, Iterator
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kashika.errors import LoadError, MismatchError
from kashika.load.checkpoints import checkpoint_of, left_out, put_into, read_state
from kashika.parameters import Initial
from kashika.texts import speaking


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def mlp(hidden: int = 4, classes: int = 2) -> nn.Module:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(2, hidden), nn.ReLU(), nn.Linear(hidden, classes))


def saved(path: Path, content: object, *, zipped: bool = True) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


def refused(path: Path) -> str:
    with pytest.raises(LoadError) as caught:
        read_state(path)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


class Evil:
    """Touches a file when it is unpickled by someone who is not careful."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch '{self.file}'",)


# --- reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize("zipped", [True, False])
def test_a_bare_state_dict_is_read_to_the_last_bit(tmp_path: Path, *, zipped: bool) -> None:
    state = mlp().state_dict()
    found = read_state(saved(tmp_path / "model.pth", state, zipped=zipped))
    assert list(found) == list(state)
    assert all(torch.equal(found[name], state[name]) for name in state)


def test_what_is_no_tensor_and_has_no_name_in_words_does_not_matter(tmp_path: Path) -> None:
    found = read_state(saved(tmp_path / "model.pth", {0: torch.ones(1), "epoch": 3}))
    assert list(found) == ["0"]


def test_a_dict_of_parameters_with_their_gradient_flag_is_a_state_dict(tmp_path: Path) -> None:
    file = saved(tmp_path / "model.pth", dict(mlp().named_parameters()))
    checkpoint = checkpoint_of(file, read_state(file))
    assert [one.name for one in checkpoint.parameters] == [
        "0.weight",
        "0.bias",
        "2.weight",
        "2.bias",
    ]


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("wrap", [lambda evil: evil, lambda evil: {"0.weight": evil}])
def test_a_file_that_would_run_code_runs_none(
    tmp_path: Path, protocol: int, wrap: Callable[[Evil], object]
) -> None:
    content, touched = wrap(Evil(tmp_path / "touched")), tmp_path / "touched"
    file = tmp_path / "model.pth"
    file.write_bytes(pickle.dumps(content, protocol=protocol))
    refused(file)
    torch.save(content, file, pickle_protocol=protocol)
    refused(file)
    assert not touched.exists()
    pickle.loads(pickle.dumps(content))  # seen to be evil
    assert touched.exists()


def test_what_would_be_run_is_named(tmp_path: Path) -> None:
    whole = (
        "expected a state_dict, found objects whose loading would run code ({}); "
        "save model.state_dict() instead"
    )
    file = saved(tmp_path / "model.pth", {"0.weight": Evil(tmp_path / "touched")})
    assert refused(file) == f"{file}: {whole.format(f'{os.name}.system')}"
    for zipped in (True, False):
        saved(file, nn.Linear(2, 2), zipped=zipped)
        assert refused(file) == f"{file}: {whole.format('torch.nn.modules.linear.Linear')}"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({"epoch": 3, "state_dict": {"weight": torch.ones(2)}}, "epoch, state_dict"),
        ({"epoch": 3}, "epoch"),
        ({}, "{}"),
        ([torch.ones(2)], "list"),
        (torch.ones(2), "Tensor"),
        (3, "int"),
    ],
)
def test_a_file_with_something_else_in_it_says_what(
    tmp_path: Path, content: object, found: str
) -> None:
    file = saved(tmp_path / "model.pth", content)
    assert refused(file) == (
        f"{file}: expected a state_dict (names and tensors), found {found}; save model.state_dict()"
    )


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "half of it": lambda good: good[: len(good) // 2],
    "ten bytes": lambda good: good[:10],
    "all but the end": lambda good: good[:-10],
    "zeros": lambda good: bytes(len(good)),
    "a page that was not found": lambda _: (
        b"<!DOCTYPE html>\n<html><body>404: Not Found</body></html>"
    ),
    "a pointer of Git LFS": lambda _: (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n"
    ),
    "numbers": lambda _: b"0.5\n0.25\n",
    "a plain pickle": lambda _: pickle.dumps({"a": 1}),
}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_or_different_file_is_told_in_one_line(
    tmp_path: Path, damage: str, *, zipped: bool
) -> None:
    file = saved(tmp_path / "model.pth", mlp().state_dict(), zipped=zipped)
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    message = refused(file)
    start = f"{file}: expected a PyTorch checkpoint, found a damaged or different file ("
    assert message.startswith(start)
    assert re.fullmatch(r"\w+Error(: .+)?\); save or copy it again", message.removeprefix(start))
    assert "weights_only` set to `False`" not in message  # torch's own advice


def test_an_archive_of_something_else_is_a_different_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.pth", "w") as archive:
        archive.writestr("notes.txt", "weights")
    assert "found a damaged or different file (" in refused(tmp_path / "model.pth")


def test_an_empty_file_and_no_file_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "model.pth"
    assert (
        refused(file) == f"--checkpoint: expected a file, found nothing at {file}; check the path"
    )
    file.touch()
    assert refused(file) == (
        f"{file}: expected a checkpoint, found an empty file (0 bytes); save or copy it again"
    )
    with speaking("ja"):
        assert refused(file) == (
            f"{file}: チェックポイントのはずですが、空のファイル（0バイト）です。"
            "もう一度保存するか、コピーしてください。"
        )


# --- what the weights are ------------------------------------------------------------------------


def test_every_parameter_is_looked_at_in_the_order_of_the_file(tmp_path: Path) -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Embedding(5, 4), nn.LSTM(4, 6), nn.Linear(6, 2)
    )
    state = network.state_dict()
    file = saved(tmp_path / "model.pth", state)
    checkpoint = checkpoint_of(file, read_state(file))
    assert checkpoint.path == file
    # Running means and counters are no parameters.
    assert [one.name for one in checkpoint.parameters] == [n for n, _ in network.named_parameters()]
    for one in checkpoint.parameters:
        values = state[one.name].numpy()
        assert one.values.shape == values.shape
        assert one.values.mean == pytest.approx(values.astype(np.float64).mean(), abs=1e-12)
        np.testing.assert_array_equal(one.values.histogram()[0], np.histogram(values, bins=20)[0])
        assert one.trainable is None
    kinds = {one.layer: one.kind for one in checkpoint.parameters}
    assert kinds == {"0": "Conv2d", "1": "BatchNorm", "2": None, "3": "LSTM", "4": "Linear"}
    starts = {one.name: one.initial for one in checkpoint.parameters}
    assert starts["0.weight"] == Initial("uniform", 0.0, 1 / sqrt(27))
    assert starts["1.weight"] == Initial("constant", 1.0, 0.0)
    assert starts["2.weight"] is None
    assert starts["4.bias"] == Initial("uniform", 0.0, 1 / sqrt(6))


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor([1.0, -2.0], dtype=torch.float64),
        torch.tensor([1.0, -2.0], dtype=torch.float16),
        torch.tensor([1.0, -2.0], dtype=torch.bfloat16),
        torch.tensor([1.0, -2.0]).to(torch.float8_e4m3fn),
        torch.tensor([1.0, -2.0]).to_sparse(),
        torch.tensor([1.0, -2.0], requires_grad=True),
    ],
)
def test_weights_of_any_floating_type_are_looked_at(tensor: Tensor) -> None:
    (one,) = checkpoint_of(Path("model.pth"), {"weight": tensor}).parameters
    assert (one.values.least, one.values.greatest, one.values.size) == (-2.0, 1.0, 2)


def test_what_are_no_real_numbers_are_no_weights_and_all_but_counters_are_named() -> None:
    state = {
        "steps": torch.tensor(3),
        "mask": torch.tensor([True, False]),
        "phase": torch.tensor([1j, 2j]),
        "elsewhere": torch.ones(2, device="meta"),
    }
    assert checkpoint_of(Path("model.pth"), state).parameters == ()
    assert left_out(state) == ["mask", "phase", "elsewhere"]
    assert left_out(mlp().state_dict()) == []


# --- into a network ------------------------------------------------------------------------------


def test_weights_that_fit_are_put_into_the_network() -> None:
    trained, fresh = mlp(), mlp()
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.mul_(3)
    put_into(fresh, trained.state_dict(), path=Path("model.pth"), model="mlp.py:MLP")
    for one, other in zip(fresh.parameters(), trained.parameters(), strict=True):
        assert torch.equal(one, other)


def test_what_does_not_fit_is_listed_with_keys_and_shapes() -> None:
    state = mlp(hidden=3, classes=2).state_dict()
    state["head.weight"] = torch.ones(1)
    del state["2.bias"]
    network = mlp(hidden=4)
    before = [one.detach().clone() for one in network.parameters()]
    with pytest.raises(MismatchError) as caught:
        put_into(network, state, path=Path("model.pth"), model="mlp.py:MLP")
    start = "model.pth does not fit mlp.py:MLP: "
    listed = (
        "0.weight is (3, 2), expected (4, 2) / 0.bias is (3,), expected (4,) / "
        "2.weight is (2, 3), expected (2, 4) / 2.bias is not in the file / "
        "head.weight is not in the network"
    )
    end = "; give the arguments of the trained network in --model"
    assert str(caught.value) == start + listed + end
    assert all(
        torch.equal(one, other) for one, other in zip(network.parameters(), before, strict=True)
    )
