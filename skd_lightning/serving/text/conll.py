"""Tagged sentences as columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from skd_lightning.serving.text.tagging import Tagged


def conll_columns(tagged: Iterable[Tagged], threshold: float = 0.0) -> Iterator[str]:
    """Yield the lines of a sentence: word, first character, last character + 1, confidence, tag; then a blank line.

    The tag stands last, where readers of CoNLL's columns look for it, those of this package too.

    Args:
        tagged: sentences with their predictions.
        threshold: least probability of an entity; words of others have the tag ``O``.
    """
    document = None
    for one in tagged:
        sentence, prediction = one
        if sentence.document != document:
            document = sentence.document
            yield f"# newdoc id = {' '.join(document.split())}\n"
        rows = zip(
            sentence.words, sentence.offsets, prediction.confidences, one.tags_from(threshold), strict=True
        )
        lines = [f"{_field(word)}\t{start}\t{end}\t{p:.4f}\t{tag}\n" for word, (start, end), p, tag in rows]
        yield "".join([*lines, "\n"])


def _field(word: str) -> str:
    """Return a given word without white space that would end its column."""
    return " ".join(word.split()) or "_"
