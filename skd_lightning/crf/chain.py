"""The distribution over tag sequences that emissions and transitions define."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from skd_lightning.crf.kbest import KBest, kbest
from skd_lightning.crf.messages import chain_messages


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
        words = emissions.shape[1]
        self.lengths = lengths.to(emissions.device)
        position = torch.arange(words, device=emissions.device)
        self.mask = position < self.lengths.unsqueeze(1)
        """(batch, words) bool: False at padding."""
        emissions = _at_least_float32(emissions).masked_fill(~self.mask.unsqueeze(-1), 0.0)
        self.emissions = emissions
        """(batch, words, tags): what was given, 0 at padding."""
        if start is not None:
            first = self.mask & (position == 0)
            emissions = torch.where(first.unsqueeze(-1), emissions + start, emissions)
        if end is not None:
            last = position == self.lengths.unsqueeze(1) - 1
            emissions = torch.where(last.unsqueeze(-1), emissions + end, emissions)
        self.unary = emissions
        """(batch, words, tags): emissions with the start and end scores of the outer words added."""
        transitions = transitions.to(emissions.dtype)
        if transitions.dim() == 4:
            transitions = transitions.masked_fill(~self.mask[:, 1:, None, None], 0.0)
        self.transitions = transitions

    # -- what the recursions need -------------------------------------------------------------------------

    def _word_first(self) -> tuple[Tensor, Tensor]:
        """Emissions (words, batch, tags) and transitions (words - 1 or 1, batch or 1, tags, tags)."""
        if self.transitions.dim() == 4:
            return self.unary.transpose(0, 1), self.transitions.transpose(0, 1)
        return self.unary.transpose(0, 1), self.transitions[None, None]

    def _word_first_reversed(self) -> tuple[Tensor, Tensor]:
        """The same chain read from each sentence's end to its start."""
        emissions = _reverse(self.unary, self.lengths).transpose(0, 1)
        transitions = self.transitions.transpose(-1, -2)
        if transitions.dim() == 4:
            return emissions, _reverse(transitions, self.lengths - 1).transpose(0, 1)
        return emissions, transitions[None, None]

    @cached_property
    def _forward(self) -> Tensor:
        """(batch, words, tags): log-sum over all prefixes, without the word's own emission, up to a constant."""
        messages, shifts = chain_messages(*self._word_first())
        self._shifts = shifts.transpose(0, 1)
        return messages.transpose(0, 1)

    @cached_property
    def _backward(self) -> Tensor:
        """(batch, words, tags): log-sum over all suffixes, without the word's own emission, up to a constant."""
        if "_forward" in self.__dict__:
            backward = chain_messages(*self._word_first_reversed())[0].transpose(0, 1)
        else:  # both directions in one loop: half as many steps
            both = zip(self._word_first(), self._word_first_reversed(), strict=True)
            messages, shifts = chain_messages(*(torch.stack(pair, dim=1) for pair in both))
            self.__dict__["_forward"] = messages[:, 0].transpose(0, 1)
            self._shifts = shifts[:, 0].transpose(0, 1)
            backward = messages[:, 1].transpose(0, 1)
        return _reverse(backward, self.lengths)

    # -- values -------------------------------------------------------------------------------------------

    @cached_property
    def log_partition(self) -> Tensor:
        """(batch,) log Z in nats; 0 for an empty sentence, -inf where everything is forbidden.

        Its gradient with respect to the potentials is the marginals.
        """
        if self.unary.shape[1] == 0:
            return self.unary.sum(dim=(1, 2))
        last = (self.lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, self.unary.shape[2])
        log_sum = torch.logsumexp((self._forward + self.unary).gather(1, last).squeeze(1), dim=-1)
        constant = torch.where(self.mask, self._shifts, 0.0).sum(1, dtype=torch.double)
        return torch.where(self.lengths > 0, (log_sum.double() + constant).to(log_sum.dtype), 0.0)

    def score(self, paths: Tensor) -> Tensor:
        """Unnormalised score in nats of paths (batch, words) -> (batch,), or (batch, k, words) -> (batch, k)."""
        if paths.dim() == 2:
            return self.score(paths.unsqueeze(1)).squeeze(1)
        batch, words, tags = self.unary.shape
        if paths.dim() != 3 or paths.shape[0] != batch or paths.shape[2] != words:
            raise ValueError(
                f"paths: expected ({batch}, {words}) or ({batch}, k, {words}), got {tuple(paths.shape)}"
            )
        paths = paths.masked_fill(~self.mask.unsqueeze(1), 0)
        by_word = self.unary.gather(2, paths.transpose(1, 2))  # (batch, words, k)
        by_word = torch.where(self.mask.unsqueeze(-1), by_word, 0.0).sum(1)
        flat = paths[..., :-1] * tags + paths[..., 1:]  # (batch, k, words - 1)
        if self.transitions.dim() == 4:
            by_pair = self.transitions.flatten(2).gather(2, flat.transpose(1, 2)).transpose(1, 2)
        else:
            by_pair = self.transitions.flatten().gather(0, flat.flatten()).view(flat.shape)
        return by_word + torch.where(self.mask[:, None, 1:], by_pair, 0.0).sum(-1)

    def log_prob(self, paths: Tensor) -> Tensor:
        """log p(path | x) in nats; shapes as in :meth:`score`."""
        scores = self.score(paths)
        log_partition = self.log_partition
        return scores - (log_partition if scores.dim() == 1 else log_partition.unsqueeze(1))

    @cached_property
    def log_marginals(self) -> Tensor:
        """(batch, words, tags) log p(y_i | x); -inf at padding and where forbidden."""
        backward = self._backward  # first, so that both directions share one loop
        return _log_normalised(self._forward + self.unary + backward, self.mask)

    @property
    def marginals(self) -> Tensor:
        """(batch, words, tags) p(y_i | x); 0 at padding."""
        return self.log_marginals.exp()

    @cached_property
    def pair_marginals(self) -> Tensor:
        """(batch, words - 1, tags, tags) p(y_{i-1}, y_i | x) as ``[from, to]``; 0 at padding."""
        backward = self._backward
        prefix = (self._forward + self.unary)[:, :-1]
        suffix = (backward + self.unary)[:, 1:]
        log_pairs = prefix.unsqueeze(-1) + self.transitions + suffix.unsqueeze(-2)
        return _log_normalised(log_pairs.flatten(2), self.mask[:, 1:]).exp().view_as(log_pairs)

    # -- decoding -----------------------------------------------------------------------------------------

    def kbest(self, k: int) -> KBest:
        """The k best paths, exactly; ``paths`` (batch, k, words), ``scores`` (batch, k), best first.

        Where a sentence has fewer than k paths, the remaining scores are -inf. No gradient: give the paths to
        :meth:`score` for that.
        """
        if k < 1:
            raise ValueError(f"k: expected at least 1, got {k}")
        batch, words, _ = self.unary.shape
        if words == 0:
            scores = self.unary.new_full((batch, k), -torch.inf)
            scores[:, 0] = 0.0
            return KBest(torch.zeros(batch, k, 0, dtype=torch.long, device=scores.device), scores)
        return kbest(*self._word_first(), self.lengths, k)

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
        prefix = self._forward + self.unary
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


def _log_normalised(scores: Tensor, mask: Tensor) -> Tensor:
    """log-softmax along the last axis; -inf outside the mask and where everything is -inf (no NaN there)."""
    counts = (mask & ~torch.isneginf(scores.amax(-1))).unsqueeze(-1)
    normalised = torch.log_softmax(torch.where(counts, scores, 0.0), dim=-1)
    return normalised.masked_fill(~counts, -torch.inf)


def _reverse(values: Tensor, lengths: Tensor) -> Tensor:
    """(batch, steps, ...) with the first ``lengths`` steps of each row in reverse order, the rest in place."""
    step = torch.arange(values.shape[1], device=values.device)
    mirrored = lengths.unsqueeze(1) - 1 - step
    index = torch.where(mirrored >= 0, mirrored, step)
    return values.gather(1, index.view(*index.shape, *[1] * (values.dim() - 2)).expand_as(values))


def _expectation(probability: Tensor, value: Tensor) -> Tensor:
    """probability · value, where 0 · (-inf) = 0 in the product and in its gradient."""
    possible = probability > 0
    return torch.where(possible, probability * torch.where(possible, value, 0.0), 0.0)
