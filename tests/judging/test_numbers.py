"""Other people's numbers are judged as by hand and as by SciPy, and two samples of one distribution are not told apart."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.power import TTestIndPower

from analysis.judging.contrast import SAME
from analysis.judging.numbers import Judged, Question, judge_file
from analysis.stats.intervals import clopper_pearson
from analysis.stats.order import p_improvement

PUBLISHED = Path("tests/judging/published")


def table(path: Path, runs: Mapping[str, Sequence[object] | np.ndarray], metric: str = "loss", seeds: bool = True) -> Path:
    """A CSV file with a row for each run."""
    rows = [(name, seed, value) for name, values in runs.items() for seed, value in enumerate(list(values))]
    frame = pd.DataFrame(rows, columns=["init", "seed", metric])
    (frame if seeds else frame.drop(columns="seed")).to_csv(path, index=False)
    return path


def only(judged: Judged) -> Question:
    [question] = judged.questions
    return question


def near(p_value: float, theirs: float) -> bool:
    """Whether a p-value is one of SciPy's, rounded up by at most 1%."""
    return theirs * (1 - 1e-9) <= p_value <= 1.011 * theirs


@pytest.mark.parametrize("higher", [False, True])
def test_pairs_are_judged_by_the_paired_t_test(tmp_path: Path, higher: bool) -> None:
    rng = np.random.default_rng(0)
    seeds = rng.normal(0, 5, 10)
    a, b = seeds + rng.normal(0, 1, 10), seeds + rng.normal(2, 1, 10)
    found = only(judge_file(table(tmp_path / "t.csv", {"a": a, "b": b}, "accuracy" if higher else "loss")))
    assert (found.setting, found.against, found.paired) == ("b", "a", True)
    test = stats.ttest_rel(b, a)
    assert near(found.p_value, test.pvalue) and test.pvalue < 0.05
    assert found.verdict == ("better" if higher else "worse")
    assert found.difference is not None
    assert found.difference[:3] == pytest.approx(((b - a).mean(), *test.confidence_interval()))
    wins = int((b > a).sum()) if higher else int((b < a).sum())
    assert found.better == clopper_pearson(wins, 10)
    # The same numbers without pairs say nothing.
    alone = only(judge_file(table(tmp_path / "u.csv", {"a": a, "b": b}, "loss", seeds=False)))
    assert not alone.paired and alone.verdict == "undecided"
    assert near(alone.p_value, stats.ttest_ind(b, a, equal_var=False).pvalue)
    u = stats.mannwhitneyu(a, b).statistic / 100
    assert alone.better.estimate == pytest.approx(u)
    assert stats.brunnermunzel(b, a).pvalue > 0.05


def test_a_run_that_failed_is_worse_than_any_other_and_never_left_out(tmp_path: Path) -> None:
    """By hand: b wins at all of 8 seeds, by numbers at five of them and as the other failed at three. P(all of 8) = 2 (1/2)^8 = 0.0078."""
    a = ["1.0", "nan", "1.2", "", "1.3", "diverged", "1.4", "1.5"]
    b = ["0.9", "5.0", "1.1", "99", "1.2", "1e30", "1.3", "1.4"]
    judged = judge_file(table(tmp_path / "t.csv", {"a": a, "b": b}))
    found = only(judged)
    assert [sample.failed for sample in judged.samples.samples] == [3, 0]
    assert "3 of 16 runs failed" in judged.samples.said[-1]
    assert judged.samples.samples[0].mean(0.95) is None
    assert judged.samples.samples[0].median(0.95).estimate == pytest.approx(1.4)
    assert found.difference is None and found.better == clopper_pearson(8, 8)
    assert found.verdict == "better" and near(found.p_value, 2 * 0.5**8)
    # The other way round, for a metric of which the failed have least.
    higher = only(judge_file(table(tmp_path / "t.csv", {"a": a, "b": b}), higher_is_better=True))
    assert higher.better == clopper_pearson(3, 8) and higher.verdict == "undecided"


def test_failed_runs_without_pairs_are_judged_by_their_order(tmp_path: Path) -> None:
    a, b = np.append(np.linspace(1, 2, 17), [np.inf] * 3), np.append(np.linspace(0.1, 0.9, 19), [np.nan])
    found = only(judge_file(table(tmp_path / "t.csv", {"a": a, "b": b}, seeds=False)))
    assert found.better == p_improvement(-np.nan_to_num(b, nan=np.inf), -a)
    assert found.verdict == "better" and "a run failed" in found.measure
    assert stats.brunnermunzel(np.nan_to_num(b, nan=1e9), np.minimum(a, 1e9)).pvalue < 0.05


def test_shares_are_judged_by_their_difference(tmp_path: Path) -> None:
    """By hand: 18 of 20 against 6 of 20; Newcombe's interval around 0.6 lies above 0."""
    solved, other = [1] * 18 + [0] * 2, [0] * 14 + [1] * 6
    judged = judge_file(table(tmp_path / "t.csv", {"a": other, "b": solved}, "solved", seeds=False))
    found = only(judged)
    assert judged.samples.share == "share with solved = 1"
    assert found.difference is not None and found.difference.estimate == pytest.approx(0.6)
    assert found.verdict == "better" and found.p_value < 0.01
    assert stats.fisher_exact([[18, 2], [6, 14]]).pvalue < 0.01
    assert judged.samples.samples[1].share(0.95) == clopper_pearson(18, 20)
    # The same from a metric with a threshold; one that failed is not solved.
    losses: dict[str, list[object]] = {"a": [0.5 if one else "inf" for one in other], "b": [0.5 if one else 2.0 for one in solved]}
    again = only(judge_file(table(tmp_path / "t.csv", losses, seeds=False), solved_below=1.0))
    assert again.difference == found.difference and again.verdict == found.verdict


def test_pairs_of_solved_runs_need_no_more_than_those_that_differ(tmp_path: Path) -> None:
    a, b = [0] * 7 + [1] * 13, [1] * 20
    paired, alone = (only(judge_file(table(tmp_path / "t.csv", {"a": a, "b": b}, "solved", seeds=seeds))) for seeds in (True, False))
    assert paired.paired and paired.verdict == "better" and alone.verdict == "better"
    assert stats.binomtest(7, 7).pvalue < 0.05


@pytest.mark.parametrize(
    ("margin", "verdict"),
    [(0.0, "worse"), (0.5, "worse"), (1.0, "undecided"), (2.0, SAME)],
)
def test_a_margin_makes_four_answers(tmp_path: Path, margin: float, verdict: str) -> None:
    noise = np.random.default_rng(1).normal(0, 0.5, 30)
    runs = {"a": np.zeros(30), "b": 1 + noise - noise.mean()}
    assert only(judge_file(table(tmp_path / "t.csv", runs), margin=margin)).verdict == verdict
    # So does the order, where one run of each failed.
    failed = {name: [*values, "nan"] for name, values in runs.items()}
    assert only(judge_file(table(tmp_path / "t.csv", failed), margin=margin)).verdict == verdict


def test_what_never_varies_needs_six_seeds(tmp_path: Path) -> None:
    for n, verdict in ((2, "undecided"), (5, "undecided"), (6, "better")):
        found = only(judge_file(table(tmp_path / "t.csv", {"a": [2.5] * n, "b": [1.5] * n})))
        assert found.verdict == verdict
        assert found.seeds_needed == (6 if n < 6 else None)
    same = only(judge_file(table(tmp_path / "t.csv", {"a": [1.5] * 9, "b": [1.5] * 9})))
    assert (same.verdict, same.p_value, same.seeds_needed) == ("undecided", 1.0, None)


@pytest.mark.parametrize("kind", ["means", "order", "shares"])
@pytest.mark.parametrize("seeds", [True, False])
def test_two_samples_of_one_distribution_are_not_told_apart(tmp_path: Path, kind: str, seeds: bool) -> None:
    rng = np.random.default_rng(5)
    decided = 0
    for _ in range(30):
        a, b = rng.normal(0, 1, (2, 9)).round(3)
        if kind == "order":
            a[0], b[1] = np.nan, np.nan
        path = table(tmp_path / "t.csv", {"a": a, "b": b}, seeds=seeds)
        found = only(judge_file(path, solved_below=0.0 if kind == "shares" else None))
        decided += found.verdict != "undecided"
        # The control of this test: a shift of four deviations is found each time.
        moved = only(judge_file(table(path, {"a": a, "b": b - 4}, seeds=seeds), solved_below=-2.0 if kind == "shares" else None))
        assert moved.verdict == "better"
    assert decided <= 4


def test_holm_counts_all_questions(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(0, 1, 12)
    noise = rng.normal(0, 1, 12)
    runs = {
        "zero": base,
        "shifted": base + 0.7 + (noise - noise.mean()) / noise.std(),
        **{f"same {k}": base + rng.normal(0, 1, 12) for k in range(5)},
    }
    path = table(tmp_path / "t.csv", runs)
    judged = judge_file(path)
    assert judged.compared == "each setting against 'zero' (guessed: the first of the file)" and len(judged.questions) == 6
    shifted = judged.questions[0]
    assert 0.05 / 6 < shifted.p_value < 0.05
    assert (shifted.alone, shifted.verdict) == ("worse", "undecided") and "number of comparisons" in shifted.reason
    assert shifted.seeds_needed is not None and 12 < shifted.seeds_needed < 60
    assert judge_file(path, baseline="same 3").questions[1].against == "same 3"
    few = {name: runs[name] for name in ("zero", "shifted", "same 1")}
    assert [(one.setting, one.against) for one in judge_file(table(path, few)).questions] == [
        ("shifted", "zero"), ("same 1", "zero"), ("same 1", "shifted")
    ]  # fmt: skip


def test_seeds_that_few_share_make_no_pairs(tmp_path: Path) -> None:
    frame = pd.DataFrame({"init": ["a"] * 6 + ["b"] * 6, "seed": [*range(6), *range(3, 9)], "loss": np.arange(12.0) ** 2})
    frame.to_csv(tmp_path / "t.csv", index=False)
    half = only(judge_file(tmp_path / "t.csv"))
    assert half.paired and half.n == (3, 3)
    frame.assign(seed=[*range(6), *range(4, 10)]).to_csv(tmp_path / "t.csv", index=False)
    assert not only(judge_file(tmp_path / "t.csv")).paired


def test_a_published_list_without_pairs_is_undecided_but_for_a_margin() -> None:
    values = pd.read_csv(PUBLISHED / "attention-scale.csv").groupby("setting")["val_loss"].apply(list)
    theirs = stats.ttest_ind(values["fixed pattern"], values["learnable"], equal_var=False)
    found = only(judge_file(PUBLISHED / "attention-scale.csv"))
    assert found.verdict == "undecided" and near(found.p_value, theirs.pvalue)
    assert found.difference is not None and found.difference[1:3] == pytest.approx(tuple(theirs.confidence_interval()))
    assert only(judge_file(PUBLISHED / "attention-scale.csv", margin=0.002)).verdict == SAME


def test_two_published_lists_of_ten_seeds_are_alike_within_a_margin_and_would_need_thousands_without() -> None:
    values = pd.read_csv(PUBLISHED / "fused-entropy.csv")
    found = only(judge_file(PUBLISHED / "fused-entropy.csv", higher_is_better=False))
    theirs = stats.ttest_ind(values["fused"], values["separate"], equal_var=False)
    assert found.verdict == "undecided" and found.n == (10, 10) and near(found.p_value, theirs.pvalue)
    effect = (values["fused"].mean() - values["separate"].mean()) / np.sqrt(values.var().mean())
    assert found.seeds_needed == pytest.approx(TTestIndPower().solve_power(effect, alpha=0.05, power=0.8), rel=0.02)
    assert only(judge_file(PUBLISHED / "fused-entropy.csv", higher_is_better=False, margin=0.002)).verdict == SAME


def test_a_published_list_of_twenty_seeds_is_decided_by_its_pairs() -> None:
    values = pd.read_csv(PUBLISHED / "steps.csv")
    judged = judge_file(PUBLISHED / "steps.csv", higher_is_better=False)
    # As published: the means of 20 seeds.
    means = [sample.mean(0.95) for sample in judged.samples.samples]
    assert [mean.estimate for mean in means if mean is not None] == pytest.approx([3.279254, 3.278856, 3.278449, 3.276930], abs=1e-6)
    assert len(judged.questions) == 6 and {one.verdict for one in judged.questions} == {"better"}
    first = judged.questions[0]
    theirs = stats.ttest_rel(values["step 2750"], values["step 2745"])
    assert first.difference is not None and first.difference[1:3] == pytest.approx(tuple(theirs.confidence_interval()))
    assert stats.wilcoxon(values["step 2750"], values["step 2745"]).pvalue < 1e-4
    # Without pairs these twenty would not do.
    assert stats.ttest_ind(values["step 2750"], values["step 2745"]).pvalue > 0.05


@pytest.mark.parametrize(
    ("options", "message"),
    [({"alpha": 0.0}, "--alpha 0: allowed"), ({"alpha": float("nan")}, "--alpha nan"), ({"margin": -1.0}, "--margin -1"),
     ({"margin": float("nan")}, "--margin nan"), ({"baseline": "step 2746"}, "did you mean 'step 2745'")],
)  # fmt: skip
def test_wrong_options_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        judge_file(PUBLISHED / "steps.csv", higher_is_better=False, **options)  # type: ignore[arg-type]
