"""The command line: words in, results on stdout, one line on stderr when it cannot run.

The texts in tests/golden/ are what `kashika check` prints. When they change on purpose, write them
anew with `KASHIKA_GOLDEN=write pytest tests/test_cli.py -k golden`, and read what has changed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from kashika.cli import _Line, main
from kashika.distribution import FloatArray
from kashika.texts import Sentence
from kashika.views import BUILTIN

GOLDEN = Path(__file__).parent / "golden"
LOSS = np.concatenate([0.7 * 0.8 ** np.arange(25), np.full(35, 0.7 * 0.8**24)])

CODE = '''
"""A classifier of the sign of the first input; its weights are written by hand."""

import numpy as np
from torch import nn

from kashika import View


def net(width=2):
    return nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, width))


def load(first=0):
    places = np.array([-3, -2.5, -2, -1.5, -1, 1, 1.5, 2, 2.5, 3])
    x, y = np.meshgrid(places, np.linspace(-1, 1, 5))
    X = np.column_stack([x.ravel(), y.ravel()])
    classes = (X[:, 0] > 0).astype(int)
    other = X * 1.01  # no sample of one split stands in another
    return {
        "train": (X, classes + first),
        "valid": (X[::2] * 0.99, classes[::2]),
        "test": (other, classes),
    }


def wide():
    X, y = load()["train"]
    return {"train": (np.hstack([X, X]), y)}


def fractions():
    X, y = load()["train"]
    return {"train": (X, y + 0.5)}


def loud():
    print("reading the data")
    return load()


class Chatty(nn.Sequential):
    def forward(self, x):
        print("forward")
        return super().forward(x)


def chatty():
    return Chatty(*net())


def silent():
    return 3


def stop():
    raise SystemExit("no data\\nhere")


def measure(run):
    return run.name


def fail(run):
    raise RuntimeError("no\\nidea")


mine = View("mine", measure)
failing = View("failing", fail)
'''

STATE: dict[str, list[Any]] = {
    "0.weight": [[1, 0], [-1, 0], [0, 1], [0, -1]],
    "0.bias": [0, 0, 0, 0],
    "2.weight": [[0, 3, 0, 0], [3, 0, 0, 0]],  # logits: 3 relu(-x), 3 relu(x)
    "2.bias": [0, 0],
}


CONSTANT = STATE | {"2.weight": [[0] * 4, [0] * 4], "2.bias": [1, 0]}
LEVEL = np.full(60, 0.813)  # (log(1 + 1 / e) + log(1 + e)) / 2


def write(
    directory: Path,
    *,
    train: FloatArray = LOSS,
    valid: FloatArray = LOSS * 1.01,
    state: Mapping[str, Any] = STATE,
) -> Path:
    """Write what a training would have left, with numbers that are the same on every machine."""
    output = directory / "output"
    output.mkdir(parents=True)
    for name, values in {"train_loss": train, "valid_loss": valid}.items():
        np.savetxt(output / f"{name}.txt", values)
    for split, first in (("train", 0.5), ("valid", 0.48)):
        right = np.minimum(1, first + 0.05 * np.arange(len(LOSS)))
        np.savetxt(output / f"{split}_acc.txt", right)
    tensors = {name: torch.tensor(values, dtype=torch.float32) for name, values in state.items()}
    torch.save(tensors, output / "model.pth")
    (directory / "code.py").write_text(CODE, encoding="utf-8")
    (directory / "kashika.toml").write_text(
        'model = "code.py:net"\ndata = "code.py:load"\n', encoding="utf-8"
    )
    return directory


FALLS = np.linspace(1.0, 0.9, 60)


def rising_late(by: float) -> FloatArray:
    """Return a loss that covers so small a range that a rise by a quarter is of consequence."""
    return np.where(np.arange(60) < 30, FALLS, 0.95 * (1 + by))


def rising(by: float) -> FloatArray:
    """Return a loss that rises by this share of its least value once it has fallen."""
    return np.where(np.arange(60) < 25, LOSS, LOSS[-1] * (1 + by * np.linspace(0.2, 1, 60)))


RUNS: dict[str, Callable[[Path], Path]] = {
    "healthy": write,
    "overfitting": lambda path: write(path, valid=rising(20.0)),
    "constant": lambda path: write(path, train=LEVEL, valid=LEVEL, state=CONSTANT),
    "several": lambda path: write(path, train=FALLS, valid=rising_late(0.25), state=CONSTANT),
    "logs-alone": lambda path: bare(write(path)),
}


def bare(run: Path) -> Path:
    for path in (run / "kashika.toml", run / "output" / "model.pth"):
        path.unlink()
    return run


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Speak English, stand in an empty folder, and forget the user's code afterwards."""
    monkeypatch.setenv("KASHIKA_LANG", "en")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "argv", ["kashika", "check", "a b"])
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield
    for name in ("code", "mlp", "data"):
        if name not in before:
            sys.modules.pop(name, None)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write(tmp_path / "run")


def kashika(*words: str | Path) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def answered(*words: str | Path, status: int = 0) -> str:
    """Return what a command printed that has an answer."""
    result = kashika(*words)
    assert (result.exit_code, result.stderr) == (status, "")
    return result.stdout


def found(*words: str | Path) -> dict[str, Any]:
    content = json.loads(kashika("check", *words, "--json").stdout)
    assert isinstance(content, dict)
    return content


# --- golden texts --------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("name", RUNS)
def test_the_golden_text_is_printed(tmp_path: Path, name: str, lang: str) -> None:
    run = RUNS[name](tmp_path / name)
    result = kashika("check", run, "--lang", lang)
    assert result.stderr == ""
    assert result.exit_code == int(name in ("overfitting", "constant", "several"))
    assert str(tmp_path) not in result.stdout
    golden = GOLDEN / f"check-{name}.{lang}.txt"
    if os.environ.get("KASHIKA_GOLDEN") == "write":
        golden.write_text(result.stdout, encoding="utf-8")
    assert result.stdout == golden.read_text(encoding="utf-8")


# --- check ---------------------------------------------------------------------------------------


def test_json_has_the_form_that_scripts_rely_on(run: Path) -> None:
    content = found(run)
    assert list(content) == [
        "schema", "run", "partial", "diagnoses", "findings", "sections", "notes", "provenance"
    ]  # fmt: skip
    assert (content["schema"], content["run"]) == (1, "run")
    assert content["notes"] == [
        "The outputs of the network were read as logits of 2 classes, and the loss as cross_entropy"
    ]
    rules = [f"{view.name}.{rule.__name__}" for view in BUILTIN for rule in view.rules]
    assert sorted(finding["rule"] for finding in content["findings"]) == sorted(rules)
    for finding in content["findings"]:
        assert list(finding) == [
            "rule", "level", "muted", "picture", "evidence", "summary", "meaning", "doubt",
            "advice", "reference",
        ]  # fmt: skip
        assert finding["level"] in ("ok", "unknown", "note", "warning", "problem")
        for evidence in finding["evidence"]:
            assert list(evidence) == ["quantity", "value", "limit", "unit", "where"]
            assert isinstance(evidence["value"], float | int | None)
            assert isinstance(evidence["limit"], float | int | None)
    assert content["sections"] == [{"view": view.name, "missing": None} for view in BUILTIN]
    assert content["provenance"]["command"] == "kashika check 'a b'"
    assert content["provenance"]["torch"] == torch.__version__


def test_json_knows_no_number_that_is_not_finite(tmp_path: Path) -> None:
    state = STATE | {"2.bias": [float("nan"), float("inf")]}
    text = kashika("check", write(tmp_path / "run", state=state), "--json").stdout

    def refuse(word: str) -> None:
        raise AssertionError(word)

    levels = {f["rule"]: f["level"] for f in json.loads(text, parse_constant=refuse)["findings"]}
    assert levels["weights.nonfinite"] == "problem"


STOPPED = """

class Stopped(nn.Sequential):
    def forward(self, x):
        if (x > 2.9).any() and (x[:, 1] > 0.4).any():  # of the last twenty samples
            raise KeyboardInterrupt
        return super().forward(x)


def stopped():
    return Stopped(*net())
"""


@pytest.mark.parametrize("command", ["check", "report"])
def test_a_report_that_was_interrupted_says_so_first_and_ends_with_status_2(
    run: Path, command: str
) -> None:
    code = with_code(run, STOPPED)
    result = kashika(command, run, "--model", f"{code}:stopped", "--batch-size", "10")
    said = (
        "train: interrupted; what is shown comes from 30 of 50 samples, and splits that were not "
        "begun are missing"
    )
    assert (result.exit_code, result.stderr) == (2, f"kashika: {said}\n")
    head = " ".join(result.stdout.partition("\n\n")[0].split())
    assert head == f"kashika: run This report is incomplete: {said}"
    if command == "report":
        page = (run / "report.html").read_text(encoding="utf-8")
        before, _, after = page.partition('<p class="verdict">')
        assert f"This report is incomplete: {said}" in before
        assert "This report is incomplete" not in after


def with_code(run: Path, code: str) -> Path:
    path = run / "code.py"
    path.write_text(path.read_text(encoding="utf-8") + code, encoding="utf-8")
    return path


BREAKING = """

def ending():
    X, y = load()["train"]

    def batches():
        for start in (0, 20):
            yield X[start : start + 20], y[start : start + 20]
        raise OSError("the disk is gone")

    return {"train": Again(batches), "test": load()["test"]}


class Again:
    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return self.batches()


class Fragile(nn.Sequential):
    def forward(self, x):
        if (x > 2.9).any() and (x[:, 1] > 0.4).any():
            raise ValueError("too large")
        return super().forward(x)


def fragile():
    return Fragile(*net())
"""


@pytest.mark.parametrize(
    ("words", "why", "said", "status"),
    [
        ([], None, "", 0),
        (["--model", "stopped"], "interrupted", "train: interrupted; what is shown comes", 2),
        (["--model", "fragile"], "failed", "train: an error at batch 4 (ValueError: too", 2),
        (["--data", "ending"], "broken", "train: reading the data stopped with OSError: the d", 2),
        (["--max-samples", "20"], "max_samples", "train: only the first 20 samples were", 0),
        (["--view", "failing"], "view", "the view failing failed: RuntimeError: no idea", 2),
    ],
)
def test_json_and_status_say_what_was_not_looked_at_and_why(
    run: Path, words: list[str], why: str | None, said: str, status: int
) -> None:
    code = with_code(run, STOPPED + BREAKING)
    named = [
        f"{code}:{word}" if word.isalpha() else word for word in words
    ]  # fmt: skip
    asked = (*named, "--batch-size", "10", "--fail-on", "problem")
    result = kashika("check", run, *asked, "--ignore", "curves.overfitting", "--json")
    gaps = json.loads(result.stdout)["partial"]
    assert result.exit_code == status
    if why is None:
        assert gaps == []
        return
    assert gaps[0]["why"] == why
    assert gaps[0]["split"] == (None if why == "view" else "train")
    assert gaps[0]["said"].startswith(said)
    # A picture of the same look at the data ends in the same way.
    if why != "view":
        drawn = kashika("figure", run, "predictions.confusion", "-o", "a.svg", *asked[:-2])
        assert (drawn.exit_code, drawn.stdout.splitlines()[0][:1]) == (status, "a")
        report = kashika("report", run, *asked[:-2])
        assert (report.exit_code, report.stderr) == (status, drawn.stderr)


@pytest.mark.parametrize("place", ["drawing", "writing", "loading"])
def test_what_is_interrupted_leaves_no_half_of_a_file_and_ends_with_status_130(
    run: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kashika("report", run, "--view", "curves").exit_code == 0
    before = {path: path.read_bytes() for path in run.iterdir() if path.is_file()}

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    name = {
        "drawing": "kashika.page.render",
        "writing": "pathlib.Path.replace",
        "loading": "kashika.load.load",
    }[place]
    monkeypatch.setattr(name, stop)
    code = with_code(run, "")
    for words in (["report"], ["figure"], ["check"]):
        if (words[0], place) in {("figure", "drawing"), ("check", "drawing"), ("check", "writing")}:
            continue
        more = ["curves.loss", "-o", f"{run}/a.svg"] if words == ["figure"] else []
        result = kashika(*words, run, *more, "--view", "curves")
        assert (result.exit_code, result.stderr) == (130, "kashika: interrupted\n")
    assert {path: path.read_bytes() for path in run.iterdir() if path.is_file()} == before
    assert code in before


def test_a_rule_that_fails_does_not_look_like_a_healthy_run(run: Path) -> None:
    code = with_code(run, """

def broken_rule(measurement):
    raise KeyError("loss")


ruled = View("ruled", measure, rules=(broken_rule,))
""")  # fmt: skip
    result = kashika("check", run, "--view", f"{code}:ruled", "--view", "curves")
    said = "the rule ruled.broken_rule failed: KeyError: 'loss'"
    assert (result.exit_code, result.stderr) == (2, f"kashika: {said}\n")
    assert f"This report is incomplete: {said}" in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    ("rise", "level", "on_problem", "on_warning"),
    [(0.0, "ok", 0, 0), (0.25, "warning", 0, 1), (20.0, "problem", 1, 1)],
)
def test_the_exit_status_says_whether_a_finding_reaches_the_level(
    tmp_path: Path, rise: float, level: str, on_problem: int, on_warning: int
) -> None:
    run = write(tmp_path / "run", train=FALLS, valid=rising_late(rise))
    findings = {f["rule"]: f["level"] for f in found(run, "--view", "curves")["findings"]}
    assert findings["curves.overfitting"] == level
    views = ("--view", "curves")
    assert kashika("check", run, *views).exit_code == on_problem
    assert kashika("check", run, *views, "--fail-on", "problem").exit_code == on_problem
    assert kashika("check", run, *views, "--fail-on", "warning").exit_code == on_warning
    assert kashika("check", run, *views, "--json", "--fail-on", "warning").exit_code == on_warning


@pytest.mark.parametrize(
    ("option", "word", "printed"),
    [("--data", "loud", "reading the data"), ("--model", "chatty", "forward")],
)
def test_what_the_users_code_prints_is_no_result(
    run: Path, option: str, word: str, printed: str
) -> None:
    result = kashika("check", run, option, f"{run}/code.py:{word}", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["schema"] == 1
    assert set(result.stderr.splitlines()) == {printed}


# --- languages -----------------------------------------------------------------------------------


def test_the_language_is_that_of_the_option_else_of_the_file_else_of_the_environment(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    english, japanese = "problems: 0, warnings: 0", "問題: 0、警告: 0"
    assert english in answered("check", run)
    monkeypatch.setenv("KASHIKA_LANG", "ja")
    assert japanese in answered("check", run)
    assert english in answered("check", run, "--lang", "en")
    with (run / "kashika.toml").open("a", encoding="utf-8") as file:
        file.write('lang = "en"\n')
    assert english in answered("check", run)
    assert japanese in answered("check", run, "--lang", "ja")


def test_an_error_is_told_in_the_language_of_the_file(run: Path) -> None:
    with (run / "kashika.toml").open("a", encoding="utf-8") as file:
        file.write('lang = "ja"\nloss = "no_such_loss"\n')
    result = kashika("check", run)
    assert result.exit_code == 2
    assert result.stderr == (
        "kashika: --loss: cross_entropy など torch.nn.functional の損失のはずですが、"
        "'no_such_loss' でした。名前を直すか、FILE.py:NAME を指定してください。\n"
    )


# --- report --------------------------------------------------------------------------------------


def test_a_report_on_logs_and_weights_alone_says_what_the_other_sections_need(run: Path) -> None:
    output = run / "output"
    printed = answered("report", output)
    network = (
        "needs a trained network; give a checkpoint and --model 'FILE.py:NAME(…)', "
        "or pass the model"
    )
    lines = printed.splitlines()
    assert lines[-1] == f"Report: {output}/report.html"
    said = " ".join(lines)
    for view in ("predictions", "boundary", "features", "gradients"):
        assert f"{view}: {network}" in said
    missing = {section["view"]: section["missing"] for section in found(output)["sections"]}
    assert (missing["curves"], missing["weights"]) == (None, None)
    page = (output / "report.html").read_text(encoding="utf-8")
    assert page.count("needs a trained network") >= 4
    assert page.count("<svg ") > 4


def test_options_give_the_same_findings_as_the_file_beside_the_run(run: Path) -> None:
    by_options = found(
        run / "output", "--model", f"{run}/code.py:net()", "--data", f"{run}/code.py:load",
        "--loss", "cross_entropy",
    )  # fmt: skip
    by_file = found(run)
    assert by_options["findings"] == by_file["findings"]
    assert by_options["sections"] == by_file["sections"]


def test_the_same_inputs_give_the_same_bytes(run: Path) -> None:
    files = [run / "report.html", Path("again.html")]
    answered("report", run)
    answered("report", run, "-o", files[1])
    assert files[0].read_bytes() == files[1].read_bytes()
    answered("report", run, "--lang", "ja", "-o", files[1])
    assert files[0].read_bytes() != files[1].read_bytes()


def test_a_report_leaves_nothing_but_itself(run: Path) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    answered("report", run)
    after = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert after.keys() - before.keys() == {run / "report.html"}
    assert all(after[path] == content for path, content in before.items())


def test_a_report_of_somebody_else_is_not_written_over(run: Path) -> None:
    file = run / "report.html"
    file.write_text("<p>mine</p>")
    words = ("report", run, "--view", "curves")
    assert refused(*words) == (
        f"{file}: expected no file or an earlier report, found another file; name one with -o"
    )
    assert file.read_text() == "<p>mine</p>"
    answered(*words, "-o", file)  # it was asked for
    answered(*words)


# --- figure --------------------------------------------------------------------------------------

BEGINS = {"svg": b"<?xml", "png": b"\x89PNG\r\n", "pdf": b"%PDF-"}


@pytest.mark.parametrize("ending", BEGINS)
def test_one_picture_is_saved_under_its_name(run: Path, ending: str) -> None:
    file = run / f"loss.{ending}"
    assert answered("figure", run, "curves.loss", "-o", file) == f"{file}\n"
    content = file.read_bytes()
    assert content.startswith(BEGINS[ending])
    answered("figure", run, "curves.loss", "-o", file)
    assert file.read_bytes() == content


def test_all_pictures_of_a_view_are_saved_with_theirs(run: Path) -> None:
    printed = answered("figure", run, "curves", "-o", "f.svg")
    names = [f"f-{name}.svg" for name in ("loss", "loss_log", "accuracy", "gap")]
    assert printed.splitlines() == names
    assert all(Path(name).is_file() for name in names)


@pytest.mark.parametrize(
    ("words", "pictures"),
    [
        ("", ["map"]),
        ("--through 0,7,31", ["plane"]),
        ("--features 1,0 --projection pca", ["features", "projection"]),
        ("--at 3", ["features"]),
    ],
)
def test_the_boundary_is_shown_where_it_is_asked_for(
    run: Path, words: str, pictures: list[str]
) -> None:
    printed = answered("figure", run, "boundary", "-o", "f.png", *words.split())
    assert printed.splitlines() == [f"f-{name}.png" for name in (*pictures, "margins")]


# --- views ---------------------------------------------------------------------------------------


def test_every_view_is_listed_with_its_question_its_needs_and_its_pictures() -> None:
    lines = answered("views").splitlines()
    assert [line.split()[0] for line in lines[::3]] == [view.name for view in BUILTIN]
    assert lines[:3] == [
        "curves       Did training converge, and does it generalise?",
        "             needs logs such as train_loss.txt",
        "             curves.loss, curves.loss_log, curves.accuracy, curves.gap, curves.metrics",
    ]
    assert "学習は収束し、汎化しているでしょうか。" in answered("views", "--lang", "ja")


def test_only_the_views_that_are_named_are_applied(run: Path) -> None:
    sections = found(run, "--view", "weights", "--view", "curves")["sections"]
    assert sections == [{"view": name, "missing": None} for name in ("weights", "curves")]


def test_a_view_of_the_users_is_applied_after_the_others_and_one_that_fails_says_so(
    run: Path,
) -> None:
    words = ("--view", f"{run}/code.py:failing", "--view", f"{run}/code.py:mine")
    sections = found(run, *words)["sections"]
    assert [section["view"] for section in sections] == [
        *(view.name for view in BUILTIN), "failing", "mine",
    ]  # fmt: skip
    assert [section["missing"] for section in sections] == [
        *[None] * 6, "This view failed: RuntimeError: no idea", None,
    ]  # fmt: skip


# --- what is being done --------------------------------------------------------------------------


def test_a_terminal_shows_what_is_being_done_and_a_file_does_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for terminal in (True, False):
        monkeypatch.setattr(sys.stderr, "isatty", lambda answer=terminal: answer)
        line = _Line()
        line.doing(Sentence("progress.measuring", name="features"))
        line.progress("train", 10, 20)
        line.progress("train", 20, 20)  # the pass is over, and what it was made for goes on
        line.doing(Sentence("progress.drawing", name="features.projection"))
        line.done()
        said = capsys.readouterr().err.split("\r\x1b[K")[1:]
        features = "looking at features …"
        assert said == (
            [features, "train: 10 of 20 samples", features, "drawing features.projection …", ""]
            if terminal
            else []
        )


# --- what cannot be run --------------------------------------------------------------------------


def refused(*words: str | Path) -> str:
    """Return the one line that a command says on stderr when it cannot run."""
    result = kashika(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("kashika: ")
    return line.removeprefix("kashika: ")


@dataclass(frozen=True)
class Bad:
    """Words that cannot be run, and what is said about them; {run} is the run, {code} its code."""

    words: str
    said: str
    file: str = ""
    content: str = ""


USERS_CODE = "expected code that runs, found {}; correct the code or the arguments"

BAD = [
    Bad(
        "check no/where",
        "no/where: expected a file or a directory, found nothing; check the path",
    ),
    Bad(
        "check {code}",
        "{code}: expected a log, a checkpoint or their folder, found a .py file; "
        "name the folder that it lies in",
    ),
    Bad(
        "check {run}/empty",
        "{run}/empty: expected logs such as train_loss.txt or a checkpoint such as model.pth, "
        "found neither; name the folder that holds them",
        file="empty/notes.md",
    ),
    Bad(
        "check {run}/output/train_loss.txt",
        "{run}/output/train_loss.txt: expected numbers of a training, found 'nul'; name a log, "
        "or give its series as a file of one number a line",
        file="output/train_loss.txt",
        content="nul\n",
    ),
    Bad(
        "check {run}",
        "{run}/kashika.toml: expected TOML, found an error in it "
        "(Invalid value (at line 1, column 9)); correct the file",
        file="kashika.toml",
        content="model = code.py",
    ),
    Bad(
        "check {run}",
        "{run}/kashika.toml: expected the keys at, batch_size, checkpoint, data, device, "
        "features, frozen, lang, layer, log, loss, max_samples, model, position, projection, "
        "rename, rules, target, through, view, weights, found 'epochs'; correct the key",
        file="kashika.toml",
        content="epochs = 3",
    ),
    Bad(
        "check {run}",
        "lang: expected one of en, ja, found 'fr'; choose one of them",
        file="kashika.toml",
        content="lang = 'fr'",
    ),
    Bad(
        "check {run} --model no.py:net",
        "--model: expected a file, found nothing at no.py; check the path",
    ),
    Bad(
        "check {run} --model {run}/broken.py:net",
        "--model {run}/broken.py: "
        + USERS_CODE.format("SyntaxError: {run}/broken.py, line 2: '(' was never closed"),
        file="broken.py",
        content="import os\nnet = (",
    ),
    Bad(
        "check {run} --model {run}/raising.py:net",
        "--model {run}/raising.py: " + USERS_CODE.format("ZeroDivisionError: division by zero"),
        file="raising.py",
        content="net = 1 / 0",
    ),
    Bad(
        "check {run} --model {code}:nets",
        "--model: expected nets in {code}, found nothing of that name; check the spelling",
    ),
    Bad(
        "check {run} --model {code}",
        "--model: expected FILE.py:NAME or package.module:NAME, with literals as arguments if "
        "any, found '{code}'; correct it",
    ),
    Bad(
        "check {run} --model {code}:silent",
        "--model {code}:silent: expected an nn.Module, or a class or function that builds one, "
        "found int; name another object",
    ),
    Bad(
        "check {run} --model {code}:net(3)",
        "{run}/output/model.pth does not fit {code}:net: 2.weight is (2, 4), expected (3, 4) / "
        "2.bias is (2,), expected (3,), so the file has 2 outputs, the model 3; "
        "give the arguments of the trained network in --model",
    ),
    Bad(
        "check {run}",
        "{run}/output/model.pth: expected a checkpoint, found an empty file (0 bytes); "
        "save or copy it again",
        file="output/model.pth",
    ),
    Bad(
        "check {run} --checkpoint no.pth",
        "no.pth: expected a checkpoint, found nothing; check the path",
    ),
    Bad(
        "check {run} --data {code}:wide",
        "train: expected inputs that the network takes, found shape (50, 4), and it raised "
        "RuntimeError: mat1 and mat2 shapes cannot be multiplied (50x4 and 2x4); "
        "check that --data and --model belong together",
    ),
    Bad(
        "check {run} --data {code}:load(1)",
        "train: expected classes from 0 to 1, since the network has 2 outputs, found 1 to 2; "
        "renumber the classes or check the model",
    ),
    Bad(
        "check {run} --data {code}:fractions --loss cross_entropy",
        "train: expected whole numbers as classes, found 0.5; give class numbers, or "
        "--loss mse_loss for a regression",
    ),
    Bad(
        "check {run} --data {code}:silent",
        "--data: expected silent to return a mapping from train, valid, test to (X, y), found "
        "int; correct the function",
    ),
    Bad(
        "check {run} --data {code}:stop",
        "--data {code}:stop: " + USERS_CODE.format("SystemExit: no data here"),
    ),
    Bad(
        "check {run} --loss cross_entrophy",
        "--loss: expected a loss of torch.nn.functional such as cross_entropy, "
        "found 'cross_entrophy'; correct the name, or give FILE.py:NAME",
    ),
    Bad(
        "check {run} --view curve",
        "view: expected one of curves, predictions, boundary, features, weights, gradients, "
        "found 'curve'; choose one of them",
    ),
    Bad(
        "check {run} --view {code}:silent",
        "--view {code}:silent: expected a View, found function; name a kashika.View",
    ),
    Bad(
        "check {run} --layer hidden",
        "layer: expected one of 0, 1, 2, found 'hidden'; choose one of them",
    ),
    Bad(
        "figure {run} curve -o f.svg",
        "view: expected one of curves, predictions, boundary, features, weights, gradients, "
        "found 'curve'; choose one of them",
    ),
    Bad(
        "figure {run} curves.los -o f.svg",
        "picture: expected one of loss, loss_log, accuracy, gap, metrics of the view curves, "
        "found 'los'; choose one of them",
    ),
    Bad(
        "figure {run} boundary.surface -o f.svg",
        "boundary.surface: expected a picture of this run, found that it does not apply to it; "
        "see kashika views for others",
    ),
    Bad(
        "figure {run} curves.loss -o f.bmp",
        "f.bmp: expected a file ending in one of svg, png, pdf, found 'bmp'; give another ending",
    ),
    Bad(
        "figure {run} curves.loss -o no/where/f.svg",
        "no/where: expected a directory, found none; check the path",
    ),
    Bad(
        "figure {run}/output gradients -o f.svg",
        "gradients: needs a trained network; give a checkpoint and --model 'FILE.py:NAME(…)', "
        "or pass the model",
    ),
    Bad(
        "report {run} -o no/where/report.html",
        "no/where: expected a directory, found none; check the path",
    ),
    Bad(
        "demo {run}/demo --broken lr",
        "--broken: expected one of lr-too-low, lr-too-high, lr-diverging, overfitting, "
        "flipped-labels, sigmoid, init-too-small, init-too-large, found 'lr'; choose one of them",
    ),
    Bad(
        "demo {run}",
        "{run}: expected an empty directory or an earlier demo, found other files; "
        "name another directory",
    ),
]


def filled(text: str, run: Path) -> str:
    return text.replace("{run}", str(run)).replace("{code}", f"{run}/code.py")


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.words)
def test_what_cannot_be_run_is_told_in_one_line(run: Path, bad: Bad) -> None:
    if bad.file:
        file = run / bad.file
        file.parent.mkdir(exist_ok=True)
        file.write_text(bad.content, encoding="utf-8")
    assert refused(*filled(bad.words, run).split(" ")) == filled(bad.said, run)
    assert not list(run.glob("*.html"))


def test_a_file_that_cannot_be_written_is_told_before_anything_is_computed(run: Path) -> None:
    for words in (("report", run), ("figure", run, "curves.loss")):
        assert refused(*words, "-o", run / "output").startswith(f"{run}/output: expected a file")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that no one may write")
def test_a_folder_that_cannot_be_written_is_told(run: Path) -> None:
    for words in (
        ("report", run, "-o", "/proc/r.html"),
        ("figure", run, "curves", "-o", "/proc/f.svg"),
    ):
        assert refused(*words, "--view", "curves").startswith("/proc/")


def test_a_path_with_a_line_break_is_told_in_one_line() -> None:
    assert refused("check", "no\nwhere") == (
        "no where: expected a file or a directory, found nothing; check the path"
    )


# --- demo ----------------------------------------------------------------------------------------


def test_the_demo_trains_reports_and_is_reported_on_like_a_users_own_run(tmp_path: Path) -> None:
    directory = tmp_path / "demo"
    result = kashika("demo", directory)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert (lines[0], lines[-1]) == ("kashika: demo", f"Report: {directory}/report.html")
    assert any(line.startswith("problems: 0, warnings: 0, ") for line in lines)
    said = " ".join(lines)
    assert "read as logits of 2 classes, and the loss as cross_entropy" in said
    assert result.stderr.strip() in ("", "training")  # a progress bar only where someone looks
    report = (directory / "report.html").read_bytes()
    assert len(report) <= 1_000_000
    answered("report", directory)
    assert (directory / "report.html").read_bytes() == report
    by_options = found(
        directory / "output",
        "--model", f"{directory}/mlp.py:MLP(input_dim=2, hidden_dim=32, output_dim=2)",
        "--data", f"{directory}/data.py:load",
    )  # fmt: skip
    by_file = found(directory)
    assert by_options["findings"] == by_file["findings"]
    assert by_options["sections"] == by_file["sections"]


# --- in a process of its own ---------------------------------------------------------------------


def process(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kashika", *map(str, words)],
        capture_output=True, text=True, check=False, encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1", **environment},
    )  # fmt: skip


def test_a_process_ends_with_the_status_and_prints_each_thing_where_it_belongs(run: Path) -> None:
    done = process("check", run, "--json", KASHIKA_LANG="ja")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["findings"][0]["summary"].endswith("。")


def test_a_process_that_cannot_run_ends_with_2_and_one_line(run: Path) -> None:
    done = process("check", run, "--data", f"{run}/code.py:wide")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("kashika: train: expected inputs that the network takes, found shape")


def test_the_help_is_in_the_language_of_the_environment() -> None:
    helps = {lang: process("--help", KASHIKA_LANG=lang).stdout for lang in ("en", "ja")}
    assert "Look at what a finished PyTorch training left behind" in helps["en"]
    assert "学習を終えた PyTorch ネットワークを可視化し" in helps["ja"]
    for command in ("check", "demo", "figure", "report", "views"):
        assert all(f"  {command} " in text for text in helps.values())
