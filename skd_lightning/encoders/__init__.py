"""Words to vectors. Every encoder has a featurizer, which makes its inputs, and a forward, which reads them."""

from skd_lightning.encoders.base import Encoder, Featurizer
from skd_lightning.encoders.ngram import NgramEncoder
from skd_lightning.encoders.transformer import FrozenTransformerEncoder

__all__ = ["Encoder", "Featurizer", "FrozenTransformerEncoder", "NgramEncoder"]
