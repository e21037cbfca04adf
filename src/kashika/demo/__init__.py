"""Trains the seed's network by the seed's recipe, healthy or with one fault, and leaves a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np

from kashika.errors import LoadError


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the network is trained.

    Attributes
    ----------
    model, data : as in `kashika.toml`
    epochs : number of epochs
    lr : learning rate of SGD
    init_scale : factor on the weights that PyTorch draws
    """

    model: str = "mlp.py:MLP(input_dim=2, hidden_dim=32, output_dim=2)"
    data: str = "data.py:load"
    epochs: int = 100
    lr: float = 0.1
    init_scale: float = 1.0


FAULTS: dict[str, Recipe] = {
    "lr-too-low": Recipe(lr=1e-3),
    "lr-too-high": Recipe(lr=3.0),
    "lr-diverging": Recipe(lr=10.0),
    "overfitting": Recipe(
        model="mlp.py:MLP(input_dim=2, hidden_dim=256, output_dim=2)",
        data="data.py:load(noise=0.3)",
        epochs=1500,
        lr=0.3,
    ),
    "flipped-labels": Recipe(data="data.py:load(train=60, flipped=0.2)", epochs=1500, lr=0.3),
    "sigmoid": Recipe(
        model="mlp.py:MLP(input_dim=2, hidden_dim=32, output_dim=2, activation='Sigmoid')"
    ),
    "init-too-small": Recipe(init_scale=0.01),
    "init-too-large": Recipe(init_scale=20.0),
}
"""Name of a fault -> the recipe with that fault."""


_MARK = "# Written by `kashika demo`."


def recipe(fault: str | None) -> Recipe:
    """Return the recipe with a fault, or the healthy one.

    Raises
    ------
    LoadError
        If there is no such fault.
    """
    if fault is None:
        return Recipe()
    if fault not in FAULTS:
        raise LoadError("errors.no_such_fault", found=fault, names=", ".join(FAULTS))
    return FAULTS[fault]


def epochs(fault: str | None) -> int:
    """Return for how many epochs the recipe trains."""
    return recipe(fault).epochs


def train(directory: Path, *, fault: str | None = None, seed: int = 0) -> Iterator[int]:
    """Train, and give the number of every epoch that is done; then write the run.

    Afterwards the directory holds what a user's own would: `mlp.py`, `data.py`, `kashika.toml`,
    and in `output/` four logs by `numpy.savetxt` and a bare state_dict.

    Raises
    ------
    LoadError
        If there is no such fault, or the directory holds something else than an earlier demo.
    """
    chosen = recipe(fault)
    config = directory / "kashika.toml"
    sources = {
        name: files("kashika.demo").joinpath(name).read_text(encoding="utf-8")
        for name in ("mlp.py", "data.py")
    }
    empty = not directory.exists() or not any(directory.iterdir())
    if not empty and not _is_demo(config, sources):
        raise LoadError("errors.demo_directory", path=directory)
    return _train(directory, chosen, sources, seed=seed)


def _train(
    directory: Path, chosen: Recipe, sources: Mapping[str, str], *, seed: int
) -> Iterator[int]:
    from kashika.demo.training import fit

    output = directory / "output"
    output.mkdir(parents=True, exist_ok=True)
    for name, source in sources.items():
        (directory / name).write_text(source, encoding="utf-8")
    (directory / "kashika.toml").write_text(
        f'{_MARK}\nmodel = "{chosen.model}"\ndata = "{chosen.data}"\n'
        'checkpoint = "output/model.pth"\n',
        encoding="utf-8",
    )
    logs: dict[str, list[float]] = {}
    for epoch, values in enumerate(
        fit(directory, chosen, output / "model.pth", seed=seed), start=1
    ):
        for name, value in values.items():
            logs.setdefault(name, []).append(value)
        yield epoch
    for name, series in logs.items():
        np.savetxt(output / f"{name}.txt", series)


def _is_demo(config: Path, sources: Mapping[str, str]) -> bool:
    """Tell an earlier demo, which may be written over, from what somebody has worked on."""
    files = {config.with_name(name): source for name, source in sources.items()}
    return (
        config.is_file()
        and _MARK in config.read_text(encoding="utf-8")
        and all(path.read_text(encoding="utf-8") == files[path] for path in files if path.exists())
    )
