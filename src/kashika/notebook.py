"""One line of a notebook for each view, and one for the whole report.

Everywhere `model` is an `nn.Module`, or anything else that is a `Network`. `X` and `y` are NumPy
arrays, tensors, lists or pandas objects, and `X` a tuple of them or a mapping for a network of
several inputs; instead of both, `X` may be a `Dataset`, a `DataLoader` or batches.
The network and the data come back as they were.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy.typing as npt

from kashika import report
from kashika.distribution import FloatArray
from kashika.errors import need
from kashika.history import History
from kashika.look import ROWS, Look
from kashika.naming import Split
from kashika.progress import Clock, Progress
from kashika.run import Network, Observations, Run, columns_of
from kashika.view import Setting, View
from kashika.views import boundary as _boundary
from kashika.views import curves as _curves
from kashika.views import features as _features
from kashika.views import gradients as _gradients
from kashika.views import predictions as _predictions
from kashika.views import weights as _weights

if TYPE_CHECKING:
    from torch import nn


def curves(history: str | Path | History | Mapping[str, npt.ArrayLike]) -> _curves.Curves:
    """Look at what was logged: a folder, a `History`, or {"train_loss": [0.7, …], …}.

    Raises
    ------
    LoadError
        If the folder holds no logs.
    """
    return _curves.VIEW.measure(Run("curves", history=_history(history)))


def predictions(
    model: nn.Module | Network,
    X: object,
    y: object = None,
    *,
    split: Split = "test",
    loss: Any = None,
    device: str | None = None,
    batch_size: int | None = None,
    max_samples: int | None = None,
) -> _predictions.Predictions:
    """Look at where the network is right, wrong, and over-sure.

    Parameters
    ----------
    split : what the samples are, for the labels
    loss : name as in `torch.nn.functional`, or a function (outputs, targets); found if None
    device, batch_size, max_samples : as for `analyze`
    """
    look = Look(loss=loss, gradients=False, batch_size=batch_size, max_samples=max_samples)
    run = _run(model, {split: _whole(X, y)}, look, device=device)
    return _predictions.VIEW.measure(run)


def boundary(
    model: nn.Module | Network,
    X: object,
    y: object = None,
    *,
    test: object = None,
    split: Split = "train",
    through: tuple[int, int, int] | None = None,
    features: tuple[int, int] | None = None,
    at: int | None = None,
    method: Literal["pca", "tsne"] | None = None,
    grid: tuple[FloatArray, FloatArray] | None = None,
    seed: int = 0,
    loss: Any = None,
    device: str | None = None,
    batch_size: int | None = None,
    max_samples: int | None = None,
) -> _boundary.Boundary:
    """Look at where a network changes its mind, and how far samples lie from there.

    A network of two inputs is shown as it is. One of more, images too, is shown in the plane
    through three typical samples, over two of its inputs, and with all samples in a projection;
    `through`, `features` or `at`, and `method` choose among the three, and say how.

    Parameters
    ----------
    test : (X, y) of the test samples, which are drawn apart
    split : what `X` and `y` are, for the labels
    through : numbers of three samples in `X`, from 0, whose plane is shown
    features : two columns of `X`, from 0, of flattened samples where these are arrays; those along
        which the answer changes most if only `at` is given
    at : number of the sample in `X` at which the other columns are held; their medians if None
    method : of a projection of all samples: "pca" or "tsne"
    grid : (width,) and (height,) places of the grid, increasing, in the units of the one map that
        is shown; laid over the samples if None
    seed : of the choice of samples, where there are many, and of t-SNE
    loss : name as in `torch.nn.functional`, or a function (outputs, targets); found if None
    device, batch_size, max_samples : as for `analyze`

    Raises
    ------
    Missing
        If the inputs are not arrays of at least two numbers, or there is not one answer for each.
    LoadError
        If a sample, column or method does not exist, or a grid is given for several maps.
    """
    data: dict[Split, object] = {split: _whole(X, y)}
    look = Look(loss=loss, gradients=False, batch_size=batch_size, max_samples=max_samples)
    run = _run(model, data if test is None else data | {"test": test}, look, device=device)
    return _boundary.measure(
        need(run.network, "network"), _boundary.shown(run),
        through=through, features=features, at=at, method=method, names=run.columns, grid=grid,
        seed=seed,
    )  # fmt: skip


def features(
    model: nn.Module | Network,
    X: object,
    y: object = None,
    *,
    train: object = None,
    layer: str | None = None,
    split: Split = "test",
    position: int | None = None,
    rows: int | None = None,
    seed: int = 0,
    loss: Any = None,
    device: str | None = None,
    batch_size: int | None = None,
    max_samples: int | None = None,
) -> _features.Features:
    """Look at how the classes are separated in a layer, or in the outputs.

    Parameters
    ----------
    train : (X, y) of the training samples; test samples are shown in the t-SNE of these as well
    layer : name of a module as in `model.named_modules()`, or a pattern such as "layer*.conv2" for
        several; the outputs if None
    split : what `X` and `y` are, for the labels
    position : of a sequence or map whose features are taken, -1 the last; their mean if None
    rows : at most so many samples are projected; 5,000 if None
    seed : of the choice of rows, where there are many, and of t-SNE
    loss : name as in `torch.nn.functional`, or a function (outputs, targets); found if None
    device, batch_size, max_samples : as for `analyze`

    Raises
    ------
    LoadError
        If there is no such layer.
    """
    data: dict[Split, object] = {} if train is None else {"train": train}
    look = Look(
        loss=loss, layers=_layers(layer), position=position, gradients=False,
        rows=ROWS if rows is None else rows, seed=seed,
        batch_size=batch_size, max_samples=max_samples,
    )  # fmt: skip
    run = _run(model, data | {split: _whole(X, y)}, look, device=device)
    return _features.measure(run.observations, split=split, layer=layer, seed=seed)


def weights(model: nn.Module | Network | str | Path) -> _weights.Weights:
    """Look at the parameters of a network, or of a checkpoint by its path.

    Raises
    ------
    LoadError
        If the file cannot be read.
    """
    if isinstance(model, str | Path):
        from kashika.load.checkpoints import checkpoint_of, read

        path = Path(model)
        return _weights.VIEW.measure(Run(path.name, checkpoint=checkpoint_of(read(path))))
    return _weights.VIEW.measure(_run(model, {}, Look()))


def gradients(
    model: nn.Module | Network,
    X: object,
    y: object = None,
    *,
    split: Split = "test",
    loss: Any = None,
    device: str | None = None,
    batch_size: int | None = None,
    max_samples: int | None = None,
) -> _gradients.Gradients:
    """Look at the gradient of the mean loss over the samples; `.grad` stays as it is.

    Parameters
    ----------
    split : what the samples are, for the labels
    loss : name as in `torch.nn.functional`, or a function (outputs, targets); found if None
    device, batch_size, max_samples : as for `analyze`
    """
    look = Look(loss=loss, batch_size=batch_size, max_samples=max_samples)
    run = _run(model, {split: _whole(X, y)}, look, device=device)
    return _gradients.VIEW.measure(run)


def analyze(
    model: nn.Module | Network | None = None,
    *,
    train: object = None,
    valid: object = None,
    test: object = None,
    history: str | Path | History | Mapping[str, npt.ArrayLike] | None = None,
    loss: Any = None,
    layer: str | None = None,
    views: Sequence[View[Any]] | None = None,
    rules: Mapping[str, Setting] | None = None,
    frozen: Sequence[str] = (),
    device: str | None = None,
    batch_size: int | None = None,
    max_samples: int | None = None,
    name: str = "notebook",
) -> report.Report:
    """Look at everything at once; what is not given leaves a section that says so.

    Parameters
    ----------
    train, valid, test : (X, y), a mapping with targets, `Dataset`, `DataLoader` or batches
    history : a folder with logs, a `History`, or {"train_loss": [0.7, …], …}
    loss : name as in `torch.nn.functional`, or a function (outputs, targets); found if None
    layer : the layer whose features are looked at; the outputs if None
    views : the built-in and the installed ones if None
    rules : {id of a rule: other limits for it, or that it shall not count}
    frozen : patterns of the parameters that were not to be trained
    device : where a copy of the network is run; where it is if None
    batch_size : samples that go through it at once, halved where memory runs out; chosen if None
    max_samples : so many samples of each split are looked at; all if None
    name : what the report calls the run

    Raises
    ------
    KashikaError
        If the parts do not fit each other.
    """
    given: dict[Split, object] = {"train": train, "valid": valid, "test": test}
    data = {split: value for split, value in given.items() if value is not None}
    from kashika.load.rundir import versions

    logs = None if history is None else _history(history)
    if model is None:
        run = Run(name, history=logs)
    else:
        look = Look(
            loss=loss, layers=_layers(layer),
            gradients=views is None or any(view.gradients for view in views),
            batch_size=batch_size, max_samples=max_samples,
        )  # fmt: skip
        run = replace(_run(model, data, look, device=device), name=name, history=logs)
    run = replace(run, frozen=tuple(frozen), provenance=[*versions(), ("seed", "0")])
    return report.analyze(run, views=views, rules=rules)


def _run(model: Any, data: Mapping[Split, object], look: Look, *, device: str | None = None) -> Run:
    # All readers of files take a while to import.
    from kashika.load.samples import samples_of
    from kashika.load.samples.labels import outputs_of, relabelled
    from kashika.torch_network import TorchNetwork, is_module
    from kashika.torch_network.loss import known_name

    if is_module(model):
        look = replace(look, progress=_bar())
        network: Network = TorchNetwork(model, look, device=device)
    else:
        network = model
    given = {split: samples_of(value, split=split) for split, value in data.items()}
    outputs = outputs_of(network, given)
    samples, notes = relabelled(given, outputs=outputs, loss=known_name(look.loss))
    seen = Observations(network, samples)
    layer = next(iter(look.layers), None)
    return Run(
        "notebook", network=network, observations=seen, layer=layer, columns=columns_of(samples),
        notes=notes,
    )  # fmt: skip


def _layers(layer: str | None) -> tuple[str, ...]:
    return () if layer is None else (layer,)


def _whole(X: object, y: object) -> object:
    """Return X alone where it brings its own targets, as a `Dataset` does."""
    return X if y is None else (X, y)


def _bar() -> Progress | None:
    """Show below a cell how far a pass has come; nothing outside of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if getattr(shell, "kernel", None) is None:  # a terminal, or none
        return None
    import IPython.display as ipython

    html: Any = ipython.HTML
    display: Any = ipython.display
    clock = Clock()
    shown: list[Any] = []

    def show(split: str, seen: int, known: int | None) -> None:
        line, warning = clock.line(split, seen, known), clock.warning(seen, known)
        if warning is not None:
            display(html(warning))
        if line is None or (not shown and not line):  # too short a pass for a bar
            return
        bar = f'<progress value="{seen}" max="{known}"></progress> ' if known and line else ""
        content = html(f"{bar}{line}")
        if shown:
            shown[0].update(content)
        else:
            shown.append(display(content, display_id=True))

    return show


def _history(history: str | Path | History | Mapping[str, npt.ArrayLike]) -> History:
    if isinstance(history, History):
        return history
    if isinstance(history, Mapping):
        return History.of(history)
    from kashika.load.rundir import load_history

    return load_history(Path(history))
