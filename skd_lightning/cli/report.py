"""``skd report``: all runs of a task compared."""

from __future__ import annotations

import argparse
from pathlib import Path

from skd_lightning.cli.command import Command, Options
from skd_lightning.cli.options import RUNS, TASK, add_runs, add_task, place
from skd_lightning.errors import UserError


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the runs, or the suite that names them, and the folder to write to."""
    add_runs(parser)
    add_task(parser)
    parser.set_defaults(runs=None, task=None)  # so that it is known whether they were given
    parser.add_argument(
        "--suite",
        type=Path,
        metavar="FILE",
        help="report the variants of this suite alone, from its runs; each of several tasks has its folder in --out",
    )
    parser.add_argument(
        "--out", type=place, metavar="FOLDER", help="folder to write to (default: <runs>/<task>/report)"
    )


def run(options: Options, rest: list[str]) -> None:
    """Print the scores, and write tables, plots and the page."""
    from skd_lightning.report.varied_option import read_curve, write_curve, write_curves
    from skd_lightning.report.write import write_report

    if options.suite is None:
        write_report(options.runs or RUNS, options.task or TASK, options.out)
        return
    if options.runs or options.task:
        raise UserError("--suite names the runs and the tasks: leave --runs and --task out")
    from skd_lightning.studies.suite_file import read_suite

    suite = read_suite(options.suite)
    several = len(suite.tasks) > 1
    curves = []
    for task in suite.tasks:
        out = options.out / task if options.out and several else options.out
        if suite.vary:
            folders = {value: own.runs for value, own in suite.by_value().items()}
            curves.append(read_curve(next(iter(suite.vary)), folders, task, list(suite.variants)))
            write_curve(curves[-1], out or suite.runs / task)
        else:
            write_report(suite.runs, task, out, list(suite.variants))
    if curves and several:
        write_curves(curves, options.out or suite.runs)


COMMAND = Command(
    "report",
    "collect all runs of a task into a table (mean and deviation over seeds) with plots",
    add_options,
    run,
)
