"""Sentences, and the characters that a language model knows."""

from collections.abc import Sequence

from torch import Tensor


class Dictionary:
    """Numbers of items; 0 is the unknown one."""

    def __init__(self) -> None:
        self.item2idx: dict[bytes, int] = {b"<unk>": 0}
        self.idx2item: list[bytes] = [b"<unk>"]

    def add_item(self, item: str) -> int:
        if item.encode() not in self.item2idx:
            self.item2idx[item.encode()] = len(self.idx2item)
            self.idx2item.append(item.encode())
        return self.item2idx[item.encode()]

    def get_idx_for_items(self, items: Sequence[str]) -> list[int]:
        return [self.item2idx.get(item.encode(), 0) for item in items]

    def get_items(self) -> list[str]:
        return [item.decode() for item in self.idx2item]

    def __len__(self) -> int:
        return len(self.idx2item)


class Token:
    """A word with its vectors, by the name of what made them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: dict[str, Tensor] = {}

    def get_embedding(self) -> Tensor:
        (vector,) = self.found.values()
        return vector


class Sentence:
    """A list of words."""

    def __init__(self, words: Sequence[str]) -> None:
        self.tokens = [Token(word) for word in words]

    def to_tokenized_string(self) -> str:
        return " ".join(token.text for token in self.tokens)
