"""The distribution over tag sequences that emissions and transitions define."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from skd_lightning.crf import operators
from skd_lightning.crf.kbest import KBest
from skd_lightning.crf.recursions import CompiledRecursions, TorchRecursions


class LinearChainCRF:
    """p(y | x) ∝ exp[start(y_1) + Σ_i emissions_i(y_i) + Σ_i transitions_i(y_{i-1}, y_i) + end(y_n)].

    One object is one batch of such distributions. What is asked for is computed when it is asked for and kept,
    and everything but the discrete answers (Viterbi, k-best, samples) is differentiable once with respect to
    all potentials. A potential of -inf forbids. Half-precision potentials are computed with in float32.

    Args:
        emissions: (batch, words, tags) scores in nats; anything at padding, it never counts.
        transitions: (tags, tags) scores ``[from, to]``, or (batch, words - 1, tags, tags), one matrix for each
            pair of neighbouring words.
        lengths: (batch,) words of each sentence; 0 stands for an empty sentence, which has one path, of
            probability 1.
        start: (tags,) scores of the first tag; none if None.
        end: (tags,) scores of the last tag; none if None.

    Raises:
        ValueError: a shape does not fit the others; the message says what was expected.

    Source: Lafferty et al. 2001; the forward-backward notation of Wang et al. 2020, section 2.1 and 3.2.
    """

    def __init__(
        self,
        emissions: Tensor,
        transitions: Tensor,
        lengths: Tensor,
        start: Tensor | None = None,
        end: Tensor | None = None,
    ) -> None:
        _check_shapes(emissions, transitions, lengths, start, end)
        self.lengths = lengths.to(emissions.device)
        self._emissions = _at_least_float32(emissions)
        self._boundaries = (start, end)
        self.transitions = transitions.to(self._emissions.dtype)
        if transitions.dim() == 4:
            self.transitions = self.transitions.masked_fill(~self.mask[:, 1:, None, None], 0.0)

    @cached_property
    def mask(self) -> Tensor:
        """(batch, words) bool: False at padding."""
        return torch.arange(self._emissions.shape[1], device=self.lengths.device) < self.lengths.unsqueeze(1)

    @cached_property
    def emissions(self) -> Tensor:
        """(batch, words, tags): what was given, 0 at padding."""
        return self._emissions.masked_fill(~self.mask.unsqueeze(-1), 0.0)

    @cached_property
    def unary(self) -> Tensor:
        """(batch, words, tags): emissions with the start and end scores of the outer words added, 0 at padding."""
        return self._unpadded.masked_fill(~self.mask.unsqueeze(-1), 0.0)

    @cached_property
    def _unpadded(self) -> Tensor:
        """The unary potentials, with anything at padding."""
        batch, words, tags = self._emissions.shape
        unary = self._emissions
        if words == 0:
            return unary
        first = torch.arange(0, batch * words, words, device=unary.device)
        last = first + (self.lengths - 1).clamp(min=0)
        for scores, rows in zip(self._boundaries, (first, last), strict=True):
            if scores is not None:  # what falls on an empty sentence's padding does not count
                added = scores.to(unary.dtype).expand(batch, tags)
                unary = unary.flatten(0, 1).index_add(0, rows, added).view_as(unary)
        return unary

    @cached_property
    def _torch(self) -> TorchRecursions:
        return TorchRecursions(self.unary, self.transitions, self.lengths, self.mask)

    @cached_property
    def _recursions(self) -> CompiledRecursions | TorchRecursions:
        if operators.serve(self._unpadded, self.transitions):
            return CompiledRecursions(self._unpadded, self.transitions, self.lengths)
        return self._torch

    # -- values -------------------------------------------------------------------------------------------

    @property
    def log_partition(self) -> Tensor:
        """(batch,) log Z in nats; 0 for an empty sentence, -inf where everything is forbidden.

        Its gradient with respect to the potentials is the marginals.
        """
        return self._recursions.log_partition

    def score(self, paths: Tensor) -> Tensor:
        """Unnormalised score in nats of paths (batch, words) -> (batch,), or (batch, k, words) -> (batch, k).

        Raises:
            ValueError: the shape of ``paths`` does not fit.
            IndexError: a path has a tag that does not exist.
        """
        if paths.dim() == 2:
            return self.score(paths.unsqueeze(1)).squeeze(1)
        batch, words, _ = self._emissions.shape
        if paths.dim() != 3 or paths.shape[0] != batch or paths.shape[2] != words:
            raise ValueError(
                f"paths: expected ({batch}, {words}) or ({batch}, k, {words}), got {tuple(paths.shape)}"
            )
        return self._recursions.score(paths)

    def log_prob(self, paths: Tensor) -> Tensor:
        """log p(path | x) in nats; shapes as in :meth:`score`."""
        scores = self.score(paths)
        log_partition = self.log_partition
        return scores - (log_partition if scores.dim() == 1 else log_partition.unsqueeze(1))

    @property
    def log_marginals(self) -> Tensor:
        """(batch, words, tags) log p(y_i | x); -inf at padding and where forbidden."""
        return self._recursions.log_marginals

    @property
    def marginals(self) -> Tensor:
        """(batch, words, tags) p(y_i | x); 0 at padding."""
        return self._recursions.marginals

    @property
    def pair_marginals(self) -> Tensor:
        """(batch, words - 1, tags, tags) p(y_{i-1}, y_i | x) as ``[from, to]``; 0 at padding."""
        return self._recursions.pair_marginals

    @property
    def transition_counts(self) -> Tensor:
        """(batch, tags, tags) expected number of times that one tag follows another, as ``[from, to]``."""
        return self._recursions.transition_counts

    # -- decoding -----------------------------------------------------------------------------------------

    def kbest(self, k: int) -> KBest:
        """The k best paths, exactly; ``paths`` (batch, k, words), ``scores`` (batch, k), best first.

        Where a sentence has fewer than k paths, the remaining scores are -inf. No gradient: give the paths to
        :meth:`score` for that.
        """
        if k < 1:
            raise ValueError(f"k: expected at least 1, got {k}")
        return self._recursions.kbest(k)

    def viterbi(self) -> Tensor:
        """(batch, words) int64, the most probable path; 0 at padding."""
        return self.kbest(1).paths.squeeze(1)

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """(batch, n, words) int64: n independent draws of a path; 0 at padding.

        Forward filtering, backward sampling: the last tag from its marginal, each one before it from
        p(y_{i-1} | y_i, x).
        """
        batch, words, tags = self.unary.shape
        paths = torch.zeros(batch, n, words, dtype=torch.long, device=self.unary.device)
        prefix = self._torch.forward + self.unary
        follower = paths.new_zeros(batch, n)
        for i in range(words - 1, -1, -1):
            logits = prefix[:, i].unsqueeze(1).expand(-1, n, -1)
            if i + 1 < words:
                step = self.transitions[:, i] if self.transitions.dim() == 4 else self.transitions[None]
                index = follower.unsqueeze(-1).expand(-1, -1, tags)
                into = step.transpose(-1, -2).expand(batch, -1, -1).gather(1, index)
                logits = torch.where((self.lengths > i + 1)[:, None, None], logits + into, logits)
            noise = torch.empty_like(logits, memory_format=torch.contiguous_format)
            gumbel = -noise.exponential_(generator=generator).log()
            follower = (logits + gumbel).argmax(-1)
            paths[:, :, i] = follower
        return paths * self.mask.unsqueeze(1)

    # -- between distributions ----------------------------------------------------------------------------

    def entropy(self) -> Tensor:
        """(batch,) −Σ_y p(y|x) log p(y|x) over all paths, in nats."""
        return self.cross_entropy(self)

    def cross_entropy(self, other: LinearChainCRF) -> Tensor:
        """(batch,) −Σ_y p(y|x) log q(y|x), p this distribution and q the other, in nats.

        Exact by the factorisation over words and pairs of neighbours; inf where q forbids what p allows.
        """
        unary = _expectation(self.marginals, other.unary).sum(dim=(1, 2))
        if other.transitions.dim() == 2:
            pairs = _expectation(self.transition_counts, other.transitions).sum(dim=(1, 2))
        else:
            pairs = _expectation(self.pair_marginals, other.transitions).sum(dim=(1, 2, 3))
        return other.log_partition - unary - pairs

    def kl(self, other: LinearChainCRF) -> Tensor:
        """(batch,) Σ_y p(y|x) log [p(y|x) / q(y|x)], in nats."""
        return self.cross_entropy(other) - self.entropy()

    def tempered(self, temperature: float) -> LinearChainCRF:
        """The distribution with all potentials divided by the temperature (p^{1/T}, renormalised over paths)."""
        return LinearChainCRF(self.unary / temperature, self.transitions / temperature, self.lengths)


def _check_shapes(
    emissions: Tensor, transitions: Tensor, lengths: Tensor, start: Tensor | None, end: Tensor | None
) -> None:
    if emissions.dim() != 3:
        raise ValueError(f"emissions: expected (batch, words, tags), got {tuple(emissions.shape)}")
    batch, words, tags = emissions.shape
    allowed = ((tags, tags), (batch, max(words - 1, 0), tags, tags))
    if tuple(transitions.shape) not in allowed:
        raise ValueError(
            f"transitions: expected {allowed[0]} or {allowed[1]}, got {tuple(transitions.shape)}"
        )
    if tuple(lengths.shape) != (batch,):
        raise ValueError(f"lengths: expected ({batch},), got {tuple(lengths.shape)}")
    if lengths.device.type == "cpu" and batch and not 0 <= int(lengths.min()) <= int(lengths.max()) <= words:
        raise ValueError(f"lengths: expected 0 to {words} words, got {lengths.tolist()}")
    for name, scores in (("start", start), ("end", end)):
        if scores is not None and tuple(scores.shape) != (tags,):
            raise ValueError(f"{name}: expected ({tags},), got {tuple(scores.shape)}")


def _at_least_float32(scores: Tensor) -> Tensor:
    return scores.float() if scores.dtype in (torch.float16, torch.bfloat16) else scores


def _expectation(probability: Tensor, value: Tensor) -> Tensor:
    """probability · value, where 0 · (-inf) = 0 in the product and in its gradient."""
    possible = probability > 0
    return torch.where(possible, probability * torch.where(possible, value, 0.0), 0.0)
