"""LightningCLI with the data's tags linked to the model, and the loggers and callbacks of a run folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import yaml
from pytorch_lightning.callbacks import EarlyStopping
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from pytorch_lightning.loggers import Logger
from pytorch_lightning.plugins.environments import SLURMEnvironment

from skd_lightning.data.module import TaggingData
from skd_lightning.distillation.callback import DistillationCallback
from skd_lightning.errors import UserError
from skd_lightning.run_folder import RunFolder
from skd_lightning.runs.configurations import with_packaged_configs
from skd_lightning.runs.devices import (
    default_threads,
    device_count,
    refuse_devices,
    refuse_half_precision_without_support,
    refuse_too_many,
)
from skd_lightning.runs.epoch_lines import EpochLines
from skd_lightning.runs.metrics_log import MetricsLog
from skd_lightning.runs.option_errors import explained, explaining, refuse_empty, refuse_files
from skd_lightning.runs.option_ranges import refuse_out_of_range
from skd_lightning.runs.preconditions import (
    refuse_before_first_score,
    refuse_paths_beyond_memory,
    refuse_without_annotation,
    refuse_without_selection,
)
from skd_lightning.runs.resuming import AtomicCheckpoints, BestWeights, LastState
from skd_lightning.runs.tracking import Labels, WandbRun, make_logger
from skd_lightning.taggers import Tagger
from skd_lightning.taggers.optimization import MONITOR

LIGHTNINGS_OWN = ("best", "last", "hpc", "registry")
"""Words in the place of a checkpoint's path that Lightning understands."""


class TaggingCLI(LightningCLI):
    """``skd fit`` and its siblings, and (with ``run=False``) the maker of every run's objects.

    A run's files go to ``trainer.default_root_dir``: ``metrics.csv`` and ``checkpoints/``. Lightning's own commands
    write into the folder of a run only where the command line names it as their output; a configuration that was
    read from there does not count. A checkpoint gives weights and state, never settings, and is a local file.

    Args:
        args: the command line.
        run: run the subcommand that ``args`` begin with.
        instantiate: make data, model and trainer; else only ``config`` is there, at a fraction of the time.
    """

    def __init__(self, args: list[str], run: bool = True, instantiate: bool = True) -> None:
        self._instantiate = instantiate
        self._output_named = any(word.partition("=")[0] == "--trainer.default_root_dir" for word in args)
        self.labels: Labels | None = None
        """Names of the training at Weights & Biases, if any; set them before :meth:`make`."""
        super().__init__(
            Tagger,
            TaggingData,
            subclass_mode_model=True,
            save_config_callback=SaveConfigCallback if run else None,  # experiments write their own
            save_config_kwargs={"overwrite": True},  # else the second trial of a sweep dies
            seed_everything_default=1,
            trainer_defaults={
                "default_root_dir": "runs/fit",
                "max_epochs": 40,
                "gradient_clip_val": 5.0,
                "num_sanity_val_steps": 0,
                "use_distributed_sampler": False,  # our batch samplers shard by rank themselves
                "enable_model_summary": False,
                "log_every_n_steps": 1_000_000,  # what is logged is logged once an epoch
            },
            parser_kwargs={
                "exit_on_error": False,
                "allow_abbrev": False,
            },  # one line from us, not pages of usage
            auto_configure_optimizers=False,  # taggers have parameter groups of their own
            load_from_checkpoint_support=False,  # checkpoints describe their tagger themselves
            args=with_nulls(args),
            run=run,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the options that Lightning does not have."""
        parser.add_lightning_class_args(DistillationCallback, "distillation")
        parser.set_defaults({"distillation.teachers": "runs/demo/teachers"})
        parser.add_argument(
            "--patience",
            type=int | None,
            default=None,
            help="stop after so many epochs without a better dev score",
        )
        parser.add_argument(
            "--wandb",
            type=str | None,
            default=None,
            help="project at Weights & Biases; written offline where no key is configured",
        )
        parser.add_argument(
            "--threads", type=int | None, default=None, help="threads of torch (default: see default_threads)"
        )
        parser.add_argument(
            "--compile",
            type=bool,
            default=False,
            help="torch.compile the encoder: half a minute at the start; meant for transformers trained on a GPU",
        )
        for source, target in (
            ("tag_names", "tags"),
            ("tag_scheme", "scheme"),
            ("all_languages", "languages"),
        ):
            parser.link_arguments(f"data.{source}", f"model.init_args.{target}", apply_on="instantiate")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Read the options; a mistake becomes one line that names the option.

        Raises:
            UserError: an option, or a value of one, does not exist or is out of range, or a training with these
                settings could not select its best weights.
        """
        args = with_packaged_configs(args)
        refuse_files(args)
        parsers = getattr(self, "_subcommand_parsers", {})
        with explained(parsers.get(args[0], parser) if parsers and args else parser):
            super().parse_arguments(parser, args)
        settings = self._subconfig()
        plain = settings.as_dict()
        refuse_empty(plain, TaggingData)
        refuse_out_of_range(plain)
        refuse_devices(settings["trainer"]["devices"])
        if settings["wandb"] == "":
            raise UserError("--wandb is empty; give the name of a project, or leave it out")
        if self.config.get("subcommand") in (None, "fit"):
            schedule = plain["model"]["init_args"]["optimization"]["schedule"]
            refuse_without_selection(settings["trainer"], schedule == "linear")

    def _parse_ckpt_path(self) -> None:
        """Take no settings from a checkpoint: Lightning would import and run whatever class it names."""

    def before_instantiate_classes(self) -> None:
        """Choose where files go and what may be read; set the threads, with which encoders and loaders start."""
        config = self._subconfig()
        if self.subcommand:
            self._choose_output(config["trainer"])
            config["weights_only"] = True
            if "://" in str(config.get("ckpt_path")):
                raise UserError(
                    f"--ckpt_path {config['ckpt_path']}: checkpoints are local files; fetch it first"
                )
            if config.get("ckpt_path") not in (
                None,
                *LIGHTNINGS_OWN,
            ):  # now: later the configuration is written
                AtomicCheckpoints().load_checkpoint(config["ckpt_path"])
        devices = config["trainer"]["devices"]
        torch.set_num_threads(config["threads"] or default_threads(device_count(devices) or 1))

    def _choose_output(self, trainer: Any) -> None:
        """Leave a run's folder alone that only its own configuration names."""
        folder = RunFolder(Path(trainer["default_root_dir"]))
        if not self._output_named and folder.key() is not None:
            trainer["default_root_dir"] = f"runs/{self.subcommand}"
            sys.stderr.write(
                f"skd {self.subcommand}: writes to runs/{self.subcommand}, not into {folder.path}\n"
            )

    def instantiate_classes(self) -> None:
        """Make data, model and trainer, unless only the configuration is wanted so far."""
        if self._instantiate:
            trainer = self._subconfig()["trainer"]
            refuse_too_many(trainer["devices"], trainer["accelerator"])
            refuse_half_precision_without_support(trainer["precision"], trainer["accelerator"])
            with explaining(self._subconfig().as_dict()):
                super().instantiate_classes()
            if self.subcommand in (None, "fit"):  # the others train nothing
                self._prepare_training()
            self.datamodule.connect(
                self.model.featurizer, self.model.training_featurizer, self.model.learns_from_unlabelled
            )
            if self.subcommand == "fit":  # ``execution.train`` asks for itself
                distillation: DistillationCallback = self._subconfig(initialised=True)["distillation"]
                distillation.check(self.model, self.datamodule.taught_languages)
            if self._subconfig()["compile"]:
                self.model.encoder.compile(dynamic=True)  # in place: the weights keep their names

    def _prepare_training(self) -> None:
        """Refuse a training that would not be validated; take in the words of the others."""
        data, trainer, unlabelled = self.datamodule, self.trainer, self.model.learns_from_unlabelled
        refuse_without_annotation(data, unlabelled)
        batches = data.batches_in_epoch(trainer.world_size, trainer.accumulate_grad_batches, unlabelled)
        refuse_before_first_score(self._subconfig()["trainer"], batches)
        objective = getattr(self.model, "objective", None)  # only students have one
        if objective is not None and objective.needs.k:
            refuse_paths_beyond_memory(objective.needs.k, data)
        sentences = data.train_sentences
        if self.model.fits_text(data.text_only):
            everything = sentences + data.unlabelled_sentences
            sentences = [everything[place] for place in data.places_of_features]
        self.model.learn_vocabulary(
            [sentence.words for sentence in sentences], [sentence.language for sentence in sentences]
        )

    def make(self) -> None:
        """Make data, model and trainer, which the constructor has left out."""
        self._instantiate = True
        self.instantiate_classes()

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """Return a trainer whose loggers and checkpoints live in the run folder."""
        config, init = self._subconfig(), self._subconfig(initialised=True)
        folder = Path(config["trainer"]["default_root_dir"])
        callbacks = [
            *(init["trainer"]["callbacks"] or []),
            *run_callbacks(RunFolder(folder), config["patience"]),
        ]
        loggers: list[Logger] = [MetricsLog(RunFolder(folder))]
        if config["wandb"]:
            settings = yaml.safe_load(self._parser(self.subcommand).dump(config, skip_none=False))
            loggers.append(make_logger(folder, config["wandb"], self.labels or Labels(str(folder)), settings))
            callbacks.append(WandbRun())
        plugins = init["trainer"]["plugins"] or []
        plugins = [*(plugins if isinstance(plugins, list) else [plugins]), AtomicCheckpoints()]
        if SLURMEnvironment.detect():  # LastState takes SLURM's signal: Lightning would save within a step
            plugins.append(SLURMEnvironment(auto_requeue=False))
        with explaining(config["trainer"].as_dict(), "trainer"):
            return super().instantiate_trainer(callbacks=callbacks, logger=loggers, plugins=plugins, **kwargs)

    def _subconfig(self, initialised: bool = False) -> Any:
        config = self.config_init if initialised else self.config
        subcommand = config.get("subcommand")
        return config[subcommand] if subcommand else config


def with_nulls(arguments: Sequence[str]) -> list[str]:
    """Return the words of a command with every option that is None or null as a setting that is null.

    jsonargparse takes the word None for text, and makes that of null inside of a class's dataclass; a configuration
    in place of the option says the same of every setting.
    """
    found: list[str] = []
    for word in arguments:
        name, sign, value = word.partition("=")
        if not sign and found and found[-1].startswith("--") and "=" not in found[-1]:
            name, value = found[-1], word
        if name.startswith("--") and value in ("None", "null"):
            if not sign:
                found.pop()
            settings: Any = None
            for part in reversed(name.removeprefix("--").split(".")):
                settings = {part: settings}
            found.append(f"--config={json.dumps(settings)}")
        else:
            found.append(word)
    return found


def run_callbacks(folder: RunFolder, patience: int | None) -> list[pl.Callback]:
    """Return the callbacks that keep weights and state, print a line an epoch, and stop early where it is asked for."""
    callbacks: list[pl.Callback] = [BestWeights(folder), LastState(folder), EpochLines()]
    if patience is not None:
        callbacks.append(EarlyStopping(MONITOR, patience=patience, mode="max"))
    return callbacks
