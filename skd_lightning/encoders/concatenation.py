"""Several encoders side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from skd_lightning.encoders.base import Encoder, Featurizer
from skd_lightning.encoders.bilstm import BiLSTM
from skd_lightning.encoders.description import describe
from skd_lightning.errors import UserError


class JoinedFeaturizer(Featurizer):
    """The inputs of several encoders, told apart by their number: ``0.vectors``, ``1.place``."""

    def __init__(self, parts: Sequence[Featurizer]) -> None:
        self.parts = list(parts)

    def index(self, sentences: Sequence[Sequence[str]], keep: bool = False) -> list[Any]:
        """Each sentence as the tuple of what the parts make of it."""
        return list(zip(*(part.index(sentences, keep) for part in self.parts), strict=True))

    def collate(self, items: Sequence[Any], words: int) -> dict[str, Tensor]:
        """The inputs of all parts."""
        columns = [[item[n] if len(item) else item for item in items] for n in range(len(self.parts))]
        return {
            f"{n}.{name}": tensor
            for n, (part, column) in enumerate(zip(self.parts, columns, strict=True))
            for name, tensor in part.collate(column, words).items()
        }


class ConcatenatedEncoder(Encoder):
    """The vectors of several encoders end to end, under one BiLSTM.

    The paper's teachers are M-BERT, Flair and fastText this way (Wang et al. 2020, section 4.1;
    ``experiments/paper/teacher.yaml``). Parts that could have a BiLSTM or dropout of their own mostly do without
    here: set their layers and their dropout to 0.

    Args:
        encoders: the parts, in their order.
        hidden_size: LSTM units in each direction.
        lstm_layers: BiLSTM layers; 0 for none.
        dropout: of the joined vectors, and of each BiLSTM layer's output.
    """

    def __init__(
        self, encoders: list[Encoder], hidden_size: int = 256, lstm_layers: int = 1, dropout: float = 0.33
    ) -> None:
        super().__init__()
        if not encoders:
            raise UserError("encoder: ConcatenatedEncoder has no encoders; name at least one")
        self._config = {"hidden_size": hidden_size, "lstm_layers": lstm_layers, "dropout": dropout}
        self.encoders = nn.ModuleList(encoders)
        self.dropout = nn.Dropout(dropout)
        size = sum(encoder.output_size for encoder in encoders)
        self.bilstm = BiLSTM(size, hidden_size, lstm_layers, dropout)
        self.output_size = self.bilstm.output_size

    @property
    def featurizer(self) -> JoinedFeaturizer:  # type: ignore[override]
        """That of the parts, some of which have theirs only when they know the language."""
        return JoinedFeaturizer([part.featurizer for part in self.parts])

    @property
    def parts(self) -> list[Encoder]:
        """The encoders that are joined."""
        return list(self.encoders)  # type: ignore[arg-type]

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain values: the parts as :func:`describe` has them."""
        return {"encoders": [describe(part) for part in self.parts], **self._config}

    def identity(self) -> str:
        """Those of the parts."""
        return "\n".join(part.identity() for part in self.parts)

    def use_languages(self, languages: Sequence[str]) -> None:
        """Tell the parts."""
        for part in self.parts:
            part.use_languages(languages)

    def pretrained_parameters(self) -> list[Parameter]:
        """Those of the parts."""
        return [parameter for part in self.parts for parameter in part.pretrained_parameters()]

    def learn_vocabulary(self, words: Sequence[str]) -> None:
        """Tell the parts."""
        for part in self.parts:
            part.learn_vocabulary(words)

    def forward(self, inputs: Mapping[str, Tensor], lengths: Tensor) -> Tensor:
        """(batch, words, output_size) from what :class:`JoinedFeaturizer` collates."""
        vectors = []
        for n, part in enumerate(self.parts):
            own = {name.partition(".")[2]: t for name, t in inputs.items() if name.startswith(f"{n}.")}
            vectors.append(part(own, lengths))
        return self.bilstm(self.dropout(torch.cat(vectors, dim=-1)), lengths)  # type: ignore[no-any-return]
