"""The page on runs too large for one machine: `python -m analysis.report.large_runs` writes it and its figure anew.

Costs beside the training are those of `docs/large-runs.json`, which `python -m bench.throughput.large_runs docs/large-runs.json` measures;
rates of training are those of the committed throughput pages. All else follows from the code that plans, cuts and writes runs.
"""

import math
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.report.format import markdown
from analysis.report.large_runs_numbers import (
    CENSUS,
    HOSTS,
    LIVES,
    REPEATS,
    RESTART_SECONDS,
    SEEDS,
    WORK_SECONDS,
    Costs,
    Ratio,
    Size,
    hosts,
    overhead_at,
    simulated_overheads,
    sizes,
)
from analysis.stats.preemptions import cheapest_seconds
from bench.runs.chunks import CHUNK_SECONDS, LAST_CHUNKS, SMALLER
from bench.runs.manifest import MOST_MANIFEST
from bench.runs.order import ROWS_PER_PART
from bench.runs.part_writer import FLUSH_SECONDS, MOST_ROWS
from bench.runs.rows import CURVE_SEEDS
from bench.spec.seeds import MAX_SEEDS, MOST_LANES
from bench.throughput.workloads import WORKLOADS

PAGE, FIGURE = Path("docs/large-runs.md"), Path("docs/large-runs.png")
MEMORY_GIB = 128
"""Memory of a host that writes a report."""
FOLDERS = 100
"""Run folders of the larger plan."""
REPORTED = 10**6
"""Training runs of a cell that a report takes."""
WIDTH = 140
COMPARED = (("two_workers", "one_process"), ("chunks", "whole"))
"""Sides of the comparisons of `bench.throughput.overhead`."""


def page() -> str:
    """Return the text of the page."""
    costs, (small, large) = Costs.read(), sizes()
    parts = [
        *_introduction(costs),
        *_plan(costs, small, large),
        *_first(costs, small),
        *_then(costs, small, large),
        *_overhead(costs),
        *_preemptions(costs),
    ]
    return "\n\n".join(parts) + "\n"


def _introduction(costs: Costs) -> list[str]:
    measured, versions = costs.measured, costs.measured["versions"]
    return [
        "# Large runs on paper",
        _wrapped(
            f"This page is written by `python -m analysis.report.large_runs`. It plans {_power(SEEDS)} and {_power(1000 * SEEDS)} training "
            f"runs of a census ({CENSUS.says}) and says what they cost, what gives way first, and what to do then. Nothing of that size "
            "was run."
        ),
        _wrapped(
            f"Costs beside the training were measured on one core ({measured['cpu']}, {measured['measured'][:10]}, distributed "
            f"{versions['distributed']}, pyarrow {versions['pyarrow']}, jax {versions['jax']}; [large-runs.json](large-runs.json), which "
            "`python -m bench.throughput.large_runs docs/large-runs.json` measures anew). They are seconds of the processor, on a machine "
            "that did other things as well, so good to a factor of two; what disks and networks make one wait for comes on top. Rates of "
            "training are those of the committed pages on throughput."
        ),
    ]


def _plan(costs: Costs, small: Size, large: Size) -> list[str]:
    measured = costs.measured
    lines: dict[str, Callable[[Size], str]] = {
        "cells x init seeds": lambda size: f"{len(size.plan.experiment.cells):,} x {_power(SEEDS)}",
        f"chunks (of {len(small.first.lanes):,} training runs)": lambda size: f"{size.chunks:,}",
        "rows on disk": lambda size: _bytes(costs.row_bytes * size.lanes),
        f"files of rows, in the end (of {ROWS_PER_PART:,})": lambda size: f"{-(-size.lanes // ROWS_PER_PART):,}",
        "`run.json` before rows are put in order": lambda size: _bytes(costs.manifest.at(size.chunks)),
        "`run.json`, all that is written of it": lambda size: _bytes(costs.manifest.sum(size.chunks, size.chunks_at_once)),
        "client: chunks handed out": lambda size: _time(measured["task_seconds"] * size.chunks),
        "client: rows received": lambda size: _time(measured["byte_seconds"] * costs.row_bytes * size.lanes),
        "client: parts written, `run.json` rewritten": lambda size: _time(
            size.chunks * costs.append.beside + costs.append._replace(beside=0).sum(size.chunks, size.chunks_at_once)
        ),
        "client: rows put in order": lambda size: _time(measured["in_order_seconds_per_row"] * size.lanes),
    }
    for one in hosts():
        lines[f"training on {HOSTS} hosts of {one.name}"] = lambda size, one=one: _time(size.lanes / one.rate / HOSTS)  # type: ignore[misc]
        lines[f"{one.unit}-hours ({one.kind})"] = lambda size, one=one: _round(size.lanes / one.rate * one.units / 3600)  # type: ignore[misc]
    rows = [(name, of(small), of(large)) for name, of in lines.items()]
    return [
        "## The plan",
        markdown(pd.DataFrame(rows, columns=["training runs", _power(small.lanes), _power(large.lanes)]), made=("training runs",)),
        _wrapped(
            f"A row takes {costs.row_bytes:.1f} bytes on disk, without probes. Curves are kept of the first {CURVE_SEEDS} seeds alone, so "
            "that they do not become more. The times of the client are those of one process, in which the scheduler runs too, and add up."
        ),
        _wrapped(
            f"A kind of seed has at most 2^{MAX_SEEDS.bit_length() - 1} numbers, a cell at most 2^{MOST_LANES.bit_length() - 1} training "
            "runs. The data of XOR do not depend on a data seed, so that crossing both kinds of seeds would train the same runs again: the "
            f"larger plan is a grid of {len(large.plan.experiment.cells):,} learning rates and gains, which is still one program."
        ),
    ]


def _first(costs: Costs, small: Size) -> list[str]:
    lanes, append, manifest = len(small.first.lanes), costs.append, costs.manifest
    per_second = lanes / costs.chunk(lanes)
    others = " or ".join(f"{per_second / one.rate:,.0f} hosts of {one.name}" for one in hosts())
    half = costs.chunk(lanes) * small.chunks_at_once / append.each
    most = (MOST_MANIFEST - manifest.beside) / manifest.each
    report = costs.report
    return [
        "## What gives way first",
        _item(
            "1.",
            f"**The one client of `--on`**, at any size, where chunks end fast. It takes in {_round(per_second)} rows of the census per "
            f"second ({_bytes(per_second * costs.row_bytes)}), as many as {others} train; more hosts wait. A chunk of this census takes "
            f"{costs.training.each * lanes:.2g} s on one core, since nearly all training runs end long before their budgets. Where chunks "
            f"take {CHUNK_SECONDS:.0f} s, a client keeps {_round(CHUNK_SECONDS / costs.chunk(lanes))} workers busy with as many rows, and "
            f"{_round(CHUNK_SECONDS / costs.chunk(1))} with few.",
        ),
        _item(
            "2.",
            f"**A report**. It holds those columns of the rows that it uses; all of them lie in temporary files, in the folder that the "
            f"variable TMPDIR names. With the standard probes it takes {report.each:.0f} bytes of memory for each training run: "
            f"{report.at(10**7) / 2**30:.1f} GiB for 10^7, and {MEMORY_GIB} GiB for {_round(MEMORY_GIB * 2**30 / report.each)}. Where "
            f"memory is free, the system keeps pages of these files in it, with {costs.resident.at(10**7) / 2**30:.1f} GiB for 10^7 "
            "together. `report` refuses what does not fit.",
        ),
        _item(
            "3.",
            f"**`run.json`**, which is rewritten whenever chunks are written: when {MOST_ROWS:,} rows have come back, or every "
            f"{FLUSH_SECONDS:.0f} seconds. A part takes {manifest.each:.0f} bytes of it and {1e6 * append.each:.1f} us each time, so "
            f"that the sum grows as the square. From {_round(half)} parts on "
            f"({_round(half * lanes)} training runs of this census) rewriting takes more than half of the client's time. At {_round(most)} "
            f"parts ({_round(most * lanes)} training runs) the file has {MOST_MANIFEST >> 20} MiB; a larger one is not read, so that the "
            "run could not be resumed.",
        ),
        _item(
            "4.",
            f"**Order**, at the end: each row is read twice and written once, in {1e6 * costs.measured['in_order_seconds_per_row']:.1f} us "
            f"together. `run.json` then lists parts of {ROWS_PER_PART:,} rows, so that a finished folder holds at most "
            f"{_round(most * ROWS_PER_PART)} training runs.",
        ),
        _wrapped(
            f"In one process, and in a shard, chunks do not matter to `run.json`: a part is written every {FLUSH_SECONDS:.0f} seconds, "
            "whatever ended until then."
        ),
    ]


def _then(costs: Costs, small: Size, large: Size) -> list[str]:
    share = small.lanes / HOSTS
    return [
        "## What to do then",
        _item(
            "-",
            f"**{_power(small.lanes)} training runs that end fast: shards.** `--shard I/{HOSTS}` gives each host {_round(share)} training "
            f"runs and a folder of its own ({_bytes(share * costs.row_bytes)}), without client or scheduler. To put all of them in order "
            f"in one folder takes {_time(costs.measured['in_order_seconds_per_row'] * small.lanes)} of one core.",
        ),
        _item("-", "**Training runs that take long: `--on`.** Rows and chunks per second are what fills a client, not hours of training."),
        _item(
            "-",
            f"**{_power(large.lanes)}: several experiments.** The grid, cut by `--set`, makes {FOLDERS} run folders of "
            f"{_power(large.lanes // FOLDERS)} training runs, {_bytes(costs.row_bytes * large.lanes / FOLDERS)} each, in each of which "
            "shards are joined. They have no training run in common.",
        ),
        _item(
            "-",
            f"**Reports of a subset.** The interval of a share is at most {2 * 1.96 * 0.5 / math.sqrt(REPORTED):.4f} wide from "
            f"{_power(REPORTED)} training runs. Run and report the file with fewer seeds (no row depends on their number), and read the "
            f"rows of the large folder part by part. Curves are of the first {CURVE_SEEDS} seeds in any case.",
        ),
    ]


def _overhead(costs: Costs) -> list[str]:
    found = costs.measured["overhead"]
    cluster, pieces = (Ratio.of(found[f"{one}_seconds"], found[f"{other}_seconds"]) for one, other in COMPARED)
    return [
        "## The price of chunks and workers",
        _wrapped(
            f"Measured on {found['devices']} cores by `python -m bench.throughput.overhead` with {found['lanes']:,} training runs "
            f"({WORKLOADS[found['workload']].says}) that take {cluster.seconds:.0f} s in one process. `run --on local:2` takes {cluster} "
            f"times as long as `run`. `run` in one process does not stop between chunks. The {found['chunks']} chunks one after the "
            f"other, as a worker trains them, take {pieces} times as long as all training runs at once. Both are medians of "
            f"{len(found['chunks_seconds'])} pairs of runs, with the range of the pairs."
        ),
    ]


def _preemptions(costs: Costs) -> list[str]:
    census = costs.training.each * costs.measured["chunk_lanes"]
    best = {name: cheapest_seconds(costs.fixed, life) for name, life in LIVES.items()}
    excess = max(overhead_at(costs, life, CHUNK_SECONDS) - overhead_at(costs, life, best[name]) for name, life in LIVES.items())
    rows = [
        {
            "a worker lives": name,
            "restarts alone": _share(RESTART_SECONDS / life),
            "cheapest chunk": f"{best[name]:.0f} s",
            "overhead": _share(overhead_at(costs, life, best[name])),
            f"at {CHUNK_SECONDS:.0f} s": _share(overhead_at(costs, life, CHUNK_SECONDS)),
            f"at {CHUNK_SECONDS:.0f} s, simulated to the end": _mean_and_all(simulated_overheads(costs, life, CHUNK_SECONDS, REPEATS)),
            f"at {census:.2g} s, as in this census": _share(overhead_at(costs, life, census)),
        }
        for name, life in LIVES.items()
    ]
    return [
        "## Preemptions, and how long a chunk should be",
        _wrapped(
            f"A worker that is lost takes along the chunk that it was training, and is back {RESTART_SECONDS:.0f} s later (an assumption: "
            f"it has to start, import and compile). Short chunks lose little that way, but each costs {1000 * costs.fixed:.0f} ms "
            "(measured, for the census) beside its training: the engine fills and drains its blocks, and the next chunk has to come. Lives "
            "are exponential. The overhead is the time of all workers over their work, minus 1."
        ),
        f"![Overhead against the length of chunks]({FIGURE.name})",
        markdown(pd.DataFrame(rows)),
        _wrapped(
            "Lines are (T + R) (exp((c + h) / T) - 1) / c - 1 for chunks of c seconds, h seconds beside them, lives of mean T and R "
            "seconds until a worker is back (after Daly 2006); they are lowest at about sqrt(2 h T) (Young 1974), where the circles stand. "
            f"Marks are means of simulated runs of {HOSTS} workers with {WORK_SECONDS / 3600:.0f} h of work each, to the end of the last "
            f"chunk; in the table parentheses hold all {REPEATS} of them. Where marks lie above the lines, workers wait for the last "
            f"chunks: those of 1/{SMALLER} of the size, {SMALLER * LAST_CHUNKS} of each program, are fewer than the workers."
        ),
        _wrapped(
            f"**{CHUNK_SECONDS:.0f} s is a good default:** between the cheapest lengths for lives of an hour and of six hours, and at most "
            f"{100 * excess:.1f} percentage points above the cheapest. Much shorter is worse than as much longer where workers live for "
            "hours. The census stands there: its chunks are cut by what its training runs may take at most, on a nominal core, and end "
            f"after {census:.2g} s. Preemptions cost it nothing, its chunks {_share(overhead_at(costs, math.inf, census))}."
        ),
    ]


def _wrapped(text: str, first: str = "", later: str = "") -> str:
    return textwrap.fill(text, WIDTH, initial_indent=first, subsequent_indent=later, break_long_words=False, break_on_hyphens=False)


def _item(mark: str, text: str) -> str:
    return _wrapped(text, f"{mark} ", " " * (len(mark) + 1))


def _power(number: int) -> str:
    """Return a power of ten as such."""
    return f"10^{len(str(number)) - 1}"


def _round(number: float) -> str:
    """Return a number to two digits, above a million in words."""
    return _scaled(number, {1e9: " billion", 1e6: " million", 1.0: ""})


def _bytes(number: float) -> str:
    return _scaled(number, {1e15: " PB", 1e12: " TB", 1e9: " GB", 1e6: " MB", 1e3: " kB"})


def _time(seconds: float) -> str:
    return _scaled(seconds, {365 * 86_400.0: " years", 86_400.0: " days", 3600.0: " h", 60.0: " min", 1.0: " s"})


def _scaled(number: float, words: dict[float, str]) -> str:
    """Return a number to two digits in the largest unit that it has at least one of, or in the last."""
    unit = next((size for size in words if number >= size), list(words)[-1])
    return f"{float(f'{number / unit:.2g}'):,g}{words[unit]}"


def _share(number: float) -> str:
    return f"{100 * number:.2g}%"


def _mean_and_all(found: np.ndarray) -> str:
    return f"{_share(found.mean())} ({_share(found.min())} to {_share(found.max())})"


if __name__ == "__main__":
    from analysis.report.large_runs_figure import figure

    PAGE.write_text(page(), encoding="utf-8")
    figure(Costs.read()).savefig(FIGURE, dpi=150, metadata={"Software": None})
