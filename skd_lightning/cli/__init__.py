"""The command line: ``skd`` and ``python -m skd_lightning``.

``table`` lists the commands, each of which has a module with its parser, its help and its function; ``main`` runs one.
Nothing here imports torch before a command runs, so that help and mistyped words are answered at once.
"""

from skd_lightning.cli.main import main

__all__ = ["main"]
