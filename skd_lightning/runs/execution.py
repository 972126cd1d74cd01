"""Whole experiments: train, test, write ``results.json``; what is finished is not done twice."""

from __future__ import annotations

import json
import signal
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import yaml
from pytorch_lightning.utilities import rank_zero_only
from rich.console import Console

from skd_lightning.data import TaggingData
from skd_lightning.data.corpora import training_languages
from skd_lightning.distillation import DistillationCallback
from skd_lightning.errors import Stopped
from skd_lightning.runs import provenance
from skd_lightning.runs.jobs import Job, run_jobs
from skd_lightning.runs.lightning_cli import TaggingCLI
from skd_lightning.runs.plan import Plan, Run, read_key, trained_on
from skd_lightning.runs.record import SCHEMA, put_aside, surroundings, write_results
from skd_lightning.runs.resuming import LastState
from skd_lightning.runs.tracking import Labels, finish, stored_run_id
from skd_lightning.storage import alone_in, write_text
from skd_lightning.taggers import Student, Tagger
from skd_lightning.taggers.loading import BEST


def train_teachers(plan: Plan, anew: bool = False, devices: int = 1) -> None:
    """One teacher a language.

    Args:
        plan: of the teachers.
        anew: see :func:`train`.
        devices: GPUs of this machine (processes, where there are none). Where they are more than one teacher's
            ``--trainer.devices``, several are trained side by side.
    """
    languages = plan.languages or training_languages(plan.task, plan.data)
    runs = [plan.teacher(language) for language in languages]
    wanted = runs[0].parse().config.trainer.devices
    each = wanted if isinstance(wanted, int) else 1
    at_once = min(devices // each, len(runs))
    if at_once > 1:
        again = ["--anew"] if anew else []
        jobs = [job(run, [*plan.teacher_command(run.title), *again], anew) for run in runs]
        run_jobs([jobs], at_once, each)
        return
    for run in runs:
        train(run, plan.task, anew)


def job(run: Run, words: list[str], anew: bool = False) -> Job:
    """The run as a command of its own."""
    folder = run.folder
    log = folder.parents[2] / "logs" / f"{'-'.join(folder.parts[-3:])}.txt"
    title = f"{folder.parts[-3]}: {'teacher ' if run.role == 'teacher' else ''}{run.title}"
    return Job(title, tuple(words), log, lambda: not anew and run.finished(), lambda: _score(folder))


def _score(folder: Path) -> str:
    results = json.loads((folder / "results.json").read_text())
    return f"{results['metric']} {results['average']:.2%}"


def train(run: Run, task: str, anew: bool = False) -> None:
    """Train, test and write the results of a run, unless a run with this configuration has written them.

    A run that was stopped goes on where it was.

    Args:
        run: what to train.
        task: name of the task.
        anew: start from scratch, whatever is there; what was there moves to ``previous/``.

    Raises:
        UserError: code, corpora or teachers of a stopped run have changed, or another process is at work on it.
    """
    console = Console()
    began = time.perf_counter()
    cli = run.parse()
    config = run.configuration(cli)
    key = run.key(config)
    data = yaml.safe_load(config)["data"]
    made_from = provenance.provenance(data, trained_on(data), run.teachers)
    if not anew and run.has_results(key):
        changes = provenance.changed(run.folder, made_from)
        since = f" (changed since: {', '.join(changes)}; --anew trains it again)" if changes else ""
        if first_process():
            console.print(
                f"[green]{run.title}[/]: already trained with this configuration, in {run.folder}{since}",
                highlight=False,
            )
        return
    last = run.folder / "checkpoints" / "last.ckpt"
    resume = last if not anew and read_key(run.folder) == key and last.is_file() else None
    if resume:
        provenance.verify(run.folder, made_from)
    run_id = stored_run_id(resume) if resume and cli.config.wandb else None
    cli.labels = Labels(run.title, f"{task}/{run.variant}", run.role, run_id)
    cli.make()
    trainer = cli.trainer
    # Of several processes the first is at work there for all of them.
    with alone_in(run.folder, wait=False) if trainer.is_global_zero else nullcontext():
        if trainer.is_global_zero:
            if resume:
                console.print(f"{run.title}: going on from {resume}", highlight=False)
            put_aside(run.folder, resume is not None)
            provenance.write(run.folder, made_from)
            write_text(run.folder / "config.yaml", f"# key: {key}\n{config}")
            summary = cli.datamodule.corpora.summary()
            console.print(f"[bold]{task} · {run.title}[/]: {summary}", highlight=False)
        _fit_and_test(cli, run, resume)
        if trainer.is_global_zero:
            _write_results(cli, run, task)
        trainer.strategy.barrier()  # a process that left before, and badly, would take the first one with it
    if not trainer.is_global_zero:
        return
    console.print(
        f"[green]{run.title}[/]: test {_score(run.folder)} after {time.perf_counter() - began:.0f} s, in {run.folder}",
        highlight=False,
    )


def first_process() -> bool:
    """Whether this is the process that speaks for all of a distributed training."""
    return getattr(rank_zero_only, "rank", 0) == 0


def _fit_and_test(cli: TaggingCLI, run: Run, resume: Path | None) -> None:
    trainer = cli.trainer
    try:
        trainer.fit(cli.model, datamodule=cli.datamodule, ckpt_path=resume, weights_only=True)
        trainer.test(
            cli.model,
            datamodule=cli.datamodule,
            ckpt_path=run.folder / BEST,
            verbose=False,
            weights_only=True,
        )
    except Stopped:
        raise
    except BaseException as error:
        if trainer.strategy.launcher is not None:  # the other processes would wait for this one
            trainer.strategy.launcher.kill(signal.SIGKILL)
        if isinstance(error, SystemExit) and trainer.interrupted:  # what Lightning makes of Ctrl-C
            raise KeyboardInterrupt from None
        raise


def _write_results(cli: TaggingCLI, run: Run, task: str) -> None:
    labels = {"task": task, "role": run.role, "loss": run.loss, "variant": run.variant}
    results = _results(cli.model, cli.trainer, {**labels, "seed": cli.config.seed_everything})
    write_results(run.folder, results, _counts(cli.model, cli.datamodule), cli.model.confusion.numpy())
    teachers = Path(cli.config.distillation.teachers) if run.role == "student" else None
    finish(cli.trainer, run.folder, teachers)


def _results(tagger: Tagger, trainer: pl.Trainer, labels: dict[str, Any]) -> dict[str, Any]:
    found = tagger.results
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    predicting = sum(callback.seconds for callback in callbacks if isinstance(callback, DistillationCallback))
    fit_seconds = sum(callback.seconds for callback in callbacks if isinstance(callback, LastState))
    settings = {"k": tagger.k, "temperature": tagger.temperature} if isinstance(tagger, Student) else {}
    return {
        "schema": SCHEMA,
        **labels,
        **settings,
        "metric": found["metric"],
        "languages": {name: row for name, row in found["languages"].items() if row["sentences"]},
        "average": found["average"],
        "tags": list(tagger.tag_set.names),
        "epochs": trainer.current_epoch,
        "steps": trainer.global_step,
        "seconds": {"teacher_predictions": round(predicting, 3), "fit": round(fit_seconds - predicting, 3)},
        "parameters": sum(parameter.numel() for parameter in tagger.parameters()),
        **surroundings(),
    }


def _counts(tagger: Tagger, data: TaggingData) -> dict[str, Any]:
    languages = data.test_dataset.languages
    counts = {
        language: tagger.sentence_counts[languages == i] for i, language in enumerate(data.all_languages)
    }
    return {language: rows.numpy() for language, rows in counts.items() if len(rows)}
