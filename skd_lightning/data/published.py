"""The names and encodings under which corpora were published, so that they are read as they were unpacked.

CoNLL-2002 and CoNLL-2003: ``eng.train``, ``eng.testa``, ``eng.testb`` and so on, all of them Latin-1.
SemEval-2016 Task 5, restaurants, subtask 1: a training file with a name of its own in each language, and the test
data with gold annotations, ``EN_REST_SB1_TEST.xml.gold``.
"""

from __future__ import annotations

import re
from pathlib import Path

CONLL = {"de": "deu", "en": "eng", "es": "esp", "nl": "ned"}
_CONLL_SPLITS = {"train": "train", "dev": "testa", "test": "testb"}

ABSA = {
    "en": (r"ABSA16_Restaurants_Train.*SB1.*\.xml", r"EN_REST_SB1_TEST.*"),
    "es": (r".*Restaurants-Spanish_Train_Subtask1.*\.xml", r"SP_REST_SB1_TEST.*"),
    "fr": (r"ABSA16FR_Restaurants_Train-withcontent\.xml", r"ABSA16FR_Restaurants_Gold-withcontent.*"),
    "nl": (r"restaurants_dutch_training\.xml", r"DU_REST_SB1_TEST.*"),
    "ru": (r"se16_ru_rest_train\.xml", r"RU_REST_SB1_TEST.*"),
    "tr": (r"TU_REST_SB1_TRAIN.*\.xml", r"TU_REST_SB1_TEST.*"),
}
"""Patterns of the training and the test file of each language."""

NAMES: dict[str, dict[str, dict[str, str]]] = {
    "conll": {
        code: {split: rf"{name}\.{end}" for split, end in _CONLL_SPLITS.items()}
        for code, name in CONLL.items()
    },
    "absa": {code: {"train": train, "test": test} for code, (train, test) in ABSA.items()},
}
"""{task: {language: {split: pattern of the file's name}}}; any file may end in ``.gz``."""

EXAMPLES = {"conll": "eng.train", "absa": "EN_REST_SB1_TEST.xml.gold"}
"""A published name of each task, for messages."""


def published_files(task: str, language: str, folder: Path) -> dict[str, Path]:
    """The files of a language under their published names, {split: file}, in ``<folder>/<language>`` or ``folder``.

    Where test data lie beside their gold annotations (``.xml`` and ``.xml.gold``), the annotated file is taken.
    """
    found: dict[str, Path] = {}
    for split, pattern in NAMES.get(task, {}).get(language, {}).items():
        for place in (folder / language, folder):
            matches = [
                path
                for path in (sorted(place.iterdir()) if place.is_dir() else [])
                if path.is_file() and re.fullmatch(rf"{pattern}(\.gz)?", path.name, re.IGNORECASE)
            ]
            if matches and split not in found:
                found[split] = min(matches, key=lambda path: ".gold" not in path.name.lower())
    return found


def published_languages(task: str, folder: Path) -> list[str]:
    """Languages of which some file lies there under its published name."""
    return [language for language in NAMES.get(task, {}) if published_files(task, language, folder)]


def published_encoding(file: str) -> str | None:
    """Encoding of a corpus that is not in UTF-8, from the name of its file; None where the name tells nothing."""
    names, splits = "|".join(CONLL.values()), "|".join(_CONLL_SPLITS.values())
    return "latin-1" if re.fullmatch(rf"({names})\.({splits})(\.gz)?", file, re.IGNORECASE) else None
