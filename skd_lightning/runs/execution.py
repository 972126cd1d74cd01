"""One run from its settings to its results: train, test, write; what is finished is not done twice."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TypeVar

import pytorch_lightning as pl
from pytorch_lightning.utilities import rank_zero_only
from rich.console import Console
from rich.markup import escape
from torch import Tensor

from skd_lightning.data.corpora import training_languages
from skd_lightning.data.folds import Fold
from skd_lightning.data.module import TaggingData
from skd_lightning.distillation.callback import DistillationCallback
from skd_lightning.distillation.names import BASELINE
from skd_lightning.errors import Stopped, UserError, user_error
from skd_lightning.metrics import split_types
from skd_lightning.run_folder import KEY, LOGS, RunFolder
from skd_lightning.runs import provenance, tagged_words
from skd_lightning.runs.calibration import Calibration
from skd_lightning.runs.devices import device_count
from skd_lightning.runs.jobs import Job, run_jobs
from skd_lightning.runs.lightning_cli import TaggingCLI
from skd_lightning.runs.plan import Plan
from skd_lightning.runs.record import Results, surroundings
from skd_lightning.runs.resuming import LastState, refuse_damaged, requeued
from skd_lightning.runs.run import Run, Settings, named_teachers
from skd_lightning.runs.succession import give_back, has_finished, make_room, take_place, working_folder
from skd_lightning.runs.tracking import Labels, finish_tracking, stored_run_id
from skd_lightning.runs.work_as_json import to_json
from skd_lightning.storage import alone_in, remove, write_text
from skd_lightning.taggers import Student, Tagger

C = TypeVar("C", bound=pl.Callback)

GUARDED = ("checkpoints", "next", "next/checkpoints")
"""Folders in a run's folder that a training writes to."""


def train_teachers(plan: Plan, anew: bool = False, devices: int = 1, folds: int | None = None) -> None:
    """Train one teacher a language.

    Args:
        plan: of the teachers.
        anew: see :func:`train`.
        devices: GPUs of this machine (processes, where there are none). Where they are more than one teacher's
            ``--trainer.devices``, several are trained side by side.
        folds: train so many more a language, each without one of so many parts of the training sentences.
    """
    languages = plan.languages or training_languages(plan.task, plan.data)
    left_out = [None, *Fold.all(folds or 0)]
    runs = [plan.teacher(language, fold) for fold in left_out for language in languages]
    _read_corpora(runs[: len(languages)], anew)
    each = device_count(runs[0].parse().cli.config.trainer.devices) or 1
    at_once = min(devices // each, len(runs))
    if at_once > 1:
        run_jobs([[job(run, anew) for run in runs]], at_once, each)
        return
    for run in runs:
        train(run, anew)


def _read_corpora(runs: Sequence[Run], anew: bool) -> None:
    """Read the corpora of several runs that are to be trained, so that a mistake in the last one is found at once."""
    parsed = [(run.folder, run.parse()) for run in runs]
    todo = [settings for folder, settings in parsed if anew or not has_finished(folder, settings.key())]
    if len(todo) > 1:
        for settings in todo:
            TaggingData(**settings.data).sentences  # noqa: B018 - read, and left


def job(run: Run, anew: bool = False) -> Job:
    """Return the training as a job for a process of its own."""
    place = run.path.parts[-3:]
    log = run.path.parents[2] / LOGS / f"{'-'.join(place)}.txt"
    title = f"{place[0]}: {'teacher ' if run.role == 'teacher' else ''}{run.title}"
    words = ("job", "train", to_json(run), *(["--anew"] if anew else []))
    return Job(title, words, log, lambda: not anew and run.finished(), lambda: _score(run.folder))


def train(run: Run, anew: bool = False) -> None:
    """Train, test and write the results of a run, unless a run with these settings has written them.

    A run that was stopped goes on where it was. Whatever can refuse the run does so before anything in its folder
    changes, and a finished run of other settings stays in place until this one has finished.

    Args:
        run: what to train.
        anew: start from scratch, whatever is there; a job that SLURM has requeued goes on all the same.

    Raises:
        UserError: code, corpora or teachers of a stopped run have changed, a teacher is missing or does not fit, or
            another process is at work on the run; or the run is its own teacher.
    """
    began, anew = time.perf_counter(), anew and not requeued()
    settings, folder = run.parse(), run.folder
    _refuse_own_teacher(run, settings)
    cli, key = settings.cli, settings.key()
    made_from = provenance.provenance(settings.data, settings.languages(), settings.teachers)
    if not anew and has_finished(folder, key):
        _say_finished(run, made_from)
        return
    beginning = f"{KEY}{key}\n{settings.text}"
    work = working_folder(folder)
    resume = None if anew else _state_of(work, key, made_from)
    _make(cli, run, work, resume, made_from)
    speaks = cli.trainer.is_global_zero
    # Of several processes the first is at work there for all of them.
    with alone_in(folder.path, *GUARDED, wait=False) if speaks else nullcontext():
        overtaken = speaks and _overtaken(folder, work, None if anew else key)
        if not overtaken:
            displaced = speaks and _begin(run, work, resume, beginning, made_from, cli.datamodule)
            _fit_and_test(cli, work, resume, displaced)
            if speaks:
                _write_results(cli, run, work)
                remove(work.last)  # nothing goes on from a finished training
                take_place(folder)
            cli.trainer.strategy.barrier()  # a process that left before, and badly, would take the first one with it
    if overtaken and cli.trainer.world_size > 1:
        raise UserError(
            f"{folder.path}: another process has just finished a run there; give the command again"
        )
    if overtaken:
        train(run, anew)
    elif speaks:
        taken = f"after {time.perf_counter() - began:.0f} s, in {folder.path}"
        Console().print(
            f"[green]{escape(run.title)}[/]: {escape(f'{_score(folder)} {taken}')}", highlight=False
        )


def _state_of(work: RunFolder, key: str, made_from: dict[str, str]) -> Path | None:
    """Return the state of a stopped training with these settings, None where there is none.

    Raises:
        UserError: it is damaged, or code, corpora or teachers have changed since.
    """
    if work.key() != key or not work.last.is_file():
        return None
    provenance.verify(work, made_from)
    refuse_damaged(work.last)
    return work.last


def _make(cli: TaggingCLI, run: Run, work: RunFolder, resume: Path | None, made_from: dict[str, str]) -> None:
    """Make data, model and trainer, and refuse teachers that are missing or do not fit."""
    run_id = stored_run_id(resume) if resume and cli.config.wandb else None
    cli.labels = Labels(run.title, f"{run.task}/{run.variant}", run.role, run_id)
    cli.config.trainer.default_root_dir = str(work.path)
    cli.make()
    if run.role == "student":  # many share a corpus, where each teacher has its own
        cache = Path(cli.config.distillation.cache)
        cli.model.fit_cache = cache / f"features-{made_from[provenance.CODE]}"
    for callback in _callbacks(cli.trainer, DistillationCallback):
        callback.check(cli.model, cli.datamodule.taught_languages)


def first_process() -> bool:
    """Return True in the process that speaks for all of a distributed training."""
    return getattr(rank_zero_only, "rank", 0) == 0


def _refuse_own_teacher(run: Run, settings: Settings) -> None:
    """Refuse a run among whose teachers is the one that it would replace."""
    teachers = settings.teachers
    folders = teachers.folders(settings.languages()) if teachers else []
    if os.path.realpath(run.path) in map(os.path.realpath, folders):
        raise UserError(f"{run.path}: this run would be its own teacher, and replace it; give another --name")


def _say_finished(run: Run, made_from: dict[str, str]) -> None:
    changes = provenance.changed(run.folder, made_from)
    since = f" (changed since: {', '.join(changes)}; --anew trains it again)" if changes else ""
    if first_process():
        Console().print(
            f"[green]{escape(run.title)}[/]: already trained with this configuration, in "
            f"{escape(f'{run.path}{since}')}",
            highlight=False,
        )


def _overtaken(folder: RunFolder, work: RunFolder, key: str | None) -> bool:
    """Return True if another process has finished this run while this one waited for the folder."""
    take_place(folder)
    return working_folder(folder) != work or (key is not None and has_finished(folder, key))


def _begin(
    run: Run,
    work: RunFolder,
    resume: Path | None,
    beginning: str,
    made_from: dict[str, str],
    data: TaggingData,
) -> bool:
    """Say what begins, and write down what is trained and what from; ``beginning`` is the content of the config.

    Returns:
        True if a stopped training of other settings has made room.
    """
    console, displaced = Console(), False
    if resume:
        console.print(f"{run.title}: going on from {resume}", highlight=False, markup=False)
        if work.metrics.is_file():  # a new logger starts a new file
            os.replace(work.metrics, work.earlier_metrics(len(work.all_metrics())))
    else:
        displaced = make_room(work)
        provenance.write(work, made_from)
        write_text(work.config, beginning)
    heading = f"[bold]{escape(f'{run.task} · {run.title}')}[/]"
    console.print(f"{heading}: {escape(data.corpora.summary())}", highlight=False)
    return displaced


def _fit_and_test(cli: TaggingCLI, work: RunFolder, resume: Path | None, displaced: bool) -> None:
    trainer = cli.trainer
    try:
        trainer.fit(cli.model, datamodule=cli.datamodule, ckpt_path=resume, weights_only=True)
        if not work.best.is_file():
            raise UserError(
                "the training ended before its first dev score; give it more time (--trainer.max_time), or a smaller "
                "--trainer.val_check_interval"
            )
        trainer.test(
            cli.model, datamodule=cli.datamodule, ckpt_path=work.best, verbose=False, weights_only=True
        )
    except Stopped:
        raise
    except BaseException as error:
        if trainer.is_global_zero and not trainer.global_step:
            _retract(work, displaced)
        if trainer.strategy.launcher is not None:  # the other processes would wait for this one
            trainer.strategy.launcher.kill(signal.SIGKILL)
        if resume and isinstance(error, Exception) and not _callbacks(trainer, LastState)[0].restored:
            _refuse_unfit(resume, error)
        if isinstance(error, SystemExit) and trainer.interrupted:  # what Lightning makes of Ctrl-C
            raise KeyboardInterrupt from None
        raise


def _refuse_unfit(resume: Path, error: Exception) -> None:
    """Refuse a checkpoint that does not fit this training; an error with a cause of its own speaks for itself."""
    if user_error(error) is not None and not str(error).startswith("the checkpoint "):
        return
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    raise UserError(
        f"{resume}: does not fit this training ({reason}); add --anew to start from scratch"
    ) from error


def _retract(work: RunFolder, displaced: bool) -> None:
    """Leave no trace of a training that was refused before its first step."""
    if not work.checkpoints.is_dir():
        remove(work.config)
        remove(work.provenance)
        if displaced:
            give_back(work)


def _write_results(cli: TaggingCLI, run: Run, work: RunFolder) -> None:
    tagger: Tagger = cli.model
    tested = tagger.tested
    found = tested.results or tested.scores.compute()  # without test sentences Lightning skips the test
    languages, types = split_types(found["languages"])
    predicting = sum(callback.seconds for callback in _callbacks(cli.trainer, DistillationCallback))
    fit_seconds = sum(callback.seconds for callback in _callbacks(cli.trainer, LastState))
    objective = tagger.objective if isinstance(tagger, Student) else None
    training = cli.datamodule.sentences["train"]
    results = Results.model_validate(
        {
            "task": run.task,
            "role": run.role,
            "loss": objective.loss_name() if objective else BASELINE,
            "objective": objective.settings() if objective else {},
            "variant": run.variant,
            "seed": cli.config.seed_everything,
            "metric": found["metric"],
            "languages": {name: row for name, row in languages.items() if row["sentences"]} or languages,
            "average": found["average"],
            "types": types,
            "tags": list(tagger.tag_set.names),
            "epochs": cli.trainer.current_epoch,
            "steps": cli.trainer.global_step,
            "seconds": {
                "teacher_predictions": round(predicting, 3),
                "fit": round(fit_seconds - predicting, 3),
            },
            "parameters": sum(parameter.numel() for parameter in tagger.parameters()),
            "annotated": [code for code, group in training.items() if any(one.tags for one in group)],
            **surroundings(run.command),
        }
    )
    Calibration.model_validate({"languages": tested.calibration}).save(work)
    words = tagged_words.of_test(cli.datamodule, tested.predicted.numpy(), tested.sentences.numpy())
    tagged_words.save(work, words)
    results.save(work, _counts(tested.sentences, cli.datamodule), tested.confusion.numpy())
    finish_tracking(cli.trainer, results, work, named_teachers(cli) if run.role == "student" else None)


def _callbacks(trainer: pl.Trainer, kind: type[C]) -> list[C]:
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return [callback for callback in callbacks if isinstance(callback, kind)]


def _counts(sentences: Tensor, data: TaggingData) -> dict[str, Any]:
    languages = data.test_dataset.languages
    counts = {language: sentences[languages == i] for i, language in enumerate(data.all_languages)}
    return {language: rows.numpy() for language, rows in counts.items() if len(rows)}


def _score(folder: RunFolder) -> str:
    results = Results.read_or_refuse(folder)
    assert results is not None
    if not any(row.sentences for row in results.languages.values()):
        return "not tested, there are no test sentences"
    return f"test {results.metric} {results.average:.2%}"
