"""Entry point: one command, and one line with exit status 2 for input that the user can mend."""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
import textwrap
import traceback
import warnings

import skd_lightning
from skd_lightning.cli.commands import COMMANDS
from skd_lightning.errors import Stopped, UserError, one_line, printable, user_error
from skd_lightning.nearest import suggestion

INTRODUCTION = """\
Structure-level knowledge distillation for multilingual sequence labelling.

commands:
"""
CLOSING = (
    "Every command has --help. Options such as --model.context.hidden_size 64 or --trainer.max_epochs 10 reach any "
    "setting."
)
BUG = """\
skd: this is a bug of skd_lightning; please report it with the lines above, the command, and the run's config.yaml
"""


def main(argv: list[str] | None = None) -> None:
    """Run the command that the arguments name.

    Args:
        argv: the words after ``skd``; those of the process if None.

    Raises:
        SystemExit: status 2 for input that the user can mend, 130 for Ctrl-C, 128 + signal for a training that a
            signal has stopped, 1 for a bug, after its traceback.
    """
    arguments = sys.argv[1:] if argv is None else argv
    same = "the same command without --anew" if "--anew" in arguments else "the same command"
    let_threads_wait_briefly()
    quiet()
    try:
        if sys.platform == "win32":
            raise UserError("Windows is not supported; the Windows Subsystem for Linux (WSL) is")
        _run(arguments)
    except argparse.ArgumentError as error:
        _refuse(one_line(error))
    except Exception as error:
        line = _mendable(error)
        if line is not None:
            _refuse(line)
        traceback.print_exception(error)
        sys.stderr.write(BUG)
        raise SystemExit(1) from error
    except Stopped as stop:
        sys.stderr.write(f"skd: stopped by {stop.signal.name}; {same} goes on from here\n")
        raise
    except KeyboardInterrupt:
        command = COMMANDS.get(arguments[0]) if arguments else None
        goes_on = f"; {same} goes on where the last checkpoint was written"
        sys.stderr.write(f"\nskd: interrupted{goes_on if command and command.resumes else ''}\n")
        raise SystemExit(130) from None


def _mendable(error: Exception) -> str | None:
    """Return what the user can do about an error; None about a bug."""
    if (mendable := user_error(error)) is not None:
        return str(mendable)
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, ModuleNotFoundError):
        missing = (error.name or "").partition(".")[0]
        if missing not in ("", skd_lightning.__name__):
            return f"{missing} is not installed; for all commands: pip install 'skd-lightning[train]'"
    return None


def _refuse(line: str) -> None:
    sys.stderr.write(f"skd: error: {printable(line)}\n")
    raise SystemExit(2) from None


def _run(arguments: list[str]) -> None:
    name = arguments[0] if arguments else "--help"
    if name in ("-h", "--help"):
        listed = [command for command in COMMANDS.values() if command.help]
        width = min(shutil.get_terminal_size().columns, 100)
        lines = [
            textwrap.fill(f"  {command.name:<12} {command.help}", width, subsequent_indent=15 * " ")
            for command in listed
        ]
        closing = textwrap.fill(CLOSING, width)
        sys.stdout.write("\n".join([INTRODUCTION + lines[0], *lines[1:], "", closing, ""]))
    elif name == "--version":
        sys.stdout.write(f"skd {skd_lightning.__version__}\n")
    elif name in COMMANDS:
        COMMANDS[name].start(arguments[1:])
    else:
        raise UserError(f"unknown command '{name}'{suggestion(name, COMMANDS)} (skd --help lists all)")


SPINS = "5000"
"""Turns that a thread of OpenMP spins for another one before it sleeps: some microseconds."""


def let_threads_wait_briefly() -> None:
    """Set how long OpenMP's threads spin, unless the user has, for this process, its loader workers and its children.

    PyTorch on Linux brings GNU's libgomp, which reads this when it is loaded, so it comes before any import of torch.
    By default its threads spin for milliseconds while they wait for one another. Beside another busy process they then
    hold the cores that the late ones need, and a training takes three times as long or more. Threads that sleep at
    once are slow to wake where no other process wants the cores.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)


def quiet() -> None:
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
