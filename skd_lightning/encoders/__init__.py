"""From words to vectors in context: an embedder and its featurizer, a context network, and the encoder of both."""

from skd_lightning.encoders.base import Embedder, Featurizer
from skd_lightning.encoders.concatenation import ConcatenatedEmbedder, JoinedFeaturizer
from skd_lightning.encoders.context import BiLSTM, Context, NoContext
from skd_lightning.encoders.encoder import Encoder
from skd_lightning.encoders.flair import FlairEmbedder
from skd_lightning.encoders.ngram import NgramEmbedder
from skd_lightning.encoders.none import NoEmbedder
from skd_lightning.encoders.static import StaticEmbedder
from skd_lightning.encoders.subword import SubwordEmbedder
from skd_lightning.encoders.transformer import FineTunedTransformerEmbedder, FrozenTransformerEmbedder

__all__ = [
    "BiLSTM",
    "ConcatenatedEmbedder",
    "Context",
    "Embedder",
    "Encoder",
    "Featurizer",
    "FineTunedTransformerEmbedder",
    "FlairEmbedder",
    "FrozenTransformerEmbedder",
    "JoinedFeaturizer",
    "NgramEmbedder",
    "NoContext",
    "NoEmbedder",
    "StaticEmbedder",
    "SubwordEmbedder",
]
