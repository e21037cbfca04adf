"""What the user names on the command line: `FILE.py:NAME(2, 32, 2)` or `package.module:NAME`.

This is the only place where foreign code is run, and only the code that was named.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kashika.errors import LoadError, one_line


@dataclass(frozen=True, slots=True)
class Named:
    """An object that the user named.

    Attributes
    ----------
    option : where it was named, "--model"
    source : path of a file, or name of a module
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

    def _module(self) -> Any:
        if not self.source.endswith(".py"):
            with _users_code(f"{self.option} {self.source}"):
                return importlib.import_module(self.source)
        path = Path(self.source)
        if not path.is_file():
            raise LoadError("errors.no_such_file", option=self.option, path=path)
        with _users_code(f"{self.option} {path}"), _importable(self.source):
            spec = importlib.util.spec_from_file_location(path.stem, path)
            assert spec is not None and spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            # In sys.modules, as after any import: dataclasses and pickled classes look for it
            # there, and its neighbours find it. A module that has the name already keeps it.
            before = sys.modules.get(path.stem)
            sys.modules[path.stem] = module
            try:
                spec.loader.exec_module(module)
            except BaseException:
                sys.modules.pop(path.stem, None)
                raise
            finally:
                if before is not None:
                    sys.modules[path.stem] = before
        return module


def parse(word: str, *, option: str, relative_to: Path | None = None) -> Named:
    """Read `FILE.py:NAME`, `FILE.py:NAME(2, hidden=32)` or `package.module:NAME`.

    Raises
    ------
    LoadError
        If the word has another form, or an argument is not a literal.
    """
    source, colon, call = word.partition(".py:")
    source, call = (f"{source}.py", call) if colon else word.rpartition(":")[::2]
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
    except (SyntaxError, TypeError, ValueError):
        raise LoadError("errors.named", option=option, found=word) from None
    if colon and relative_to is not None:
        source = str(relative_to / source)
    return Named(option, source, name.id, arguments, keywords)


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
    """Let the user's file import its neighbours, as it does when it is run."""
    if not source.endswith(".py"):
        yield
        return
    directory = str(Path(source).parent.resolve())
    sys.path.insert(0, directory)
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # nothing beside his files
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
        with contextlib.suppress(ValueError):
            sys.path.remove(directory)
