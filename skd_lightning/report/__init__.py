"""All runs of a task, compared: tables, plots and one page.

``runs`` reads what lies there; ``board`` puts systems beside each other and ``bootstrap`` says how sure their
differences are; ``tables`` and ``plots`` show it, ``published`` adds the paper's figures, ``page`` makes one HTML file.
"""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from skd_lightning.analysis import paper as published
from skd_lightning.analysis.board import BEST_TEACHER, Board, test_board, zeroshot_board
from skd_lightning.analysis.collection import TEACHERS, Task, read
from skd_lightning.display.style import Look, Plot, looks
from skd_lightning.display.table import Table, label, points, probability
from skd_lightning.errors import UserError
from skd_lightning.report import cost, page, plots, tables
from skd_lightning.report.page import Section
from skd_lightning.storage import new_file, remove_unfinished

__all__ = ["show", "write"]

MAYBE = {
    *(
        f"{name}.png"
        for name in "differences k weight loss loss-kd loss-nll dev-epochs dev-steps cost curves".split()
    ),
    *(
        f"{name}.csv"
        for name in "baseline teachers differences zeroshot zeroshot-baseline zeroshot-teachers".split()
    ),
    *(
        f"{name}.csv"
        for name in "published published-gains published-zeroshot published-zeroshot-gains".split()
    ),
    "published-time.csv",
}
"""Files that only some reports have."""


def show(runs: Path, task: str) -> None:
    """Print the scores of all runs of a task; the best student is bold.

    Args:
        runs: folder of all runs.
        task: its name.
    """
    found = read(runs, task)
    _print(found, test_board(found))


def write(runs: Path, task: str, out: Path | None = None) -> None:
    """Print the scores, and write all tables, plots and the page.

    What is written says nothing of the machine or the hour, and is the same for the same runs.

    Args:
        runs: folder of all runs.
        task: its name.
        out: where to write, or None for ``<runs>/<task>/report/``.
    """
    found = read(runs, task)
    board, transfer = test_board(found), zeroshot_board(found)
    notes = list(found.notes)
    for each in (board, transfer):
        if each:
            each.draw(notes)
    sections = _sections(found, board, transfer, notes)
    title, key = f"{task}: {_heading(found)}", _key(board)
    folder = out or runs / task / "report"
    files: dict[str, bytes] = {}
    for section in sections:
        for item in section.content:
            if isinstance(item, Plot):
                files[f"{item.name}.png"] = item.png
            elif isinstance(item, Table):
                files[f"{item.name}.csv"] = item.csv().encode()
    files["runs.csv"] = tables.runs_table(found).csv().encode()
    files["table.md"] = page.markdown(title, key, sections).encode()
    colours = list(_looks(found, transfer).values())
    files["index.html"] = page.page(title, key, sections, colours).encode()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in MAYBE - files.keys():  # of an earlier report; other files there are not ours
            (folder / name).unlink(missing_ok=True)
        remove_unfinished(folder)
        for name, content in files.items():
            with new_file(folder / name) as file:
                file.write(content)
    except OSError as error:
        raise UserError(f"cannot write the report to {folder}: {error.strerror or error}") from None
    _print(found, board)
    Console().print(f"written to {folder}: {', '.join(sorted(files))}", highlight=False, markup=False)


def _sections(task: Task, board: Board, transfer: Board | None, notes: list[str]) -> list[Section]:
    paper = published.load()
    seen = _looks(task, transfer)
    against = tables.baseline_table(board, "baseline", "Against the baseline")
    above = tables.teachers_table(board, "teachers", "Against the teachers")
    by_language = tables.languages_table(board)
    curves = plots.curves(task, seen, notes)
    sections = [
        Section("scores", "Scores", [tables.scores_table(board, "table", f"T{_heading(task)[1:]}")]),
        Section("differences", "Differences"),
        Section("transfer", "Zero-shot transfer"),
        Section("k", "Number of paths k"),
        Section("training", "Training", [*curves]),
        Section("cost", "Time, memory and size", [cost.cost_table(task)]),
        Section("paper", "Beside the paper"),
        Section("notes", "Notes on the run folder", [*notes]),
    ]
    scores, differences, zero, by_k, _, spent, printed, _ = (section.content for section in sections)
    scores += _there(plots.scores(board, seen), plots.differences(board, seen))
    differences += _there(against, above, by_language)
    by_k += _there(plots.score_by_k(task, board, seen))
    spent += _there(plots.costs(task, seen))
    if transfer:
        zero.append("On languages that no student was trained on. The best teacher of each language is chosen by its "
                    "test score, as in the paper, which flatters it.")  # fmt: skip
        zero.append(tables.scores_table(transfer, "zeroshot", f"Zero-shot {_heading(task)}"))
        zero += _there(
            tables.baseline_table(transfer, "zeroshot-baseline", "Zero-shot, against the baseline"),
            tables.teachers_table(
                transfer,
                "zeroshot-teachers",
                "Zero-shot, against the best teacher of each language",
                BEST_TEACHER,
            ),
        )
    printed += _beside(task, board, transfer, paper)
    return [section for section in sections if section.content]


def _beside(
    task: Task, board: Board, transfer: Board | None, paper: published.Paper
) -> list[Table | Plot | str]:
    shown = published.beside(board, paper.find(task.name, "scores"), "published", "Scores, ours / paper")
    if transfer:
        table = paper.find(task.name, "zeroshot")
        shown += published.beside(transfer, table, "published-zeroshot", "Zero-shot, ours / paper")
    time = published.hours(task, paper)
    text = f"{paper.paper} ({paper.url}). The paper's numbers: {paper.setting}. {paper.source}"
    if not shown:
        text += f" None of its tables is about the task {task.name} and a language trained here."
    text += " Not there: " + "; ".join(paper.missing) + "." if paper.missing else ""
    text += " Figures are added in skd_lightning/analysis/paper.json; its format is told in paper.py."
    return [*shown, *([time] if time else []), text]


def _key(board: Board) -> list[str]:
    """The findings in a few sentences, each with its uncertainty."""
    lines = []
    best = board.best()
    if best and len(board.students) > 1:
        seeds = len(board.seeds[best])
        score = points(board.average(best), board.spread(best))
        lines.append(f"Best student: {label(best)}, {score} ({seeds} {'seed' if seeds == 1 else 'seeds'}).")
    if best == board.baseline and len(board.students) > 1:
        lines.append("No distillation beats the baseline on average.")
    elif best and board.baseline in board.students and (comparison := board.compare(best, board.baseline)):
        text = f"Against the baseline: {points(comparison.value, signed=True)} points"
        if comparison.certain:
            low, high = (
                points(comparison.certain.low, signed=True),
                points(comparison.certain.high, signed=True),
            )
            p = probability(comparison.certain.p, tables.LEAST)
            text += f" (95 % interval {low} to {high}, p {p if p.startswith('<') else '= ' + p})"
        else:
            text += " (no interval: sentences were not counted)"
        lines.append(f"{text}; better on {comparison.better} of {len(comparison.languages)} languages.")
        if len(board.students) > 2:
            lines[-1] += " It was chosen on these test data: look at the corrected p below."
    if best and TEACHERS in board.systems and (comparison := board.compare(best, TEACHERS)):
        text = f"Against the teachers: {points(comparison.value, signed=True)} points"
        share = board.gap_closed(best) if best != board.baseline else None
        lines.append(
            text
            + (f"; it closes {100 * share:.0f} % of the gap to them.".replace("-", "−") if share else ".")
        )
    return lines


def _there(*items: Table | Plot | None) -> list[Table | Plot]:
    return [item for item in items if item is not None]


def _looks(task: Task, transfer: Board | None) -> dict[str, Look]:
    return looks([TEACHERS, *task.students, *(transfer.systems if transfer else ())], task.losses)


def _heading(task: Task) -> str:
    return f"test {tables.METRICS[task.metric]} in per cent"


def _print(task: Task, board: Board) -> None:
    console = Console()
    title = f"{task.name}: {_heading(task)}"
    table = tables.brief_table(task, board, title, board.languages).rich()
    width = Console(width=10_000).measure(table).maximum
    if width > console.width and console.is_terminal:
        table = tables.brief_table(task, board, f"{title} (languages: in the report)", []).rich()
    Console(width=max(width, console.width)).print(table)
    for note in task.notes:
        console.print(f"note: {note}", style="yellow", highlight=False, markup=False)
