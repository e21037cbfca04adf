"""Layers in two dimensions: each that differs projected once, and shown once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from kashika.projection import (
    MAPPED,
    Embedding,
    Key,
    Projection,
    embed,
    embed_in_plane,
    planar,
    project,
)
from kashika.views.features.layer_features import LayerFeatures, alike

FEW = 3
"""Up to so many different layers are also shown by t-SNE, which takes seconds for each of them."""

_BELOW = 2  # panels: of more, those of the next row would stand where the classes are named

One = TypeVar("One", Projection, Embedding)
"""What is shown of a layer."""


@dataclass(frozen=True, eq=False)
class Projected:
    """Layers in two dimensions, made as soon as somebody looks: t-SNE takes longer than all rules.

    Attributes
    ----------
    layers : features of each layer
    train : those of the training samples that the same layers are put beside; none where empty
    seed : of t-SNE, and of the choice of samples where there are many
    """

    layers: Mapping[str, LayerFeatures]
    train: Mapping[str, LayerFeatures]
    seed: int

    @cached_property
    def projections(self) -> tuple[Projection, ...]:
        """Each layer as it is, else by PCA and by t-SNE."""
        return projections_of(self.layers, seed=self.seed)

    @cached_property
    def embeddings(self) -> tuple[Embedding, ...]:
        """The samples in the pictures of the training samples."""
        beside = {name: self.layers[name] for name in self.train}
        return embeddings_of(self.train, beside, seed=self.seed)


def projections_of(layers: Mapping[str, LayerFeatures], *, seed: int = 0) -> tuple[Projection, ...]:
    """Project layers: by t-SNE too, unless more than `FEW` of them differ.

    Layers with the same features are projected once, as a dropout that is switched off and the
    layer before it.

    Returns
    -------
    Of each layer in their order: as it is, else by PCA and by t-SNE.
    """
    groups = alike(layers)
    found = {}
    for group in groups:
        features = layers[group[0]].features
        made = (
            project(features, seed=seed) if len(groups) <= FEW else (planar(features, seed=seed),)
        )
        for name in group:
            found[name] = [_told(layers[name], one, group) for one in made]
    return tuple(one for name in layers for one in found[name])


def embeddings_of(
    train: Mapping[str, LayerFeatures], test: Mapping[str, LayerFeatures], *, seed: int = 0
) -> tuple[Embedding, ...]:
    """Put test samples into the pictures of the training samples, made as for `projections_of`.

    Parameters
    ----------
    train, test : the same layers
    """
    groups = alike(train, test)
    way = embed if len(groups) <= FEW else embed_in_plane
    found = {}
    for group in groups:
        few = {name: train[name].few(MAPPED, seed=seed) for name in group}
        made = way(few[group[0]].features, test[group[0]].features, seed=seed)
        for name in group:
            found[name] = Embedding(
                _told(few[name], made.train, group), _told(test[name], made.test, group)
            )
    return tuple(found[name] for name in test)


def once(ones: Sequence[One]) -> list[One]:
    """Leave out layers that have the features of one before them."""
    shown: list[One] = []
    told: set[str] = set()
    for one in ones:
        if one.layer not in told:
            shown.append(one)
            told.update(one.alike)
    return shown


def keys(count: int) -> list[Key]:
    """Return where so many panels name the classes: in the first, since they are those of all."""
    nowhere: Key = ""
    first: Key = "below" if count <= _BELOW else "inside"
    return [first if i == 0 else nowhere for i in range(count)]


def _told(layer: LayerFeatures, made: Projection, group: Sequence[str]) -> Projection:
    others = tuple(name for name in group if name != layer.name)
    return replace(layer.told(made), alike=others)
