"""Named entities (persons, places, organisations) of WikiAnn, whose annotations were derived from Wikipedia's links."""

from skd_lightning.data.task import ENTITY_OPTIONS, HubPlace, HubSource, Task

DATASET, BRANCH = "unimelb-nlp/wikiann", "main"
LANGUAGES = ("en", "ta", "eu", "he", "id", "fa", "sl", "fr")
"""The languages of Wang et al. 2020."""

TASK = Task(
    languages=LANGUAGES,
    hub=HubSource(
        {code: HubPlace(DATASET, code, BRANCH) for code in LANGUAGES},
        others=(DATASET, BRANCH),
    ),
    options=ENTITY_OPTIONS,
    # The paper's WikiAnn: 5,000 sentences a language, 10,000 for English, cut 8:1:1, for teachers and students alike.
    recipes={"paper": {"data.sample": {"en": 10000, "other": 5000}}},
)
