"""``skd fit``, ``validate``, ``test`` and ``predict``: PyTorch Lightning's own commands."""

from __future__ import annotations

import argparse
from functools import partial

from skd_lightning.cli.command import Command, Options

DESCRIPTION = """\
PyTorch Lightning's own command, with every setting in the open. Settings come from
--config files (any number, later ones win) and from options, which win over files:

  --model CLASS             skd_lightning.taggers.Student or Teacher
  --model.embedder NAME     words to vectors: NgramEmbedder, ...
  --model.context NAME      vectors in context: BiLSTM or NoContext
  --model.objective NAME    the distillation objective: TopK, Posterior, ...
  --model.optimization. ... optimiser, learning rates, schedule
  --data. ...               task, corpora, languages, batches
  --distillation. ...       teachers and their cache
  --trainer. ...            PyTorch Lightning's Trainer
  --ckpt_path FILE          weights and state, never settings
  --print_config            print all settings as a configuration file
  --model.help CLASS        print what a class takes

Files go to --trainer.default_root_dir. experiments/teacher.yaml and
experiments/student.yaml are configurations to begin with.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add nothing but the long help: Lightning's parser has the options."""
    parser.description = DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = None
    parser.add_argument(
        "--help-all", action="store_true", help="print every option with its default (seconds)"
    )


def run(name: str, options: Options, rest: list[str]) -> None:
    """Let Lightning's parser read the options, and run the command."""
    from skd_lightning.runs.lightning_cli import TaggingCLI

    TaggingCLI([name, *(["--help"] if options.help_all else rest)])


COMMANDS = tuple(
    Command(
        name,
        f"PyTorch Lightning's own {name}",
        add_options,
        partial(run, name),
        passes_on=True,
        resumes=name == "fit",
    )
    for name in ("fit", "validate", "test", "predict")
)
