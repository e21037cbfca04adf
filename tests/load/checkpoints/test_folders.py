"""Checkpoints of several files: a set of shards with its index, and distributed checkpoints."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from kashika.errors import LoadError
from kashika.load.checkpoints import contents, is_checkpoint, put_into, read
from kashika.texts import speaking


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 3))


def refused(path: Path) -> str:
    for look in (read, contents):
        with pytest.raises(LoadError) as caught:
            look(path)
    return str(caught.value)


def notes(path: Path) -> list[str]:
    assert contents(path).notes == read(path).notes
    return [str(note) for note in read(path).notes]


def is_net(path: Path) -> bool:
    found, state = read(path).state, net().state_dict()
    put_into(net(), read(path), model="net")
    return set(found) == set(state) and all(torch.equal(found[k], one) for k, one in state.items())


# --- shards --------------------------------------------------------------------------------------

SAVERS: dict[str, tuple[str, Callable[..., object]]] = {
    "safetensors": ("model", save_file),
    "bin": ("pytorch_model", torch.save),
}


@pytest.fixture(params=SAVERS)
def shards(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path, Path]:
    """Two shards with the net in them, and their index."""
    ending = request.param
    stem, save = SAVERS[ending]
    state = net().state_dict()
    parts = {
        f"{stem}-00001-of-00002.{ending}": {k: v for k, v in state.items() if k[0] == "0"},
        f"{stem}-00002-of-00002.{ending}": {k: v for k, v in state.items() if k[0] == "2"},
    }
    for name, part in parts.items():
        save(part, tmp_path / name)
    places = {key: name for name, part in parts.items() for key in part}
    index = tmp_path / f"{stem}.{ending}.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}), encoding="utf-8")
    first, second = (tmp_path / name for name in parts)
    return index, first, second


def test_shards_are_one_checkpoint_by_whatever_name(shards: tuple[Path, Path, Path]) -> None:
    index, first, second = shards
    for path in (index, first, second, index.parent):
        assert is_checkpoint(path)
        assert is_net(path)
        assert notes(path) == [f"{index.name} names 2 files, and all of them were read"]
        assert len(contents(path).tensors) == 4


def test_a_shard_that_is_missing_is_named_with_what_it_held(
    shards: tuple[Path, Path, Path],
) -> None:
    index, _, second = shards  # C028 (a)
    second.unlink()
    for path in (index, index.parent):
        assert refused(path) == (
            f"{index}: expected the file {second.name}, found none; 2 tensors lie in it, such as "
            "2.weight; copy it again"
        )


def test_a_stale_index_is_said_where_no_tensor_is_missing(shards: tuple[Path, Path, Path]) -> None:
    index, first, _ = shards  # C028 (b)
    content = json.loads(index.read_text(encoding="utf-8"))
    gone = f"gone.{first.suffix[1:]}"
    content["weight_map"]["0.bias"] = gone
    index.write_text(json.dumps(content), encoding="utf-8")
    assert is_net(index)
    assert f"The index names 1 file that is not there, but no tensor is missing: {gone}" in (
        notes(index)
    )


def test_tensors_that_the_index_alone_knows_are_listed(shards: tuple[Path, Path, Path]) -> None:
    index, first, _ = shards
    content = json.loads(index.read_text(encoding="utf-8"))
    content["weight_map"]["4.weight"] = first.name
    index.write_text(json.dumps(content), encoding="utf-8")
    assert is_net(index)
    assert "The index names 1 tensor that is in no file: 4.weight" in notes(index)


def test_a_stray_file_is_not_read_and_that_is_said(shards: tuple[Path, Path, Path]) -> None:
    index, first, _ = shards  # C028 (c)
    stray = index.with_name(f"old{first.suffix}")
    shutil.copy(first, stray)
    assert is_net(index)
    assert (
        f"1 file with weights beside the index is not named in it and was not read: {stray.name}"
    ) in notes(index)


def test_numbered_shards_without_an_index_are_read_if_all_are_there(
    shards: tuple[Path, Path, Path],
) -> None:
    index, _, second = shards
    index.unlink()
    assert is_net(second.parent)
    assert notes(second.parent) == ["There is no index; the 2 numbered files were read together"]
    second.unlink()
    assert refused(second.parent) == (
        f"{second.parent}: expected 2 numbered files with weights, found that these are missing: "
        f"{second.name}; copy them again"
    )


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"weight_map": {}}',
        '{"weight_map": []}',
        '{"weight_map": {"a": "../elsewhere.safetensors"}}',
        '{"weight_map": {"a": "/etc/passwd"}}',
        "[" * 100_000,
    ],
)
def test_an_index_that_is_none_or_points_elsewhere_is_refused(tmp_path: Path, content: str) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(content, encoding="utf-8")
    assert "expected an index with a weight_map of names of files beside it" in refused(index)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_folder_of_a_model_is_its_file_with_weights(tmp_path: Path, name: str) -> None:
    save = save_file if name.endswith("safetensors") else torch.save
    save(dict(net().state_dict()), tmp_path / name)
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    assert is_checkpoint(tmp_path)
    assert is_net(tmp_path)
    assert notes(tmp_path) == [f"Of the directory, {name} was read"]


def test_a_folder_without_weights_is_none(tmp_path: Path) -> None:
    assert not is_checkpoint(tmp_path)
    assert "found a directory without .metadata" in refused(tmp_path)


def test_what_a_safetensors_file_says_about_itself_is_shown(tmp_path: Path) -> None:
    save_file({"weight": torch.ones(2)}, tmp_path / "c.safetensors", metadata={"epoch": "3"})
    found = read(tmp_path / "c.safetensors")
    assert dict(found.other) == {"__metadata__": {"epoch": "3"}}
    assert (list(found.state), found.notes) == (["weight"], ())


def test_forty_shards_are_listed_without_a_number_being_read(tmp_path: Path) -> None:
    places = {}
    for k in range(40):
        name = f"model-{k + 1:05}-of-00040.safetensors"
        tensor = {"dtype": "BF16", "shape": [1 << 14, 1 << 14], "data_offsets": [0, 1 << 29]}
        header = json.dumps({f"{k}.weight": tensor}).encode()
        with (tmp_path / name).open("wb") as file:
            file.write(len(header).to_bytes(8, "little") + header)
            file.truncate(8 + len(header) + (1 << 29))  # a hole: 20 GiB in all, none on the disk
        places[f"{k}.weight"] = name
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}), encoding="utf-8")
    program = (
        "import sys, time\nfrom pathlib import Path\n"
        "from kashika.load.checkpoints import contents\n"
        f"start = time.perf_counter()\nfound = contents(Path({str(tmp_path)!r}))\n"
        "print(len(found.tensors), time.perf_counter() - start < 1, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.split() == [b"40", b"True", b"False"]


# --- distributed checkpoints ---------------------------------------------------------------------


def distributed(content: dict[str, object], directory: Path) -> Path:
    from torch.distributed.checkpoint.state_dict_saver import save

    with warnings.catch_warnings(action="ignore"):  # that there is one process
        save(content, checkpoint_id=directory)
    return directory


def test_a_distributed_checkpoint_is_a_folder_or_a_file_in_it(tmp_path: Path) -> None:
    optimiser = torch.optim.SGD(net().parameters(), momentum=0.9)  # C027
    content = {"model": net().state_dict(), "optim": optimiser.state_dict(), "epoch": 3}
    directory = distributed(content, tmp_path / "c027")
    for path in (directory, directory / "__0_0.distcp", directory / ".metadata"):
        assert is_checkpoint(path) or path.name == ".metadata"
        found = read(path)
        assert (found.format, found.chosen) == ("DCP", "model")
        assert is_net(path)
        assert found.other["epoch"] == 3
        assert len(contents(path).tensors) == 4


def test_every_type_of_number_comes_out_of_a_distributed_checkpoint(tmp_path: Path) -> None:
    state = {
        str(dtype): torch.arange(6).reshape(2, 3).to(dtype)
        for dtype in (torch.float64, torch.bfloat16, torch.int8, torch.bool)
    }
    found = read(distributed({"model": state}, tmp_path / "c")).state
    assert all(torch.equal(found[key], one) for key, one in state.items())


def test_a_tensor_in_pieces_is_put_together(tmp_path: Path) -> None:
    directory = distributed({"weight": torch.arange(12.0).reshape(4, 3)}, tmp_path / "c")
    whole = (directory / "__0_0.distcp").read_bytes()
    parts = []
    for start, rows in ((0, 1), (1, 3)):
        path = tmp_path / f"{start}.pt"
        torch.save(torch.arange(12.0).reshape(4, 3)[start : start + rows].clone(), path)
        parts.append(path.read_bytes())
    assert whole[:2] == parts[0][:2] == b"PK"
    (directory / "__0_0.distcp").write_bytes(b"".join(parts))
    with (directory / ".metadata").open("rb") as file:
        table = pickle.load(file)
    ((index, place),) = table.storage_data.items()
    chunk = table.state_dict_metadata["weight"].chunks[0]
    table.storage_data = {
        type(index)("weight", torch.Size((start, 0)), k): type(place)("__0_0.distcp", offset, size)
        for k, (start, offset, size) in enumerate(
            ((0, 0, len(parts[0])), (1, len(parts[0]), len(parts[1])))
        )
    }
    table.state_dict_metadata["weight"].chunks = [chunk, chunk]
    with (directory / ".metadata").open("wb") as file:
        pickle.dump(table, file)
    assert torch.equal(read(directory).state["weight"], torch.arange(12.0).reshape(4, 3))


def test_without_its_table_or_a_file_a_distributed_checkpoint_is_refused(tmp_path: Path) -> None:
    directory = distributed({"model": net().state_dict()}, tmp_path / "c")
    cut = directory / "__0_0.distcp"
    content = cut.read_bytes()
    cut.write_bytes(content[:-100])
    assert f"{cut}: expected {len(content)} bytes, found {len(content) - 100}" in refused(directory)
    cut.unlink()
    assert f"{directory}: expected the file __0_0.distcp, found none" in refused(directory)
    cut.write_bytes(content)
    (directory / ".metadata").unlink()
    assert refused(cut) == (
        f"{directory}: expected a distributed checkpoint, found no .metadata in it; "
        "copy the whole directory again"
    )


def test_a_table_that_names_files_elsewhere_is_refused(tmp_path: Path) -> None:
    directory = distributed({"model": net().state_dict()}, tmp_path / "c")
    table = (directory / ".metadata").read_bytes()
    (directory / ".metadata").write_bytes(table.replace(b"__0_0.distcp", b"../../../abc"))
    assert "lies outside" in refused(directory)
