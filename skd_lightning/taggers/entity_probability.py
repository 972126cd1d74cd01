"""The exact probability of each entity of a decoded sequence."""

from __future__ import annotations

import torch
from torch import Tensor

from skd_lightning.crf import LinearChainCRF
from skd_lightning.metrics import Chunks


def entity_probabilities(crf: LinearChainCRF, paths: Tensor, chunks: Chunks, continues: Tensor) -> Tensor:
    """Return (batch, words) the probability of the entity that begins at a word; anything where none begins.

    It is the probability that the words of the entity bear their decoded tags t, and that it neither carries on an
    entity to its left nor goes on to its right. A chain is Markov, so with first word f and last word l this is

    [p(t_f) − Σ_a p(a, t_f)] · Π_i p(t_{i-1}, t_i) / p(t_{i-1}) · [p(t_l) − Σ_c p(t_l, c)] / p(t_l),

    where the sums run over the tags a that t_f would carry on and the tags c that would carry on t_l. In BIOES both
    sums are 0; in IOB2 the second one takes away the longer entities. Where tags are well-formed, this is the
    probability that the sentence holds the entity; of ill-formed tags, it counts none of the other spellings.

    Args:
        crf: distributions of a batch.
        paths: (batch, words) int64 decoded tags; any tag at padding.
        chunks: the entities of the paths, see :meth:`TaggingScores.both`.
        continues: (tags, tags) bool ``[from, to]``: the second tag carries on the entity of the first.

    Examples:
        >>> from skd_lightning.metrics import TaggingScores
        >>> from skd_lightning.tags import TagSet
        >>> chain = LinearChainCRF(torch.zeros(1, 2, 3), torch.zeros(3, 3), torch.tensor([2]))  # O, B-X, I-X
        >>> path = torch.tensor([[1, 0]])
        >>> own, _ = TaggingScores(TagSet.of(["B-X"], "iob2"), ["en"]).both(path, path, torch.tensor([2]))
        >>> carries_on = torch.tensor([[0, 0, 0], [0, 0, 1], [0, 0, 1]]).bool()
        >>> entity_probabilities(crf=chain, paths=path, chunks=own, continues=carries_on)[0, 0]  # B-X then no I-X
        tensor(0.2222)
    """
    begins, ends, types, _ = chunks
    inside = types > 0
    least = torch.finfo(
        crf.marginals.dtype
    ).tiny  # a decoded tag whose probability underflows has ratios of 0
    own = crf.marginals.gather(2, paths.unsqueeze(2)).squeeze(2)
    # (batch, words - 1, tags): pairs of a word and the next one, the tag of one of the two being the decoded one.
    tags, pairs = crf.marginals.shape[2], crf.pair_marginals
    left, right = paths[:, :-1], paths[:, 1:]
    into = pairs.gather(3, right[:, :, None, None].expand(-1, -1, tags, 1)).squeeze(3)
    out_of = pairs.gather(2, left[:, :, None, None].expand(-1, -1, 1, tags)).squeeze(2)
    steps = into.gather(2, left.unsqueeze(2)).squeeze(2) / own[:, :-1].clamp(min=least)
    edge = own.new_zeros(len(own), 1)  # nothing stands beside the sentence
    carried_on = torch.cat([edge, (into * continues.T[right]).sum(2)], 1)
    goes_on = torch.cat([(out_of * continues[left]).sum(2), edge], 1)
    # A factor for each word of an entity, then one for its end; their logarithms add up at its first word.
    factors = torch.where(begins, own - carried_on, torch.cat([edge, steps], 1))
    closed = (own - goes_on) / own.clamp(min=least)
    place = torch.arange(paths.shape[1], device=paths.device).expand_as(paths)
    first = torch.where(begins, place, 0).cummax(1).values
    last = inside & (place + 1 == ends.gather(1, first))
    logarithms = factors.clamp(min=0).log() + torch.where(last, closed.clamp(min=0).log(), 0.0)
    sums = torch.zeros_like(own).scatter_add(1, first, torch.where(inside, logarithms, 0.0))
    return sums.exp()
