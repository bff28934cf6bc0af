"""Tables of measured throughput."""

from typing import Any

import numpy as np
import pandas as pd

from analysis.report.format import markdown

LOOKS = {
    "engine": ("initbench", "#000000", "o"),
    "jit_vmap": ("jit(vmap)", "#0072B2", "s"),
    "lax_map": ("lax.map", "#D55E00", "D"),
    "c": ("C by hand", "#56B4E9", "X"),
    "torch_vmap": ("torch.func.vmap", "#009E73", "^"),
    "torch_loop": ("PyTorch loop", "#CC79A7", "v"),
}
CENSUSES = {"10^6 training runs": 1e6, "10^9 training runs": 1e9, "10^9 on 8 such devices": 1e9 / 8, "10^9 on 64": 1e9 / 64}


def speeds(measured: dict[str, Any]) -> pd.DataFrame:
    """Speed of each contender in each workload: median, smallest and largest seed-steps per second, and ratios that follow from them.

    In a census, where some contenders stop early and others train every seed to the end, speed is seeds per second.
    """
    rows = pd.DataFrame(measured["workloads"]).astype({"compile_seconds": float, "peak_memory_bytes": float})
    rows["census"] = rows["workload"].str.startswith("census")
    work = rows["lanes"] * np.where(rows["census"], 1, rows["steps"])
    # A contender that has died has no seconds.
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
    """Seconds and peak memory along lanes, steps, width, devices and larger censuses; a contender that has died has no seconds."""
    return pd.DataFrame(measured["growth"]).astype({"seconds": float, "peak_memory_bytes": float})


def speed_table(rows: pd.DataFrame, ceilings: dict[str, float]) -> pd.DataFrame:
    """Speeds, ratios and memory of each contender in each workload, as text."""
    lines = []
    for _, row in rows.iterrows():
        unit = "seeds/s" if row["census"] else "seed-steps/s"
        lines.append(
            {
                "workload": row["says"],
                "contender": LOOKS[row["contender"]][0],
                "training runs x steps": f"{row['lanes']:,} x {row['steps']:,}",
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
    """`text`, or `otherwise` if the number is NaN, as that of a contender that has died is."""
    return otherwise if np.isnan(number) else text


def idle_sections(measured: dict[str, Any]) -> list[str]:
    """The paragraphs on the share of time in which no device works; none if nothing was profiled."""
    groups = [[row for row in measured[part] if row.get("idle_shares") is not None] for part in ("workloads", "growth")]
    lines = [line for profiled in groups for line in [*map(_idle_line, profiled), *_idle_together(profiled)]]
    text = (
        "Share of a training's time, rows included, in which no device works, from JAX's profiler (median); all together as of one "
        "training, by the time that each takes. The profiled trainings are not those timed above: tracing takes time of its own."
    )
    return ["## Time in which no device works", text, markdown(pd.DataFrame(lines))] if lines else []


def _idle_line(row: dict[str, Any]) -> dict[str, Any]:
    """One line of that section: the profiles of one workload."""
    shares = row["idle_shares"]
    return {
        "workload": row["workload"],
        "training runs x steps": f"{row['lanes']:,} x {row['steps']:,}",
        "no device works": f"{np.median(shares):.1%}" if shares else "died",
        "smallest and largest": f"{min(shares):.1%}, {max(shares):.1%}" if shares else "",
        "profiles": len(shares),
    }


def _idle_together(profiled: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line for all of these training sessions one after another, if there are several and each was profiled."""
    if len(profiled) < 2 or not all(row["idle_shares"] for row in profiled):
        return []
    shares, seconds = ([np.median(row[name]) for row in profiled] for name in ("idle_shares", "seconds"))
    return [
        {
            "workload": "all together",
            "training runs x steps": f"{len(profiled)} x {profiled[0]['lanes']:,} x {profiled[0]['steps']:,}",
            "no device works": f"{np.average(shares, weights=seconds):.1%}",
            "smallest and largest": "",
            "profiles": sum(len(row["idle_shares"]) for row in profiled),
        }
    ]


def processes_table(processes: list[dict[str, Any]]) -> pd.DataFrame:
    """Seconds of whole processes of both contenders, and their ratio, as text."""
    found: dict[tuple[str, ...], dict[str, list[float]]] = {}
    for row in processes:
        size = f"{row['lanes']:,} x {row['steps']:,}"
        found.setdefault((row["says"], size, row["cache"]), {})[row["contender"]] = row["seconds"]
    return pd.DataFrame(
        [
            {
                "workload": says,
                "seeds x steps": size,
                "compilation cache": cache,
                "initbench, s": _spread(seconds["engine"]),
                "plain script, s": _spread(seconds["script"]),
                "script / initbench": f"{np.median(np.divide(seconds['script'], seconds['engine'])):.2f}",
            }
            for (says, size, cache), seconds in found.items()
        ]
    )


def _spread(seconds: list[float]) -> str:
    return f"{np.median(seconds):.1f} [{min(seconds):.1f}, {max(seconds):.1f}]"


def growth_table(growth: pd.DataFrame) -> pd.DataFrame:
    """Time and memory along lanes, steps, width and devices, as text."""
    lines = [
        {
            "along": "training runs" if row["along"] == "lanes" else row["along"],
            "value": f"{row['value']:,}",
            "contender": LOOKS[row["contender"]][0],
            "workload": f"{row['workload']}, {row['lanes']:,} training runs x {row['steps']:,} steps",
            "seconds": _known(row["seconds"], f"{row['seconds']:.3g}", "died"),
            "peak MiB": _known(row["seconds"], f"{row['peak_memory_bytes'] / 2**20:,.0f}"),
        }
        for _, row in growth.iterrows()
    ]
    return pd.DataFrame(lines)


def census_table(rows: pd.DataFrame) -> pd.DataFrame:
    """The time of censuses of several sizes at the measured speeds."""
    lines = []
    for _, row in rows[rows["census"]].iterrows():
        costs = {text: _known(row["speed"], _duration(lanes / row["speed"]), "died") for text, lanes in CENSUSES.items()}
        lines.append({"network": row["says"], "contender": LOOKS[row["contender"]][0], **costs})
    return pd.DataFrame(lines)


def _duration(seconds: float) -> str:
    """A time in its largest unit of which it has at least two."""
    for size, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
