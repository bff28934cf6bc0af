"""The page on speed: what `bench.throughput` measured, as tables and figures."""

import json
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from analysis.figures.style import rc
from analysis.report.format import markdown
from analysis.report.write import save
from analysis.report.written import publish, refuse_links, staging
from bench.runs.files import write_whole

LOOKS = {
    "engine": ("initbench", "#000000", "o"),
    "jit_vmap": ("jit(vmap)", "#0072B2", "s"),
    "lax_map": ("lax.map", "#D55E00", "D"),
    "torch_vmap": ("torch.func.vmap", "#009E73", "^"),
    "torch_loop": ("PyTorch loop", "#CC79A7", "v"),
}
CENSUSES = {"10^6 lanes": 1e6, "10^9 lanes": 1e9, "10^9 on 8 such devices": 1e9 / 8, "10^9 on 64": 1e9 / 64}


def write_throughput(measured: dict[str, Any], out: Path) -> Path:
    """Write the page, its figures and the measurements into a folder named after the device; returns that folder."""
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


def speeds(measured: dict[str, Any]) -> pd.DataFrame:
    """Per workload and contender: median, smallest and largest seed-steps per second, and what follows from them.

    In a census a seed counts as its whole budget of steps for those who train it to the end; speed is then seeds per second.
    """
    rows = pd.DataFrame(measured["workloads"]).astype({"compile_seconds": float, "peak_memory_bytes": float})
    rows["census"] = rows["workload"].str.startswith("census")
    work = rows["lanes"] * np.where(rows["census"], 1, rows["steps"])
    # Without seconds: a contender that has died.
    seconds = pd.DataFrame([pd.Series(one, dtype=float) for one in rows["seconds"]])
    rows["speed"], rows["slowest"], rows["fastest"] = work / seconds.median(axis=1), work / seconds.max(axis=1), work / seconds.min(axis=1)
    rows["seconds_median"] = seconds.median(axis=1)
    rows["seeds_per_minute"] = 60 * rows["lanes"] / rows["seconds_median"]
    plain = rows[rows["contender"] == "jit_vmap"].set_index("workload")["speed"]
    rows["ratio"] = rows["speed"] / rows["workload"].map(plain)
    known = ~rows["census"] & rows["step_flops"].notna()
    rows["gflops"] = (rows["speed"] * rows["step_flops"] / 1e9).where(known)
    rows["gbs"] = (rows["speed"] * rows["step_bytes"] / 1e9).where(known)
    return rows


def growths(measured: dict[str, Any]) -> pd.DataFrame:
    """Seconds and peak memory along lanes, steps, width, devices and in larger censuses; without seconds where a contender has died."""
    return pd.DataFrame(measured["growth"]).astype({"seconds": float, "peak_memory_bytes": float})


def speed_figure(rows: pd.DataFrame) -> Figure:
    """Speed relative to plain `jit(vmap)`, a row per workload, on a logarithmic axis; bars from the slowest to the fastest repeat."""
    workloads = list(dict.fromkeys(rows["workload"]))
    with mpl.rc_context(rc()):
        drawing, axis = plt.subplots(figsize=(6.2, 0.34 * len(workloads) + 1.1), layout="constrained")
        for name, (text, color, mark) in LOOKS.items():
            part = rows[rows["contender"] == name]
            if part.empty:
                continue
            scale = part["ratio"] / part["speed"]
            error = [np.maximum(part["ratio"] - part["slowest"] * scale, 0), np.maximum(part["fastest"] * scale - part["ratio"], 0)]
            place = part["workload"].map(workloads.index)
            axis.errorbar(part["ratio"], place, xerr=error, fmt=mark, color=color, ms=4.5, lw=1, capsize=0, label=text)
        axis.axvline(1, color="0.8", lw=0.7, zorder=0)
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.set_yticks(range(len(workloads)), workloads)
        axis.set_ylim(len(workloads) - 0.5, -0.5)
        axis.set_xlabel("speed relative to jit(vmap)")
        axis.grid(axis="x", color="0.92", lw=0.6)
        sns.despine(ax=axis, left=True)
        axis.tick_params(axis="y", length=0)
        drawing.legend(loc="outside upper center", ncols=5, frameon=False, handletextpad=0.2, columnspacing=1.2)
    return drawing


def growth_figure(growth: pd.DataFrame) -> Figure:
    """Seconds and peak memory against the number of lanes, and seconds against steps."""
    growth = growth.dropna(subset="seconds")
    lanes, steps = (growth[growth["along"] == along] for along in ("lanes", "steps"))
    with mpl.rc_context(rc()):
        drawing, axes = plt.subplots(1, 3, figsize=(7.4, 2.5), layout="constrained")
        for name, (text, color, mark) in LOOKS.items():
            part = lanes[lanes["contender"] == name]
            if len(part):
                axes[0].plot(part["value"], part["seconds"], marker=mark, color=color, ms=4, label=text)
                axes[1].plot(part["value"], part["peak_memory_bytes"] / 2**30, marker=mark, color=color, ms=4)
        axes[2].plot(steps["value"], steps["seconds"], marker="o", color="#000000", ms=4)
        for axis, label, quantity in zip(axes, ("lanes", "lanes", "steps"), ("seconds", "peak memory, GiB", "seconds"), strict=True):
            axis.set_xscale("log")
            axis.set_xlabel(label)
            axis.set_ylabel(quantity)
            sns.despine(ax=axis)
        axes[0].set_yscale("log")
        axes[2].set_yscale("log")
        axes[1].set_ylim(bottom=0)
        axes[2].set_xticks(steps["value"], [f"{value:,}" for value in steps["value"]])
        axes[2].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes[2].yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        for along in (axes[2].xaxis, axes[2].yaxis):
            along.set_minor_locator(NullLocator())
        drawing.legend(loc="outside upper center", ncols=5, frameon=False, handletextpad=0.4, columnspacing=1.2)
    return drawing


def page(measured: dict[str, Any], rows: pd.DataFrame, growth: pd.DataFrame) -> str:
    """The page in markdown."""
    device, ceilings, versions = measured["device"], measured["ceilings"], measured["versions"]
    commit = measured["git"]["commit"] or "not recorded"
    hosts = (
        "Lanes do not depend on one another, so hosts and devices share them without talking: for several, the time of one is divided by "
        "their number, without the time to start and to compile. The last two columns are such quotients, not measurements. "
    )
    accelerated = device["platform"] != "cpu"
    no_accelerator = "" if accelerated else "No accelerator was at hand for this page, so none is listed."
    grid = f" (the grid {'once' if accelerated else 'as often, from a cold start'})" if "grid" in set(rows["workload"]) else ""
    precision = (
        f" Matrix products of this engine have JAX's precision '{measured['matmul_precision']}'; the others keep the device's default, "
        "which may drop bits of float32. `lax.map` "
        "trains one batch of lanes: those after it would only take their turns. All contenders compile at the same time."
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
        "stays in a cache, so a share above 100% means that it does. The engine also looks at the loss where a curve or a threshold needs "
        "it (at every step where lanes are unrolled, or on an accelerator), ends lanes, and measures gradient norm, metric and test "
        "loss at the start and at the end, which the others do not; in a census it stops lanes that are solved, which the others cannot."
        + precision,
        _peer_note(rows),
        *_idle(measured),
        "## How cost grows",
        "![Seconds and memory against lanes, seconds against steps](figures/growth.png)",
        markdown(growth_table(growth)),
        _growth_text(growth, accelerated),
        "## What a census costs",
        f"XOR, until solved or 5,000 steps, at the rates above (measured with {rows[rows['census']]['lanes'].min():,} lanes; with more: "
        f"'census' in the table of growth); a device is all of {device['count']} x {device['kind']}:",
        markdown(_census_table(rows)),
        hosts + no_accelerator,
        "To measure another device: `initbench throughput --peers`. Numbers: [measured.json](measured.json).",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def speed_table(rows: pd.DataFrame, ceilings: dict[str, float]) -> pd.DataFrame:
    """What each contender did in each workload, as text."""
    lines = []
    for _, row in rows.iterrows():
        unit = "seeds/s" if row["census"] else "seed-steps/s"
        lines.append(
            {
                "workload": row["says"],
                "contender": LOOKS[row["contender"]][0],
                "lanes x steps": f"{row['lanes']:,} x {row['steps']:,}",
                "speed": _known(row["speed"], f"{row['speed']:,.0f} [{row['slowest']:,.0f}, {row['fastest']:,.0f}] {unit}", "died"),
                "v jit(vmap)": _known(row["ratio"], f"{row['ratio']:.3g}"),
                "seeds/minute": _known(row["speed"], f"{row['seeds_per_minute']:,.0f}"),
                "GFLOP/s (of ceiling)": _known(row["gflops"], f"{row['gflops']:.2f} ({row['gflops'] / ceilings['matrix_gflops']:.1%})"),
                "of memory ceiling": _known(row["gbs"], f"{row['gbs'] / ceilings['memory_gbs']:.1%}"),
                "compile s": _known(row["compile_seconds"], f"{row['compile_seconds']:.1f}"),
                "peak MiB": _known(row["speed"], f"{row['peak_memory_bytes'] / 2**20:,.0f}"),
            }
        )
    return pd.DataFrame(lines)


def _known(number: float, text: str, otherwise: str = "") -> str:
    """The text that has this number, if there is a number; a contender that has died has none."""
    return otherwise if np.isnan(number) else text


def _peer_note(rows: pd.DataFrame) -> str:
    widths = rows[rows["contender"] == "torch_vmap"].dropna(subset="speed")
    found = ", ".join(f"{row['workload']} {row['width']:,.0f}" for _, row in widths.iterrows())
    return f"`torch.func.vmap` ran at its fastest of four widths: {found}." if found else ""


def _idle(measured: dict[str, Any]) -> list[str]:
    """How long the engine's devices wait for its host."""
    groups = [[row for row in measured[part] if row.get("idle_shares") is not None] for part in ("workloads", "growth")]
    lines = [line for profiled in groups for line in [*map(_idle_line, profiled), *_idle_together(profiled)]]
    text = (
        "Share of a training's time, rows included, in which no device works, from JAX's profiler (median); all together as of one "
        "training, by the time that each takes. The profiled trainings are not those timed above: tracing takes time of its own."
    )
    return ["## Time in which no device works", text, markdown(pd.DataFrame(lines))] if lines else []


def _idle_line(row: dict[str, Any]) -> dict[str, Any]:
    shares = row["idle_shares"]
    return {
        "workload": row["workload"],
        "lanes x steps": f"{row['lanes']:,} x {row['steps']:,}",
        "no device works": f"{np.median(shares):.1%}" if shares else "died",
        "smallest and largest": f"{min(shares):.1%}, {max(shares):.1%}" if shares else "",
        "profiles": len(shares),
    }


def _idle_together(profiled: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A line for all of these trainings one after another, if there are several and each has been profiled."""
    if len(profiled) < 2 or not all(row["idle_shares"] for row in profiled):
        return []
    shares, seconds = ([np.median(row[name]) for row in profiled] for name in ("idle_shares", "seconds"))
    return [
        {
            "workload": "all together",
            "lanes x steps": f"{len(profiled)} x {profiled[0]['lanes']:,} x {profiled[0]['steps']:,}",
            "no device works": f"{np.average(shares, weights=seconds):.1%}",
            "smallest and largest": "",
            "profiles": sum(len(row["idle_shares"]) for row in profiled),
        }
    ]


def growth_table(growth: pd.DataFrame) -> pd.DataFrame:
    """How time and memory grow, as text."""
    lines = [
        {
            "along": row["along"],
            "value": f"{row['value']:,}",
            "contender": LOOKS[row["contender"]][0],
            "workload": f"{row['workload']}, {row['lanes']:,} lanes x {row['steps']:,} steps",
            "seconds": _known(row["seconds"], f"{row['seconds']:.3g}", "died"),
            "peak MiB": _known(row["seconds"], f"{row['peak_memory_bytes'] / 2**20:,.0f}"),
        }
        for _, row in growth.iterrows()
    ]
    return pd.DataFrame(lines)


def _growth_text(growth: pd.DataFrame, accelerated: bool) -> str:
    engine = growth[growth["contender"] == "engine"].dropna(subset="seconds").sort_values("value")
    lanes, steps = (engine[engine["along"] == along] for along in ("lanes", "steps"))
    sentences = []
    if len(lanes) > 1:
        low, high = lanes.iloc[0], lanes.iloc[-1]
        more = (high["peak_memory_bytes"] - low["peak_memory_bytes"]) / (high["value"] - low["value"])
        place = (
            "on the device grows by {} bytes per lane; rows go to the host." if accelerated else "grows by {} bytes per lane on the host."
        )
        sentences.append(
            f"From {low['value']:,} to {high['value']:,} lanes the engine's peak memory {place.format(f'{more:,.0f}')} What trains is as "
            "large as the pool."
        )
    if len(steps) > 1:
        short, long = steps.iloc[0], steps.iloc[-1]
        each = (long["seconds"] - short["seconds"]) / (long["value"] - short["value"])
        sentences.append(
            f"Between {short['value']:,} and {long['value']:,} steps it takes {1e6 * each:.0f} microseconds for each step of "
            f"{short['lanes']:,} lanes, which is {short['lanes'] / each:,.0f} seed-steps/s; starting lanes, reading them and making their "
            f"rows takes {short['seconds'] - each * short['value']:.2f} s, whatever the steps."
        )
    if growth["contender"].str.startswith("torch").any():
        sentences.append("PyTorch climbs the lanes as far as a training takes no more than a minute.")
    return " ".join(sentences)


def _census_table(rows: pd.DataFrame) -> pd.DataFrame:
    lines = []
    for _, row in rows[rows["census"]].iterrows():
        costs = {text: _known(row["speed"], _duration(lanes / row["speed"]), "died") for text, lanes in CENSUSES.items()}
        lines.append({"network": row["says"], "contender": LOOKS[row["contender"]][0], **costs})
    return pd.DataFrame(lines)


def _duration(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
