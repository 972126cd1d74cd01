"""The files ``predictions/<language>.npy`` of a run: its tag of each test word, for reports to look into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from skd_lightning.data.module import TaggingData
from skd_lightning.data.sentence import Sentence
from skd_lightning.metrics import COLUMNS
from skd_lightning.run_folder import RunFolder
from skd_lightning.storage import new_folder

PREDICTED, GOLD, SEEN = range(3)
"""Columns: the number of the decoded tag, that of the gold tag, and 1 for a word that is seen in training, else 0."""


def tagged_words(
    predicted: NDArray[np.integer], gold: NDArray[np.integer], seen: NDArray[np.integer]
) -> NDArray[np.unsignedinteger]:
    """Return the columns (words, 3) in the smallest numbers that hold all tags, from three arrays (words,)."""
    columns = np.stack([predicted, gold, seen], axis=1)
    return columns.astype(np.min_scalar_type(int(columns.max(initial=0))))


def seen_words(sentences: Sequence[Sentence], training: Sequence[Sentence]) -> NDArray[np.uint8]:
    """Return (words,) 1 for each word of the sentences, end to end, that an annotated training sentence holds, else 0.

    A word is its form as it is written: upper and lower case differ.

    >>> seen_words([Sentence(("The", "cat", "the"))], [Sentence(("the", "cat"), ("DET", "NOUN"))]).tolist()
    [0, 1, 1]
    """
    known = {word for sentence in training if sentence.tags is not None for word in sentence.words}
    return np.array([word in known for sentence in sentences for word in sentence.words], dtype=np.uint8)


def of_test(
    data: TaggingData, predicted: NDArray[np.integer], counts: NDArray[np.integer]
) -> dict[str, NDArray[np.unsignedinteger]]:
    """Return the columns (words, 3) of each language from a test of all its sentences.

    Args:
        data: whose test dataset was tagged.
        predicted: (words,) tags of the words of all test sentences, end to end.
        counts: (sentences, 9) of the same sentences, see ``metrics.COLUMNS``; one without words there, such as one
            that nobody annotated, is left out.
    """
    dataset = data.test_dataset
    found: dict[str, NDArray[np.unsignedinteger]] = {}
    for place, language in enumerate(data.all_languages):
        counted = (dataset.languages == place) & (counts[:, COLUMNS.index("words")] > 0)
        sentences = [dataset.sentences[i] for i in np.flatnonzero(counted)]
        if not sentences:
            continue
        own = predicted[np.repeat(counted, dataset.lengths)]
        gold = [number for sentence in sentences for number in data.tag_set.encode(sentence.tags or ())]
        seen = seen_words(sentences, data.sentences["train"][language])
        found[language] = tagged_words(own, np.array(gold), seen)
    return found


def save(folder: RunFolder, languages: Mapping[str, NDArray[np.unsignedinteger]]) -> None:
    """Write the files, all or none of them; those of an earlier test are replaced.

    Args:
        folder: of the run.
        languages: {language: (words, 3)}, see :func:`tagged_words`.
    """
    with new_folder(folder.predictions) as temporary:
        for language, columns in languages.items():
            np.save(temporary / f"{language}.npy", columns, allow_pickle=False)
