"""Foreign tables are read as they say, and refused in one line where they are not plain, whatever was done to them."""

import os
import random
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.judging.numbers import judge_file
from analysis.report.numbers_page import json_text, numbers_page
from analysis.rows.samples import Choice, read_samples
from bench.messages import LONGEST_MESSAGE

EXAMPLES = int(os.environ.get("INITBENCH_EXAMPLES", "150"))
LONG = "init,seed,val_loss,note\nzero,0,0.5,x\nzero,1,0.6,y\nzero,2,nan,x\nhe,0,0.2,z\nhe,1,0.25,y\nhe,2,0.3,w\n"
WIDE = "seed;zeros;he;glorot\n1;0.5;0.25;0.125\n2;0.75;inf;0.25\n3;1.5;0.5;\n"
RATE = "setting\tconverged\na\ttrue\na\tfalse\nb\ttrue\nb\tTrue\nb\tdiverged\n"


def written(folder: Path, text: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def test_a_row_for_each_run(tmp_path: Path) -> None:
    found = read_samples(written(tmp_path, LONG), Choice())
    assert found.said == (
        "setting: column 'init' (2 values), metric: 'val_loss'",
        "seed: column 'seed', shared by all settings",
        "not used: note",
        "val_loss: lower is better (guessed from 'loss')",
        "1 of 6 runs failed: each counts as the worst value, none is left out",
    )
    assert [(sample.name, sample.values.tolist(), sample.seeds) for sample in found.samples] == [
        ("zero", [0.5, 0.6, np.inf], ("0", "1", "2")),
        ("he", [0.2, 0.25, 0.3], ("0", "1", "2")),
    ]


def test_a_column_for_each_setting(tmp_path: Path) -> None:
    found = read_samples(written(tmp_path, WIDE), Choice(higher_is_better=True))
    assert found.said[0] == "a column for each setting (3), a row for each seed"
    assert [sample.name for sample in found.samples] == ["zeros", "he", "glorot"]
    assert found.samples[1].values.tolist() == [0.25, -np.inf, 0.5] and found.samples[2].failed == 1


def test_zeros_and_ones_are_shares(tmp_path: Path) -> None:
    found = read_samples(written(tmp_path, RATE, "t.tsv"), Choice())
    assert found.share == "share with converged = 1"
    assert [None if one.solved is None else one.solved.tolist() for one in found.samples] == [[True, False], [True, True, False]]
    assert read_samples(written(tmp_path, RATE.replace("converged", "diverged"), "t.tsv"), Choice()).share == "share with diverged = 0"


def test_a_table_is_the_same_in_parquet(tmp_path: Path) -> None:
    frame = pd.read_csv(written(tmp_path, LONG))
    frame.assign(init=pd.Categorical(frame["init"])).to_parquet(tmp_path / "t.parquet")
    ours, theirs = (read_samples(tmp_path / name, Choice()) for name in ("t.csv", "t.parquet"))
    assert ours.said == theirs.said
    for one, other in zip(ours.samples, theirs.samples, strict=True):
        assert one.values.tolist() == other.values.tolist() and one.seeds == other.seeds
    # An index that pandas has written is no column to guess from.
    frame.to_csv(tmp_path / "i.csv")
    assert read_samples(tmp_path / "i.csv", Choice()).said[2] == "not used: column 1; note"


def test_names_choose_and_the_file_is_not_touched(tmp_path: Path) -> None:
    path = written(tmp_path, "arm,trial,accuracy,loss\n" + "".join(f"{arm},{t},0.{t}5,{t}.5\n" for arm in "ab" for t in range(3)))
    found = read_samples(path, Choice(setting="arm", metric="accuracy", seed="trial"))
    assert found.higher and found.samples[1].seeds == ("0", "1", "2")
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.csv"]
    # A column that is called a setting is preferred to another one of texts.
    assert read_samples(written(tmp_path, LONG.replace("note", "model")), Choice()).said[2] == "not used: model"


BAD: dict[str, tuple[str, Choice, str]] = {
    "no such column": (LONG, Choice(setting="innit"), "there is no column 'innit'; did you mean 'init'? allowed: init, note, seed"),
    "one column twice": (LONG, Choice(metric="seed", seed="seed"), "cannot be two of"),
    "one setting": (LONG.replace("he,", "zero,").replace("zero,0,0.2", "zero,3,0.2"), Choice(setting="init"), "one setting, 'zero'"),
    "one seed": (LONG.replace("he,1", "zero,3").replace("he,2", "zero,4"), Choice(), "setting 'he' has 1 run; an interval needs two"),
    "a setting twice with one seed": (LONG.replace("he,2", "he,1"), Choice(), "setting 'he' has seed '1' twice"),
    "a text for a number": (LONG.replace("0.25", "fine"), Choice(metric="val_loss"), "row 5, column 'val_loss': 'fine' is no number"),
    "a percentage": (LONG.replace("0.25", "25%"), Choice(metric="val_loss"), "'25%' is no number"),
    "a number with a separator": (LONG.replace("0.25", "1_000"), Choice(metric="val_loss"), "'1_000' is no number"),
    "too large a number": (LONG.replace("0.25", "1e101"), Choice(), "is beyond 1e+100"),
    "texts alone": (LONG.replace("0.", "x"), Choice(), "no other column holds numbers alone"),
    "all failed": ("init,loss\na,nan\na,inf\nb,\nb,diverged\n", Choice(metric="loss"), "every run failed"),
    "no setting of a run": (LONG.replace("he,1", ",1"), Choice(), "row 5 has no setting"),
    "no seed of a run": (LONG.replace("he,1", "he,"), Choice(), "setting 'he' has a run without a seed"),
    "no direction": (LONG.replace("val_loss", "value"), Choice(), "is a higher 'value' better? Say --higher-is-better"),
    "two directions": (LONG.replace("val_loss", "loss score"), Choice(), "is a higher 'loss score' better?"),
    "two thresholds": (LONG, Choice(solved_above=1, solved_below=0), "exclude each other"),
    "a threshold the other way": (LONG, Choice(solved_above=1, higher_is_better=False), "says that higher values are better"),
    "two metrics": ("init,loss,accuracy\na,1,2\na,1,2\nb,1,2\nb,2,1\n", Choice(), "several columns could be the metric; choose it"),
    "two seeds": (LONG.replace("note", "data_seed"), Choice(), "several columns could be the seed"),
    "several texts": ("model,task,loss\na,t,1\na,u,2\nb,t,1\nb,u,2\n", Choice(), "several columns could be the setting"),
    "two metrics of one setting": ("seed,loss,accuracy\n1,2,3\n2,3,4\n", Choice(), "called like a metric, 'loss'; choose it"),
    "a short column": ("zeros,he\n1,2\n2,3\n3,\n", Choice(higher_is_better=True), "ends in empty cells"),
    "a short row": (LONG + "he,3\n", Choice(), "line 8 has 2 cells, but the first line names 4 columns"),
    "two columns alike": (LONG.replace("note", "seed"), Choice(), "2 columns that are called 'seed'"),
    "an open quote": (LONG + '"he,3,1,x', Choice(), "line 8"),
    "an empty file": ("", Choice(), "is empty"),
    "a heading alone": ("init,seed,loss\n", Choice(), "has no rows"),
    "many settings": ("init,loss\n" + "".join(f"s{k // 2},1.{k}\n" for k in range(90)), Choice(), "has 45 settings; at most 40"),
    "a long name": (LONG.replace("he,", "h" * 999 + ","), Choice(), "has 999 characters"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BAD)
def test_what_is_not_plain_is_refused_in_one_line(fault: str, tmp_path: Path) -> None:
    text, choice, message = BAD[fault]
    with pytest.raises(ValueError) as refused:
        read_samples(written(tmp_path, text), choice)
    line = str(refused.value)
    assert line.startswith(f"{tmp_path / 't.csv'}: ") and message in line
    assert "\n" not in line and len(line) < LONGEST_MESSAGE


def bomb(path: Path) -> None:
    """150,000 times one text of a mebibyte, in a small file."""
    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(150_000, np.int32)), ["x" * (1 << 20)])
    pq.write_table(pa.table({"init": texts}), path)


def enlarged(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 30)


def many_rows(path: Path) -> None:
    pq.write_table(pa.table({"init": pa.array(np.zeros(10**6))}), path)


FILES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "no file": ("t.csv", lambda path: None, "cannot be read: No such file"),
    "a folder": ("t.csv", lambda path: path.mkdir(), "is no regular file"),
    "a pipe": ("t.csv", lambda path: os.mkfifo(path), "is no regular file"),
    "a spreadsheet": ("t.xlsx", lambda path: path.write_bytes(b"PK"), "ends in '.xlsx' is not read; allowed: .csv, .tsv"),
    "no ending": ("t", lambda path: path.write_bytes(b"x"), "ends in '' is not read"),
    "two bytes for a letter": ("t.csv", lambda path: path.write_bytes(LONG.encode("utf-16")), "is not UTF-8"),
    "zero bytes": ("t.csv", lambda path: path.write_bytes(b"a,b\n\0,1\n"), "t.csv: "),
    "a gibibyte": ("t.csv", enlarged, "bytes; at most"),
    "no Parquet": ("t.parquet", lambda path: path.write_bytes(b"PAR1 is not enough"), "t.parquet: "),
    "a Parquet file that unpacks to gibibytes": ("t.parquet", bomb, "would take too much memory"),
    "a Parquet file of a million rows": ("t.parquet", many_rows, "has 1,000,000 rows"),
    "lists in Parquet": ("t.parquet", lambda path: pq.write_table(pa.table({"x": [[1], [2]]}), path), "column 'x' is of type list"),
    "dates in Parquet": ("t.parquet", lambda path: pq.write_table(pa.table({"x": [date(2026, 1, 1)]}), path), "is of type date"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FILES)
def test_a_file_that_is_no_table_is_refused(fault: str, tmp_path: Path) -> None:
    name, make, message = FILES[fault]
    make(tmp_path / name)
    with pytest.raises((ValueError, OSError)) as refused:
        read_samples(tmp_path / name, Choice())
    assert message in str(refused.value) and "\n" not in str(refused.value)


CELLS = (
    "", "nan", "inf", "-inf", "diverged", "0", "1", "-1", "1e100", "-1e100", "1e-320", "1e101", "1e999", "0.1", "true", "x", "=1+1", "@x",
    ",", ";", "\t", "\n", "\r", '"', "'", "|", "<b>", "$x$", "\\", "`", "\u202e", "\x1b[31m", "\0", "\ufeff", "ℵ₀", "١", "1_0", "a" * 300,
    " ", "-0.0",
)  # fmt: skip
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "setting": st.sampled_from(["init", "zeros", "nothing"]),
        "metric": st.sampled_from(["val_loss", "seed", "converged"]),
        "seed": st.sampled_from(["seed", "note"]),
        "higher_is_better": st.booleans(),
        "solved_above": st.sampled_from([0.3, float("nan"), float("inf"), -1e308]),
        "margin": st.sampled_from([0.0, 0.1, 1.0, 1e90, 1e-300]),
        "baseline": st.sampled_from(["he", "a", "x"]),
    },
)


def mutated(text: str, dice: random.Random) -> str:
    """The table with a few changes, of cells, lines, or letters."""
    for _ in range(dice.randint(1, 4)):
        lines = text.split("\n")
        place = dice.randrange(len(lines))
        kind = dice.randrange(5)
        if kind == 0:
            lines.insert(dice.randrange(len(lines) + 1), lines[place])
        elif kind == 1:
            del lines[place]
        else:
            separator = max(",;\t", key=text.count)
            cells = lines[place].split(separator)
            cells[dice.randrange(len(cells))] = dice.choice(CELLS) if kind < 4 else dice.choice(CELLS) + dice.choice(cells)
            lines[place] = separator.join(cells)
        text = "\n".join(lines) or "\n"
    return text


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.sampled_from([LONG, WIDE, RATE, LONG + RATE, LONG.replace("seed", "x")]), number=st.integers(0, 10**9), options=OPTIONS)
def test_a_mutated_table_is_judged_or_refused_in_one_line(text: str, number: int, options: dict[str, object], tmp_path: Path) -> None:
    path = written(tmp_path, mutated(text, random.Random(number)))
    try:
        judged = judge_file(path, **options)  # type: ignore[arg-type]
    except ValueError as refused:
        assert "\n" not in str(refused) and 0 < len(str(refused)) < LONGEST_MESSAGE
        return
    page = numbers_page(judged)
    assert "\x1b" not in page and "\u202e" not in page and "<b>" not in page
    assert json_text(judged).count('"verdict"') == len(judged.questions)


def test_the_mutations_leave_some_tables_whole(tmp_path: Path) -> None:
    """The control of the test above: both of its ends are reached."""
    ends = []
    for number in range(60):
        try:
            ends.append(len(judge_file(written(tmp_path, mutated(LONG, random.Random(number)))).questions) > 0)
        except ValueError:
            ends.append(False)
    assert 10 < sum(ends) < 50


def test_a_damaged_parquet_file_is_judged_or_refused_in_one_line(tmp_path: Path) -> None:
    frame = pd.DataFrame({"init": ["a"] * 30 + ["b"] * 30, "seed": [*range(30)] * 2, "loss": np.arange(60.0) ** 0.5})
    frame.to_parquet(tmp_path / "t.parquet")
    whole, dice, refused = (tmp_path / "t.parquet").read_bytes(), random.Random(0), 0
    for _ in range(EXAMPLES):
        damaged = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            damaged[dice.randrange(len(whole))] = dice.randrange(256)
        (tmp_path / "t.parquet").write_bytes(damaged)
        try:
            judge_file(tmp_path / "t.parquet")
        except ValueError as error:
            assert "\n" not in str(error) and len(str(error)) < LONGEST_MESSAGE
            refused += 1
    assert 0 < refused < EXAMPLES
