"""What a benchmark says: figures of many rounds, tables for people, JSON for programs, plots for the documentation."""

import argparse
import importlib.metadata
import json
import math
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# What goes into a plot is its figures and nothing else: the same ones give the same file.
PLOT_SETTINGS: Any = {
    "svg.hashsalt": "checkpoints",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
PLOT_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}


OUT = Path(__file__).parent / "results"


class Nonsense(Exception):
    """A benchmark that did not measure what it says: content that is wrong, or a figure that cannot be."""


def arguments(module: str, description: str) -> argparse.ArgumentParser:
    """Return a parser of what every benchmark is asked."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{module}", description=description.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few rounds, to see that it makes sense")
    parser.add_argument("--out", type=Path, default=OUT, help="where to write (default: benchmarks/results)")
    return parser


def say(sentence: str) -> None:
    """Tell whoever waits how far it is, or what is wrong."""
    print(sentence, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Figures:
    """One thing measured in many rounds; the first round, in which nothing was warm, is apart."""

    rounds: int
    first: float
    p50: float
    p95: float
    max: float


def figures(values: Sequence[float]) -> Figures:
    """Sum up the rounds, of which the first is the cold one; when it is the only one it has to do."""
    first, *warm = values
    warm = warm or [first]
    return Figures(len(warm), first, percentile(warm, 0.5), percentile(warm, 0.95), max(warm))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest of the values that at least this share of them does not exceed."""
    return sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]


def ratio(ours: Figures, peer: Figures) -> float:
    """Return how many times longer the peer takes than we do, by the medians."""
    return peer.p50 / ours.p50


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table in Markdown that is also easy to read in a terminal; figures are to the right."""
    cells = [list(headings), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(headings))]
    right = [all(isinstance(row[column], int | float | None) for row in rows) for column in range(len(headings))]
    lines = [
        " | ".join(
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(line, widths, right, strict=True)
        )
        for line in cells
    ]
    rule = "|".join(
        "-" * (width + 1) + (":" if is_right else "-") for width, is_right in zip(widths, right, strict=True)
    )
    return "\n".join([f"| {lines[0]} |", f"|{rule}|", *(f"| {line} |" for line in lines[1:])])


def _cell(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def machine(folder: Path) -> dict[str, object]:
    """Say on what was measured: processor, memory, and the file system that the *folder* is on."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _line_of("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "file_system": _file_system(folder),
        "python": platform.python_version(),
    }


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of installed packages."""
    return {package: importlib.metadata.version(package) for package in packages}


def _line_of(path: str, key: str) -> str:
    if not os.path.exists(path):
        return ""
    lines = Path(path).read_text(errors="replace").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")


def _file_system(folder: Path) -> str:
    """Return the type of the file system that the folder is on, as the list of mounts has it."""
    if not os.path.exists("/proc/mounts"):
        return "unknown"
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    over = [(len(point), kind) for point, kind in mounts if folder.resolve().is_relative_to(point)]
    return max(over, default=(0, "unknown"))[1]


def write(folder: Path, name: str, about: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> None:
    """Write what was measured as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    said = {"benchmark": name, "measured_at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", **about, "results": results}
    (folder / f"{name}.json").write_text(json.dumps(said, indent=1, default=_plain) + "\n")


def _plain(value: object) -> object:
    if isinstance(value, Figures):
        return {name: round(each, 3) for name, each in asdict(value).items()}
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def bars(path: Path, groups: Sequence[str], panels: Mapping[str, Mapping[str, Sequence[Figures | None]]]) -> None:
    """Draw a panel of bars for each title: by name one figure for each group, its median, with a line up to its p95."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(PLOT_SETTINGS):
        drawing = Figure(layout="constrained")
        for axes, (title, series) in zip(_grid(drawing, len(panels), sharey=True), panels.items(), strict=True):
            width = 0.8 / len(series)
            for number, (name, each) in enumerate(series.items()):
                shift = (number - (len(series) - 1) / 2) * width
                seen = [(place + shift, one) for place, one in enumerate(each) if one is not None]
                at, medians = [place for place, _ in seen], [one.p50 for _, one in seen]
                axes.bar(at, medians, width, label=name)
                axes.vlines(at, medians, [one.p95 for _, one in seen], color="black", lw=0.8)
            axes.set(title=title, yscale="log", xticks=range(len(groups)), xticklabels=groups)
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} ms" if value < 1000 else f"{value / 1000:g} s")
            axes.yaxis.set_minor_formatter("")
            axes.grid(axis="y", alpha=0.3)
            axes.set_axisbelow(True)
        drawing.legend(*drawing.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, frameon=False)
        _save(drawing, path)


def lines(path: Path, panels: Mapping[tuple[str, str], Mapping[str, Mapping[int, Figures]]]) -> None:
    """Draw a panel for each title and what is across: by name a line of medians, with the space up to the p95."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(PLOT_SETTINGS):
        drawing = Figure(layout="constrained")
        for axes, ((title, across), series) in zip(_grid(drawing, len(panels)), panels.items(), strict=True):
            for name, each in series.items():
                medians, above = [one.p50 for one in each.values()], [one.p95 for one in each.values()]
                axes.plot(list(each), medians, marker="o", markersize=4, label=name)
                axes.fill_between(list(each), medians, above, alpha=0.15)
                axes.set_xticks(list(each))
            axes.set(title=title, xlabel=across, ylabel="ms", ylim=(0, None))
            axes.grid(alpha=0.3)
            axes.legend(frameon=False)
        _save(drawing, path)


def _grid(drawing: Any, panels: int, *, sharey: bool = False) -> list[Any]:
    """Divide a drawing into panels, two beside each other."""
    across, down = min(panels, 2), math.ceil(panels / 2)
    drawing.set_size_inches(4.2 * across, 3.2 * down)
    places = list(drawing.subplots(down, across, sharey=sharey, squeeze=False).flat)
    for unused in places[panels:]:
        unused.remove()
    return places[:panels]


def _save(drawing: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(path, format="svg", metadata=PLOT_METADATA)
