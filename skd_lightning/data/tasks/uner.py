"""Named entities of Universal NER: persons, places and organisations, annotated by hand on treebanks."""

from skd_lightning.data.task import ENTITY_OPTIONS, PARQUET, HubPlace, HubSource, Task

DATASET = "universalner/universal_ner"
TREEBANKS = {
    "da": "da_ddt",
    "en": "en_ewt",
    "hr": "hr_set",
    "pt": "pt_bosque",
    "sk": "sk_snk",
    "sv": "sv_talbanken",
}

TASK = Task(
    languages=tuple(TREEBANKS),
    hub=HubSource(
        {code: HubPlace(DATASET, bank, PARQUET) for code, bank in TREEBANKS.items()},
        others=(DATASET, PARQUET),
    ),
    options=ENTITY_OPTIONS,
)
