"""A saved tagger at work with NumPy and onnxruntime alone."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skd_lightning.entity_spans import HIGHEST, decode_entities, entities_with_probabilities
from skd_lightning.errors import UserError, one_line
from skd_lightning.predictions import (
    Alternative,
    Languages,
    Prediction,
    alternatives_of,
    languages_of,
    refuse_other_than_words,
)
from skd_lightning.ragged import cut_by_budget
from skd_lightning.serving.chain import Chain
from skd_lightning.serving.embedding import word_vectors
from skd_lightning.serving.folder import (
    NETWORK,
    NETWORK_HEAD,
    TRANSFORMER,
    WIDE_HEAD,
    chain_scores,
    expert_weights,
    read_arrays,
    read_config,
    well_formed,
)
from skd_lightning.serving.hub import on_disk
from skd_lightning.serving.session import Session
from skd_lightning.serving.sparse_features import SparseFeatures
from skd_lightning.serving.tables import table
from skd_lightning.serving.text import tag
from skd_lightning.serving.transformer import Transformer
from skd_lightning.serving.word_memory import WordMemory

TOKENS = 1000
"""Words a batch; the states of more leave the cache of a processor."""
TRIAL = (("Anna", "."), ("a",))
"""Sentences that every tagger has scores for."""


class Runtime:
    """A tagger of a saved folder, see :meth:`load`. Several threads may ask it.

    Attributes:
        tag_set: its tags.
        languages: those that it was trained on.
    """

    def __init__(self, folder: Path, threads: int = 1) -> None:
        config, arrays = read_config(folder), read_arrays(folder)
        description = config["tagger"]
        if not config.get("without_torch", False):
            kind = description["encoder"]["embedder"]["name"]
            raise UserError(f"its embedder ({kind}) needs PyTorch: load it with skd_lightning.load")
        self.languages: list[str] = description["languages"]
        self.tag_set, (self._transitions, self._start, self._end) = chain_scores(description, arrays)
        weights = expert_weights(description, arrays)
        self._shares = tuple(np.float32(weights.get(head, 0.0)) for head in (NETWORK_HEAD, WIDE_HEAD))
        self._decoding: str = description["decoding"]
        self._threshold = float(description.get("threshold", HIGHEST))
        self._well_formed = well_formed(description)
        wide = description["wide"]
        self._sparse: SparseFeatures | None = None
        self._of_languages = False
        if wide is not None:
            self._sparse = _sparse_features(arrays, len(self.tag_set))
            self._of_languages = bool(wide["settings"].get("of_languages", False))
        encoder = description["encoder"]
        self._transformer: Transformer | None = None
        if "transformer" in config:
            session = Session(folder / TRANSFORMER, threads)
            self._transformer = Transformer(config["transformer"], session)
            encoder["embedder"] = {"name": "NoEmbedder", "settings": {}}  # no word has a vector of its own
        self._vectors = word_vectors(encoder["embedder"], arrays, encoder["vocabulary"], "encoder.embedder")
        self._size = self._vectors(["."]).shape[1]
        reads = self._size or self._transformer is not None
        self._network = Session(folder / NETWORK, threads) if reads else None
        self._memories: dict[str, WordMemory] = {}
        self._lock = threading.Lock()
        self.emissions(TRIAL)  # so that parts which do not fit each other are refused now

    @classmethod
    def load(cls, folder: str | Path, threads: int = 1) -> Runtime:
        """Load a saved tagger.

        Args:
            folder: made by ``tagger.save`` or ``skd export``, or its name on the hub, see :func:`skd_lightning.load`.
            threads: of onnxruntime; for the small batches of tagging, more than one hardly help.

        Raises:
            UserError: the folder is missing or damaged, or the tagger needs PyTorch.
        """
        try:
            return cls(on_disk(folder), threads)
        except UserError as error:
            raise UserError(
                f"{error}" if str(error).startswith(str(folder)) else f"{folder}: {error}"
            ) from error
        except Exception as error:  # a damaged file raises whatever its first wrong byte leads to
            raise UserError(f"{folder}: damaged ({one_line(error)}); save the tagger again") from error

    def predict(
        self, sentences: Sequence[Sequence[str]], language: Languages = None, k: int = 0
    ) -> list[Prediction]:
        """Return the best tags of sentences that are given as lists of words; see ``Tagger.predict``.

        Args:
            sentences: lists of words.
            language: code of the sentences' language, or of each; "" where it is unknown. None stands for the tagger's
                language if it has one, else for unknown.
            k: number of the most probable tag sequences that each prediction holds besides.

        Raises:
            UserError: something is no list of words, or no tag sequence has a probability.
        """
        refuse_other_than_words(sentences)
        predictions: list[Prediction | None] = [None] * len(sentences)
        lengths = np.array([len(words) for words in sentences], dtype=np.int64)
        for own, places in self._by_language(len(sentences), language).items():
            order = places[np.argsort(-lengths[places], kind="stable")]
            for batch in cut_by_budget(order.tolist(), lengths, TOKENS):
                for place, found in zip(
                    batch, self._predict([sentences[i] for i in batch], own, k), strict=True
                ):
                    if found is None:
                        raise UserError(
                            f"sentence {place + 1} has no tag sequence with a probability: the tagger's weights are "
                            f"not finite, or its tags {', '.join(self.tag_set.names)} allow none of "
                            f"{lengths[place]} words"
                        )
                    predictions[place] = found
        return predictions  # type: ignore[return-value]

    def tag(self, text: str, language: str | None = None, threshold: float = 0.0) -> list[dict[str, Any]]:
        """Return the entities of a text, or the tags of its words; see :func:`skd_lightning.serving.text.tag`.

        Args:
            text: any; sentences and words are found by the rules of its language.
            language: its code. None stands for the tagger's language if it has one, else for unknown.
            threshold: least probability of an entity that is returned.

        Raises:
            UserError: the text is none, or the threshold is no probability.
        """
        return tag(self, text, language, threshold)

    def _by_language(self, number: int, language: Languages) -> dict[str, NDArray[np.int64]]:
        """Return the places of the sentences of each language whose features are its own."""
        languages = languages_of(language, number, self.languages, self._of_languages)
        if not self._of_languages:
            return {"": np.arange(number)}
        places: dict[str, list[int]] = {}
        for i, own in enumerate(languages):
            places.setdefault(own, []).append(i)
        return {own: np.array(found) for own, found in places.items()}

    def emissions(self, sentences: Sequence[Sequence[str]], language: str = "") -> NDArray[np.float32]:
        """Return (batch, words, tags) scores in nats, anything at padding.

        Args:
            sentences: lists of words, none of them empty.
            language: of all of them; "" where it is unknown.
        """
        lengths = np.array([len(words) for words in sentences], dtype=np.int64)
        language = language if self._of_languages else ""
        numbers = np.zeros((len(sentences), int(lengths.max(initial=0))), dtype=np.int64)
        with self._lock:
            memory = self._memory(language)
            for row, own in zip(numbers, memory.numbers(sentences), strict=True):
                row[: len(own)] = own
            rows = memory.rows
            vectors = rows[:, : self._size][numbers.T] if self._size else None
            sparse = (
                self._sparse.emissions(rows[:, self._size :], numbers) if self._sparse is not None else None
            )
        if self._transformer is not None:
            in_sentences = self._transformer.vectors(sentences, numbers.shape[1])
            vectors = np.ascontiguousarray(in_sentences.transpose(1, 0, 2))
        empty = (*numbers.shape, len(self.tag_set))
        if vectors is None or not numbers.size:
            return sparse if sparse is not None else np.zeros(empty, dtype=np.float32)
        inputs = {"vectors": vectors, "lengths": lengths.astype(np.int32)}
        assert self._network is not None
        shape = (numbers.shape[1], numbers.shape[0], len(self.tag_set))
        network = self._network.run(inputs, shape).transpose(1, 0, 2)
        return network if sparse is None else self._shares[0] * network + self._shares[1] * sparse

    def _memory(self, language: str) -> WordMemory:
        """Return what is known of the words of a language: vectors, then sums of sparse features."""
        if language not in self._memories:
            sparse = self._sparse

            def make(words: Sequence[str]) -> NDArray[np.float32]:
                parts = [self._vectors(words), *([sparse.of_words(words, language)] if sparse else [])]
                return np.concatenate(parts, axis=1)

            edge = [np.zeros(self._size, dtype=np.float32), *([sparse.of_edge()] if sparse else [])]
            self._memories[language] = WordMemory(make, np.concatenate(edge))
        return self._memories[language]

    def _predict(self, sentences: Sequence[Sequence[str]], language: str, k: int) -> list[Prediction | None]:
        """Return the predictions of a batch, longest sentence first; None where no sequence has a probability."""
        lengths = [len(words) for words in sentences]
        full = sum(length > 0 for length in lengths)
        emissions = self.emissions(sentences[:full], language)
        padded = np.zeros((len(lengths), *emissions.shape[1:]))
        padded[:full] = emissions
        chain = Chain(padded, self._transitions, np.array(lengths), self._start, self._end)
        paths = self._decode(chain)
        sure = np.exp(np.take_along_axis(chain.log_marginals, paths[..., None], axis=2)[..., 0]).tolist()
        probabilities = np.exp(chain.log_prob(paths)).tolist()
        tags = [self.tag_set.decode(path[:n]) for path, n in zip(paths.tolist(), lengths, strict=True)]
        entities = entities_with_probabilities(chain.span_log_prob, tags, self.tag_set, self._well_formed)
        alternatives = self._alternatives(chain, k) if k else [()] * len(sentences)
        return [
            Prediction(tags[i], tuple(sure[i][:n]), probabilities[i], entities[i], alternatives[i])
            if math.isfinite(probabilities[i])
            else None
            for i, n in enumerate(lengths)
        ]

    def _decode(self, chain: Chain) -> NDArray[np.int64]:
        """Return (batch, words) the tags that it chooses; 0 at padding."""
        if self._decoding != "entities":
            return chain.viterbi() if self._decoding == "viterbi" else chain.decode_marginals()
        marginals, lengths = np.exp(chain.log_marginals), chain.lengths.tolist()
        return decode_entities(chain.span_log_prob, marginals, lengths, self.tag_set, self._threshold)

    def _alternatives(self, chain: Chain, k: int) -> list[tuple[Alternative, ...]]:
        paths, scores = chain.kbest(k)
        return alternatives_of(self.tag_set.decode, paths.tolist(), scores.tolist(), chain.lengths.tolist())


def _sparse_features(arrays: Mapping[str, np.ndarray], tags: int) -> SparseFeatures:
    """Return the sparse features of a saved tagger.

    Raises:
        UserError: their keys, weights and biases do not fit each other.
    """
    keys, bias = arrays.get("wide.keys"), arrays.get("wide.head.emissions.bias")
    weights = table(arrays, "wide.weight")
    fits = keys is not None and bias is not None and keys.dtype == np.int64 and bias.shape == (tags,)
    if not fits or keys.ndim != 1 or weights.shape != (len(keys), tags):  # type: ignore[union-attr, arg-type]
        raise UserError(f"its sparse features do not fit each other and its {tags} tags")
    return SparseFeatures(keys.view(np.uint64), weights, bias)  # type: ignore[union-attr, arg-type]
