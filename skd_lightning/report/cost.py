"""What runs took: time, memory, steps and parameters, with ratios to the baseline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from skd_lightning.analysis.collection import TEACHERS, Run, Task
from skd_lightning.display.table import Table, label, plain


def cost_table(task: Task) -> Table:
    """Time, memory, steps and parameters, with ratios to the baseline."""
    columns = [
        "",
        "predictions s",
        "fit s",
        "fit ×",
        "whole ×",
        "ms a step",
        "peak MiB",
        "steps",
        "parameters",
    ]
    table = Table("cost", "Time, memory and size", columns)
    base = cost(task.students[task.baseline]) if task.baseline in task.students else {}
    rows = {TEACHERS: cost(list(task.teachers.values()), together=True)} if task.teachers else {}
    rows |= {name: cost(runs) for name, runs in task.students.items()}
    for name, found in rows.items():
        ratios = {key: _ratio(found[key], base.get(key)) if name != TEACHERS else None for key in found}
        fit = f"{found['fit']:.0f}" + (
            f" ± {found['fit_deviation']:.0f}" if found["fit_deviation"] >= 0 else ""
        )
        cells = [plain(found["predictions"]), fit.replace("nan", "–"), _times(ratios["fit"])]
        cells += [_times(ratios["whole"]), plain(found["step"], 1)]
        cells += [_with(found[key], ratios[key]) for key in ("memory", "steps")]
        size = found["parameters"] / 1e6
        cells += ["–" if math.isnan(size) else f"{size:.2f} M" + _bracket(ratios["parameters"])]
        table.rows.append([label(name), *cells])
        table.data.append({"system": name, **found, **{f"{key}_ratio": r for key, r in ratios.items() if r}})
    table.notes.append(
        "Means over seeds; × is the ratio to the baseline. Predictions: what the teachers' predictions took in the run "
        "that made them (the largest of the seeds; later runs find them in the cache). Whole: predictions and fit. "
        "Teachers: sums, for memory the largest. Times compare only between runs on the same, otherwise idle machine."
    )
    return table


def cost(runs: Sequence[Run], together: bool = False) -> dict[str, float]:
    """What runs took: means over them, or of all of them ``together``; seconds, milliseconds, MiB."""

    def of(*keys: str) -> list[float]:
        return [value for run in runs if not math.isnan(value := run.number(*keys))]

    def mean(values: list[float]) -> float:
        return (math.fsum(values) if together else fmean(values)) if values else math.nan

    fit = of("seconds", "fit")
    predictions = max(of("seconds", "teacher_predictions"), default=math.nan)
    steps = [
        1000 * s / n for run in runs if (n := run.number("steps")) and (s := run.number("seconds", "fit"))
    ]
    known = [step for step in steps if not math.isnan(step)]
    memory = of("peak_memory_mib")
    return {
        "predictions": predictions,
        "fit": mean(fit),
        "fit_deviation": stdev(fit) if len(fit) > 1 and not together else math.nan,
        "whole": mean(fit) + (0.0 if math.isnan(predictions) else predictions),
        "step": fmean(known) if known else math.nan,
        "memory": max(memory, default=math.nan) if together else mean(memory),
        "steps": mean(of("steps")),
        "parameters": mean(of("parameters")),
    }


def _ratio(value: float, base: float | None) -> float | None:
    return None if not base or math.isnan(base) or math.isnan(value) else value / base


def _times(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:.2f}"


def _bracket(ratio: float | None) -> str:
    return "" if ratio is None or round(ratio, 2) == 1 else f" (× {ratio:.2f})"


def _with(value: float, ratio: float | None) -> str:
    return plain(value) + ("" if math.isnan(value) else _bracket(ratio))
