"""The generated demo corpus: ``words`` holds names and sentence patterns, ``generator`` writes sentences from them."""

from skd_lightning.data.demo.generator import LANGUAGES, SIZES, demo_corpus

__all__ = ["LANGUAGES", "SIZES", "demo_corpus"]
