"""Words to vectors. Every encoder has a featurizer, which makes its inputs, and a forward, which reads them."""

from skd_lightning.encoders.base import Encoder, Featurizer
from skd_lightning.encoders.concatenation import ConcatenatedEncoder
from skd_lightning.encoders.flair import FlairEncoder
from skd_lightning.encoders.ngram import NgramEncoder
from skd_lightning.encoders.static import StaticEncoder
from skd_lightning.encoders.transformer import FineTunedTransformerEncoder, FrozenTransformerEncoder

__all__ = [
    "ConcatenatedEncoder",
    "Encoder",
    "Featurizer",
    "FineTunedTransformerEncoder",
    "FlairEncoder",
    "FrozenTransformerEncoder",
    "NgramEncoder",
    "StaticEncoder",
]
