"""Answers of teachers about sentences, derived from their potentials once and stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from skd_lightning.crf import LinearChainCRF
from skd_lightning.distillation.cache.entry import Spoken
from skd_lightning.distillation.cache.parts import Parts
from skd_lightning.distillation.cache.sparse import SparseRows, joined, sparsified
from skd_lightning.distillation.mixtures import Weights, mixed
from skd_lightning.distillation.path_sets import PackedPairs, path_set
from skd_lightning.distillation.targets import softened
from skd_lightning.ragged import cells, cut_by_budget, ranges

WORDS = 8192
"""A batch while something is derived, padding included."""


class Answers:
    """The answers of a mixture Σ w_m p_m of teachers, or of a single teacher, on one list of sentences.

    Where a member said nothing about a sentence, the others share its weight; where nobody did, their answer means
    nothing, and ``taught`` of the targets is False.

    Marginals and transition counts are linear in the distribution: those of the mixture are the averages. A product
    Π p_m^{w_m} is a single chain, see :func:`skd_lightning.distillation.teachers.pools.product`.

    Args:
        parts: where the answers are stored.
        lengths: (sentences,) words of each sentence.
        members: what each teacher says about these sentences, over the same tags; asked for when it is needed.
        weights: of the members, which sum to 1.
    """

    def __init__(
        self,
        parts: Parts,
        lengths: np.ndarray,
        members: Callable[[], Sequence[Spoken]],
        weights: Sequence[float] = (1.0,),
    ) -> None:
        self.parts, self.lengths, self.weights = parts, lengths, tuple(weights)
        self._members = members
        self._starts = np.cumsum(lengths) - lengths

    def expectations(self, temperature: float = 1.0, softening: float = 1.0) -> tuple[SparseRows, SparseRows]:
        """Return marginals and transition counts; values near 0 are 0, see :func:`sparsified`.

        Args:
            temperature: divides the potentials.
            softening: of the marginals, see :func:`softened`; softened from what is stored, they would lack a tail.

        Returns:
            p(y_i | x), a row a word; and the expected numbers N(a, b) of tag a before tag b, a row a sentence, in
            column a · tags + b.
        """

        def make(members: Sequence[Spoken]) -> dict[str, np.ndarray]:
            marginals, counts, words, numbers = [], [], [], []
            for sentences, crfs, weights in self._chains(members):
                soft = [crf.tempered(temperature) for crf in crfs]
                row, word = cells(self.lengths[sentences])
                by_word = mixed(lambda crf: crf.marginals, soft, weights)[row, word]
                marginals.append(sparsified(softened(by_word, softening).numpy(), np.float16))
                by_pair = mixed(lambda crf: crf.transition_counts, soft, weights).flatten(1)
                counts.append(sparsified(by_pair.numpy(), np.float32))
                words.append(self._words(sentences))
                numbers.append(sentences)
            of_words = {f"marginal_{name}": array for name, array in joined(marginals, words).items()}
            return of_words | {f"count_{name}": array for name, array in joined(counts, numbers).items()}

        name = f"expectations-t{temperature:.12g}" + (f"-s{softening:.12g}" if softening != 1.0 else "")
        arrays = self._find_or_make(name, make)
        return SparseRows.of(arrays, "marginal_"), SparseRows.of(arrays, "count_")

    def paths(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return paths (words, k) and their log-probabilities (sentences, k) in nats, best first.

        A single chain's k best sequences are exact. A mixture is no chain: its sequences are the best k, by their
        mixed probability, of those that are among the k best of a member.
        """

        def make(members: Sequence[Spoken]) -> dict[str, np.ndarray]:
            tags = members[0].tags
            paths = np.zeros((self._words_in_all, k), dtype=np.uint8 if tags <= 256 else np.uint16)
            log_probs = np.full((len(self.lengths), k), -np.inf, dtype=np.float32)
            for sentences, crfs, weights in self._chains(members):
                best, log_probs[sentences] = _best_of_mixture(crfs, weights, k)
                row, word = cells(self.lengths[sentences])
                paths[self._words(sentences)] = best.numpy()[row, :, word]
            return {"paths": paths, "log_probs": log_probs}

        arrays = self._find_or_make(f"paths-k{k}", make)
        return arrays["paths"], arrays["log_probs"]

    def path_sets(self, mass: float) -> PackedPairs:
        """Return the pairs of tags that the paths of the set S consist of, see :func:`path_set`."""

        def make(members: Sequence[Spoken]) -> dict[str, np.ndarray]:
            tags = members[0].tags
            bits = np.zeros((self._words_in_all, -(-tags * tags // 8)), dtype=np.uint8)
            for sentences, crfs, weights in self._chains(members):
                row, word = cells(self.lengths[sentences])
                pairs = path_set(crfs, weights, mass)[row, word]
                bits[self._words(sentences)] = np.packbits(pairs.flatten(1).numpy(), axis=1)
            return {"bits": bits}

        return PackedPairs(self._find_or_make(f"path-sets-m{mass:.12g}", make)["bits"])

    def disagreement(self) -> np.ndarray:
        """Return (sentences,) Σ_m w_m KL(product ‖ p_m) in nats: Σ_m w_m log Z_m − log Z of the averaged potentials."""

        def make(members: Sequence[Spoken]) -> dict[str, np.ndarray]:
            found = np.zeros(len(self.lengths), dtype=np.float32)
            for sentences, crfs, weights in self._chains(members):
                unary = mixed(lambda crf: crf.unary, crfs, weights)
                transitions = mixed(lambda crf: crf.transitions, crfs, weights)
                log_mean = LinearChainCRF(unary, transitions, crfs[0].lengths).log_partition
                found[sentences] = (mixed(lambda crf: crf.log_partition, crfs, weights) - log_mean).numpy()
            return {"nats": np.maximum(found, 0.0)}

        nats: np.ndarray = self._find_or_make("disagreement", make)["nats"]
        return nats

    def entropy(self) -> np.ndarray:
        """Return (sentences,) Σ_m w_m H(p_m) in nats, exactly.

        That of a mixture has no closed form; it is larger than this mean, by no more than the members disagree.
        """

        def make(members: Sequence[Spoken]) -> dict[str, np.ndarray]:
            found = np.zeros(len(self.lengths), dtype=np.float32)
            for sentences, crfs, weights in self._chains(members):
                found[sentences] = mixed(lambda crf: crf.entropy(), crfs, weights).numpy()
            return {"nats": np.maximum(found, 0.0)}

        nats: np.ndarray = self._find_or_make("entropy", make)["nats"]
        return nats

    def _find_or_make(
        self, part: str, make: Callable[[Sequence[Spoken]], dict[str, np.ndarray]]
    ) -> dict[str, np.ndarray]:
        """Return the arrays of a part, made from the members' potentials where they are missing."""
        found = self.parts.open(part)
        if found is None:
            # Asked for before the folder is locked: they may be a part of it that is still missing, or damaged.
            members = self._members()
            found = self.parts.find_or_make(part, lambda: make(members))[0]
        return found

    @property
    def _words_in_all(self) -> int:
        return int(self.lengths.sum())

    def _words(self, sentences: np.ndarray) -> np.ndarray:
        """Return the numbers of the words of some sentences."""
        return ranges(self._starts[sentences], self.lengths[sentences])

    @torch.inference_mode()
    def _chains(
        self, members: Sequence[Spoken]
    ) -> Iterator[tuple[np.ndarray, list[LinearChainCRF], Weights]]:
        """Yield the numbers of sentences of similar length, the members' distributions on them, and their weights.

        Members of other kinds have what is asked of them here, too: others have been refused.
        """
        known = [member.known for member in members]
        order = np.argsort(self.lengths, kind="stable").tolist()
        for batch in cut_by_budget(order, self.lengths, WORDS):
            sentences = np.array(batch)
            made: list[Any] = [member.chain(sentences, self.lengths, self._starts) for member in members]
            weights: Weights = self.weights
            if len(members) > 1 and any(mask is not None for mask in known):
                heard = [np.ones(len(sentences)) if mask is None else mask[sentences] for mask in known]
                shares = torch.from_numpy(np.stack(heard) * np.array(self.weights)[:, None]).float()
                weights = tuple(shares / shares.sum(0).clamp(min=torch.finfo(shares.dtype).tiny))
            yield sentences, cast("list[LinearChainCRF]", made), weights


def _best_of_mixture(crfs: Sequence[LinearChainCRF], weights: Weights, k: int) -> tuple[Tensor, Tensor]:
    """Return paths (batch, k, words) and log-probabilities (batch, k), the best of those that a member has among its k.

    Where there are fewer, the paths are 0 and the log-probabilities -inf; that of the first is 0 where nobody spoke.
    """
    best = [crf.kbest(k) for crf in crfs]
    if len(crfs) == 1:
        return best[0].paths, best[0].scores - crfs[0].log_partition.unsqueeze(1)
    paths = torch.cat([one.paths for one in best], dim=1)
    exists = torch.cat([one.scores for one in best], dim=1) > -torch.inf
    same = (paths.unsqueeze(2) == paths.unsqueeze(1)).all(-1) & exists.unsqueeze(1)
    first = same.int().argmax(-1) == torch.arange(paths.shape[1])
    logs = [
        torch.as_tensor(weight).log().view(-1, 1) + crf.log_prob(paths)
        for weight, crf in zip(weights, crfs, strict=True)
    ]
    mixed = torch.stack(logs).logsumexp(0).masked_fill(~(first & exists), -torch.inf)
    log_probs, order = mixed.topk(k, dim=1)
    chosen = paths.gather(1, order.unsqueeze(-1).expand(-1, -1, paths.shape[2]))
    chosen = chosen * (log_probs > -torch.inf).unsqueeze(-1)
    nobody = torch.isneginf(log_probs[:, :1]) & (torch.arange(k) == 0)
    return chosen, log_probs.masked_fill(nobody, 0.0)
