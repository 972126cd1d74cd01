"""``skd demo``: the whole way on a generated corpus."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from shutil import get_terminal_size
from textwrap import fill
from typing import TYPE_CHECKING

from skd_lightning.cli.command import Command, Options
from skd_lightning.cli.options import add_anew, add_plan, plan_of
from skd_lightning.distillation.names import BASELINE, losses
from skd_lightning.tags import entities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from skd_lightning.data.sentence import Sentence
    from skd_lightning.runs.plan import Plan

TEXT_ONLY = ("es", "fi")
"""Languages that the students know from text alone, as one whose annotation nobody shares; its teacher is at hand."""

WORDS = """
The students saw no label of Spanish and Finnish: the baseline guesses there,
the others learned from what the teachers say about 300 sentences of each.
One seed of a generated corpus shows that this works; it ranks no objectives.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the plan's options and the objectives to compare."""
    add_plan(parser)
    add_anew(parser)
    parser.add_argument(
        "--losses",
        nargs="+",
        choices=losses(),
        default=["none", "topk", "structural"],
        metavar="LOSS",
        help="objectives of the students (default: none topk structural)",
    )


def run(options: Options, rest: list[str]) -> None:
    """Train teachers and students, print them side by side, and tag some sentences with the last student."""
    plan = plan_of(options, rest)
    from skd_lightning.report.write import print_scores
    from skd_lightning.runs import execution

    execution.train_teachers(plan, options.anew)
    students = _without_labels(plan)
    for loss in options.losses:
        execution.train(students.student(loss, seed=1), options.anew)
    if execution.first_process():
        print_scores(options.runs, options.task)
        if students is not plan:
            sys.stdout.write(WORDS)
        if taught := [loss for loss in options.losses if loss != BASELINE]:
            _tag(students.student(taught[-1], seed=1).path, options.runs / options.task / "tagged.html")


def _without_labels(plan: Plan) -> Plan:
    """Return the plan of students that see some languages without labels, unless no other would be left."""
    from skd_lightning.data.demo import LANGUAGES

    chosen = plan.languages or list(LANGUAGES)
    text_only = [language for language in TEXT_ONLY if language in chosen]
    if plan.task != "demo" or not text_only or set(chosen) <= set(text_only):
        return plan
    return replace(plan, options=("--data.text_only", json.dumps(text_only), *plan.options))


def _tag(folder: Path, page: Path) -> None:
    """Tag a sentence of each language, and write them to a page."""
    import skd_lightning
    from skd_lightning.data.demo import demo_corpus
    from skd_lightning.serving.text.documents import sentences_of_text
    from skd_lightning.serving.text.page import html_page
    from skd_lightning.serving.text.tagging import tag_sentences
    from skd_lightning.storage import write_text

    tagger = skd_lightning.load(folder)
    known = [language for language in (*TEXT_ONLY, "en", "de") if language in tagger.languages][:3]
    texts = {language: _text(demo_corpus(language)["test"]) for language in known}
    sys.stdout.write(f"\n{folder} tags sentences that it has not seen:\n")
    width = get_terminal_size().columns
    for language, text in texts.items():
        found = [
            f"{one['word']} ({one['entity_group']} {one['score']:.2f})" for one in tagger.tag(text, language)
        ]
        for start, line in ((f"  {language}: ", text), ("      ", ", ".join(found) or "no entity")):
            sys.stdout.write(fill(line, width, initial_indent=start, subsequent_indent="      ") + "\n")
    sentences = (
        one for language, text in texts.items() for one in sentences_of_text(text, language, language)
    )
    write_text(page, "".join(html_page(tag_sentences(tagger, sentences, k=3))))
    sys.stdout.write(f"Open {page} to see them; 'skd tag {folder} FILE' tags yours.\n")


def _text(sentences: Sequence[Sentence]) -> str:
    """Return the first sentence with two entities, as people write it."""
    found = next(one for one in sentences if one.tags and len(entities(one.tags)) > 1)
    return " ".join(found.words).replace(" .", ".")


COMMAND = Command(
    "demo",
    "teachers and students on a generated corpus, two of its languages without labels: a few minutes",
    add_options,
    run,
    passes_on=True,
    resumes=True,
)
