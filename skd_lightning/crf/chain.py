"""The distribution over tag sequences that emissions and transitions define."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from skd_lightning.crf import divergences, operators
from skd_lightning.crf.compiled_recursions import CompiledRecursions
from skd_lightning.crf.kbest import KBest
from skd_lightning.crf.sampling import sample_paths
from skd_lightning.crf.shapes import at_least_float32, check_shapes, whole_numbers
from skd_lightning.crf.spans import check_spans, span_log_prob
from skd_lightning.crf.torch_recursions import TorchRecursions


class LinearChainCRF:
    """p(y | x) ∝ exp[start(y_1) + Σ_i emissions_i(y_i) + Σ_i transitions_i(y_{i-1}, y_i) + end(y_n)].

    One object is one batch of such distributions. Each quantity is computed at its first use and kept, without a
    gradient if that use was under ``torch.no_grad``; everything but the discrete answers (Viterbi, k-best, samples) is
    differentiable once with respect to all potentials. A potential of -inf forbids. Half-precision potentials are
    computed with in float32.

    Args:
        emissions: (batch, words, tags) scores in nats; anything at padding, which never counts.
        transitions: (tags, tags) scores in nats ``[from, to]`` for all sentences; (batch, tags, tags), one matrix for
            each sentence; or (batch, words - 1, tags, tags), one for each pair of neighbouring words.
        lengths: (batch,) words of each sentence; 0 stands for an empty sentence, which has one path, of
            probability 1.
        start: (tags,) scores of the first tag in nats; none if None.
        end: (tags,) scores of the last tag in nats; none if None.

    Raises:
        ValueError: a shape does not fit the others; the message says what was expected.

    Source: Lafferty et al. 2001; the forward-backward notation of Wang et al. 2020, section 2.1 and 3.2.

    With logarithms of probabilities the chain is a Markov chain: here tag 0 stays with probability 0.9, tag 1 with 0.8.

    >>> stay = torch.tensor([[0.9, 0.1], [0.2, 0.8]])
    >>> crf = LinearChainCRF(torch.zeros(1, 2, 2), stay.log(), lengths=torch.tensor([2]))
    >>> crf.marginals[0]  # of both words; no start scores: both tags are as likely
    tensor([[0.5000, 0.5000],
            [0.5500, 0.4500]])
    >>> crf.viterbi()
    tensor([[0, 0]])
    >>> crf.log_prob(torch.tensor([[0, 0]])).exp()
    tensor([0.4500])
    """

    def __init__(
        self,
        emissions: Tensor,
        transitions: Tensor,
        lengths: Tensor,
        start: Tensor | None = None,
        end: Tensor | None = None,
    ) -> None:
        self.lengths = whole_numbers(lengths).to(emissions.device)
        check_shapes(emissions, transitions, self.lengths, start, end)
        self._emissions = at_least_float32(emissions)
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
        """(batch, words, tags) scores in nats as they were given, 0 at padding."""
        return self._emissions.masked_fill(~self.mask.unsqueeze(-1), 0.0)

    @cached_property
    def unary(self) -> Tensor:
        """(batch, words, tags) emissions with the start and end scores of the outer words added, 0 at padding."""
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
            if scores is not None:  # scores on an empty sentence's padding do not count
                added = scores.to(unary.dtype).expand(batch, tags)
                unary = unary.flatten(0, 1).index_add(0, rows, added).view_as(unary)
        return unary

    @cached_property
    def _suffixes(self) -> Tensor:
        """(batch, words, tags) float64 log-sums over what follows a tag, up to a constant of the word; no gradient."""
        messages: Tensor = operators.backward_messages(
            self.unary.double(), self.transitions.double(), self.lengths
        )
        return messages

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

        >>> crf = LinearChainCRF(torch.zeros(1, 3, 2), torch.zeros(2, 2), lengths=torch.tensor([3]))
        >>> crf.log_partition  # log of 2^3 paths
        tensor([2.0794])
        """
        return self._recursions.log_partition

    def restricted_log_partition(self, pairs: Tensor) -> Tensor:
        """Return the log-sum over the paths that consist of allowed pairs, (batch,) nats; -inf where there are none.

        Its gradient with respect to the potentials is the marginals of these paths; it can be taken once.

        Args:
            pairs: (batch, words, tags, tags) bool ``[from, to]``, of each word and the one before it; the first word
                may have the tags that any row allows. Anything at padding.

        Raises:
            ValueError: the shape of ``pairs`` does not fit.

        >>> crf = LinearChainCRF(torch.zeros(1, 2, 2), torch.zeros(2, 2), lengths=torch.tensor([2]))
        >>> pairs = torch.tensor([[[[True, True], [True, True]], [[True, False], [False, True]]]])
        >>> crf.restricted_log_partition(pairs)  # of the paths 0 0 and 1 1
        tensor([0.6931])
        """
        batch, words, tags = self._emissions.shape
        if tuple(pairs.shape) != (batch, words, tags, tags):
            raise ValueError(f"pairs: expected ({batch}, {words}, {tags}, {tags}), got {tuple(pairs.shape)}")
        serves = not self._emissions.is_cuda  # there is no kernel for a GPU
        return (self._recursions if serves else self._torch).restricted_log_partition(pairs)

    def score(self, paths: Tensor) -> Tensor:
        """Return unnormalised scores in nats of paths (batch, words) as (batch,), or (batch, k, words) as (batch, k).

        Raises:
            ValueError: the shape of ``paths`` does not fit.
            IndexError: a path has a tag that does not exist; a RuntimeError where plain torch computes.

        >>> crf = LinearChainCRF(torch.tensor([[[0.0, 1.0], [3.0, 0.0]]]), torch.eye(2), lengths=torch.tensor([2]))
        >>> crf.score(torch.tensor([[[1, 0], [0, 0]]]))
        tensor([[4., 4.]])
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
        """Return log p(path | x) in nats; shapes and errors as in :meth:`score`."""
        scores = self.score(paths)
        log_partition = self.log_partition
        return scores - (log_partition if scores.dim() == 1 else log_partition.unsqueeze(1))

    @property
    def log_marginals(self) -> Tensor:
        """(batch, words, tags) log p(y_i | x) in nats; -inf at padding and where forbidden."""
        return self._recursions.log_marginals

    @property
    def marginals(self) -> Tensor:
        """(batch, words, tags) p(y_i | x), by forward-backward; 0 at padding."""
        return self._recursions.marginals

    @property
    def pair_marginals(self) -> Tensor:
        """(batch, words - 1, tags, tags) p(y_{i-1}, y_i | x) as ``[from, to]``; 0 at padding.

        >>> stay = torch.tensor([[0.9, 0.1], [0.2, 0.8]])
        >>> LinearChainCRF(torch.zeros(1, 2, 2), stay.log(), lengths=torch.tensor([2])).pair_marginals[0, 0]
        tensor([[0.4500, 0.0500],
                [0.1000, 0.4000]])
        """
        return self._recursions.pair_marginals

    @property
    def transition_counts(self) -> Tensor:
        """(batch, tags, tags) expected number of times that one tag follows another, as ``[from, to]``."""
        return self._recursions.transition_counts

    def span_log_prob(self, sentence: Tensor, first: Tensor, tags: Tensor) -> Tensor:
        """Return log p(y_first, y_{first+1}, … = tags | x) of n spans, (n,) nats; -inf where forbidden.

        Exact, also for probabilities that are too small for a float. One recursion serves any number of spans.

        Args:
            sentence: (n,) int, the row of each span's sentence.
            first: (n,) int, the span's first word, counted from 0.
            tags: (n, longest) int, the tags of its words, -1 behind its last word.

        Raises:
            ValueError: the shapes do not fit, a span is empty or leaves its sentence, or a tag does not exist.

        >>> stay = torch.tensor([[0.9, 0.1], [0.2, 0.8]])
        >>> crf = LinearChainCRF(torch.zeros(1, 3, 2), stay.log(), lengths=torch.tensor([3]))
        >>> spans = torch.tensor([[0, 1], [1, -1]])  # tag 0, then 1, from the first word; tag 1 on the second word
        >>> crf.span_log_prob(torch.tensor([0, 0]), torch.tensor([0, 1]), spans).exp()
        tensor([0.0500, 0.4500])
        """
        sentence, first, tags = (x.to(self.lengths.device).long() for x in (sentence, first, tags))
        check_spans(sentence, first, tags, self.lengths, self._emissions.shape[2])
        return span_log_prob(self, sentence, first, tags)

    # -- decoding -----------------------------------------------------------------------------------------

    def kbest(self, k: int) -> KBest:
        """Return the k best paths, exactly: ``paths`` (batch, k, words), ``scores`` (batch, k), best first.

        Where a sentence has fewer than k paths, the remaining scores are -inf. Potentials that are NaN count as
        forbidden. No gradient: give the paths to :meth:`score` for that.

        Raises:
            ValueError: k is less than 1.

        >>> crf = LinearChainCRF(torch.tensor([[[0.0, 1.0], [3.0, 0.0]]]), torch.zeros(2, 2), torch.tensor([2]))
        >>> crf.kbest(2)
        KBest(paths=tensor([[[1, 0],
                 [0, 0]]]), scores=tensor([[4., 3.]]))
        """
        if k < 1:
            raise ValueError(f"k: expected at least 1, got {k}")
        return self._recursions.kbest(k)

    def viterbi(self) -> Tensor:
        """Return the most probable path, (batch, words) int64; 0 at padding."""
        return self.kbest(1).paths.squeeze(1)

    def decode_marginals(self) -> Tensor:
        """Return each word's most probable tag, (batch, words) int64; 0 at padding.

        No other choice of tags has more correct ones on average. Together they may be a sequence that is forbidden;
        :meth:`viterbi` returns the most probable whole sequence.

        >>> emissions = torch.tensor([[[0.4, 0.3, 0.3], [1.0, 1.0, 1.0]]]).log()
        >>> transitions = torch.tensor([[0.3, 0.3, 0.4], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]).log()
        >>> crf = LinearChainCRF(emissions, transitions, lengths=torch.tensor([2]))
        >>> crf.decode_marginals(), crf.viterbi()  # tag 0 is likely, but none of its paths
        (tensor([[0, 1]]), tensor([[1, 1]]))
        """
        return self.marginals.argmax(-1) * self.mask

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Return n independent draws of a path, (batch, n, words) int64; 0 at padding.

        >>> never = torch.tensor([[-torch.inf, 0.0], [0.0, -torch.inf]])  # no tag follows itself
        >>> crf = LinearChainCRF(torch.zeros(1, 3, 2), never, torch.tensor([3]), start=torch.tensor([50.0, 0.0]))
        >>> crf.sample(2)
        tensor([[[0, 1, 0],
                 [0, 1, 0]]])
        """
        forward = self._torch.forward
        transitions = self._torch.transitions
        paths = sample_paths(forward, self.unary, transitions, self.lengths, n, generator)
        return paths * self.mask.unsqueeze(1)

    # -- between distributions ----------------------------------------------------------------------------

    def entropy(self) -> Tensor:
        """Return −Σ_y p(y|x) log p(y|x) over all paths, (batch,) nats.

        >>> LinearChainCRF(torch.zeros(1, 3, 2), torch.zeros(2, 2), torch.tensor([3])).entropy()  # 3 log 2
        tensor([2.0794])
        """
        return self.cross_entropy(self)

    def cross_entropy(self, other: LinearChainCRF) -> Tensor:
        """Return −Σ_y p(y|x) log q(y|x), (batch,) nats, p this distribution and q the other on the same words.

        Exact, because log q is a sum over words and pairs of neighbours: log Z_q − Σ_i Σ_y p(y_i) unary_q(y_i) −
        Σ_i Σ_{y',y} p(y'_{i-1}, y_i) transitions_q(y', y). It is inf where q forbids what p allows.

        Raises:
            ValueError: the other one is about sentences of other lengths, or other tags.

        Source: Wang et al. 2021 (arXiv 2010.05010), the factorised structural objective.
        """
        return divergences.cross_entropy(self, other)

    def kl(self, other: LinearChainCRF) -> Tensor:
        """Return Σ_y p(y|x) log [p(y|x) / q(y|x)], (batch,) nats, p this distribution and q the other.

        Raises:
            ValueError: the other one is about sentences of other lengths, or other tags.

        >>> sure = LinearChainCRF(torch.tensor([[[0.0, -torch.inf]]]), torch.zeros(2, 2), torch.tensor([1]))
        >>> fair = LinearChainCRF(torch.zeros(1, 1, 2), torch.zeros(2, 2), torch.tensor([1]))
        >>> sure.kl(fair), fair.kl(sure)  # log 2; fair allows what sure forbids
        (tensor([0.6931]), tensor([inf]))
        """
        return divergences.kl(self, other)

    def renyi(self, other: LinearChainCRF, alpha: float) -> Tensor:
        """Return Rényi's divergence D_α(p ‖ q) = log Σ_y p(y|x)^α q(y|x)^{1-α} / (α − 1), (batch,) nats, exactly.

        p is this distribution, q the other one on the same words. It is [α log Z_p + (1 − α) log Z_q − log Z_mix] /
        (1 − α), where the mix is the chain with α times the potentials of p plus 1 − α times those of q. So its
        gradient needs the marginals of the three chains, and none through marginals. It grows with α, to KL(p ‖ q) for
        α → 1; for α → 0, D_α / α tends to KL(q ‖ p). It is inf where no path is allowed by both.

        Args:
            other: the distribution q.
            alpha: the order, between 0 and 1, both excluded.

        Raises:
            ValueError: alpha is not between 0 and 1; or as of :meth:`kl`.

        Source: Rényi 1961; van Erven and Harremoës 2014 (arXiv 1206.2459) for its properties.

        >>> sure = LinearChainCRF(torch.tensor([[[0.0, -torch.inf]]]), torch.zeros(2, 2), torch.tensor([1]))
        >>> fair = LinearChainCRF(torch.zeros(1, 1, 2), torch.zeros(2, 2), torch.tensor([1]))
        >>> sure.renyi(fair, 0.5), fair.renyi(sure, 0.5)  # log 2: at one half it is symmetric
        (tensor([0.6931]), tensor([0.6931]))
        """
        if not 0.0 < alpha < 1.0:
            raise ValueError(f"alpha: expected a number between 0 and 1, both excluded, got {alpha}")
        return divergences.renyi(self, other, alpha)

    def tempered(self, temperature: float) -> LinearChainCRF:
        """Return the distribution ∝ p(y|x)^{1/T}: all potentials are divided by the temperature T; itself for T = 1.

        Raises:
            ValueError: the temperature is not above 0.

        >>> crf = LinearChainCRF(torch.tensor([[[4.0, 0.0]]]), torch.zeros(2, 2), torch.tensor([1]))
        >>> crf.marginals, crf.tempered(4.0).marginals
        (tensor([[[0.9820, 0.0180]]]), tensor([[[0.7311, 0.2689]]]))
        """
        if not temperature > 0:
            raise ValueError(f"temperature: expected a number above 0, got {temperature}")
        if temperature == 1.0:
            return self
        return LinearChainCRF(self.unary / temperature, self.transitions / temperature, self.lengths)
