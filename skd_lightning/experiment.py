"""Whole experiments: train, test, write ``results.json``; what is finished is not done twice."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import resource
import shlex
import shutil
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import yaml
from rich.console import Console

import skd_lightning
from skd_lightning.data.corpora import training_languages
from skd_lightning.distillation import DistillationCallback, Loss
from skd_lightning.lightning_cli import TaggingCLI
from skd_lightning.taggers import Student, Tagger

INCIDENTAL = ("default_root_dir", "logger", "callbacks", "enable_progress_bar", "enable_checkpointing")
"""Trainer settings that do not change what is learned."""


@dataclass(frozen=True)
class Plan:
    """What the experiments of a task have in common.

    Attributes:
        runs: folder of all runs.
        task: name of the task.
        data: folder of the corpora, or None for the default.
        languages: codes of the languages, or None for all with training data.
        options: further options of ``skd fit``, as on the command line.
    """

    runs: Path
    task: str
    data: str | None = None
    languages: list[str] | None = None
    options: tuple[str, ...] = ()

    @property
    def teachers(self) -> Path:
        """Folder with one run folder for each teacher."""
        return self.runs / self.task / "teachers"


def train_teachers(plan: Plan) -> None:
    """One teacher a language."""
    for language in plan.languages or training_languages(plan.task, plan.data):
        arguments = [*_arguments("teacher", plan), "--data.languages", json.dumps([language]), *plan.options]
        _train(plan.teachers / language, plan, arguments, {"role": "teacher", "loss": "none"}, language)


def distill(plan: Plan, loss: Loss, seed: int) -> None:
    """One student; ``loss`` "none" is the multilingual baseline."""
    arguments = [*_arguments("student", plan), "--model.loss", loss, "--seed_everything", str(seed)]
    arguments += ["--data.seed", str(seed), "--distillation.teachers", str(plan.teachers)]
    if plan.languages:
        arguments += ["--data.languages", json.dumps(plan.languages)]
    if loss == "token":
        arguments += ["--model.decoder", "softmax"]
    arguments += ["--distillation.cache", str(plan.runs / "cache"), *plan.options]
    folder = plan.runs / plan.task / loss / f"seed{seed}"
    _train(folder, plan, arguments, {"role": "student", "loss": loss}, f"{loss} seed {seed}")


def _arguments(role: str, plan: Plan) -> list[str]:
    """Configuration files of a role and a task, then what the plan says."""
    folder = _experiments()
    files = [folder / f"{role}.yaml", folder / f"{plan.task}.yaml"]
    arguments = [word for file in files if file.is_file() for word in ("--config", str(file))]
    arguments += ["--data.task", plan.task]
    return arguments + (["--data.data", plan.data] if plan.data else [])


def _experiments() -> Path:
    """The YAML files: those of the working folder, else those that came with the package."""
    package = Path(skd_lightning.__file__).parent
    candidates = (Path("experiments"), package / "experiments", package.parent / "experiments")
    return next((folder for folder in candidates if (folder / "student.yaml").is_file()), candidates[0])


def _train(folder: Path, plan: Plan, arguments: list[str], labels: dict[str, Any], title: str) -> None:
    """Train, test and write the results of one run, unless a run with this configuration has written them."""
    console = Console()
    began = time.perf_counter()
    cli = TaggingCLI([*arguments, "--trainer.default_root_dir", str(folder)], run=False)
    config = cli.parser.dump(cli.config, skip_none=False)
    key = _key(config, cli.datamodule.train_languages, plan.teachers if labels["loss"] != "none" else None)
    known = _read_key(folder)
    if known == key and (folder / "results.json").is_file():
        console.print(
            f"[green]{title}[/]: already trained with this configuration, in {folder}", highlight=False
        )
        return
    trainer, tagger = cli.trainer, cli.model
    last = folder / "checkpoints" / "last.ckpt"
    resume = last if known == key and last.is_file() else None
    if trainer.is_global_zero:
        if resume:
            console.print(f"{title}: going on from {resume}", highlight=False)
        _put_aside(folder, resume is not None)
        _write(folder / "config.yaml", f"# key: {key}\n{config}")
        summary = cli.datamodule.corpora.summary()
        console.print(f"[bold]{plan.task} · {title}[/]: {summary}", highlight=False)
    fit_began = time.perf_counter()
    trainer.fit(tagger, datamodule=cli.datamodule, ckpt_path=resume, weights_only=True)
    fit_seconds = time.perf_counter() - fit_began
    if trainer.interrupted:
        raise KeyboardInterrupt
    trainer.test(
        tagger,
        datamodule=cli.datamodule,
        ckpt_path=folder / "checkpoints" / "best.ckpt",
        verbose=False,
        weights_only=True,
    )
    if not trainer.is_global_zero:
        return
    results = _results(tagger, trainer, plan, cli.config.seed_everything, fit_seconds, labels)
    _write(folder / "results.json", json.dumps(results, indent=2, ensure_ascii=False) + "\n")
    score = f"{results['metric']} {results['average']:.2%}"
    console.print(
        f"[green]{title}[/]: test {score} after {time.perf_counter() - began:.0f} s, in {folder}",
        highlight=False,
    )


def _put_aside(folder: Path, resumed: bool) -> None:
    """Make room for a run: an older one of another configuration moves to ``previous/`` and stays there until the
    next; the log of the first part of a resumed one keeps its own name, since a new logger starts a new file."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "metrics.csv"
    if resumed:
        if log.is_file():
            os.replace(log, folder / f"metrics-{len(list(folder.glob('metrics*.csv')))}.csv")
        return
    found = [path for path in folder.iterdir() if path.name != "previous"]
    if found:
        shutil.rmtree(folder / "previous", ignore_errors=True)
        (folder / "previous").mkdir()
        for path in found:
            os.replace(path, folder / "previous" / path.name)


def _results(
    tagger: Tagger, trainer: pl.Trainer, plan: Plan, seed: int, fit_seconds: float, labels: dict[str, Any]
) -> dict[str, Any]:
    found = tagger.results
    asked = [callback for callback in trainer.callbacks if isinstance(callback, DistillationCallback)]  # type: ignore[attr-defined]
    predicting = sum(callback.seconds for callback in asked)
    settings = {"k": tagger.k, "temperature": tagger.temperature} if isinstance(tagger, Student) else {}
    return {
        "schema": 1,
        "task": plan.task,
        **labels,
        "seed": seed,
        **settings,
        "metric": found["metric"],
        "languages": {name: row for name, row in found["languages"].items() if row["sentences"]},
        "average": found["average"],
        "epochs": trainer.current_epoch,
        "steps": trainer.global_step,
        "seconds": {"teacher_predictions": round(predicting, 3), "fit": round(fit_seconds - predicting, 3)},
        "peak_memory_mib": _peak_memory(),
        "parameters": sum(parameter.numel() for parameter in tagger.parameters()),
        "command": shlex.join(["skd", *sys.argv[1:]]),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("skd-lightning", "torch", "pytorch-lightning")},
        },
    }


def _peak_memory() -> int:
    """MiB: of the GPU where there is one, else of this process since it started."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() // 2**20
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says there includes the process that started this one
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(peak.split()[1]) // 2**10
    unit = 1 if platform.system() == "Darwin" else 1024  # bytes there, KiB on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 2**20


def _key(config: str, languages: list[str], teachers: Path | None) -> str:
    """Hash of the settings that change what is learned; a student's include those of its teachers."""
    settings = yaml.safe_load(config)
    for name in INCIDENTAL:
        settings["trainer"].pop(name, None)
    for name in ("wandb", "threads", "distillation"):
        settings.pop(name, None)
    settings["data"].pop("workers", None)
    if teachers is not None:
        settings["teachers"] = {language: _read_key(teachers / language) for language in languages}
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _read_key(folder: Path) -> str | None:
    file = folder / "config.yaml"
    first = file.read_text().partition("\n")[0] if file.is_file() else ""
    return first.removeprefix("# key: ") if first.startswith("# key: ") else None


def _write(path: Path, text: str) -> None:
    """All of it or nothing."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text)
    os.replace(temporary, path)
