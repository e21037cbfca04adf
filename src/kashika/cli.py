"""Words in, exit status out; the only module that prints."""

from __future__ import annotations

import gc
import shlex
import shutil
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from kashika.errors import KashikaError, LoadError
from kashika.progress import Clock
from kashika.texts import LANGUAGES, Sentence, speaking, text

if TYPE_CHECKING:
    from kashika.load import Options
    from kashika.report import Report
    from kashika.view import View

F = TypeVar("F", bound=Callable[..., Any])

_RUN = click.argument("run", type=click.Path(path_type=Path))
_RENAME = click.option("--rename", multiple=True, metavar="NAME=NAME", help=text("cli.rename"))


def _options(command: F) -> F:
    """Add the options that say where the parts of a run are."""
    command = click.option("--lang", type=click.Choice(LANGUAGES), help=text("cli.lang"))(command)
    command = click.option(
        "--view", multiple=True, metavar="NAME|FILE.py:NAME", help=text("cli.view")
    )(command)
    # The decorator that is applied last comes first in the help.
    command = click.option("--trust", is_flag=True, help=text("cli.trust"))(command)
    for name, meta in (
        ("device", "cpu|cuda|mps"), ("layer", "NAME"), ("weights", "KEY"), ("checkpoint", "FILE"),
        ("loss", "NAME|FILE.py:NAME"), ("target", "COLUMN"),
        ("data", "FILE.py:NAME|FILE|NAME"), ("model", "FILE.py:NAME(…)"),
    ):  # fmt: skip
        command = click.option(f"--{name}", metavar=meta, help=text(f"cli.{name}"))(command)
    for name in ("max-samples", "batch-size"):
        help_of = text(f"cli.{name.replace('-', '_')}")
        command = click.option(f"--{name}", type=click.IntRange(min=1), help=help_of)(command)
    command = click.option(
        "--projection", metavar="pca|tsne", help=text("cli.projection")
    )(command)  # fmt: skip
    command = click.option("--at", type=click.IntRange(min=0), help=text("cli.at"))(command)
    for name, meta in (("features", "COLUMN,COLUMN"), ("through", "ROW,ROW,ROW")):
        command = click.option(f"--{name}", metavar=meta, help=text(f"cli.{name}"))(command)
    command = click.option("--position", type=int, help=text("cli.position"))(command)
    for name, meta in (("ignore", "RULE"), ("frozen", "PATTERN")):
        help_of = text(f"cli.{name}")
        command = click.option(f"--{name}", multiple=True, metavar=meta, help=help_of)(command)
    command = click.option("--log", multiple=True, metavar="PATH", help=text("cli.log"))(command)
    return _RENAME(command)


@click.group(
    help=text("cli.main"), context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
)  # fmt: skip
@click.version_option(package_name="kashika")
@click.pass_context
def main(context: click.Context) -> None:
    """Look at what a finished training left behind."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@main.command(help=text("cli.demo"))
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--broken", metavar="NAME", help=text("cli.broken"))
@click.option("--lang", type=click.Choice(LANGUAGES), help=text("cli.lang"))
def demo(directory: Path, broken: str | None, lang: str | None) -> None:
    """Train the seed's network, then report on it."""
    with _answering(lang):
        from kashika import demo as training
        from kashika.load import Options

        with click.progressbar(
            training.train(directory, fault=broken), length=training.epochs(broken),
            label=text("cli.training"), file=sys.stderr,
        ) as epochs:  # fmt: skip
            for _ in epochs:
                pass
    with _asked(directory, Options(lang=lang)) as options:
        _report(directory, options, directory / "report.html")


@main.command(help=text("cli.report"))
@_RUN
@_options
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE.html", help=text("cli.output")
)
def report(run: Path, output: Path | None, **given: Any) -> None:
    """Write the whole report on RUN and print its findings."""
    with _asked(run, given) as options:
        _report(run, options, output)


@main.command(help=text("cli.check"))
@_RUN
@_options
@click.option("--json", "as_json", is_flag=True, help=text("cli.json"))
@click.option(
    "--fail-on", type=click.Choice(["warning", "problem"]), default="problem",
    show_default=True, help=text("cli.fail_on"),
)  # fmt: skip
def check(run: Path, as_json: bool, fail_on: str, **given: Any) -> None:
    """Print the findings of RUN; exit with 1 if one reaches --fail-on."""
    with _asked(run, given) as options:
        from kashika.view import Level

        found = _analyzed(run, options)
        click.echo(found.to_json() if as_json else _written(found))
        _told(found)
        raise SystemExit(int(found.worst >= Level[fail_on.upper()]))


@main.command(help=text("cli.figure"))
@_RUN
@click.argument("name", metavar="VIEW[.PICTURE]")
@_options
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True,
    metavar="FILE.svg|png|pdf", help=text("cli.figure_output"),
)  # fmt: skip
def figure(run: Path, name: str, output: Path, **given: Any) -> None:
    """Save the pictures of one view of RUN."""
    with _asked(run, given) as options:
        from kashika import figure as drawing

        view, _, picture = name.partition(".")
        known = {one.name: one for one in _views(options)}
        if view not in known:
            raise LoadError("errors.no_such_view", found=view, names=", ".join(known))
        _writable(output)
        found = _analyzed(run, options, views=[known[view]])
        (section,) = found.sections
        with drawing.drawable() as note:
            if note:
                click.echo(note, err=True)
        saved = drawing.save(section, output, picture=picture or None)
        for file in saved:
            click.echo(file)
        _told(found)


@main.command(help=text("cli.inspect"))
@click.argument("path", type=click.Path(path_type=Path))
@_RENAME
@click.option("--weights", metavar="KEY", help=text("cli.weights"))
@click.option("--json", "as_json", is_flag=True, help=text("cli.json"))
@click.option("--lang", type=click.Choice(LANGUAGES), help=text("cli.lang"))
def inspect(
    path: Path, rename: tuple[str, ...], weights: str | None, as_json: bool, lang: str | None
) -> None:
    """Print what a file is and what is in it."""
    with _answering(lang):
        from kashika.contents import inspect as look_into
        from kashika.load.options import renaming

        found = look_into(path, rename=renaming(rename), weights=weights)
        click.echo(found.to_json() if as_json else str(found))


@main.command(help=text("cli.views"))
@click.option("--lang", type=click.Choice(LANGUAGES), help=text("cli.lang"))
def views(lang: str | None) -> None:
    """Print what views there are, what each asks, and what it needs."""
    with _answering(lang):
        from kashika.report import available
        from kashika.texts import has

        for view in available():
            key = f"views.{view.name}"
            question = text(f"{key}.question") if has(f"{key}.question") else ""
            needs = text(f"{key}.needs") if has(f"{key}.needs") else ""
            click.echo(f"{view.name:12} {question}")
            click.echo(f"{'':12} {needs}")
            click.echo(f"{'':12} {', '.join(f'{view.name}.{one.name}' for one in view.pictures)}")


@main.command(help=text("cli.explain"))
@click.argument("rule")
@click.option("--view", metavar="FILE.py:NAME", help=text("cli.explain_view"))
@click.option("--lang", type=click.Choice(LANGUAGES), help=text("cli.lang"))
def explain(rule: str, view: str | None, lang: str | None) -> None:
    """Print what a rule looks at, its limits and source, and how often it is right."""
    with _answering(lang):
        from kashika.explanation import explained
        from kashika.load import Options
        from kashika.report import available

        views = available() if view is None else _views(Options(view=(view,)))
        click.echo(explained(rule, views).written(width=_width()))


def _report(run: Path, options: Options, output: Path | None) -> None:
    file = (run.parent if run.is_file() else run) / "report.html" if output is None else output
    _writable(file)
    if output is None and file.exists() and _MADE_BY not in file.read_bytes()[:1000]:
        raise LoadError("errors.foreign_report", path=file)
    found = _analyzed(run, options)
    line = _Line()
    found.save(file, doing=line.doing)
    line.done()
    click.echo(_written(found))
    click.echo(text("report.saved", path=file))
    _told(found)


def _told(found: Report) -> None:
    """End with status 2 where a part was not read, or came to no end, after all the rest was."""
    missing = [*found.unread, *found.partial]
    if missing:
        _fail(" / ".join(map(str, missing)))


def _written(found: Report) -> str:
    """Return a report in words, in colour; `click.echo` takes the colours out of a file."""
    from kashika.view import Level

    colours = {Level.PROBLEM: "red", Level.WARNING: "yellow", Level.NOTE: "cyan"}

    def paint(words: str, level: Level) -> str:
        return click.style(words, fg=colours.get(level), bold=level >= Level.WARNING)

    return found.written(width=_width(), paint=paint)


def _width() -> int:
    """Return the columns that lines may take: those of the terminal, 80 at most."""
    return min(80, shutil.get_terminal_size().columns)


_MADE_BY = b'<meta name="generator" content="kashika">'


_CLEAR = "\r\x1b[K"  # what stands on the line of a terminal


class _Line:
    """What is being done, on one line of a terminal; into a file go warnings only."""

    def __init__(self) -> None:
        self._clock, self._doing = Clock(), ""
        self._clear = _CLEAR if sys.stderr.isatty() else ""

    def doing(self, what: Sentence) -> None:
        """Say what is done next."""
        self._doing = str(what)
        self._show(self._doing)

    def progress(self, split: str, seen: int, known: int | None) -> None:
        """Say how far a pass over the data has come; after its end, what it was made for."""
        line, warning = self._clock.line(split, seen, known), self._clock.warning(seen, known)
        if line is not None:
            self._show(line or self._doing)
        if warning is not None:
            click.echo(f"{self._clear}{warning}", err=True)

    def done(self) -> None:
        """Leave the line empty."""
        self._show("")

    def _show(self, words: str) -> None:
        if self._clear:
            click.echo(f"{self._clear}{words}", err=True, nl=False)


def _analyzed(run: Path, options: Options, *, views: list[View[Any]] | None = None) -> Report:
    from kashika.load import load
    from kashika.report import analyze

    command = shlex.join(["kashika", *sys.argv[1:]])
    # What the user's network prints must not get between the lines of a result.
    with redirect_stdout(sys.stderr):
        views = _views(options) if views is None else views
        gradients = any(view.gradients for view in views)
        line = _Line()
        loaded = load(run, options, gradients=gradients, progress=line.progress)
        gc.freeze()  # what was imported stays; drawing makes much that is looked through again
        loaded = replace(loaded, provenance=[*loaded.provenance, ("command", command)])
        found = analyze(loaded, views=views, rules=options.rules, doing=line.doing)
        line.done()
        return found


def _views(options: Options) -> list[View[Any]]:
    """Return the views that were asked for: all, some by name, and those from the user's files."""
    from kashika.load.code.named import parse
    from kashika.report import available
    from kashika.view import View

    known = {view.name: view for view in available()}
    named = [word for word in options.view if ":" not in word]
    for word in named:
        if word not in known:
            raise LoadError("errors.no_such_view", found=word, names=", ".join(known))
    brought = [parse(word, option="--view").load() for word in options.view if ":" in word]
    for view, word in zip(brought, (w for w in options.view if ":" in w), strict=True):
        if not isinstance(view, View):
            raise LoadError("errors.not_a_view", found=type(view).__name__, word=word)
    return [*([known[word] for word in named] if named else known.values()), *brought]


def _writable(file: Path) -> None:
    if not file.parent.is_dir():
        raise LoadError("errors.no_such_directory", path=file.parent)
    if file.is_dir():
        raise LoadError("errors.system", path=file, error=text("words.is_a_directory"))


@contextmanager
def _asked(run: Path, given: Options | Mapping[str, Any]) -> Generator[Options]:
    """Give the options, those of `kashika.toml` among them, and speak the language they ask for."""
    from kashika.load.code.named import reachable
    from kashika.load.options import (
        Options,
        columns,
        configured,
        ignoring,
        renaming,
        rows,
        within,
    )

    lang = given.lang if isinstance(given, Options) else given["lang"]
    with _answering(lang) as speak:
        if not isinstance(given, Options):
            words = dict(given)
            rename, rules = renaming(words.pop("rename")), ignoring(words.pop("ignore"))
            through, features = rows(words.pop("through")), columns(words.pop("features"))
            given = Options(
                **words, rename=rename, rules=rules, through=through, features=features
            )  # fmt: skip
        options = configured(run, given)
        if options.lang is not None:
            if options.lang not in LANGUAGES:
                raise LoadError("errors.lang", found=options.lang, names=", ".join(LANGUAGES))
            speak(options.lang)
        at_hand = within(run if run.is_dir() else run.parent, options)
        named = filter(None, (at_hand.model, at_hand.data, at_hand.loss, *at_hand.view))
        with reachable(word for word in named if ":" in word):
            yield options


@contextmanager
def _answering(lang: str | None) -> Generator[Callable[[str], object]]:
    """Turn an error into one line and an exit status, in the language that is spoken by then."""
    with ExitStack() as languages:

        def speak(language: str) -> None:
            languages.enter_context(speaking(language))

        if lang is not None:
            speak(lang)
        try:
            yield speak
        except KashikaError as error:
            _fail(str(error))
        except (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError) as error:
            _fail(text("errors.system", path=error.filename, error=error.strerror))
        except KeyboardInterrupt:
            _fail(text("cli.interrupted"), status=_INTERRUPTED)


def run() -> NoReturn:
    """Carry out the command line; a wrong one is told in one line, as any other error is."""
    try:
        main(standalone_mode=False)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx is not None else "kashika"
        found = error.format_message().rstrip(".")
        _fail(text("errors.usage", found=found, command=command))
    except click.Abort:
        _fail(text("cli.interrupted"), status=_INTERRUPTED)
    raise SystemExit(0)


_INTERRUPTED = 130  # as shells have it: 128 and the number of the signal


def _fail(message: str, *, status: int = 2) -> NoReturn:
    said = text("cli.error", error=" ".join(message.split()))
    click.echo(f"{_CLEAR if sys.stderr.isatty() else ''}{said}", err=True)
    raise SystemExit(status)
