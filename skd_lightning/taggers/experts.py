"""The two experts of a tagger, its network and its wide path, and the logarithmic opinion pool of both.

Each is trained alone: trained together, the wide path would explain the training sentences, and the network would learn
nothing. The chain with the weighted mean of their potentials is the pool (Smith et al. 2005).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from skd_lightning.crf import LinearChainCRF
from skd_lightning.data.batches import Batch
from skd_lightning.encoders import Featurizer, JoinedFeaturizer
from skd_lightning.taggers.opinion_pool import weighted_mean

if TYPE_CHECKING:
    from skd_lightning.taggers.tagger import Tagger

NETWORK, WIDE = range(2)
"""Places of their inputs among those of a tagger."""


def featurizer(tagger: Tagger) -> Featurizer:
    """Return what makes the inputs of a prediction: those of the network and of the wide path."""
    parts = [tagger.encoder.featurizer, *([] if tagger.wide is None else [tagger.wide.featurizer])]
    return JoinedFeaturizer(parts)


def chain(tagger: Tagger, batch: Batch) -> LinearChainCRF:
    """Return the distributions over the tag sequences of a batch, of the experts that the tagger has."""
    if tagger.wide is None:
        return network(tagger, batch)
    if not tagger.encoder.output_size:
        return features(tagger, batch)
    return pooled(tagger, network(tagger, batch), features(tagger, batch), tagger.wide.share)


def network(tagger: Tagger, batch: Batch) -> LinearChainCRF:
    """Return the distributions of the network alone."""
    inputs = JoinedFeaturizer.of_part(batch.inputs, NETWORK)
    return tagger.head.chain(tagger.head(tagger.encoder(inputs, batch.lengths)), batch.lengths)


def features(tagger: Tagger, batch: Batch) -> LinearChainCRF:
    """Return the distributions of the wide path alone."""
    assert tagger.wide is not None
    return tagger.wide(JoinedFeaturizer.of_part(batch.inputs, WIDE), batch.lengths)  # type: ignore[no-any-return]


def pooled(
    tagger: Tagger, network: LinearChainCRF, wide: LinearChainCRF, share: float | Tensor
) -> LinearChainCRF:
    """Return the distributions of both experts, the wide path with a weight of ``share``."""
    transitions, start, end = _pooled_scores(tagger, share)
    emissions = weighted_mean(network.emissions, wide.emissions, share)
    return LinearChainCRF(emissions, transitions, network.lengths, start, end)


def scores(tagger: Tagger) -> tuple[Tensor, Tensor, Tensor]:
    """Return transitions (tags, tags) ``[from, to]``, start (tags,), end (tags,) in nats, -inf where forbidden."""
    if tagger.wide is None:
        return tagger.head.scores()
    if not tagger.encoder.output_size:
        return tagger.wide.head.scores()
    return _pooled_scores(tagger, tagger.wide.share)


def _pooled_scores(tagger: Tagger, share: float | Tensor) -> tuple[Tensor, Tensor, Tensor]:
    assert tagger.wide is not None
    own, wide = tagger.head.scores(), tagger.wide.head.scores()
    transitions, start, end = (weighted_mean(a, b, share) for a, b in zip(own, wide, strict=True))
    return transitions, start, end
