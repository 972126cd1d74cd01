"""Named entities of CoNLL-2002 (Spanish, Dutch) and CoNLL-2003 (English, German).

Their files were published as ``eng.train``, ``eng.testa``, ``eng.testb`` and so on, all of them in Latin-1.
"""

from skd_lightning.data.published_files import PublishedFiles
from skd_lightning.data.task import ENTITY_OPTIONS, PARQUET, HubPlace, HubSource, Task

FILES = {"de": "deu", "en": "eng", "es": "esp", "nl": "ned"}
ENDINGS = {"train": "train", "dev": "testa", "test": "testb"}
PLACES = {
    "en": HubPlace("lhoestq/conll2003", None, "main"),
    "es": HubPlace("eriktks/conll2002", "es", PARQUET),
    "nl": HubPlace("eriktks/conll2002", "nl", PARQUET),
}

TASK = Task(
    languages=tuple(PLACES),
    hub=HubSource(PLACES),
    published=PublishedFiles(
        {
            code: {split: rf"{name}\.{ending}" for split, ending in ENDINGS.items()}
            for code, name in FILES.items()
        },
        example="eng.train",
        encoding="latin-1",
    ),
    licensed=(
        "German CoNLL-2003 may not be passed on: get it as its makers say and put deu.train, .testa, .testb into"
    ),
    options=ENTITY_OPTIONS,
)
