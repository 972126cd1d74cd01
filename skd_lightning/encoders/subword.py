"""Words to the static vectors of their subword pieces, which come from a transformer that does not run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import Parameter

from skd_lightning.encoders.base import Embedder, at_places
from skd_lightning.encoders.lexicon import IndexedWords, WordFeaturizer, joined_features
from skd_lightning.encoders.subword_table import read_table
from skd_lightning.errors import UserError
from skd_lightning.features.subwords import PieceCutter


class SubwordFeaturizer(WordFeaturizer):
    """Words to the numbers of their pieces; each distinct word is cut once.

    Every word has at least one piece: what the tokenizer drops (a zero-width space, the empty word) is read as
    ``unknown``.

    Args:
        tokenizer: content of a ``tokenizer.json``.
        unknown: a text that always has a piece.
    """

    def __init__(self, tokenizer: str, unknown: str) -> None:
        super().__init__(np.zeros(0, dtype=np.int64))
        self._cutter = PieceCutter(tokenizer, unknown)

    def features(self, words: Sequence[str], language: str = "") -> list[np.ndarray]:
        """Return the (pieces,) int64 numbers of each word's pieces."""
        return list(self._cutter.pieces(words))

    def collate(self, items: Sequence[IndexedWords | np.ndarray], words: int) -> dict[str, Tensor]:
        """Return the inputs of a batch, in which a word that occurs twice has its pieces once.

        Returns:
            ``place`` (batch, words): which distinct word; ``pieces`` (pieces of all distinct words, joined) and
            ``offsets`` (distinct words,) into it. The padding has no piece.
        """
        distinct, place = self.distinct_words(items, words)
        pieces, sizes = joined_features(distinct)
        arrays = {"place": place, "pieces": pieces, "offsets": np.cumsum(sizes) - sizes}
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


class SubwordEmbedder(Embedder):
    """Static vectors of subword pieces; a word's vector is the mean of those of its pieces.

    The table comes from a file that ``skd vectors`` makes of a transformer (see :mod:`subword_table`); words that
    were in no training data have vectors, too. Mostly it is a part of a ConcatenatedEmbedder beside an NgramEmbedder.
    A checkpoint holds table and tokenizer, so that a trained tagger needs neither the file nor the transformer.

    Args:
        path: the file.
        trained: move the table, at ``optimization.pretrained_lr``; else it stays as it is.
        dropout: dropout of the word vectors.
        saved: tokenizer and sizes, from a checkpoint; ``path`` is then only a name.

    Raises:
        UserError: the file is missing, or is another one.

    Examples:
        >>> from tokenizers import Tokenizer
        >>> from tokenizers.models import WordPiece
        >>> from tokenizers.pre_tokenizers import Whitespace
        >>> tokenizer = Tokenizer(WordPiece({"[UNK]": 0, "sing": 1, "##s": 2}, unk_token="[UNK]"))
        >>> tokenizer.pre_tokenizer = Whitespace()
        >>> saved = {"tokenizer": tokenizer.to_str(), "unknown": "[UNK]", "pieces": 3, "size": 4}
        >>> embedder = SubwordEmbedder("of-no-matter", saved=saved)
        >>> inputs = embedder.featurizer.collate(embedder.featurizer.index([["sings", "sing"]]), words=2)
        >>> inputs["pieces"].tolist(), inputs["place"].tolist()
        ([1, 2, 1], [[0, 1]])
        >>> embedder(inputs, torch.tensor([2])).shape
        torch.Size([1, 2, 4])
    """

    featurizer: SubwordFeaturizer

    def __init__(
        self, path: str, trained: bool = False, dropout: float = 0.33, saved: dict[str, Any] | None = None
    ) -> None:
        super().__init__()
        table = None
        if saved is None:
            table, saved = read_table(Path(path))
        self._config = {"path": path, "trained": trained, "dropout": dropout, "saved": saved}
        self.featurizer = SubwordFeaturizer(saved["tokenizer"], saved["unknown"])
        self.output_size = int(saved["size"])
        self.table = nn.EmbeddingBag(int(saved["pieces"]), self.output_size, mode="mean")
        if table is not None:
            self.table.weight.data.copy_(table)
        self.table.weight.requires_grad_(trained)
        self.dropout = nn.Dropout(dropout)

    @classmethod
    def reads(cls, settings: Mapping[str, Any]) -> str:
        """Name nothing; refuse a description that would have the table come from a file.

        Raises:
            UserError: the tokenizer and the sizes are not among the settings.
        """
        if not settings.get("saved"):
            raise UserError("its subword vectors come without tokenizer; train it again")
        return ""

    def pretrained_parameters(self) -> list[Parameter]:
        """Return the table, if it is trained."""
        return list(self.table.parameters()) if self._config["trained"] else []

    def config(self) -> dict[str, Any]:
        """Return the settings as plain values."""
        return dict(self._config)

    def forward(self, inputs: Mapping[str, Tensor], lengths: Tensor) -> Tensor:
        """Return (batch, words, output_size) from what :class:`SubwordFeaturizer` collates."""
        vectors = self.dropout(self.table(inputs["pieces"], inputs["offsets"]))
        return at_places(vectors, inputs["place"])
