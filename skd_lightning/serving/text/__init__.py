"""Raw text to tags: files to sentences and words with their places, and predictions to JSON lines, columns and a page.

Nothing beyond NumPy is imported: the tagger, with PyTorch or without it, is given.
"""

from skd_lightning.serving.text.tagging import tag

__all__ = ["tag"]
