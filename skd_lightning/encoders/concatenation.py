"""Several embedders side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from skd_lightning.encoders.base import Embedder, Featurizer
from skd_lightning.errors import UserError


class JoinedFeaturizer(Featurizer):
    """The inputs of several embedders, told apart by their number: ``0.vectors``, ``1.place``.

    Args:
        parts: featurizers of the embedders, in their order.
    """

    def __init__(self, parts: Sequence[Featurizer]) -> None:
        self.parts = list(parts)

    def index(
        self,
        sentences: Sequence[Sequence[str]],
        keep: bool = False,
        languages: Sequence[str] | None = None,
    ) -> list[Any]:
        """Return each sentence as the tuple of what the parts make of it."""
        return list(zip(*(part.index(sentences, keep, languages) for part in self.parts), strict=True))

    def collate(self, items: Sequence[Any], words: int) -> dict[str, Tensor]:
        """Return the inputs of all parts."""
        columns = [[item[n] if len(item) else item for item in items] for n in range(len(self.parts))]
        return {
            f"{n}.{name}": tensor
            for n, (part, column) in enumerate(zip(self.parts, columns, strict=True))
            for name, tensor in part.collate(column, words).items()
        }

    @staticmethod
    def of_part(inputs: Mapping[str, Tensor], n: int) -> dict[str, Tensor]:
        """Return the inputs of one part."""
        start = f"{n}."
        return {name.removeprefix(start): tensor for name, tensor in inputs.items() if name.startswith(start)}


class ConcatenatedEmbedder(Embedder):
    """The vectors of several embedders end to end.

    The paper's teachers are M-BERT, Flair and fastText this way, under one BiLSTM (Wang et al. 2020, section 4.1;
    ``experiments/paper/teacher.yaml``). Dropout that the parts have comes before this one's: mostly they have 0.

    Args:
        embedders: the parts, in their order.
        dropout: dropout of the joined vectors.
    """

    def __init__(self, embedders: list[Embedder], dropout: float = 0.33) -> None:
        super().__init__()
        if not embedders:
            raise UserError("embedder: ConcatenatedEmbedder has no embedders; name at least one")
        counts = {part.min_count for part in embedders} - {None}
        if len(counts) > 1:
            found = " and ".join(str(count) for count in sorted(map(int, counts)))  # type: ignore[arg-type]
            raise UserError(
                f"embedder: its parts have min_count {found}; their word list is one: give one number"
            )
        self.min_count = counts.pop() if counts else None
        self.embedders = nn.ModuleList(embedders)
        self.dropout = nn.Dropout(dropout)
        self.output_size = sum(part.output_size for part in embedders)
        self.use_vocabulary([])

    @property
    def featurizer(self) -> JoinedFeaturizer:  # type: ignore[override]
        """Join the featurizers of the parts, some of which have theirs only when they know the language."""
        return JoinedFeaturizer([part.featurizer for part in self.parts])

    @property
    def cache(self) -> str | None:  # type: ignore[override]
        """Return the first folder in which a part keeps vectors, if any does."""
        return next((part.cache for part in self.parts if part.cache is not None), None)

    @property
    def parts(self) -> list[Embedder]:
        """Return the embedders that are joined."""
        return list(self.embedders)  # type: ignore[arg-type]

    def config(self) -> dict[str, Any]:
        """Return the settings as plain values, the parts as their descriptions."""
        return {"embedders": [part.description() for part in self.parts], "dropout": self.dropout.p}

    def identity(self) -> str:
        """Return the fingerprints of the parts, a line each."""
        return "\n".join(part.identity() for part in self.parts)

    def use_languages(self, languages: Sequence[str]) -> None:
        """Tell the parts."""
        for part in self.parts:
            part.use_languages(languages)

    def pretrained_parameters(self) -> list[Parameter]:
        """Return the pretrained parameters of the parts."""
        return [parameter for part in self.parts for parameter in part.pretrained_parameters()]

    def use_vocabulary(self, words: Sequence[str]) -> None:
        """Tell the parts."""
        for part in self.parts:
            part.use_vocabulary(words)

    def forward(self, inputs: Mapping[str, Tensor], lengths: Tensor) -> Tensor:
        """Return (batch, words, output_size) from what :class:`JoinedFeaturizer` collates."""
        vectors = [part(JoinedFeaturizer.of_part(inputs, n), lengths) for n, part in enumerate(self.parts)]
        return self.dropout(torch.cat(vectors, dim=-1))  # type: ignore[no-any-return]
