"""Whatever weights are written, in whatever format, are read back bit by bit."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors.torch import save_file
from torch import Tensor

from kashika.load.checkpoints import contents, read

State = dict[str, Tensor]

NAMES = st.from_regex(r"[a-z]{1,8}(\.[a-z0-9]{1,8}){0,2}\.(weight|bias)", fullmatch=True)
VALUES = arrays.arrays(
    st.sampled_from([np.float32, np.float64, np.float16]),
    arrays.array_shapes(max_dims=3, max_side=4),
    elements=st.floats(width=16),
)
STATES = st.dictionaries(NAMES, VALUES.map(torch.from_numpy), min_size=1, max_size=4)


def legacy(state: State, path: Path) -> None:
    torch.save(state, path, _use_new_zipfile_serialization=False)


def nested(state: State, path: Path) -> None:
    torch.save({"epoch": 3, "model": state, "optimizer": {"state": {}, "param_groups": []}}, path)


def pickled(state: State, path: Path) -> None:
    path.write_bytes(pickle.dumps({name: value.numpy() for name, value in state.items()}))


def npz(state: State, path: Path) -> None:
    np.savez(path, **{name: value.numpy() for name, value in state.items()})  # type: ignore[arg-type]


def sharded(state: State, path: Path) -> None:
    places = {name: f"model-{i:05}.safetensors" for i, name in enumerate(state, start=1)}
    for name, file in places.items():
        save_file({name: state[name]}, path.parent / file)
    path.write_text(json.dumps({"metadata": {}, "weight_map": places}), encoding="utf-8")


FORMATS: dict[str, tuple[Callable[[State, Path], object], str]] = {
    "zip": (torch.save, "c.pth"),
    "legacy": (legacy, "c.pth"),
    "nested": (nested, "c.ckpt"),
    "safetensors": (save_file, "c.safetensors"),
    "shards": (sharded, "model.safetensors.index.json"),
    "pickle": (pickled, "c.pkl"),
    "NumPy": (npz, "c.npz"),
}


@pytest.mark.parametrize("name", FORMATS)
@given(state=STATES)
@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_weights_come_back_bit_by_bit(tmp_path: Path, name: str, state: State) -> None:
    write, file = FORMATS[name]
    write(state, tmp_path / file)
    found = read(tmp_path / file)
    assert set(found.state) == set(state)
    for key, value in state.items():
        assert found.state[key].dtype == value.dtype
        assert found.state[key].numpy().tobytes() == value.numpy().tobytes()
    listed = {key: shape for key, shape, _ in contents(tmp_path / file).tensors}
    assert listed == {key: tuple(value.shape) for key, value in state.items()}
