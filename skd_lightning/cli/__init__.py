"""The command line: ``skd`` and ``python -m skd_lightning``."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import warnings
from pathlib import Path

from skd_lightning.errors import Stopped, UserError, user_error

LIGHTNING = ("fit", "validate", "test", "predict")

DESCRIPTION = """\
Structure-level knowledge distillation for multilingual sequence labelling.

commands:
  corpus      what a task's corpora hold: sizes, tags, repeated sentences, unknown words
  demo        teachers, baseline and students on a generated corpus, with a table: a few minutes
  teachers    train one monolingual teacher a language
  distill     train a multilingual student from them, test it, print it beside its teachers
  suite       a whole table of experiments from one YAML file: resumable, several at a time
  sweep-check whether every trial of a hyperparameter sweep is understood, without running one
  sweep-local run a sweep on this machine, without an account at Weights & Biases
  zeroshot    evaluate runs on languages that they were not trained on
  report      collect all runs of a task into a table (mean and deviation over seeds) with plots
  fit, validate, test, predict
              PyTorch Lightning's own commands, with every option in the open (skd fit --help)

Every command has --help. Options such as --model.k 5 or --trainer.max_epochs 10 reach any setting.
"""


def main(argv: list[str] | None = None) -> None:
    """Entry point; exits with status 2 and one line on input that the user can mend."""
    arguments = sys.argv[1:] if argv is None else argv
    _quiet()
    try:
        _dispatch(arguments)
    except argparse.ArgumentError as error:
        from skd_lightning.cli.arguments import one_line

        sys.stderr.write(f"skd: error: {one_line(error)}\n")
        raise SystemExit(2) from None
    except Exception as error:
        mendable = user_error(error)
        if mendable is None:
            raise
        sys.stderr.write(f"skd: error: {mendable}\n")
        raise SystemExit(2) from None
    except Stopped as stop:
        sys.stderr.write(f"skd: stopped by {stop.signal.name}; the same command goes on from here\n")
        raise
    except KeyboardInterrupt:
        sys.stderr.write(
            "\nskd: interrupted; the same command goes on where the last checkpoint was written\n"
        )
        raise SystemExit(130) from None


def _dispatch(arguments: list[str]) -> None:
    command = arguments[0] if arguments else "--help"
    if command in ("-h", "--help"):
        sys.stdout.write(DESCRIPTION)
    elif command == "--version":
        from skd_lightning import __version__

        sys.stdout.write(f"skd {__version__}\n")
    elif command in LIGHTNING:
        from skd_lightning.runs.lightning_cli import TaggingCLI

        TaggingCLI(args=arguments)
    elif command == "suite":
        _suite(arguments[1:])
    elif command == "zeroshot":
        _zeroshot(arguments[1:])
    elif command == "sweep-check":
        _sweep_check(arguments[1:])
    elif command == "sweep-local":
        _sweep_local(arguments[1:])
    elif command in ("corpus", "teachers", "distill", "demo", "report"):
        _run(command, arguments[1:])
    else:
        raise UserError(f"unknown command '{command}'; skd --help lists them")


def _run(command: str, arguments: list[str]) -> None:
    from skd_lightning.cli.arguments import distill_run, parser_of, plan_of

    options, rest = parser_of(command).parse_known_args(arguments)
    if command == "report":
        from skd_lightning import report

        if rest:
            raise UserError(f"report: unknown option {rest[0]}")
        report.write(Path(options.runs), options.task, Path(options.out) if options.out else None)
        return
    from skd_lightning import report
    from skd_lightning.runs import execution as experiment
    from skd_lightning.studies.sweep.trial import as_trial

    plan = plan_of(options, rest)
    if command == "corpus":
        from skd_lightning.cli import corpus

        corpus.show(plan, options.csv)
        return
    if command == "teachers":
        experiment.train_teachers(plan, options.anew, options.devices)
    elif command == "distill":
        plain = distill_run(arguments)
        run = as_trial(plain)
        experiment.train(run, plan.task, options.anew)
        if run is not plain:
            return  # trials are compared by their sweep
    else:
        experiment.train_teachers(plan, options.anew)
        for loss in options.losses:
            experiment.train(plan.student(loss, seed=1), plan.task, options.anew)
    if experiment.first_process():
        report.show(Path(options.runs), options.task)


def _sweep_check(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="skd sweep-check", allow_abbrev=False)
    parser.add_argument("files", nargs="+", type=Path, help="such as experiments/sweeps/learning_rates.yaml")
    options = parser.parse_args(arguments)
    from skd_lightning.studies.sweep.check import check_sweeps

    check_sweeps(options.files)


def _sweep_local(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="skd sweep-local", allow_abbrev=False)
    parser.add_argument("file", type=Path, help="such as experiments/sweeps/learning_rates.yaml")
    parser.add_argument("--method", choices=("grid", "random"), help="default: the file's; random for bayes")
    parser.add_argument(
        "--trials", type=int, help="at most so many (default: the whole grid; run_cap or 10 random ones)"
    )
    parser.add_argument("--jobs", type=int, default=1, help="trials at a time (default: 1)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the random search (default: 1)")
    options = parser.parse_args(arguments)
    from skd_lightning.studies.sweep.file import read_sweep
    from skd_lightning.studies.sweep.local import search

    search(read_sweep(options.file), options.method, options.trials, max(1, options.jobs), options.seed)


def _suite(arguments: list[str]) -> None:
    from skd_lightning.cli.arguments import add_data

    parser = argparse.ArgumentParser(prog="skd suite", allow_abbrev=False)
    parser.add_argument("file", type=Path, help="such as experiments/suites/demo.yaml")
    add_data(parser)
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time (default: 1)")
    parser.add_argument("--dry-run", action="store_true", help="print what would be run, and run nothing")
    parser.add_argument("--anew", action="store_true", help="what was stopped starts from scratch")
    options = parser.parse_args(arguments)
    from skd_lightning import report
    from skd_lightning.studies import suite

    wanted = suite.read_suite(options.file)
    suite.run_suite(wanted, options.data, max(1, options.jobs), options.dry_run, options.anew)
    if not options.dry_run:
        for task in wanted.tasks:
            report.show(wanted.runs, task)


def _zeroshot(arguments: list[str]) -> None:
    from skd_lightning.cli.arguments import add_data

    parser = argparse.ArgumentParser(prog="skd zeroshot", allow_abbrev=False)
    parser.add_argument(
        "folders", nargs="*", type=Path, metavar="RUN", help="run folders (default: all of the task)"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of all runs (default: runs)")
    parser.add_argument("--task", default="demo", help="name of the task (default: demo)")
    add_data(parser)
    parser.add_argument("--langs", nargs="+", required=True, metavar="LANG", help="languages to evaluate on")
    parser.add_argument("--on", metavar="TASK", help="take their test sentences from another task's corpora")
    options = parser.parse_args(arguments)
    from skd_lightning.studies import zeroshot

    folders = options.folders or zeroshot.finished_runs(options.runs, options.task)
    zeroshot.transfer(folders, options.on or options.task, options.data, options.langs)
    zeroshot.show(folders)


def _quiet() -> None:
    """Silence what libraries say that no user can act on."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    for name in (
        "pytorch_lightning.utilities.rank_zero",
        "pytorch_lightning.accelerators.cuda",
        "lightning_fabric.utilities.seed",
    ):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        ".*does not have many workers.*",
        ".*LeafSpec.*",
        ".*exists and is not empty.*",
        ".*The number of training batches.*",
        ".*lr_scheduler.step.*",
        ".*`isinstance\\(treespec.*",
        ".*Checkpoint directory.*",
        ".*args parameter is intended.*",
    ):
        warnings.filterwarnings("ignore", message)
