"""The page on speed: measurements of `bench.throughput`, as tables and figures."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.report.drawing import save
from analysis.report.format import markdown
from analysis.report.throughput_figures import growth_figure, speed_figure
from analysis.report.throughput_tables import census_table, growth_table, growths, idle_sections, processes_table, speed_table, speeds
from analysis.report.written import publish, refuse_links, staging
from bench.runs.files import write_whole


def write_throughput(measured: dict[str, Any], out: Path) -> Path:
    """Write the page, its figures and the measurements into a folder named after the device, and return that folder."""
    device = measured["device"]
    place = Path("throughput", f"{re.sub('[^a-z0-9]+', '-', device['kind'].lower())}-{device['count']}")
    refuse_links(out, place)
    rows = speeds(measured)
    growth = growths(measured)
    with staging(out) as made:
        write_whole(made / place / "measured.json", (json.dumps(measured, indent=2) + "\n").encode())
        save(speed_figure(rows), made / place / "figures" / "speed")
        save(growth_figure(growth), made / place / "figures" / "growth")
        write_whole(made / place / "README.md", page(measured, rows, growth).encode())
        publish(made / place, out / place)
    return out / place


def page(measured: dict[str, Any], rows: pd.DataFrame, growth: pd.DataFrame) -> str:
    """The page in Markdown."""
    device, ceilings, versions = measured["device"], measured["ceilings"], measured["versions"]
    commit = measured["git"]["commit"] or "not recorded"
    hosts = (
        "Training runs do not depend on one another, so hosts and devices share them without talking: for several, the time of one is "
        "divided by their number, without the time to start and to compile. The last two columns are such quotients, not measurements. "
    )
    accelerated = device["platform"] != "cpu"
    no_accelerator = "" if accelerated else "No accelerator was at hand for this page, so none is listed."
    grid = f" (the grid {'once' if accelerated else 'as often, from a cold start'})" if "grid" in set(rows["workload"]) else ""
    precision = (
        f" Matrix products of this engine have JAX's precision '{measured['matmul_precision']}'; the others keep the device's default, "
        "which may drop bits of float32. `lax.map` "
        "trains one batch of training runs: those after it would only take their turns. All contenders compile at the same time."
        if accelerated
        else ""
    )
    sections = [
        f"# Throughput on {device['count']} x {device['kind']}",
        f"Measured {measured['measured']} on {measured['cpu']}, {device['count']} JAX {'device' if device['count'] == 1 else 'devices'}, "
        f"Python {measured['python']}, "
        f"jax {versions['jax']}, at commit {commit[:12]}. Each contender runs in a process of its own with its own default settings and is "
        f"compiled there; the contenders of a workload train in turn, {measured['repeats']} times each{grid}. "
        "Numbers are medians, ranges are the slowest and the fastest repeat. Compilation stands apart, except in the grid, which starts "
        "cold.",
        "![Speed of each contender relative to plain jit(vmap), per workload](figures/speed.png)",
        "## Side by side",
        markdown(speed_table(rows, ceilings)),
        f"Ceilings, measured in the same run: {ceilings['matrix_gflops']:.0f} GFLOP/s (a large float32 matrix product), "
        f"{ceilings['memory_gbs']:.1f} GB/s (adding to an array that no cache holds). Floating-point operations are those that XLA "
        "counts for the loss and its gradient; transcendental functions do not count. Bytes are those that a step cannot avoid if nothing "
        "stays in a cache, so a share above 100% means that it does. The engine also checks the loss where a curve or a threshold needs "
        "it (at every step where the arrays of a network are unrolled, or on an accelerator), ends training runs, and measures gradient "
        "norm, metric and test loss at the start and at the end, which the others do not; in a census it stops training runs that are "
        "solved, which the others cannot." + precision,
        _peer_note(rows),
        *_processes_sections(measured),
        *idle_sections(measured),
        "## How cost grows",
        "![Seconds and memory against training runs, seconds against steps](figures/growth.png)",
        markdown(growth_table(growth)),
        _growth_text(growth, accelerated),
        "## What a census costs",
        f"XOR, until solved or 5,000 steps, at the rates above (measured with {rows[rows['census']]['lanes'].min():,} training runs; with "
        f"more: 'census' in the table of growth); a device is all of {device['count']} x {device['kind']}:",
        markdown(census_table(rows)),
        hosts + no_accelerator,
        "To measure another device: `initbench throughput --peers`. Numbers: [measured.json](measured.json).",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _peer_note(rows: pd.DataFrame) -> str:
    """The widths at which `torch.func.vmap` was fastest."""
    widths = rows[rows["contender"] == "torch_vmap"].dropna(subset="speed")
    found = ", ".join(f"{row['workload']} {row['width']:,.0f}" for _, row in widths.iterrows())
    return f"`torch.func.vmap` ran at its fastest of four widths: {found}." if found else ""


def _processes_sections(measured: dict[str, Any]) -> list[str]:
    """The paragraphs on whole processes; none if they were not measured."""
    if "processes" not in measured:
        return []
    text = (
        "`initbench run`, and a script in plain JAX that starts, trains and measures the same networks and saves a row for each "
        "(`bench/throughput/plain_script.py`, one compilation for each cell): seconds of the clock for the whole process, medians "
        "with the fastest and the slowest repeat, first with an empty compilation cache, then once more with what it has left there. "
        "Only the engine checks its own programs, measures gradients, test losses and probes, and writes provenance, checksums and "
        "curves."
    )
    return ["## From the start of a process to rows on disk", markdown(processes_table(measured["processes"])), text]


def _growth_text(growth: pd.DataFrame, accelerated: bool) -> str:
    """How memory and time grow with training runs and steps, in sentences."""
    engine = growth[growth["contender"] == "engine"].dropna(subset="seconds").sort_values("value")
    lanes, steps = (engine[engine["along"] == along] for along in ("lanes", "steps"))
    sentences = []
    if len(lanes) > 1:
        low, high = lanes.iloc[0], lanes.iloc[-1]
        more = (high["peak_memory_bytes"] - low["peak_memory_bytes"]) / (high["value"] - low["value"])
        place = (
            "on the device grows by {} bytes per training run; rows go to the host."
            if accelerated
            else "grows by {} bytes per training run on the host."
        )
        sentences.append(
            f"From {low['value']:,} to {high['value']:,} training runs the engine's peak memory {place.format(f'{more:,.0f}')} What "
            "trains is as large as the pool."
        )
    if len(steps) > 1:
        short, long = steps.iloc[0], steps.iloc[-1]
        each = (long["seconds"] - short["seconds"]) / (long["value"] - short["value"])
        sentences.append(
            f"Between {short['value']:,} and {long['value']:,} steps it takes {1e6 * each:.0f} microseconds for each step of "
            f"{short['lanes']:,} training runs, which is {short['lanes'] / each:,.0f} seed-steps/s; starting them, reading them and making "
            f"their rows takes {short['seconds'] - each * short['value']:.2f} s, whatever the steps."
        )
    if growth["contender"].str.startswith("torch").any():
        sentences.append("PyTorch climbs the numbers of training runs as far as a training takes no more than a minute.")
    return " ".join(sentences)
