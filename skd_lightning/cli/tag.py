"""``skd tag``: raw text or words to tags."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from skd_lightning.cli.command import Command, Options
from skd_lightning.cli.options import place
from skd_lightning.errors import UserError

if TYPE_CHECKING:
    from skd_lightning.predictions import Predictor
    from skd_lightning.serving.text.documents import PlacedSentence
    from skd_lightning.serving.text.tagging import Tagged

STANDARD_INPUT = "-"
SOURCES = ("rules", "spaces", "given")
FORMATS = ("jsonl", "conll", "html")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the tagger, the texts and the format."""
    parser.add_argument("model", help="saved tagger, run folder or checkpoint; or owner/name on the hub")
    parser.add_argument(
        "files", nargs="*", default=[STANDARD_INPUT], help="UTF-8 texts; - or none: standard input"
    )
    parser.add_argument(
        "--language",
        metavar="CODE",
        help="language of the texts (default: that in a file's name, such as de.txt)",
    )
    parser.add_argument(
        "--words",
        choices=SOURCES,
        default="rules",
        help="rules: the splitter finds words and sentences; spaces: words between spaces, a sentence a line; "
        "given: a word a line, a blank line between sentences (default: rules)",
    )
    parser.add_argument("--to", choices=FORMATS, default="jsonl", help="format (default: jsonl)")
    parser.add_argument("--out", type=place, metavar="FILE", help="file to write (default: standard output)")
    parser.add_argument(
        "--k", type=int, metavar="N", help="best tag sequences of a sentence to show (default: 0; html: 3)"
    )
    parser.add_argument(
        "--threshold",
        type=float,
        default=0.0,
        metavar="P",
        help="least probability of an entity (default: 0)",
    )


def run(options: Options, rest: list[str]) -> None:
    """Tag the texts, and write what is found while it is found."""
    from skd_lightning.serving.text.tagging import refuse_threshold, tag_sentences

    k = (3 if options.to == "html" else 0) if options.k is None else options.k
    if k < 0:
        raise UserError(f"--k is {k}; it is a number of tag sequences, 0 or more")
    refuse_threshold(options.threshold)
    for name in options.files:
        _refuse_unreadable(name)
    predictor = predictor_of(options.model)
    tagged = tag_sentences(predictor, _sentences(options, predictor), k)
    try:
        with warnings.catch_warnings(), _output(options.out) as out:
            warnings.showwarning = _say  # type: ignore[assignment]
            for text in _writer(options.to)(tagged, options.threshold):
                out.write(text.encode("utf-8", "replace"))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left goes nowhere


def _say(message: Warning | str, *_: object, **__: object) -> None:
    """Print a warning as one line."""
    sys.stderr.write(f"skd: warning: {message}\n")


def predictor_of(model: str) -> Predictor:
    """Load a tagger: a saved one without PyTorch.

    Raises:
        UserError: there is none.
    """
    from skd_lightning.serving.folder import is_saved, read_config
    from skd_lightning.serving.hub import on_disk

    folder = on_disk(model)
    if is_saved(folder) and read_config(folder).get("without_torch"):
        from skd_lightning.serving.runtime import Runtime

        return Runtime.load(folder)
    import skd_lightning

    return skd_lightning.load(folder)


def _refuse_unreadable(name: str) -> None:
    if Path(name).is_dir():
        raise UserError(f"{name} is a folder; name its files, such as {name.rstrip('/')}/*.txt")
    if name != STANDARD_INPUT:
        try:
            open(name, "rb").close()
        except OSError as error:
            raise UserError(f"{name}: {error.strerror}; name a file that you may read") from None


def _sentences(options: Options, predictor: Predictor) -> Iterator[PlacedSentence]:
    """Yield the sentences of all files, one file after the other."""
    from skd_lightning.serving.text.documents import language_of, sentences_of_file

    only = predictor.languages[0] if len(predictor.languages) == 1 else None
    for name in options.files:
        if name == STANDARD_INPUT:
            language = options.language or only
            yield from sentences_of_file(sys.stdin.buffer, name, language, options.words)
        else:
            language = options.language or language_of(Path(name).absolute(), predictor.languages) or only
            with open(name, "rb") as opened:
                yield from sentences_of_file(opened, name, language, options.words)


@contextmanager
def _output(file: Path | None) -> Iterator[BinaryIO]:
    if file is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    else:
        from skd_lightning.storage import new_file

        with new_file(file) as opened:
            yield opened


def _writer(name: str) -> Callable[[Iterable[Tagged], float], Iterator[str]]:
    if name == "jsonl":
        from skd_lightning.serving.text.jsonl import json_lines

        return json_lines
    if name == "conll":
        from skd_lightning.serving.text.conll import conll_columns

        return conll_columns
    from skd_lightning.serving.text.page import html_page

    return html_page


COMMAND = Command(
    "tag",
    "tag raw text or words: JSON lines, CoNLL columns or an HTML page",
    add_options,
    run,
)
