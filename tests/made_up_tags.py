"""Runs of the generated corpora that were never trained: their tags are the gold ones, some exchanged for others."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import yaml
from made_up_runs import results, write_run

from skd_lightning.data.module import TaggingData
from skd_lightning.metrics import TaggingScores, split_types
from skd_lightning.run_folder import RunFolder
from skd_lightning.runs import tagged_words

SETTINGS = {"task": "demo", "languages": ["de", "en"], "max_train_sentences": 30}


def tagged_run(runs: Path, place: str, data: TaggingData, wrong: Mapping[str, float], seed: int) -> RunFolder:
    """Write a run of the demo task.

    Args:
        runs: folder of all runs.
        place: of this one below the task, such as ``none/seed1``.
        data: the corpora.
        wrong: {language: share of its test words that get a tag at random}.
        seed: of the tags.
    """
    random, tag_set = np.random.default_rng(seed), data.tag_set
    tables, words, scores = {}, {}, TaggingScores(tag_set, [*wrong])
    for number, (language, share) in enumerate(wrong.items()):
        sentences = data.sentences["test"][language]
        lengths = [len(sentence.words) for sentence in sentences]
        gold = np.array([i for sentence in sentences for i in tag_set.encode(sentence.tags)])
        drawn = random.integers(len(tag_set), size=len(gold))
        predicted = np.where(random.random(len(gold)) < share, drawn, gold)
        seen = tagged_words.seen_words(sentences, data.sentences["train"][language])
        words[language] = tagged_words.tagged_words(predicted, gold, seen)
        padded = (
            torch.nn.utils.rnn.pad_sequence(torch.from_numpy(x).split(lengths), batch_first=True)
            for x in (predicted, gold)
        )
        batch = (*padded, torch.tensor(lengths))
        scores.update(*batch, torch.full((len(lengths),), number))
        tables[language] = scores.count(*batch).numpy()
    found = scores.compute()
    variant = place.partition("/")[0]
    role = "teacher" if variant == "teachers" else "student"
    loss = variant if role == "student" else "none"
    record = results(tables, found["metric"], task="demo", role=role, loss=loss, seed=1)
    languages, types = split_types(found["languages"])
    record |= {
        "languages": languages,
        "types": types,
        "tags": list(tag_set.names),
        "average": found["average"],
    }
    folder = RunFolder(runs / "demo" / place)
    write_run(folder.path, record, tables)
    tagged_words.save(folder, words)
    folder.config.write_text(yaml.safe_dump({"data": SETTINGS}))
    return folder
