"""One line of a notebook for each view, and one for the whole report.

Everywhere `model` is an `nn.Module`, or anything else that is a `Network`. `X` and `y` are NumPy
arrays, tensors, lists or pandas objects; instead of both, `X` may be a `Dataset` or `DataLoader`.
The network and the data come back as they were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from kashika import report
from kashika.distribution import FloatArray
from kashika.history import History
from kashika.naming import Split
from kashika.run import Network, Observations, Run
from kashika.view import View
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
) -> _predictions.Predictions:
    """Look at where the network is right, wrong, and over-sure.

    Parameters
    ----------
    split : what the samples are, for the labels
    loss : name as in `torch.nn.functional`, or a function (outputs, targets); found if None
    """
    return _predictions.VIEW.measure(_run(model, {split: _whole(X, y)}, loss=loss))


def boundary(
    model: nn.Module | Network,
    X: object,
    y: object = None,
    *,
    test: object = None,
    split: Split = "train",
    grid: tuple[FloatArray, FloatArray] | None = None,
    loss: Any = None,
) -> _boundary.Boundary:
    """Look at where a network of two inputs changes its mind.

    Parameters
    ----------
    test : (X, y) of the test samples, which are drawn apart
    split : what `X` and `y` are, for the labels
    grid : (width,) and (height,) places of the grid; laid over the samples if None
    loss : name as in `torch.nn.functional`, or a function (outputs, targets); found if None

    Raises
    ------
    Missing
        If the network does not have two inputs.
    """
    data: dict[Split, object] = {split: _whole(X, y)}
    run = _run(model, data if test is None else data | {"test": test}, loss=loss)
    network, task, shown = _boundary.subject(run)
    x, y = (None, None) if grid is None else grid
    return _boundary.measure(network.predict, task, shown, x=x, y=y)


def features(
    model: nn.Module | Network,
    X: object,
    y: object = None,
    *,
    layer: str | None = None,
    split: Split = "test",
    seed: int = 0,
    loss: Any = None,
) -> _features.Features:
    """Look at how the classes are separated in a layer, or in the outputs.

    Parameters
    ----------
    layer : name of a module as in `model.named_modules()`; the outputs if None
    split : what the samples are, for the labels
    seed : of the choice of rows, where there are many, and of t-SNE
    loss : name as in `torch.nn.functional`, or a function (outputs, targets); found if None

    Raises
    ------
    LoadError
        If there is no such layer.
    """
    run = _run(model, {split: _whole(X, y)}, loss=loss, layer=layer)
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
    return _weights.VIEW.measure(Run("weights", network=_network(model)))


def gradients(
    model: nn.Module | Network,
    X: object,
    y: object = None,
    *,
    split: Split = "test",
    loss: Any = None,
) -> _gradients.Gradients:
    """Look at the gradient of the mean loss over the samples; `.grad` stays as it is.

    Parameters
    ----------
    split : what the samples are, for the labels
    loss : name as in `torch.nn.functional`, or a function (outputs, targets); found if None
    """
    return _gradients.VIEW.measure(_run(model, {split: _whole(X, y)}, loss=loss))


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
    name: str = "notebook",
) -> report.Report:
    """Look at everything at once; what is not given leaves a section that says so.

    Parameters
    ----------
    train, valid, test : (X, y), `Dataset` or `DataLoader`
    history : a folder with logs, a `History`, or {"train_loss": [0.7, …], …}
    loss : name as in `torch.nn.functional`, or a function (outputs, targets); found if None
    layer : the layer whose features are looked at; the outputs if None
    views : the built-in and the installed ones if None
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
        run = replace(_run(model, data, loss=loss, layer=layer), name=name, history=logs)
    run = replace(run, provenance=[*versions(), ("seed", "0")])
    return report.analyze(run, views=views)


def _run(
    model: nn.Module | Network,
    data: Mapping[Split, object],
    *,
    loss: Any = None,
    layer: str | None = None,
) -> Run:
    # All readers of files take a while to import.
    from kashika.load.samples import samples_of
    from kashika.load.samples.labels import outputs_of, relabelled
    from kashika.torch_loss import known_name

    network = _network(model, loss=loss, layer=layer)
    given = {split: samples_of(value, split=split) for split, value in data.items()}
    outputs = outputs_of(network, given)
    samples, notes = relabelled(given, outputs=outputs, loss=known_name(loss))
    seen = Observations(network, samples)
    return Run("notebook", network=network, observations=seen, layer=layer, notes=notes)


def _whole(X: object, y: object) -> object:
    """Return X alone where it brings its own targets, as a `Dataset` does."""
    return X if y is None else (X, y)


def _network(model: Any, *, loss: Any = None, layer: str | None = None) -> Network:
    from kashika.torch_network import TorchNetwork, is_module

    if not is_module(model):
        network: Network = model
        return network
    return TorchNetwork(model, loss=loss, layers=() if layer is None else (layer,))


def _history(history: str | Path | History | Mapping[str, npt.ArrayLike]) -> History:
    if isinstance(history, History):
        return history
    if isinstance(history, Mapping):
        return History.of(history)
    from kashika.load.rundir import load_history

    return load_history(Path(history))
