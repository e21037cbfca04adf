"""Put the parts of a run together: its logs, its weights, its network and its data."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kashika.errors import LoadError, listed
from kashika.history import History
from kashika.load import candidates, checkpoints, finding, logs
from kashika.load.code.named import parse, standing_in
from kashika.load.finding import Found
from kashika.load.options import Options, within
from kashika.look import Look
from kashika.progress import Progress
from kashika.run import Cut, Observations, Run, columns_of
from kashika.texts import Sentence

if TYPE_CHECKING:
    from torch import nn

    from kashika.load.checkpoints import Weights


def load(
    path: Path, options: Options, *, gradients: bool = True, progress: Progress | None = None
) -> Run:
    """Read a run: its logs, and as far as they are given its checkpoint, network and data.

    Parameters
    ----------
    path : directory of the run, or a single log or checkpoint
    options : as `configured` returns them
    gradients : whether anything will read the gradients of the network
    progress : called after every batch of the data

    Raises
    ------
    LoadError
        If there is nothing to read, or what the user named cannot be read.
    MismatchError
        If network, checkpoint and data do not fit each other.
    """
    options = within(path if path.is_dir() else path.parent, options)
    found = _found(path, options)
    if not found.logs and not found.checkpoints and options.model is None:
        raise LoadError("errors.nothing_to_read", path=path)
    run = Run(path.resolve().name, layer=options.layer, frozen=options.frozen, notes=found.notes)
    run = _with_logs(run, found, options)
    if not found.checkpoints and options.model is not None:
        raise LoadError("errors.model_without_checkpoint", path=path)
    run, module = _with_weights(run, found, options) if found.checkpoints else (run, None)
    if module is not None:
        run = _with_network(run, module, options, gradients=gradients, progress=progress)
    notes = _unused(options) if run.network is None else []
    run = replace(run, notes=[*run.notes, *notes])
    if not run.observations:
        run = replace(run, notes=[*run.notes, *_candidates(found, path, options)])
    named = filter(None, (options.model, options.data, options.loss))
    sources = [parse(word, option="").source for word in named if ":" in word]
    read = [*found.logs, *found.checkpoints[:1], *(Path(one) for one in sources)]
    files = [one for one in read if one.is_file()]
    directory = path if path.is_dir() else path.parent
    return replace(run, provenance=[*versions(), *_hashes(files, directory), ("seed", "0")])


def load_history(path: Path) -> History:
    """Read the logs of a run, and nothing else.

    Raises
    ------
    LoadError
        If there are none, or none of them can be read.
    """
    found = _found(path, Options())
    history = logs.read_all(found.logs, rename={}).history if found.logs else None
    if history is None:
        raise LoadError("errors.no_logs", path=path)
    return history


def _found(path: Path, options: Options) -> Found:
    """Return the logs and checkpoints that are named, else those that are found."""
    if not path.exists():
        raise LoadError("errors.finding.no_such_path", path=path)
    finding.refuse_code(path)
    if path.is_file():
        weights = not logs.is_log(path) and (
            finding.names_weights(path) or checkpoints.is_checkpoint(path)
        )
        found = Found((path,), () if weights else (path,), (path,) if weights else (), ())
    else:
        found = finding.find(path)
    if options.log:
        named = [Path(word) for word in options.log]
        inside = [finding.find(one).logs if one.is_dir() else (one,) for one in named]
        found = _without(
            replace(found, logs=tuple(log for part in inside for log in part)), "notes.finding.runs"
        )
    if options.checkpoint is not None:
        found = _without(
            replace(found, checkpoints=(Path(options.checkpoint),)), "notes.finding.checkpoints"
        )
    return found


def _without(found: Found, choice: str) -> Found:
    """Take back what was said of a choice that the user has made."""
    return replace(found, notes=tuple(note for note in found.notes if note.key != choice))


def _with_logs(run: Run, found: Found, options: Options) -> Run:
    if not found.logs:
        return run
    try:
        read = logs.read_all(found.logs, rename=options.rename)
    except LoadError as error:
        if options.log or not found.checkpoints:
            raise
        return replace(run, unread=[*run.unread, error.sentence])
    notes, unread = [*run.notes, *read.notes], [*run.unread, *read.unread]
    return replace(run, history=read.history, notes=notes, unread=unread)


def _with_weights(run: Run, found: Found, options: Options) -> tuple[Run, nn.Module | None]:
    """Add what the checkpoint holds, and build its network; a damaged one leaves the logs."""
    path = found.checkpoints[0]
    try:
        with _classes(options):
            weights = checkpoints.read(path, weights=options.weights, trust=options.trust)
    except LoadError as error:
        if options.checkpoint or options.model or run.history is None:
            raise
        return replace(run, unread=[*run.unread, error.sentence]), None
    looked = checkpoints.checkpoint_of(weights)
    run = replace(run, checkpoint=looked, notes=[*run.notes, *weights.notes])
    run = _with_curves_beside(run, weights, options) if run.history is None else _saved_at(run)
    module, notes = _network(weights, options)
    return replace(run, notes=[*run.notes, *notes]), module


def _classes(options: Options) -> AbstractContextManager[None]:
    """Let a trusted checkpoint find the classes of the code that --model names."""
    if not options.trust or options.model is None:
        return nullcontext()
    return standing_in(parse(options.model, option="--model"))


def _with_curves_beside(run: Run, weights: Weights, options: Options) -> Run:
    """Take the lists of numbers that a training put into its checkpoint as the log."""
    read = logs.beside_weights(weights.other, path=weights.path, rename=options.rename)
    if read.history is None:
        return run
    said = Sentence("notes.finding.beside", names=", ".join(read.history.series))
    return replace(run, history=read.history, notes=[*run.notes, said, *read.notes])


def _saved_at(run: Run) -> Run:
    """Say it where the weights are not those of the end of the log."""
    if run.history is None or run.checkpoint is None:
        return run
    for unit, saved in (("step", run.checkpoint.step), ("epoch", run.checkpoint.epoch)):
        ends = [one.x[-1] for one in run.history.series.values() if one.unit == unit and one.x.size]
        if saved is None or not ends:
            continue
        # An epoch may be counted from 0 in the one and from 1 in the other.
        if saved < max(ends) - 1:
            place, last = (Sentence(f"words.at_{unit}", x=int(x)) for x in (saved, max(ends)))
            note = Sentence("notes.finding.saved_at", place=place, last=last)
            return replace(run, notes=[*run.notes, note])
        return run
    return run


def _network(weights: Weights, options: Options) -> tuple[nn.Module | None, Sequence[Sentence]]:
    """Return the trained network: what --model builds, else the program in the checkpoint."""
    if options.model is None:
        return weights.program, ()
    from kashika.load.code.constructor import build

    named = parse(options.model, option="--model")
    shapes = {name: tuple(one.shape) for name, one in weights.state.items()}
    module, notes = build(named, shapes=shapes)
    model = f"{named.source}:{named.name}"
    return module, [*notes, *checkpoints.put_into(module, weights, model=model)]


def _with_network(
    run: Run,
    module: nn.Module,
    options: Options,
    *,
    gradients: bool,
    progress: Progress | None,
) -> Run:
    from kashika.load.samples import samples_from
    from kashika.load.samples.labels import outputs_of, relabelled
    from kashika.torch_network import TorchNetwork, nearest_device
    from kashika.torch_network.loss import known_name

    loss = _loss(options.loss)
    look = Look(
        loss=loss,
        layers=() if options.layer is None else (options.layer,),
        position=options.position,
        gradients=gradients,
        batch_size=options.batch_size,
        max_samples=options.max_samples,
        progress=progress,
    )
    network = TorchNetwork(module, look, device=options.device or nearest_device())
    if options.data is None:
        return replace(run, network=network)
    samples, notes = samples_from(options.data, target=options.target)
    outputs = outputs_of(network, samples)
    samples, said = relabelled(samples, outputs=outputs, loss=known_name(loss))
    columns = columns_of(samples)
    return replace(
        run, network=network, observations=Observations(network, samples), columns=columns,
        cut=_cut(options, columns), notes=[*run.notes, *notes, *said],
    )  # fmt: skip


def _cut(options: Options, names: Sequence[str]) -> Cut:
    """Return where the boundary is looked at, with columns that are named by their numbers."""
    features = [_column(one, names) for one in options.features]
    return Cut(
        options.through or None, tuple(features) or None, options.at, options.projection
    )  # fmt: skip


def _column(named: int | str, names: Sequence[str]) -> int:
    if str(named) in names:  # as a column may be called by a number, of a year perhaps
        return names.index(str(named))
    if isinstance(named, int):
        return named
    if not names:
        raise LoadError("errors.boundary.unnamed", found=named)
    raise LoadError("errors.boundary.column", names=listed(names), found=named)


def _unused(options: Options) -> list[Sentence]:
    wanted = ("data", "loss", "layer", "through", "features", "at", "projection")
    unused = [f"--{name}" for name in wanted if getattr(options, name) not in (None, "", ())]
    return [Sentence("notes.unused", options=", ".join(unused))] if unused else []


def _candidates(found: Found, directory: Path, options: Options) -> list[Sentence]:
    """Name what may be the network's code and the data, where they were not given."""
    models = [] if options.model else candidates.models(found.files, directory)
    data = [] if options.data else candidates.data(found.files, directory)
    said = [("notes.finding.models", models), ("notes.finding.data", data)]
    return [Sentence(key, names=", ".join(names[:5])) for key, names in said if names]


def _loss(word: str | None) -> str | Callable[..., Any] | None:
    if word is None or ":" not in word:
        return word
    loss: Callable[..., Any] = parse(word, option="--loss").load()
    return loss


def versions() -> list[tuple[str, str]]:
    """Return (package, version) of what the numbers and pictures are computed with."""
    return [(name, version(name)) for name in ("kashika", "torch", "numpy", "matplotlib")]


def _hashes(paths: Sequence[Path], directory: Path) -> list[tuple[str, str]]:
    """Return (path, SHA-256) of every file that was read, relative to the run where possible."""
    result = []
    for path in paths:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        inside = path.resolve().is_relative_to(directory.resolve())
        name = path.resolve().relative_to(directory.resolve()) if inside else path
        result.append((str(name.as_posix()), f"sha256 {digest}"))
    return result
