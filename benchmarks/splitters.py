"""F1 of words and sentences that splitters find in UD's texts, and their speed: ``python benchmarks/splitters.py``.

Gold are the words that taggers are trained on: the parts of a multiword token where these make up its letters
(``do`` + ``n't``), else the token (``du``). Sentences of a paragraph are joined by a space, paragraphs by a blank line;
the treebanks whose sentences come from different texts say less about ends of sentences than others. Words per second
are those of CPU time, after a first call that is not timed.
Libraries that are not installed are left out: ``pip install spacy syntok blingfire pysbd sentencex``.
"""

from __future__ import annotations

import gzip
import os
import re
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from common import report

from skd_lightning.serving.text.sentences import by_rules

DATA = Path(os.environ.get("SKD_DATA", "../shared/data"))
FILES = {name: DATA / "upos" / name / "dev.conllu.gz" for name in "de en es fr it nl sl sv".split()}
FILES |= {name: DATA / "uner" / name / "dev.iob2.gz" for name in "da hr sk".split()}
SHORT = 60_000
"""Characters for a library that needs seconds for more."""
FIRST = 1000
"""Characters of the first call, in which libraries load models and compile their rules."""
Spans = list[tuple[int, int]]
Splitter = Callable[[str], tuple[Spans, Spans]]


def blocks(file: Path) -> Iterator[tuple[bool, str, list[list[str]]]]:
    """Yield, for each sentence, if it begins a paragraph, its text and its rows."""
    with gzip.open(file, "rt", encoding="utf-8") as opened:
        for block in opened.read().split("\n\n"):
            lines = block.split("\n")
            text = next((line[9:] for line in lines if line.startswith("# text = ")), "")
            rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
            if rows:
                yield any(line.startswith(("# newpar", "# newdoc")) for line in lines), text, rows


def gold_words(rows: list[list[str]]) -> list[str]:
    """Return the words that taggers are trained on, as far as the text has them."""
    words: list[str] = []
    skipped = 0.0
    for row in rows:
        if found := re.fullmatch(r"(\d+)-(\d+)", row[0]):
            first, last = int(found[1]), int(found[2])
            parts = [own[1] for own in rows if own[0].isdigit() and first <= int(own[0]) <= last]
            if "".join(parts) != row[1]:
                words.append(row[1])
                skipped = last
        elif row[0].isdigit() and int(row[0]) > skipped:
            words.append(row[1])
    return words


def corpus(file: Path) -> tuple[str, Spans, Spans]:
    """Return a text, the places of its words and those of its sentences."""
    text, words, sentences = "", [], []
    for new, own, rows in blocks(file):
        text += ("\n\n" if new else " ") if text else ""
        place = begin = len(text)
        text += own
        for word in gold_words(rows):
            found = re.compile(r"\s*".join(map(re.escape, word.replace(" ", "")))).search(text, place)
            assert found
            words.append(found.span())
            place = found.end()
        sentences.append((begin, place))
    return text, words, sentences


def own_rules(language: str) -> Splitter:
    """Return this package's splitter."""
    split = by_rules(language)

    def run(text: str) -> tuple[Spans, Spans]:
        found, _ = split(text, True)
        return [word for words in found for word in words], [(words[0][0], words[-1][1]) for words in found]

    return run


def of_spacy(language: str) -> Splitter:
    """Return spaCy's rules for words, and its sentencizer."""
    spacy: Any = import_module("spacy")
    nlp = spacy.blank(language)
    nlp.add_pipe("sentencizer")

    def run(text: str) -> tuple[Spans, Spans]:
        document = nlp(text)
        words = [(word.idx, word.idx + len(word)) for word in document if not word.is_space]
        return words, [
            trimmed(text, own.start_char, own.end_char) for own in document.sents if own.text.strip()
        ]

    return run


def of_syntok(language: str) -> Splitter:
    """Return syntok's segmenter."""
    segmenter: Any = import_module("syntok.segmenter")

    def run(text: str) -> tuple[Spans, Spans]:
        found = [
            [(word.offset, word.offset + len(word.value)) for word in own]
            for paragraph in segmenter.analyze(text)
            for own in paragraph
        ]
        return [word for words in found for word in words], [(words[0][0], words[-1][1]) for words in found]

    return run


def of_blingfire(language: str) -> Splitter:
    """Return BlingFire's default models."""
    blingfire: Any = import_module("blingfire")

    def run(text: str) -> tuple[Spans, Spans]:
        words = blingfire.text_to_words_with_offsets(text)[1]
        return words, [trimmed(text, *own) for own in blingfire.text_to_sentences_and_offsets(text)[1]]

    return run


def of_sentencex(language: str) -> Splitter:
    """Return sentencex, which finds sentences only."""
    sentencex: Any = import_module("sentencex")

    def run(text: str) -> tuple[Spans, Spans]:
        place, found = 0, []
        for own in sentencex.segment(language, text):
            place = text.index(own.strip(), place)
            found.append(trimmed(text, place, place + len(own.strip())))
            place += len(own.strip())
        return [], [(start, end) for start, end in found if start < end]

    return run


def of_pysbd(language: str) -> Splitter:
    """Return pySBD, which finds sentences only."""
    pysbd: Any = import_module("pysbd")
    segmenter = pysbd.Segmenter(language=language, clean=False, char_span=True)

    def run(text: str) -> tuple[Spans, Spans]:
        return [], [trimmed(text, own.start, own.end) for own in segmenter.segment(text) if own.sent.strip()]

    return run


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Return a place without the white space at its ends."""
    own = text[start:end]
    return start + len(own) - len(own.lstrip()), end - len(own) + len(own.rstrip())


def f1(found: Spans, gold: Spans) -> float:
    """Return 2·|both| / (|found| + |gold|) in per cent."""
    return 200 * len(set(found) & set(gold)) / (len(found) + len(gold))


SPLITTERS = {
    "this package": own_rules,
    "spaCy": of_spacy,
    "syntok": of_syntok,
    "BlingFire": of_blingfire,
    "sentencex": of_sentencex,
    "pySBD": of_pysbd,
}


def main() -> None:
    """Measure, print, write ``benchmarks/results/splitters.{md,json}``."""
    rows: list[list[str]] = []
    for name, make in SPLITTERS.items():
        scores: dict[str, list[str]] = {"words": [], "sentences": []}
        count, seconds = 0, 0.0
        for language, file in FILES.items():
            text, words, sentences = corpus(file)
            if name == "pySBD":
                text = text[:SHORT]
                words, sentences = ([own for own in gold if own[1] <= SHORT] for gold in (words, sentences))
            try:
                split = make(language)
            except ModuleNotFoundError:
                break
            except Exception:  # a language that the library has no rules for
                for column in scores.values():
                    column.append("–")
                continue
            split(text[:FIRST])
            began = time.process_time()
            found = split(text)
            seconds += time.process_time() - began
            count += len(words)
            for column, own, gold in zip(scores, found, (words, sentences), strict=True):
                scores[column].append(f"{f1(own, gold):.1f}" if own else "–")
        for column, numbers in scores.items():
            if set(numbers) != {"–"}:
                rows.append([name, column, *numbers, f"{count / seconds:,.0f}"])
                print(*rows[-1], flush=True)
    title = "F1 of splitters on development data, and words per second of CPU time, one thread"
    report("splitters", title, ["splitter", "finds", *FILES, "words/s"], rows, rows)


if __name__ == "__main__":
    main()
