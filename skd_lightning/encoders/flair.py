"""Word vectors of Flair's character language models, which stay as they are (Akbik et al. 2018)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skd_lightning.encoders.base import Embedder
from skd_lightning.encoders.static import LANGUAGE, the_language
from skd_lightning.encoders.stored import CACHE, StoredVectors
from skd_lightning.encoders.vector_store import Precision
from skd_lightning.errors import UserError
from skd_lightning.features.subwords import without_surrogates
from skd_lightning.ragged import cut_by_budget
from skd_lightning.storage import add_weights

CHARACTERS = 16384
"""Characters a batch, padding included: a model of 2048 units needs 128 MiB for their states."""


class FlairModels:
    """Sentences to the vectors of some language models, end to end.

    Flair itself opens the files, with ``torch.load`` and pickle: give it only models that you trust.

    Args:
        models: names that flair knows (``multi-forward``, ``news-backward``), or files of ``LanguageModel.save``.

    Raises:
        UserError: flair is not installed, or knows no such model.
    """

    def __init__(self, models: Sequence[str]) -> None:
        try:
            from flair.embeddings import FlairEmbeddings
        except ImportError as error:
            reason = f"needs the package flair ({error}): pip install 'skd-lightning[flair]'"
            raise UserError(f"embedder: FlairEmbedder {reason}") from error
        self._models: list[Any] = []
        for model in models:
            try:
                self._models.append(FlairEmbeddings(model))
            except (OSError, ValueError, RuntimeError) as error:
                reason = str(error).partition("\n")[0]
                raise UserError(f"embedder: no Flair language model '{model}': {reason}") from error
        self.size = sum(int(model.embedding_length) for model in self._models)

    @cached_property
    def fingerprint(self) -> str:
        """Return a hash of the models: their weights, their characters, their directions."""
        digest = hashlib.sha256()
        for model in self._models:
            characters = model.lm.dictionary.get_items()
            digest.update(repr((model.is_forward_lm, model.is_lower, characters)).encode())
            add_weights(digest, model.lm)
        return digest.hexdigest()[:24]

    def vectors(
        self, sentences: Sequence[Sequence[str]], advance: Callable[[int], object] = lambda _: None
    ) -> list[np.ndarray]:
        """Return (words, size) float32 for each sentence, in their order.

        An empty word is read as a space, a lone surrogate as U+FFFD.

        Args:
            sentences: lists of words.
            advance: told the number of sentences done, for a progress bar.
        """
        from flair.data import Sentence

        found = [np.zeros((len(words), self.size), dtype=np.float32) for words in sentences]
        sizes = np.array([sum(len(word) + 1 for word in words) for words in sentences], dtype=np.int64)
        for places in cut_by_budget(np.argsort(sizes, kind="stable").tolist(), sizes, CHARACTERS):
            filled = [i for i in places if sentences[i]]
            column = 0
            for model in self._models if filled else ():
                batch = [Sentence([without_surrogates(word) or " " for word in sentences[i]]) for i in filled]
                model.embed(batch)
                width = int(model.embedding_length)
                for i, sentence in zip(filled, batch, strict=True):
                    rows = torch.stack([token.get_embedding() for token in sentence.tokens])
                    found[i][:, column : column + width] = rows.float().cpu().numpy()
                column += width
            advance(len(places))
        return found


class FlairEmbedder(Embedder):
    """Vectors of Flair's language models; nothing in it is trained. Needs the extra ``flair``.

    Every sentence is read once; its vectors are kept on disk. Mostly a part of a ConcatenatedEmbedder.

    Flair unpickles the files of its models, and unpickling runs whatever code a file holds: name only models that you
    trust. A tagger that is loaded opens them again, and only with ``load(path, outside=True)``.

    Args:
        models: names that flair knows, or files. ``{language}`` in them stands for the language of a monolingual
            tagger: ``{language}-forward``.
        size: length of a word's vector, all models together.
        cache: folder of word vectors, found again by models and sentence; any number of runs may share it.
        precision: of the vectors on disk and in the batches.
    """

    featurizer: StoredVectors
    cache: str

    def __init__(
        self,
        models: list[str] = ["multi-forward", "multi-backward"],  # noqa: B006 - read only
        size: int = 4096,
        cache: str = CACHE,
        precision: Precision = "float16",
    ) -> None:
        super().__init__()
        if not models:
            raise UserError("embedder: FlairEmbedder has no models; name at least one")
        self._config = {"models": list(models), "size": size, "precision": precision}
        self.models, self.cache, self.precision = list(models), cache, precision
        self.output_size = size
        if not any(LANGUAGE in model for model in models):
            self._open(self.models)

    def _open(self, models: list[str]) -> None:
        reader = FlairModels(models)
        if reader.size != self.output_size:
            raise UserError(
                f"embedder: {', '.join(models)} give vectors of {reader.size} numbers; "
                f"set the embedder's size to {reader.size}"
            )
        self.featurizer = StoredVectors(reader, str(self.cache), self.precision)

    @classmethod
    def reads(cls, settings: Mapping[str, Any]) -> str:
        """Name the models."""
        return f"Flair's language models {', '.join(settings.get('models', ()))}, which Flair unpickles"

    def use_languages(self, languages: Sequence[str]) -> None:
        """Open the models of the one language, where their names leave it open."""
        if any(LANGUAGE in model for model in self.models):
            language = the_language(languages, ", ".join(self.models))
            self._open([model.replace(LANGUAGE, language) for model in self.models])

    def identity(self) -> str:
        """Return the models' fingerprint: their weights are not among the tagger's."""
        return self.featurizer.fingerprint

    def config(self) -> dict[str, Any]:
        """Return the settings as plain values."""
        return dict(self._config)

    def forward(self, inputs: Mapping[str, Tensor], lengths: Tensor) -> Tensor:
        """Return (batch, words, size) from what :class:`StoredVectors` collates."""
        return inputs["vectors"].to(torch.get_default_dtype())
