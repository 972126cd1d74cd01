"""Corpora: a part of the generated one in files, as users have theirs; and where the published ones are."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from skd_lightning.data.demo import demo_corpus

SHARED = Path(os.environ.get("SKD_DATA", Path(__file__).parents[2] / "shared" / "data"))
"""Folder of the published corpora, which not everybody has."""


def write_corpus(folder: Path, languages: Sequence[str], sizes: Mapping[str, int]) -> None:
    """``<folder>/<language>/<split>.tsv``, word and tag a line, so many sentences a split."""
    for language in languages:
        (folder / language).mkdir(parents=True)
        for split, sentences in demo_corpus(language, dict(sizes)).items():
            text = "\n".join(
                "".join(f"{word}\t{tag}\n" for word, tag in zip(s.words, s.tags or (), strict=True))
                for s in sentences
            )
            (folder / language / f"{split}.tsv").write_text(text)
