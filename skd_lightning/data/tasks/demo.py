"""A small generated corpus of persons, places and organisations: everything can be tried on it without any file."""

from skd_lightning.data.demo import LANGUAGES, demo_corpus
from skd_lightning.data.task import Task

TASK = Task(
    languages=LANGUAGES,
    generate=demo_corpus,
    options={"data.tokens": 500, "trainer.max_epochs": 20},  # a few minutes for all on two cores
)
