"""What the user names: `FILE.py:NAME(2, 32, 2)`, `package.module:NAME` or `NOTEBOOK.ipynb:NAME`.

This is the only place where foreign code is run, and only the code that was named: of a notebook
no more than the name needs.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import sys
import warnings
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from kashika.errors import LoadError, one_line
from kashika.load.code import cells
from kashika.texts import Sentence


@dataclass(frozen=True, slots=True)
class Named:
    """An object that the user named.

    Attributes
    ----------
    option : where it was named, "--model"
    source : path of a file, or name of a module, which may have a directory before it
    name : of the object in it
    arguments, keywords : literals it is called with; None where no parentheses were given
    """

    option: str
    source: str
    name: str
    arguments: tuple[Any, ...] | None = None
    keywords: dict[str, Any] | None = None

    def load(self) -> Any:
        """Import the object; call it, if it was given with arguments.

        Raises
        ------
        LoadError
            If the file or the name does not exist, or the user's code raises.
        """
        found = getattr(self._module(), self.name, None)
        if found is None:
            raise LoadError(
                "errors.no_such_name", option=self.option, source=self.source, name=self.name
            )
        return found if self.arguments is None else self.call(found)

    def call(self, function: Any) -> Any:
        """Call the object with the arguments that were given, if any."""
        if not callable(function):
            found = type(function).__name__
            raise LoadError("errors.not_callable", option=self.option, name=self.name, found=found)
        with _users_code(f"{self.option} {self.source}:{self.name}"), _importable(self.source):
            return function(*(self.arguments or ()), **(self.keywords or {}))

    def notes(self) -> list[Sentence]:
        """Return what there was to choose in the source."""
        if not self.source.endswith(_NOTEBOOK):
            return []
        return cells.program(self._file(), self.name, option=self.option)[1]

    def _file(self) -> Path:
        path = Path(self.source)
        if not path.is_file():
            raise LoadError("errors.no_such_file", option=self.option, path=path)
        return path

    def _module(self) -> Any:
        if not _is_file(self.source):
            with _users_code(f"{self.option} {self.source}"), _importable(self.source):
                return importlib.import_module(Path(self.source).name)
        path = self._file()
        code: str | None = None
        if self.source.endswith(_NOTEBOOK):
            code, _ = cells.program(path, self.name, option=self.option)
        with _users_code(f"{self.option} {path}"), _importable(self.source):
            return _executed(path, code)


def _executed(path: Path, code: str | None) -> ModuleType:
    """Run a file, or `code` in its stead, as a module."""
    spec = importlib.util.spec_from_file_location(
        path.stem, path, loader=SourceFileLoader(path.stem, str(path))
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # In sys.modules, as after any import: dataclasses and pickled classes look for it
    # there, and its neighbours find it. A module that has the name already keeps it.
    before = sys.modules.get(path.stem)
    sys.modules[path.stem] = module
    try:
        if code is None:
            spec.loader.exec_module(module)
        else:
            with warnings.catch_warnings(action="ignore"):  # as Python has given them before
                compiled = compile(code, str(path), "exec")
            exec(compiled, module.__dict__)
    except BaseException:
        sys.modules.pop(path.stem, None)
        raise
    finally:
        if before is not None:
            sys.modules[path.stem] = before
    return module


def parse(word: str, *, option: str, relative_to: Path | None = None) -> Named:
    """Read `FILE.py:NAME`, `FILE.py:NAME(2, hidden=32)`, `package.module:NAME` and the like.

    Parameters
    ----------
    relative_to : directory that files, and modules which lie in it, are relative to

    Raises
    ------
    LoadError
        If the word has another form, or an argument is not a literal.
    """
    source, call = _halves(word)
    try:
        tree = ast.parse(call.strip(), mode="eval").body
        name = tree.func if isinstance(tree, ast.Call) else tree
        if not source or not isinstance(name, ast.Name):
            raise ValueError
        arguments, keywords = None, None
        if isinstance(tree, ast.Call):
            arguments = tuple(ast.literal_eval(one) for one in tree.args)
            keywords = {str(one.arg): ast.literal_eval(one.value) for one in tree.keywords}
            if any(one.arg is None for one in tree.keywords):  # **{…}
                raise ValueError
    except (SyntaxError, TypeError, ValueError, RecursionError, MemoryError):
        raise LoadError("errors.named", option=option, found=word) from None
    if relative_to is not None:
        source = _halves(beside(word, relative_to))[0]
    return Named(option, source, name.id, arguments, keywords)


@contextlib.contextmanager
def standing_in(named: Named) -> Generator[None]:
    """Let a trusted pickle find the user's classes, as `__main__.Net` and by the file's name."""
    module, main = named._module(), sys.modules["__main__"]
    added = {name: one for name, one in vars(module).items() if not hasattr(main, name)}
    vars(main).update(added)
    stem = Path(named.source).stem
    absent = stem not in sys.modules
    sys.modules.setdefault(stem, module)
    try:
        yield
    finally:
        for name in added:
            vars(main).pop(name, None)
        if absent:
            sys.modules.pop(stem, None)


def beside(word: str, directory: Path) -> str:
    """Return a word with its file, or its module if it lies in the directory, as a path there."""
    source, _ = _halves(word)
    if not source:
        return word
    if _is_file(source):
        return str(directory / word)
    top = source.partition(".")[0]
    here = (directory / f"{top}.py").is_file() or (directory / top).is_dir()
    return str(directory / word) if here and Path(source).name == source else word


def _halves(word: str) -> tuple[str, str]:
    """Return what stands before and behind the colon; it may occur in the arguments as well."""
    ends = [end for end in _FILES if f"{end}:" in word]
    if ends:
        end = min(ends, key=lambda one: word.index(f"{one}:"))
        source, _, call = word.partition(f"{end}:")
        return f"{source}{end}", call
    head, bracket, arguments = word.partition("(")
    source, _, name = head.rpartition(":")
    return source, name + bracket + arguments


_NOTEBOOK = ".ipynb"
_FILES = (".py", _NOTEBOOK)


def _is_file(source: str) -> bool:
    return source.endswith(_FILES)


@contextlib.contextmanager
def _users_code(what: str) -> Generator[None]:
    """Run the user's code: it prints to stderr, and what it raises becomes one line."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except LoadError:
        raise
    except SyntaxError as error:
        place = f"{error.filename}, line {error.lineno}: {error.msg}"
        raise LoadError("errors.users_code", what=what, error=f"SyntaxError: {place}") from error
    except (Exception, SystemExit) as error:
        raise LoadError("errors.users_code", what=what, error=one_line(error)) from error


@contextlib.contextmanager
def _importable(source: str) -> Generator[None]:
    """Let the user's file import its neighbours, as it does when it is run.

    A module is found in the directory before its name, else in the working directory, as
    `python -m` finds it and the installed script does not. A file of a package finds that package
    in the working directory as well, behind all that is installed.
    """
    directory, here = str(_place(source).resolve()), str(Path.cwd())
    sys.path.insert(0, directory)
    sys.path.append(here)
    importlib.invalidate_caches()  # what was written a moment ago is there, too
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # nothing beside his files
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
        with contextlib.suppress(ValueError):
            sys.path.remove(directory)
        _take_last(here)


@contextlib.contextmanager
def reachable(words: Iterable[str]) -> Generator[None]:
    """Let code that was named import its neighbours later on as well, in its forward pass perhaps.

    Behind all that is installed: of that nothing is hidden by a file that was not named.

    Parameters
    ----------
    words : as `parse` reads them; nothing becomes importable without any
    """
    places = [_place(_halves(word)[0]) for word in words]
    directories = [str(one.resolve()) for one in (*places, *([Path()] if places else []))]
    sys.path.extend(directories)
    try:
        yield
    finally:
        for directory in reversed(directories):
            _take_last(directory)


def _place(source: str) -> Path:
    """Return the directory of a file, or before the name of a module, else the working one."""
    return Path(source).parent if _is_file(source) or Path(source).name != source else Path()


def _take_last(directory: str) -> None:
    """Take a directory off the path, the last of them where it stands there more than once."""
    for place in reversed(range(len(sys.path))):
        if sys.path[place] == directory:
            del sys.path[place]
            return
