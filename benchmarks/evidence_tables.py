"""Writes the tables of README, ``docs/evidence.md`` and ``docs/speed.md`` from ``experiments/results`` and
``benchmarks/results``.

``python benchmarks/evidence_tables.py`` after a report or a benchmark was made again. A table stands below its mark,
such as ``<!-- table: recipe -->``; ``tests/test_evidence.py`` compares.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import evidence_questions
import evidence_recipe
import evidence_speed
from evidence_results import Cells

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "docs/evidence.md", ROOT / "docs/speed.md")
MARK = re.compile(r"(<!-- table: ([\w-]+) -->\n\n)((?:\|.*\n)+)")

TABLES: dict[str, Callable[[], list[Cells]]] = {
    "recipe": evidence_recipe.recipe,
    "readme": evidence_recipe.readme,
    "contrasts": evidence_recipe.contrasts,
    "pools": evidence_recipe.pools,
    "feature-weights": evidence_recipe.feature_weights,
    "changes": evidence_recipe.changes,
    "objectives": evidence_recipe.objectives,
    "k": evidence_recipe.k,
    "seen": evidence_recipe.seen,
    "folds": evidence_recipe.folds,
    "calibration": evidence_recipe.calibration,
    "entity-decoding": evidence_recipe.entity_decoding,
    "entity-decoding-by-size": evidence_questions.entity_decoding_by_size,
    "generated": evidence_questions.generated,
    "capacity": evidence_questions.capacity,
    "text-only": evidence_questions.text_only,
    "zeroshot": evidence_questions.zeroshot,
    "pretrained": evidence_questions.pretrained,
    "contexts": evidence_questions.contexts,
    "crf": evidence_speed.crf,
    "serving-ner": partial(evidence_speed.serving, "ner", "F1"),
    "serving-upos": partial(evidence_speed.serving, "upos", "accuracy"),
    "compression": evidence_speed.compression,
}
"""Makers of tables by their marks: the head, then the rows."""


def lines(cells: list[Cells]) -> str:
    """Return a Markdown table; all columns but the first are numbers."""
    head, *rows = cells
    rule = "|---|" + "---:|" * (len(head) - 1)
    return "\n".join([_line(head), rule, *map(_line, rows)]) + "\n"


def _line(cells: Cells) -> str:
    return "".join(f"| {cell} " if cell else "| " for cell in cells) + "|"


def renewed(text: str) -> str:
    """Return a page with its tables as the results have them."""
    return MARK.sub(lambda found: found[1] + lines(TABLES[found[2]]()), text)


def main() -> None:
    """Write the tables."""
    for page in PAGES:
        page.write_text(renewed(page.read_text()))


if __name__ == "__main__":
    main()
