"""Printing the scores of a task, and writing its report."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from rich.console import Console

from skd_lightning.analysis.collection import TaskRuns, read_task
from skd_lightning.analysis.comparison import Comparison, on_trained_languages
from skd_lightning.display import terminal
from skd_lightning.display.passages import Passages
from skd_lightning.display.style import Plot
from skd_lightning.display.table import Row, Table
from skd_lightning.errors import UserError, user_error
from skd_lightning.report import page
from skd_lightning.report.findings import Findings, Section, gather
from skd_lightning.report.labels import columns, heading
from skd_lightning.report.sections import SECTIONS
from skd_lightning.report.sections.scores import brief_table
from skd_lightning.report.summary import summary
from skd_lightning.run_folder import REPORT
from skd_lightning.storage import new_file, remove_unfinished

MANIFEST = "files.txt"
"""Names of the files of a report, one a line: the next report removes those that it does not write itself."""
ALWAYS = {"index.html", "runs.csv", "table.md"}
"""Files of every report."""


def print_scores(runs: Path, task: str) -> None:
    """Print the scores of all runs of a task; the best student is bold.

    Args:
        runs: folder of all runs.
        task: its name.

    Raises:
        UserError: there is no finished run.
    """
    found = read_task(runs, task)
    _print(found, on_trained_languages(found))


def write_report(
    runs: Path, task: str, out: Path | None = None, variants: Collection[str] | None = None
) -> None:
    """Print the scores, and write all tables, plots and the page.

    The files say nothing of the machine or the hour, and are the same for the same runs.

    Args:
        runs: folder of all runs.
        task: its name.
        out: folder to write to, or None for ``<runs>/<task>/report/``.
        variants: of the students that count; all if None.

    Raises:
        UserError: there is no finished run, or the folder cannot be written to.
    """
    findings = gather(runs, task, variants)
    sections = make_sections(findings)
    title, key = f"{task}: {heading(findings.runs.metric)}", summary(findings.trained)
    files = {name: content for section in sections for name, content in _files(section)}
    files["runs.csv"] = runs_table(findings.runs).csv().encode()
    files["table.md"] = page.markdown(title, key, sections).encode()
    files["index.html"] = page.page(title, key, sections, list(findings.looks.values())).encode()
    folder = out or runs / task / REPORT
    try:
        _replace(folder, files)
    except OSError as error:
        known = user_error(error)
        raise known or UserError(f"cannot write the report to {folder}: {error.strerror or error}") from None
    _print(findings.runs, findings.trained)
    Console().print(f"written to {folder}: {', '.join(sorted(files))}", highlight=False, markup=False)


def make_sections(findings: Findings) -> list[Section]:
    """Return the sections that these findings have something for, in the order of the page."""
    return [section for make in SECTIONS if (section := make(findings))]


def runs_table(runs: TaskRuns) -> Table:
    """Return one row a run and language, for further work; it is written as CSV alone."""
    table = Table("runs", "All runs", [])
    for run in runs.runs():
        for kind, scores in (("test", run.test), ("zeroshot", run.zeroshot)):
            for language, score in scores.languages.items() if scores else ():
                row: Row = {"run": run.variant, "seed": run.results.seed, "kind": kind, "language": language}
                table.data.append({**row, "metric": runs.metric, "score": score})
    for peer in (peer for group in runs.peers.values() for peer in group):
        for language, score in peer.test.languages.items():
            row = {"run": peer.variant, "seed": peer.results.seed, "kind": "test", "language": language}
            table.data.append({**row, "metric": runs.metric, "score": score})
    return table


def _files(section: Section) -> Iterable[tuple[str, bytes]]:
    for item in section.content:
        if isinstance(item, Plot):
            yield f"{item.name}.png", item.png
        elif isinstance(item, Table):
            yield f"{item.name}.csv", item.csv().encode()
        elif isinstance(item, Passages):
            yield f"{item.name}.md", item.markdown().encode()


def _replace(folder: Path, files: dict[str, bytes]) -> None:
    """Write the files, and remove what an earlier report wrote and this one does not; other files stay.

    Raises:
        UserError: a file of somebody else has the name of one of these.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_unfinished(folder)
    earlier = _earlier(folder)
    own = earlier | {MANIFEST} if earlier else set()
    if foreign := sorted(name for name in {MANIFEST, *files} - own if (folder / name).exists()):
        raise UserError(
            f"{folder / foreign[0]} is there, and no earlier report wrote it; name another folder with --out"
        )
    both = _lines({*earlier, *files})  # until all is done, so that no file is ever forgotten
    _write(folder, MANIFEST, both)
    for name in earlier - files.keys():
        (folder / name).unlink(missing_ok=True)
    for name, content in files.items():
        _write(folder, name, content)
    _write(folder, MANIFEST, _lines(files))


def _earlier(folder: Path) -> set[str]:
    """Return the names in the manifest of an earlier report; paths to elsewhere are not among them.

    A list without the files of every report is somebody else's, and so are the files that it names.
    """
    try:
        lines = (folder / MANIFEST).read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, ValueError):
        return set()
    names = {line for line in lines if Path(line).name == line} - {MANIFEST, "", ".."}
    return names if names >= ALWAYS else set()


def _write(folder: Path, name: str, content: bytes) -> None:
    with new_file(folder / name) as file:
        file.write(content)


def _lines(names: Iterable[str]) -> bytes:
    return "".join(f"{name}\n" for name in sorted(names)).encode()


def _print(runs: TaskRuns, found: Comparison) -> None:
    table = brief_table(runs, found, f"{runs.name}: {heading(runs.metric)}")
    terminal.show(table, ["fit s", "seeds", *reversed(columns(found))])
    for note in table.notes:
        Console().print(note, highlight=False, markup=False)
    for note in runs.notes:
        Console().print(f"note: {note}", style="yellow", highlight=False, markup=False)
