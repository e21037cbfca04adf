"""Learning signal: what the gradients of single samples agree on, and what they do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kashika.distribution import Distribution, FloatArray, IntArray
from kashika.observation import Observation


@dataclass(frozen=True, slots=True)
class LayerSignal:
    """The gradients of the samples for the parameters of one layer, or of all.

    Attributes
    ----------
    layer : name; "" for all parameters
    typical : root mean square of the samples' gradient norms
    signal : norm of what the samples have in common, freed from the noise that their number leaves
    noise : root of the variance of a sample's gradient around it, summed over its entries

    References
    ----------
    McCandlish et al., "An empirical model of large-batch training", arXiv 1812.06162, 2018.
    """

    layer: str
    typical: float
    signal: float
    noise: float

    @property
    def ratio(self) -> float:
        """Signal over noise of a single sample; NaN without noise."""
        return self.signal / self.noise if self.noise > 0 else np.nan

    @property
    def critical_batch(self) -> float:
        """Samples in a batch whose noise is as large as the signal: more of them help little."""
        return (self.noise / self.signal) ** 2 if self.signal > 0 else np.nan


@dataclass(frozen=True, slots=True, eq=False)
class Pulls:
    """How strongly each sample pulls at the network.

    Attributes
    ----------
    norms : (samples,) norm of the gradient of each sample's own loss
    index : (hardest,) int, those with the greatest norm, the greatest first
    target : (hardest,) class, or value of a regression; NaN where a sample has several answers
    loss : (hardest,) mean over the answers of the sample
    """

    norms: FloatArray
    index: IntArray
    target: FloatArray
    loss: FloatArray

    @property
    def shares(self) -> FloatArray:
        """(hardest,) share of the sum of all norms."""
        total = float(np.sum(self.norms, dtype=np.float64))
        return self.norms[self.index] / total if total > 0 else np.zeros(len(self.index))

    @property
    def ranked(self) -> tuple[IntArray, FloatArray]:
        """Ranks from 1 and norms above zero, the greatest first; at most 1,000 of them."""
        norms = np.sort(self.norms[np.isfinite(self.norms) & (self.norms > 0)])[::-1]
        if not len(norms):
            return np.empty(0, dtype=int), norms
        ranks = np.unique(np.geomspace(1, len(norms), 1_000).astype(int))
        return ranks, norms[ranks - 1]

    def share_of(self, few: int) -> float:
        """Return the share of the sum of all norms that the `few` greatest have, or NaN."""
        total = float(np.sum(self.norms, dtype=np.float64))
        if not total > 0 or not np.isfinite(total):
            return np.nan
        return float(np.sum(np.sort(self.norms)[-few:], dtype=np.float64)) / total


def pulls_of(seen: Observation, *, hardest: int = 10) -> Pulls | None:
    """Return which samples pull hardest; None where that is not known."""
    if seen.sample_gradients is None:
        return None
    norms = seen.sample_gradients.norms
    # What is not a number pulls hardest of all.
    order = np.argsort(-np.where(np.isnan(norms), np.inf, norms), kind="stable")[:hardest]
    loss, target = seen.loss, np.asarray(seen.targets, dtype=np.float64)
    if seen.owner.size:
        counts = np.bincount(seen.owner, minlength=len(norms))
        loss = np.bincount(seen.owner, loss, minlength=len(norms)) / np.maximum(counts, 1)
        target = np.full(len(norms), np.nan)
    return Pulls(norms, order, target[order], loss[order])


def signals_of(
    by_layer: Mapping[str, Distribution], gradients: Mapping[str, Distribution | None]
) -> tuple[LayerSignal, ...]:
    """Part the gradients of the samples into what they have in common and the rest.

    Parameters
    ----------
    by_layer : {layer: norms of the samples' gradients}, as in `SampleGradients`
    gradients : {parameter: gradient of the mean loss}

    Returns
    -------
    One for each layer, and one for all of them at the end.
    """
    common = dict.fromkeys(by_layer, 0.0)  # squared norm of the mean gradient
    for name, values in gradients.items():
        layer = name.rpartition(".")[0]
        if values is not None and layer in common:
            common[layer] += values.norm**2
    made = [
        _signal(layer, norms.rms**2, common[layer], norms.finite)
        for layer, norms in by_layer.items()
    ]
    if not by_layer:
        return ()
    square = sum(norms.rms**2 for norms in by_layer.values())
    samples = min(norms.finite for norms in by_layer.values())
    return (*made, _signal("", square, sum(common.values()), samples))


def _signal(layer: str, square: float, common: float, samples: int) -> LayerSignal:
    if samples < 2:
        return LayerSignal(layer, np.sqrt(square), np.nan, np.nan)
    variance = max(square - common, 0.0) * samples / (samples - 1)
    # The mean over n samples still holds an n-th of the variance.
    signal = max(common - variance / samples, 0.0)
    return LayerSignal(
        layer, float(np.sqrt(square)), float(np.sqrt(signal)), float(np.sqrt(variance))
    )
