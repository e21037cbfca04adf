"""Weights -> a network: which name in the file belongs to which in the network."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from kashika.errors import MismatchError, one_line
from kashika.load.checkpoints.reading import Weights
from kashika.texts import Sentence, text

_INSIDE = (
    "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module",
    "_fpw_module", "module", "model", "net", "network",
)  # fmt: skip
"""Names that wrappers put somewhere into a name, the surest first."""

_ALIASES = (
    (r"(^|.*\.)parametrizations\.(\w+)\.original0", r"\1\2_g"),
    (r"(^|.*\.)parametrizations\.(\w+)\.original1", r"\1\2_v"),
    (r"(^|.*\.)parametrizations\.(\w+)\.original", r"\1\2_orig"),
    (r"(^|.*\.)parametrizations\.(\w+)\.0\._u", r"\1\2_u"),
    (r"(^|.*\.)parametrizations\.(\w+)\.0\._v", r"\1\2_v"),
)
"""New names of weight and spectral normalisation, and what they were before torch 2."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How the names of a file become those of a network.

    Attributes
    ----------
    names : {name in the network: name in the file}
    cut, added : prefix that all of these lose; that they get
    inside : {what is cut wherever it stands in a name: from how many}
    """

    names: Mapping[str, str]
    cut: str = ""
    added: str = ""
    inside: Mapping[str, int] | None = None


def put_into(module: nn.Module, weights: Weights, *, model: str) -> tuple[Sentence, ...]:
    """Give the weights of a file to a network, as `kashika.load.checkpoints.put_into` says."""
    own = {name: one for name, one in module.state_dict().items() if isinstance(one, Tensor)}
    state = {name: one for name, one in weights.state.items() if not one.is_meta}
    fit = fitted({name: _shape(one) for name, one in own.items()}, state)
    if not fit.names and own:
        raise MismatchError(
            "errors.weights.no_name", path=weights.path, model=model, count=len(weights.state),
            names=_listed(weights.state, most=3), own=_listed(own, most=3),
        )  # fmt: skip
    _check(module, own, fit, weights, model=model)
    given = {name: state[other].to_dense() for name, other in fit.names.items()}
    try:
        module.load_state_dict(given, strict=False)
    except (RuntimeError, TypeError, NotImplementedError) as error:
        raise MismatchError(
            "errors.weights.fit",
            path=weights.path,
            model=model,
            differences=one_line(error),
        ) from error
    return tuple(_said(own, fit, weights))


def fitted(own: Mapping[str, tuple[int, ...] | None], state: Mapping[str, Tensor]) -> Fit:
    """Find which names belong together: as they are, else with the fewest cuts that fit more.

    Parameters
    ----------
    own : {name in the network: shape}, None where it is not known yet
    state : {name in the file: tensor}
    """
    best = Fit(_same(own, {name: name for name in state}))
    if len(best.names) == len(own):
        return best
    inside: list[str] = []
    for part in (None, *_INSIDE):
        if part is not None:
            if not any(part in name.split(".") for name in (*state, *own)):
                continue
            inside.append(part)
        short = {_without(name, inside): name for name in state}
        want = {_without(name, inside): name for name in own}
        found = _by_prefix(own, want, short, state)
        counts = {p: sum(p in o.split(".") for o in found.names.values()) for p in inside}
        found = Fit(found.names, found.cut, found.added, {p: n for p, n in counts.items() if n})
        if _score(found, own, state) > _score(best, own, state):
            best = found
    return best


def _by_prefix(
    own: Mapping[str, tuple[int, ...] | None],
    want: Mapping[str, str],
    short: Mapping[str, str],
    state: Mapping[str, Tensor],
) -> Fit:
    """Try every prefix whose cutting, in the file or in the network, makes names equal."""
    fits = [Fit(_same(own, short, want))]
    for prefix in _prefixes(short, _with_aliases(want)):
        cut = {name.removeprefix(prefix): o for name, o in short.items() if name.startswith(prefix)}
        fits.append(Fit(_same(own, {**short, **cut}, want), cut=prefix))
    for prefix in _prefixes(want, short):
        bare = {name.removeprefix(prefix): o for name, o in want.items()}
        fits.append(Fit(_same(own, short, bare), added=prefix))
    return max(fits, key=lambda fit: _score(fit, own, state))


def _prefixes(names: Iterable[str], inner: Collection[str], *, most: int = 8) -> list[str]:
    """Return what stands before a name of `inner`, the most frequent first."""
    found: Counter[str] = Counter()
    for name in names:
        parts = name.split(".")
        for k in range(1, len(parts)):
            # A number is a place among others: cutting it would take a part for the whole.
            if parts[k - 1].isdecimal():
                break
            if ".".join(parts[k:]) in inner:
                found[".".join(parts[:k]) + "."] += 1
    return [prefix for prefix, _ in found.most_common(most)]


def _same(
    own: Mapping[str, tuple[int, ...] | None],
    short: Mapping[str, str],
    want: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return {name in the network: name in the file} where the short names are equal."""
    found = {}
    for name, full in (want or {name: name for name in own}).items():
        for other in (name, *_aliases(name)):
            if other in short:
                found[full] = short[other]
                break
    return found


def _score(
    fit: Fit, own: Mapping[str, tuple[int, ...] | None], state: Mapping[str, Tensor]
) -> tuple[int, int, bool]:
    shaped = sum(own[name] in (None, tuple(state[o].shape)) for name, o in fit.names.items())
    return shaped, len(fit.names), not re.search("ema|teacher|target|avg", fit.cut)


def _aliases(name: str) -> list[str]:
    """Return the old names of what is named anew, and the new ones of what is named as of old."""
    old = [re.sub(new, before, name) for new, before in _ALIASES if re.fullmatch(new, name)]
    layer, dot, short = name.rpartition(".")
    stem, _, kind = short.rpartition("_")
    new = {"g": ["original0"], "v": ["original1", "0._v"], "orig": ["original"], "u": ["0._u"]}
    return old + [f"{layer}{dot}parametrizations.{stem}.{one}" for one in new.get(kind, ()) if stem]


def _with_aliases(names: Iterable[str]) -> set[str]:
    return {other for name in names for other in (name, *_aliases(name))}


def _without(name: str, parts: Collection[str]) -> str:
    return ".".join(one for one in name.split(".") if one not in parts) if parts else name


def _check(
    module: nn.Module, own: Mapping[str, Tensor], fit: Fit, weights: Weights, *, model: str
) -> None:
    """See to it that every parameter is there and has its shape, before anything is loaded."""
    state = weights.state
    differ = [
        n for n, o in fit.names.items() if _shape(own[n]) not in (None, tuple(state[o].shape))
    ]
    missing = _missing(own, fit)
    # A buffer is as the constructor makes it, but for what batch norms have learned.
    kept = {name for name, _ in module.named_buffers()}
    missing = [n for n in missing if n not in kept or n.endswith(("running_mean", "running_var"))]
    said = [
        text(
            "words.weights.shape_differs",
            name=fit.names[name], found=tuple(state[fit.names[name]].shape),
            expected=tuple(own[name].shape),
        )
        for name in differ
    ]  # fmt: skip
    said += [text("words.weights.not_in_file", name=name) for name in missing]
    if not said:
        return
    differences = _listed(said, most=20, separator=" / ")
    outputs = None if missing else _outputs((state[fit.names[n]], own[n]) for n in differ)
    if outputs is None:
        raise MismatchError(
            "errors.weights.fit", path=weights.path, model=model, differences=differences
        )
    raise MismatchError(
        "errors.weights.outputs", path=weights.path, model=model, differences=differences,
        found=outputs[0], expected=outputs[1],
    )  # fmt: skip


def _outputs(pairs: Iterable[tuple[Tensor, Tensor]]) -> tuple[int, int] | None:
    """Guess (outputs in the file, in the network) where one layer differs in them alone."""
    shapes = [(tuple(a.shape), tuple(b.shape)) for a, b in pairs]
    counts = {(a[:1], b[:1]) for a, b in shapes}
    if len(counts) != 1 or len(shapes) > 2 or any(a[1:] != b[1:] for a, b in shapes):
        return None
    ((found, expected),) = counts
    return (found[0], expected[0]) if found and expected else None


def _missing(own: Mapping[str, Tensor], fit: Fit) -> list[str]:
    """Name what the file lacks; of tied parameters one is enough."""
    places = {one.data_ptr() for name, one in own.items() if name in fit.names and _held(one)}
    return [
        name
        for name, one in own.items()
        if name not in fit.names and not (_held(one) and one.data_ptr() in places)
    ]


def _held(tensor: Tensor) -> bool:
    return (
        not is_lazy(tensor)
        and not tensor.is_meta
        and tensor.layout == torch.strided
        and tensor.numel() > 0
    )


def _shape(tensor: Tensor) -> tuple[int, ...] | None:
    return None if is_lazy(tensor) else tuple(tensor.shape)


def _said(own: Mapping[str, Tensor], fit: Fit, weights: Weights) -> Iterable[Sentence]:
    count = len(fit.names)
    if fit.cut:
        cut = sum(other.startswith(fit.cut) for other in fit.names.values()) or count
        yield Sentence("notes.weights.prefix", prefix=fit.cut, count=cut)
    if fit.added:
        yield Sentence("notes.weights.added", prefix=fit.added, count=count)
    for part, times in (fit.inside or {}).items():
        yield Sentence("notes.weights.prefix", prefix=f"{part}.", count=times)
    renamed = [
        n for n, o in fit.names.items() if ("parametrizations." in n) != ("parametrizations." in o)
    ]
    if renamed:
        yield Sentence("notes.weights.renamed", count=len(renamed), names=_listed(renamed))
    missing = _missing(own, fit)
    if missing:
        yield Sentence("notes.weights.kept", count=len(missing), names=_listed(missing))
    used = set(fit.names.values())
    extra = [_with_value(name, one) for name, one in weights.state.items() if name not in used]
    if extra:
        yield Sentence("notes.weights.extra", count=len(extra), names=_listed(extra))


def _with_value(name: str, tensor: Tensor) -> str:
    single = tensor.numel() == 1 and not tensor.is_meta and not tensor.is_complex()
    return f"{name} ({tensor.item():.6g})" if single else name


def _listed(names: Iterable[str], *, most: int = 12, separator: str = ", ") -> str:
    every = list(names)
    return separator.join(every if len(every) <= most else [*every[:most], f"… ({len(every)})"])
