"""The character language model, and the file that it is kept in."""

from pathlib import Path

import torch
from torch import Tensor, nn

from flair.data import Dictionary


class LanguageModel(nn.Module):
    """A character LSTM; its states, projected to ``nout`` numbers where that is given, are the vectors."""

    def __init__(
        self,
        dictionary: Dictionary,
        is_forward_lm: bool,
        hidden_size: int,
        nlayers: int,
        embedding_size: int = 100,
        nout: int | None = None,
    ) -> None:
        super().__init__()
        self.dictionary, self.is_forward_lm = dictionary, is_forward_lm
        self.shape = (hidden_size, nlayers, embedding_size, nout)
        self.encoder = nn.Embedding(len(dictionary), embedding_size)
        self.rnn = nn.LSTM(embedding_size, hidden_size, nlayers)
        self.proj = nn.Linear(hidden_size, nout) if nout else None

    def states(self, texts: list[str]) -> Tensor:
        """(characters, texts, size): each text between a line break and a space, backwards in a backward model."""
        padded = [f"\n{text if self.is_forward_lm else text[::-1]} " for text in texts]
        longest = max(map(len, padded))
        numbers = [self.dictionary.get_idx_for_items(text.ljust(longest)) for text in padded]
        states: Tensor = self.rnn(self.encoder(torch.tensor(numbers).T))[0]
        return self.proj(states) if self.proj is not None else states

    def save(self, file: Path) -> None:
        hidden_size, nlayers, embedding_size, nout = self.shape
        content = {
            "state_dict": self.state_dict(),
            "dictionary": self.dictionary,
            "is_forward_lm": self.is_forward_lm,
            "hidden_size": hidden_size,
            "nlayers": nlayers,
            "embedding_size": embedding_size,
            "nout": nout,
            "document_delimiter": "\n",
            "dropout": 0.1,
            "recurrent_type": "LSTM",
            "has_decoder": False,
        }
        torch.save(content, file, pickle_protocol=4)

    @classmethod
    def load_language_model(cls, file: Path) -> "LanguageModel":
        # As flair does: its dictionary is a pickled object. Tests open the files that they have made, and no others.
        content = torch.load(file, map_location="cpu", weights_only=False)
        shape = {name: content[name] for name in ("hidden_size", "nlayers", "embedding_size", "nout")}
        model = cls(content["dictionary"], content["is_forward_lm"], **shape)
        model.load_state_dict(content["state_dict"], strict=False)  # flair's own hold a decoder too
        return model.eval()
