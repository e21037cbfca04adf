"""What the layers made of the samples of one split, beside what these samples are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from hashlib import sha1

import numpy as np

from kashika.distribution import Array, FloatArray
from kashika.errors import LoadError
from kashika.neighbours import chosen
from kashika.observation import Layer, Observation
from kashika.projection import Projection
from kashika.texts import Sentence

LISTED = 20
"""So many names of layers stand in an error message."""


@dataclass(frozen=True, slots=True, eq=False)
class LayerFeatures:
    """The features of one layer that are finite, beside what they belong to.

    Attributes
    ----------
    name, kind : of the layer; "" for the outputs
    features : (rows, units)
    targets, wrong : (rows,) as in `Projection`
    classifies : whether the targets are classes
    pooled : what became of its positions, where it has several
    dropped : how many rows are not finite
    """

    name: str
    kind: str
    features: FloatArray
    targets: Array
    wrong: Array
    classifies: bool
    pooled: Sentence | None
    dropped: int

    def few(self, most: int, *, seed: int) -> LayerFeatures:
        """Return a seeded choice of the rows."""
        some = chosen(len(self.features), most=most, seed=seed)
        return replace(
            self, features=self.features[some], targets=self.targets[some], wrong=self.wrong[some]
        )

    @property
    def digest(self) -> bytes:
        """The same for the same features of the same samples, to the last bit."""
        found = sha1(usedforsecurity=False)
        for one in (self.features, self.targets, self.wrong):
            found.update(f"{one.shape}{one.dtype}".encode())
            found.update(np.ascontiguousarray(one).data)
        return found.digest()

    def told(self, projection: Projection) -> Projection:
        """Say in a projection of these features what they belong to."""
        return replace(
            projection, targets=self.targets, wrong=self.wrong, classifies=self.classifies,
            layer=self.name, pooled=self.pooled, dropped=self.dropped,
        )  # fmt: skip


def named(names: Sequence[str], wanted: str) -> list[str]:
    """Return the layers that a name or a pattern means, each with all calls of it.

    Parameters
    ----------
    names : of the layers that there are; "act#2" is the second call of "act"
    wanted : "act" for both of them, "act#2" for one, "layer*.conv2" for several

    Raises
    ------
    LoadError
        If there is no such layer.
    """
    found = [
        name
        for name in names
        for module in [name.partition("#")[0]]
        # Not as a pattern alone: a name may have brackets in it.
        if wanted in (name, module) or fnmatchcase(name, wanted) or fnmatchcase(module, wanted)
    ]
    if not found:
        listed = [*names[:LISTED], *(["…"] if len(names) > LISTED else [])]
        raise LoadError("errors.no_such_layer", found=wanted, names=", ".join(listed))
    return found


def alike(*splits: Mapping[str, LayerFeatures]) -> list[tuple[str, ...]]:
    """Group layers that have the same features in every split, in the order of the first."""
    groups: dict[tuple[bytes, ...], list[str]] = {}
    for name in splits[0]:
        groups.setdefault(tuple(split[name].digest for split in splits), []).append(name)
    return [tuple(group) for group in groups.values()]


def layer_features(seen: Observation) -> dict[str, LayerFeatures]:
    """Return the features of every layer, in the order of their calls, and the outputs as ""."""
    outputs = [("", "", seen.outputs, seen.rows, None)]
    inside = [(one.name, one.kind, one.features, one.rows, _pooled(one)) for one in seen.layers]
    found = {}
    for name, kind, features, rows, pooled in [*inside, *outputs]:
        finite = np.isfinite(features).all(axis=1)
        if not finite.all():
            features, rows = features[finite], rows[finite]
        targets = np.asarray(seen.targets)[rows]
        classifies = seen.task.classifies
        wrong = np.asarray(seen.predicted)[rows] != targets
        found[name] = LayerFeatures(
            name, kind, features, targets,
            wrong if classifies else np.zeros(len(targets), dtype=bool),
            classifies, pooled, dropped=int((~finite).sum()),
        )  # fmt: skip
    return found


def _pooled(layer: Layer) -> Sentence | None:
    """Say what became of the positions of a layer."""
    if layer.positions == 1:
        return None
    match layer.pooled:
        case "mean":
            return Sentence("features.pooled_mean", positions=layer.positions)
        case "own":
            return Sentence("features.pooled_own")
        case number:
            return Sentence("features.pooled_one", number=number, positions=layer.positions)
