"""Words to the pieces of a subword tokenizer, each word by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skd_lightning.errors import UserError


def without_surrogates(word: str) -> str:
    r"""Return a word with U+FFFD in the place of lone surrogates, which no UTF-8 has and no tokenizer takes.

    >>> without_surrogates("a\ud800") == "a\ufffd"
    True
    """
    return word.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def load_tokenizer(content: str) -> Any:
    """Return the tokenizer of a ``tokenizer.json``, without truncation and padding.

    Files say how they were last used, not how they will be.

    Raises:
        UserError: the tokenizers library is not installed.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise UserError("its words are cut into pieces: pip install 'skd-lightning[subword]'") from None
    tokenizer = Tokenizer.from_str(content)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


class PieceCutter:
    """Cuts words into pieces.

    Every word has at least one piece: what the tokenizer drops (a zero-width space, the empty word) is read as
    ``unknown``.

    Args:
        tokenizer: content of a ``tokenizer.json``.
        unknown: a text that always has a piece.

    Raises:
        UserError: the tokenizers library is not installed.
    """

    def __init__(self, tokenizer: str, unknown: str) -> None:
        self._tokenizer = load_tokenizer(tokenizer)
        self._unknown = unknown

    def pieces(self, words: Sequence[str]) -> list[NDArray[np.int64]]:
        """Return the (pieces,) numbers of each word's pieces."""
        encodings = self._cut([without_surrogates(word) for word in words])
        (unknown,) = self._cut([self._unknown])
        return [np.array(encoding.ids or unknown.ids, dtype=np.int64) for encoding in encodings]

    def _cut(self, words: list[str]) -> list[Any]:
        texts = [[word] for word in words]  # a word is cut as it is inside of a sentence
        return list(self._tokenizer.encode_batch(texts, is_pretokenized=True, add_special_tokens=False))
