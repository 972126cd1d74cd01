"""The examples in the docstrings of the public interface run and print what they say."""

import doctest
from importlib import import_module

import pytest

MODULES = ["skd_lightning.crf.chain", "skd_lightning.crf.kbest", "skd_lightning.tags"]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    result = doctest.testmod(import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 0
    assert result.failed == 0
