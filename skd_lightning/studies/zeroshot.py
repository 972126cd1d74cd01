"""How runs do on languages that they were never trained on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from skd_lightning.data import TaggingData
from skd_lightning.data.sentence import Sentence
from skd_lightning.display.table import points
from skd_lightning.errors import UserError
from skd_lightning.metrics import TaggingScores
from skd_lightning.runs.record import SCHEMA, ZEROSHOT, surroundings, write_results
from skd_lightning.taggers import Tagger, load
from skd_lightning.tags import TagSet


def finished_runs(runs: Path, task: str) -> list[Path]:
    """Run folders of a task, teachers and students, that have results."""
    return [file.parent for file in sorted((runs / task).glob("*/*/results.json"))]


def is_evaluated(folder: Path, languages: Sequence[str]) -> bool:
    """Whether the results of the run's last training on these very languages are there."""
    file = folder / ZEROSHOT / "results.json"
    # A run that was trained anew has moved what it was before to previous/, this included.
    return file.is_file() and json.loads(file.read_text()).get("asked") == sorted(languages)


def transfer(folders: Sequence[Path], task: str, data: str | None, languages: Sequence[str]) -> None:
    """Evaluate runs on the test sentences of languages; those that a run was trained on are left out of its results.

    Args:
        folders: of finished runs.
        task: name of the task.
        data: folder of the corpora, or None for the default.
        languages: codes of the languages.

    Raises:
        UserError: no run, or a language without test sentences.
    """
    if not folders:
        raise UserError(f"no finished runs of task {task} to evaluate; train some first (make help)")
    corpora = TaggingData(task, data, list(languages))
    sentences = {language: corpora.sentences["test"][language] for language in languages}
    if empty := [language for language, found in sentences.items() if not found]:
        raise UserError(f"task {task}: no test sentences in {', '.join(empty)}")
    todo = [folder for folder in folders if not is_evaluated(folder, languages)]
    for folder in track(todo, f"{task}: {len(todo)} runs on {' '.join(languages)}", transient=True):
        tagger = load(folder)
        unseen = {language: sentences[language] for language in languages if language not in tagger.languages}
        if unseen:
            found, counts = evaluate(tagger, unseen)
            told = json.loads((folder / "results.json").read_text())
            labels = {name: told.get(name) for name in ("task", "role", "loss", "variant", "seed", "k")}
            results = {"schema": SCHEMA, **labels, "asked": sorted(languages), **found, **surroundings()}
            (folder / ZEROSHOT).mkdir(exist_ok=True)
            write_results(folder / ZEROSHOT, results, counts)


def evaluate(
    tagger: Tagger, sentences: dict[str, list[Sentence]]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Scores of a tagger on annotated sentences, and its counts in each sentence.

    Tags that the tagger does not know count against it.

    Args:
        tagger: any.
        sentences: {language: sentences}, entity tags in the tagger's scheme.

    Returns:
        What :meth:`TaggingScores.compute` returns; {language: (sentences, 9)}, see ``metrics.COLUMNS``.
    """
    gold = {tag for group in sentences.values() for sentence in group for tag in sentence.tags or ()}
    tag_set = TagSet.of({*tagger.tag_set.names, *gold}, tagger.tag_set.scheme)
    scores = TaggingScores(tag_set, list(sentences))
    counts: dict[str, np.ndarray] = {}
    for place, (language, group) in enumerate(sentences.items()):
        lengths = torch.tensor([len(sentence.words) for sentence in group])
        predicted = [prediction.tags for prediction in tagger.predict([s.words for s in group])]
        own, true = _padded(predicted, tag_set), _padded([s.tags or () for s in group], tag_set)
        scores.update(own, true, lengths, torch.full((len(group),), place))
        counts[language] = scores.count(own, true, lengths).numpy()
    return scores.compute(), counts


def _padded(tags: Sequence[Sequence[str]], tag_set: TagSet) -> torch.Tensor:
    """(sentences, words) numbers of the tags, 0 at padding."""
    rows = [torch.tensor(tag_set.encode(row), dtype=torch.int64) for row in tags]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)


def show(folders: Sequence[Path]) -> None:
    """Print what was found, a line a run."""
    found = [
        (folder, json.loads((folder / ZEROSHOT / "results.json").read_text()))
        for folder in folders
        if (folder / ZEROSHOT / "results.json").is_file()
    ]
    languages = sorted({language for _, results in found for language in results["languages"]})
    view = Table(title="on languages never trained on, in per cent", title_justify="left")
    for heading in ("run", *languages, "average"):
        view.add_column(heading, justify="left" if heading == "run" else "right", no_wrap=heading == "run")
    for folder, results in found:
        rows = results["languages"]
        cells = [points(rows[name][results["metric"]]) if name in rows else "" for name in languages]
        name = "/".join(folder.parts[-2:])
        view.add_row(name, *cells, points(results["average"]))
    Console().print(view)
