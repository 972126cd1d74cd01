"""Before any test module is imported, and what tests of several files share."""

from __future__ import annotations

import os

# Test files run side by side: threads that spin would wait for cores that others hold.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

if not torch.cuda.is_available():
    os.environ.setdefault(
        "TRITON_INTERPRET", "1"
    )  # read when triton is imported, which torch may do at any time


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files of slow tests: one that begins last leaves the other processes without work."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """A test that fails fails again."""
    torch.manual_seed(0)


@pytest.fixture
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparisons from a few hundred resamples instead of ten thousand."""
    monkeypatch.setattr("skd_lightning.analysis.bootstrap.scores.__defaults__", (200, 0))
    monkeypatch.setattr("skd_lightning.analysis.comparison.Comparison.resample.__defaults__", (200,))


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a small BERT."""
    from small_bert import save_bert  # transformers take seconds to import

    return save_bert(tmp_path_factory.mktemp("bert"))
