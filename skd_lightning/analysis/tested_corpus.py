"""The test sentences of a finished run, where its corpus is at hand."""

from __future__ import annotations

from collections.abc import Mapping

from skd_lightning.analysis.finished import FinishedRun
from skd_lightning.analysis.tagged_words import TaggedWords
from skd_lightning.data import tasks
from skd_lightning.data.folders import find_folder
from skd_lightning.data.module import TaggingData
from skd_lightning.data.run_settings import read_settings
from skd_lightning.data.sentence import Sentence
from skd_lightning.errors import UserError


def read_corpus(run: FinishedRun, words: Mapping[str, TaggedWords]) -> dict[str, list[Sentence]]:
    """Read the test sentences of a run anew, from the generator or the folder that its settings name; never the hub.

    Args:
        run: whose configuration says which corpora, and which of their sentences.
        words: the tags of its test words by language; the sentences have to be those.

    Raises:
        UserError: the corpora are not at hand, or they are others by now.
    """
    settings = read_settings(run.folder).data.model_dump()
    task, root = str(settings.get("task")), settings.get("data")
    if not tasks.entry(task).generate and find_folder(task, root) is None:
        raise UserError(f"no corpora of task {task}")
    try:
        data = TaggingData(**{**settings, "unlabelled": None, "text_only": None})
    except TypeError as error:  # settings of another version
        raise UserError(f"{run.folder.config}: {error}") from None
    sentences = data.sentences["test"]
    for language, tagged in words.items():
        if not _are_of(sentences.get(language, []), tagged):
            raise UserError(f"other test sentences in {language} than the run was tested on")
    return {language: sentences[language] for language in words}


def _are_of(sentences: list[Sentence], tagged: TaggedWords) -> bool:
    """Compare lengths and gold tags."""
    lengths = [0 if sentence.tags is None else len(sentence.words) for sentence in sentences]
    gold = [tag for sentence in sentences for tag in sentence.tags or ()]
    return lengths == tagged.lengths.tolist() and gold == [tagged.tags[i] for i in tagged.gold]
