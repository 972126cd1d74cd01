"""All runs of a task in one table, with plots."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import pandas as pd
from rich.console import Console
from rich.table import Table

from skd_lightning.distillation.objectives import Loss
from skd_lightning.errors import UserError

ORDER = ("teachers", *get_args(Loss))
"""Rows of the table, top to bottom."""


def collect(runs: Path, task: str) -> pd.DataFrame:
    """One row a run and language: ``run`` (teachers or the objective), ``seed``, ``language``, ``score``.

    The average over languages is the language ``average``; for teachers it is the mean of the teachers.
    """
    rows: list[dict[str, Any]] = []
    for file in sorted((runs / task).glob("*/*/results.json")):
        results = json.loads(file.read_text())
        run = "teachers" if results["role"] == "teacher" else results["loss"]
        shared = {"run": run, "seed": results["seed"], "metric": results["metric"], **results["seconds"]}
        for language, scores in results["languages"].items():
            rows.append({**shared, "language": language, "score": scores[results["metric"]]})
        if run != "teachers":
            rows.append({**shared, "language": "average", "score": results["average"]})
    if not rows:
        raise UserError(f"no finished runs in {runs / task}; start with: make teachers TASK={task}")
    frame = pd.DataFrame(rows)
    teachers = frame[frame.run == "teachers"]
    if len(teachers):
        mean = {**teachers.iloc[0].to_dict(), "language": "average", "score": teachers.score.mean()}
        mean |= {"fit": teachers.fit.sum()}
        frame = pd.concat([frame, pd.DataFrame([mean])], ignore_index=True)
    return frame


def summarise(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows are runs, columns languages and ``average``; cells are percentages, ``mean ± deviation`` over seeds."""
    runs = [run for run in ORDER if run in set(frame.run)]
    languages = [*sorted(set(frame.language) - {"average"}), "average"]
    table = pd.DataFrame("", index=pd.Index(runs, name="run"), columns=[*languages, "seeds", "fit s"])
    for run in runs:
        of_run = frame[frame.run == run]
        for language in languages:
            scores = 100 * of_run[of_run.language == language].score
            if len(scores) == 1:
                table.loc[run, language] = f"{scores.iloc[0]:.2f}"
            elif len(scores):
                table.loc[run, language] = f"{scores.mean():.2f} ± {scores.std():.2f}"
        averages = of_run[of_run.language == "average"]
        table.loc[run, "seeds"] = str(averages.seed.nunique())
        table.loc[run, "fit s"] = f"{averages.fit.mean():.0f}"
    return table


def show(runs: Path, task: str) -> None:
    """Print the table; the best student is bold."""
    frame = collect(runs, task)
    table = summarise(frame)
    metric = {"f1": "entity F1", "accuracy": "accuracy"}[frame.metric.iloc[0]]
    view = Table(title=f"{task}: test {metric} in per cent", title_justify="left")
    view.add_column("", no_wrap=True)
    for column in table.columns:
        view.add_column(column, justify="right", style="bold" if column == "average" else "")
    for run, cells in table.iterrows():
        name = {"none": "none (baseline)"}.get(str(run), str(run))
        view.add_row(name, *cells, end_section=run == "teachers")
    Console().print(view)


def write(runs: Path, task: str) -> None:
    """Print the table, and write it and its plots to ``<runs>/<task>/report/``."""
    show(runs, task)
    folder = runs / task / "report"
    folder.mkdir(parents=True, exist_ok=True)
    frame = collect(runs, task)
    table = summarise(frame)
    frame.to_csv(folder / "runs.csv", index=False)
    table.to_csv(folder / "table.csv")
    (folder / "table.md").write_text(_markdown(table))
    _plot_scores(frame, folder / "scores.png")
    _plot_curves(runs / task, folder / "curves.png")
    names = ", ".join(sorted(path.name for path in folder.iterdir()))
    Console().print(f"written to {folder}: {names}", highlight=False)


def _markdown(table: pd.DataFrame) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cells) + " |\n"

    columns = list(table.columns)
    rows = [line([str(run), *map(str, cells)]) for run, cells in table.iterrows()]
    return line(["run", *columns]) + line(["---"] + ["---:"] * len(columns)) + "".join(rows)


def _figure(width: float = 8.0) -> Any:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(width, 4.5), layout="constrained")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    return figure, axes


def _plot_scores(frame: pd.DataFrame, file: Path) -> None:
    """Bars by language; the line on a bar spans the seeds' standard deviation."""
    pivot = 100 * frame.pivot_table(
        index="language", columns="run", values="score", aggfunc="mean", sort=False
    )
    spread = 100 * frame.pivot_table(
        index="language", columns="run", values="score", aggfunc="std", sort=False, dropna=False
    )
    runs = [run for run in ORDER if run in pivot.columns]
    languages = [*sorted(set(pivot.index) - {"average"}), "average"]
    pivot = pivot.loc[languages, runs]
    spread = spread.reindex(index=languages, columns=runs)  # NaN, and no line, where there is one seed
    figure, axes = _figure(max(8.0, 1.6 * len(languages)))
    width = 0.8 / len(runs)
    for place, run in enumerate(runs):
        left = [i + (place - (len(runs) - 1) / 2) * width for i in range(len(languages))]
        colour = "0.75" if run == "teachers" else "0.45" if run == "none" else f"C{place - 2}"
        axes.bar(left, pivot[run], width * 0.92, yerr=spread[run], label=run, color=colour, capsize=2)
    axes.set_xticks(range(len(languages)), languages)
    low = float(pivot.min().min())
    axes.set_ylim(max(0.0, low - 0.15 * (100.0 - low) - 1.0), None)
    axes.set_ylabel(f"test {frame.metric.iloc[0]} (%)")
    axes.legend(ncols=4, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    figure.savefig(file, dpi=150)


def _plot_curves(folder: Path, file: Path) -> None:
    """Dev score over epochs: one line a student, seeds averaged."""
    curves: dict[str, list[pd.Series]] = {}
    for run in sorted(path for path in folder.glob("*/*") if (path / "metrics.csv").is_file()):
        if run.parent.name == "teachers":
            continue
        log = pd.concat([pd.read_csv(part) for part in sorted(run.glob("metrics*.csv"))])
        if "dev/average" in log:
            curve = log.dropna(subset=["dev/average"]).groupby("epoch")["dev/average"].last()
            curves.setdefault(run.parent.name, []).append(curve)
    if not curves:
        return
    figure, axes = _figure()
    for name in (name for name in ORDER if name in curves):
        mean = 100 * pd.concat(curves[name], axis=1).mean(axis=1)
        axes.plot(mean.index + 1, mean, label=name, color="0.3" if name == "none" else None)
    axes.set_xlabel("epoch")
    axes.set_ylabel("dev score, macro mean over languages (%)")
    axes.legend(frameon=False)
    figure.savefig(file, dpi=150)
