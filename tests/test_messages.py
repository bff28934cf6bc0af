"""Messages: one short line, whatever is wrong."""

import pytest

from bench.messages import nearest, one_line
from bench.optimizers import optimizers
from bench.spec import Experiment
from tests.conftest import experiment


def test_a_message_stays_one_short_line() -> None:
    assert one_line("a\n b\t\x1b[31m") == "a b \\x1b[31m"
    assert len(one_line("\u202e" * 5000)) == 1000 and one_line("x" * 5000).startswith("xxx")
    assert len(nearest("x" * 10_000, [f"name_{i}" for i in range(5000)])) < 500
    assert "did you mean 'adam'" in nearest("adm", optimizers()) and "more" in nearest("adm", optimizers())


def test_a_key_that_people_look_for_is_met_with_what_says_the_same() -> None:
    text = f'{experiment().text}\n[[claim]]\nid = "a"\nsays = "A."\nmeasure = "solved"\nless_than = {{ where = {{}} }}\n'
    with pytest.raises(ValueError, match=r"unknown key 'claim\[0\]\.less_than'; `greater_than` with its two sides swapped says the same$"):
        Experiment.parse(text)
