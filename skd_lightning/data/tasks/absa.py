"""Aspect terms of restaurant reviews: SemEval-2016 Task 5 (aspect-based sentiment analysis), subtask 1.

Each language has a training file with a name of its own, and the test data have gold annotations, such as
``EN_REST_SB1_TEST.xml.gold``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from skd_lightning.data.published_files import PublishedFiles
from skd_lightning.data.readers.semeval import ASPECT
from skd_lightning.data.sentence import Sentence
from skd_lightning.data.task import ENTITY_OPTIONS, Task

FILES = {
    "en": (r"ABSA16_Restaurants_Train.*SB1.*\.xml", r"EN_REST_SB1_TEST.*"),
    "es": (r".*Restaurants-Spanish_Train_Subtask1.*\.xml", r"SP_REST_SB1_TEST.*"),
    "fr": (r"ABSA16FR_Restaurants_Train-withcontent\.xml", r"ABSA16FR_Restaurants_Gold-withcontent.*"),
    "nl": (r"restaurants_dutch_training\.xml", r"DU_REST_SB1_TEST.*"),
    "ru": (r"se16_ru_rest_train\.xml", r"RU_REST_SB1_TEST.*"),
    "tr": (r"TU_REST_SB1_TRAIN.*\.xml", r"TU_REST_SB1_TEST.*"),
}
"""Patterns of the training and the test file of each language."""


def with_type(sentences: Sequence[Sentence]) -> list[Sentence]:
    """Give bare ``B`` and ``I`` (``E``, ``S``), which some converted files have, the entity type: ``B-ASP`` and so on.

    >>> with_type([Sentence(("Good", "sushi"), ("O", "B"))])[0].tags
    ('O', 'B-ASP')
    """
    return [
        sentence
        if sentence.tags is None
        else replace(
            sentence, tags=tuple(f"{tag}-{ASPECT}" if tag in set("BIES") else tag for tag in sentence.tags)
        )
        for sentence in sentences
    ]


TASK = Task(
    published=PublishedFiles(
        {code: {"train": train, "test": test} for code, (train, test) in FILES.items()},
        example="EN_REST_SB1_TEST.xml.gold",
    ),
    licensed=(
        "SemEval-2016 Task 5 may not be passed on: get it from its organisers and put the XML files into"
    ),
    prepare=with_type,
    options=ENTITY_OPTIONS,
)
