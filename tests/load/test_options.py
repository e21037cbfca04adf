"""What stands in kashika.toml and on the command line becomes one set of options."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kashika.errors import LoadError
from kashika.load.options import Options, columns, configured, ignoring, renaming, rows, within
from kashika.texts import speaking
from kashika.view import Setting


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with speaking("en"):
        yield


def written(directory: Path, content: str | bytes) -> Path:
    path = directory / "kashika.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def misread(directory: Path, content: str | bytes) -> str:
    path = written(directory, content)
    with pytest.raises(LoadError) as caught:
        configured(directory, Options())
    return str(caught.value).removeprefix(f"{path}: ")


def test_without_the_file_the_options_are_what_was_given(tmp_path: Path) -> None:
    given = Options(model="mlp.py:MLP", view=("curves",))
    assert configured(tmp_path, given) == given


def test_every_option_may_stand_in_the_file_and_its_paths_are_relative_to_it(
    tmp_path: Path,
) -> None:
    written(
        tmp_path,
        """
        model = "nets/mlp.py:MLP(2, 'a/b.py:c')"
        data = "/data/data.py:load"
        loss = "losses.py:focal"
        checkpoint = "output/model.pth"
        layer = "layer_hidden"
        lang = "ja"
        view = ["curves", "mine.py:VIEW", "package.mine:VIEW"]
        log = ["output", "/logs/older.csv"]
        target = "species"
        weights = "model_ema"
        through = [3, 0, 15]
        features = ["petal length", 2]
        at = 0
        projection = "tsne"
        rename = { "my loss" = "valid_loss" }
        """,
    )
    assert configured(tmp_path, Options()) == Options(
        model=f"{tmp_path}/nets/mlp.py:MLP(2, 'a/b.py:c')",
        data="/data/data.py:load",
        loss=f"{tmp_path}/losses.py:focal",
        checkpoint=f"{tmp_path}/output/model.pth",
        layer="layer_hidden",
        lang="ja",
        view=("curves", f"{tmp_path}/mine.py:VIEW", "package.mine:VIEW"),
        log=(f"{tmp_path}/output", "/logs/older.csv"),
        target="species",
        weights="model_ema",
        through=(3, 0, 15),
        features=("petal length", 2),
        at=0,
        projection="tsne",
        rename={"my loss": "valid_loss"},
    )


def test_modules_and_names_of_losses_are_no_paths(tmp_path: Path) -> None:
    written(tmp_path, 'model = "nets.mlp:MLP"\nloss = "cross_entropy"')
    found = configured(tmp_path, Options())
    assert (found.model, found.loss) == ("nets.mlp:MLP", "cross_entropy")


def test_an_option_wins_over_the_file(tmp_path: Path) -> None:
    written(tmp_path, 'model = "mlp.py:MLP"\ndata = "data.py:load"\nview = ["curves"]')
    given = Options(model="other.py:Net", view=("weights",))
    assert configured(tmp_path, given) == Options(
        model="other.py:Net", data=f"{tmp_path}/data.py:load", view=("weights",)
    )


def test_an_error_in_the_file_is_told_with_its_place(tmp_path: Path) -> None:
    message = misread(tmp_path, 'model = "mlp.py:MLP"\ndata = data.py')
    assert message == (
        "expected TOML, found an error in it (Invalid value (at line 2, column 8)); "
        "correct the file"
    )


def test_a_file_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    message = misread(tmp_path, 'layer = "層"'.encode("cp932"))
    assert message.startswith("expected TOML, found an error in it ('utf-8' codec can't decode")


def test_a_key_that_there_is_not_is_told_which_there_are(tmp_path: Path) -> None:
    assert misread(tmp_path, 'modell = "mlp.py:MLP"') == (
        "expected the keys at, batch_size, checkpoint, data, device, features, frozen, lang, "
        "layer, log, loss, max_samples, model, position, projection, rename, rules, target, "
        "through, view, weights, found 'modell'; correct the key"
    )


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("model = 3", "model", "3"),
        ('model = ["mlp.py:MLP"]', "model", "['mlp.py:MLP']"),
        ('view = "curves"', "view", "'curves'"),
        ("view = [1]", "view", "[1]"),
        ("checkpoint = true", "checkpoint", "True"),
        ("[data]\ntrain = 1", "data", "{'train': 1}"),
        ("frozen = 'trunk.*'", "frozen", "'trunk.*'"),
        ("rules = ['curves.slow']", "rules", "['curves.slow']"),
        ("rename = 'a=b'", "rename", "'a=b'"),
        ("rename = { a = 1 }", "rename", "{'a': 1}"),
        ("through = '1,2,3'", "through", "'1,2,3'"),
        ("through = [1, -2, 3]", "through", "[1, -2, 3]"),
        ("features = [true, 2]", "features", "[True, 2]"),
        ("at = -1", "at", "-1"),
        ("projection = 2", "projection", "2"),
    ],
)
def test_a_value_of_another_type_is_told(tmp_path: Path, line: str, name: str, value: str) -> None:
    assert misread(tmp_path, line) == (
        "expected text (a list for view, frozen, through and features, a table for rules) for "
        f"{name}, found {value}; correct the value"
    )


def test_a_file_beside_the_run_cannot_trust_a_checkpoint(tmp_path: Path) -> None:
    assert misread(tmp_path, "trust = true").endswith("found 'trust'; correct the key")


def test_data_that_is_no_file_beside_it_is_the_name_of_a_set(tmp_path: Path) -> None:
    written(tmp_path, 'data = "digits"')
    assert configured(tmp_path, Options()).data == "digits"
    (tmp_path / "digits").mkdir()
    assert configured(tmp_path, Options()).data == str(tmp_path / "digits")


def test_code_in_a_notebook_beside_it_is_a_path(tmp_path: Path) -> None:
    written(tmp_path, 'model = "train.ipynb:Net(2)"')
    assert configured(tmp_path, Options()).model == f"{tmp_path}/train.ipynb:Net(2)"


def test_code_may_be_named_as_it_is_called_in_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "net.py").touch()
    monkeypatch.chdir(tmp_path)
    given = Options(model="net.py:Net(2)", data="iris", loss="mse_loss")
    assert within(tmp_path / "src", given).model == f"{tmp_path}/src/net.py:Net(2)"
    assert within(tmp_path / "src", given).data == "iris"
    here = Options(model="src/net.py:Net(2)")
    assert within(tmp_path / "src", here) == here


def test_a_renaming_is_split_at_its_last_sign() -> None:
    assert renaming(["a=b=valid_loss", "損失 = train_loss"]) == {
        "a=b": "valid_loss", "損失": "train_loss"
    }  # fmt: skip


def test_rows_and_columns_stand_between_commas() -> None:
    assert rows(None) == columns(None) == ()
    assert rows("3, 14,0") == (3, 14, 0)
    assert columns("petal length, 2") == ("petal length", 2)


@pytest.mark.parametrize("word", ["", "1,two,3", "1,-2,3", "1.5,2,3", "1,,3"])
def test_rows_that_are_no_numbers_are_told(word: str) -> None:
    with pytest.raises(LoadError) as caught:
        rows(word)
    assert str(caught.value) == (
        "--through: expected whole numbers from 0 with commas between them, such as 3,14,15, "
        f"found {word!r}; correct it"
    )


@pytest.mark.parametrize("word", ["loss", "=valid_loss", "loss=", ""])
def test_a_renaming_of_another_form_is_told(word: str) -> None:
    with pytest.raises(LoadError) as caught:
        renaming([word])
    assert str(caught.value) == (
        "--rename: expected NAME=SPLIT_METRIC such as my_metric=valid_acc, "
        f"found {word!r}; correct it"
    )


def test_what_is_said_of_a_rule_is_its_limits_or_silence_and_why(tmp_path: Path) -> None:
    written(
        tmp_path,
        """
        [rules."curves.overfitting"]
        rise = 0.3
        noise = 4
        reason = "forty samples"

        [rules."weights.large"]
        mute = true
        reason = "embeddings"
        """,
    )
    told = Options(rules=ignoring(["curves.slow", "weights.large"]))
    assert configured(tmp_path, told).rules == {
        "curves.overfitting": Setting("forty samples", {"rise": 0.3, "noise": 4}),
        "weights.large": Setting("--ignore", muted=True),
        "curves.slow": Setting("--ignore", muted=True),
    }


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ("rise = 0.3", "{'rise': 0.3}"),
        ('reason = ""', "{'reason': ''}"),
        ('rise = "high"\nreason = "why"', "{'rise': 'high', 'reason': 'why'}"),
        ('mute = 1\nreason = "why"', "{'mute': 1, 'reason': 'why'}"),
    ],
)
def test_a_rule_without_a_reason_or_with_other_values_is_told(
    tmp_path: Path, table: str, found: str
) -> None:
    assert misread(tmp_path, f'[rules."curves.slow"]\n{table}').endswith(
        "rule curves.slow: expected a reason in words, and mute = true or limits as numbers, "
        f"found {found}; correct the table"
    )
