"""The numbers of the evidence are those of the results beside it."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("evidence_tables")


@pytest.mark.parametrize("page", ["README.md", "docs/evidence.md", "docs/speed.md"])
def test_each_marked_table_has_the_numbers_of_its_results(page: str, tables: Any) -> None:
    text = (ROOT / page).read_text()
    assert tables.renewed(text) == text, "python benchmarks/evidence_tables.py writes them"


def test_another_number_is_seen(tables: Any) -> None:
    text = (ROOT / "README.md").read_text()
    assert "88.56" in text  # crfsuite's on UPOS
    assert tables.renewed(text.replace("88.56", "88.57")) == text


def test_each_table_of_results_stands_in_one_page(tables: Any) -> None:
    marks = [
        mark for page in tables.PAGES for mark in re.findall(r"<!-- table: ([\w-]+) -->", page.read_text())
    ]
    assert sorted(marks) == sorted(tables.TABLES)
    assert all(len(tables.MARK.findall(page.read_text())) for page in tables.PAGES)


def test_halves_are_rounded_up_and_signs_are_true(tables: Any) -> None:
    results = importlib.import_module("evidence_results")
    assert [results.rounded(number, 1) for number in ("61.05", "21.45", "2.04")] == ["61.1", "21.5", "2.0"]
    assert results.signed(-0.127) == "−0.13"
