"""The sections of the report, one by one: what they show, and where they have nothing to show."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up_runs import SMALL, TYPES, make_runs

from skd_lightning.analysis.confusion import together
from skd_lightning.display.style import Plot
from skd_lightning.display.table import Table
from skd_lightning.report.findings import Section, gather
from skd_lightning.report.sections import (
    SECTIONS,
    by_k,
    calibration,
    changed_sides,
    confusion,
    cost,
    differences,
    entity_types,
    notes,
    seen,
    training,
    zeroshot,
)
from skd_lightning.report.sections import paper as beside
from skd_lightning.report.write import make_sections, write_report


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_runs(tmp_path_factory.mktemp("sections"), zeroshot=("nl",), **SMALL)


def names(section: Section | None) -> list[str]:
    assert section
    return [item.name for item in section.content if isinstance(item, Table | Plot)]


def test_the_page_is_the_list_of_sections(small: Path) -> None:
    findings = gather(small, "wikiann")
    sections = make_sections(findings)
    assert [section.name for section in sections] == [
        "scores", "differences", "types", "confusion", "calibration", "zeroshot", "training", "cost", "paper",
        "origins",
    ]  # fmt: skip
    assert len(SECTIONS) == len(sections) + 4  # one k only, no predictions (two), and nothing unreadable
    files = [
        (type(item), item.name)
        for section in sections
        for item in section.content
        if not isinstance(item, str)
    ]
    assert len(files) == len(set(files))


def test_a_section_without_findings_is_none(tmp_path: Path) -> None:
    runs = make_runs(tmp_path, **{**SMALL, "metric": "accuracy", "variants": ("posterior",), "seeds": (1,)})
    shutil.rmtree(runs / "wikiann/teachers")
    (runs / "wikiann/posterior/seed1/metrics.csv").unlink()
    (runs / "wikiann/posterior/seed1/calibration.json").unlink()
    findings = gather(runs, "wikiann")
    for module in (
        *(differences, entity_types, seen, confusion, calibration, changed_sides, zeroshot, by_k),
        *(training, beside, notes),
    ):
        assert module.section(findings) is None, module.__name__
    assert [section.name for section in make_sections(findings)] == ["scores", "cost", "origins"]


def test_types_are_summed_over_languages_and_averaged_over_seeds(small: Path) -> None:
    findings = gather(small, "wikiann")
    section = entity_types.section(findings)
    assert names(section) == ["types", "types-report", "types-languages"]
    table = section.content[0]
    found = {(row["system"], row["language"], row["type"]): row for row in table.data}
    for variant in ("none", "posterior"):
        scores = []
        for seed in (1, 2, 3):
            results = json.loads((small / f"wikiann/{variant}/seed{seed}/results.json").read_text())
            rows = [results["types"][language]["LOC"] for language in ("de", "en")]
            right = sum(round(row["recall"] * row["support"]) for row in rows)
            scores.append(2 * right / sum(row["support"] + row["predicted"] for row in rows))
            whole = [row for types in results["types"].values() for row in types.values()]
        row = found[variant, "all", "LOC"]
        assert row["f1"] == pytest.approx(np.mean(scores))
        assert row["support"] == sum(row["support"] for row in rows)
        assert found[variant, "all", "all types"]["support"] == sum(row["support"] for row in whole)
        shown = next(cells for cells in table.rows if cells[0].startswith(variant))[1]
        assert shown == f"{100 * np.mean(scores):.2f} ± {100 * np.std(scores, ddof=1):.2f}"
    # of one language all types together are the language's F1
    results = json.loads((small / "wikiann/teachers/de/results.json").read_text())
    assert found["teachers", "de", "all types"]["f1"] == pytest.approx(results["languages"]["de"]["f1"])
    report = section.content[1]
    assert [row[0] for row in report.rows] == [*TYPES, "all types"]
    assert report.columns[1:] == ["precision", "recall", "F1", "support"]


def test_types_over_fewer_languages_are_marked(small: Path) -> None:
    table = entity_types.section(gather(small, "wikiann")).content[0]
    assert not any("*" in cell for row in table.rows for cell in row)
    file = small / "wikiann/posterior/seed1/results.json"
    record = json.loads(file.read_text())
    del record["languages"]["en"], record["types"]["en"]
    file.write_text(json.dumps(record))
    table = entity_types.section(gather(small, "wikiann")).content[0]
    for name, *cells in table.rows:
        assert all(cell.endswith("*") == (name == "posterior") for cell in cells)
    assert table.notes[-1].startswith("* over the languages that it was tested on")


def test_types_that_do_not_add_up_are_not_read(tmp_path: Path) -> None:
    runs = make_runs(tmp_path, **SMALL)
    file = runs / "wikiann/topk/seed1/results.json"
    results = json.loads(file.read_text())
    results["types"]["de"]["LOC"]["precision"] = 0.123
    file.write_text(json.dumps(results))
    findings = gather(runs, "wikiann")
    assert findings.notes == [
        "topk/seed1/results.json: not readable (entity type LOC: its precision is not that of its counts); left out"
    ]
    section = notes.section(findings)
    assert section
    assert section.content == findings.notes


def test_confusion_of_teachers_together_and_of_the_best_student(small: Path) -> None:
    findings = gather(small, "wikiann")
    assert names(confusion.section(findings)) == ["confusion-teachers", "confusion-student"]
    found = together(findings.runs.teachers.values(), [])
    assert found
    tags, counts = found
    files = [np.load(small / f"wikiann/teachers/{language}/confusion.npy") for language in ("de", "en")]
    np.testing.assert_array_equal(counts, sum(files))
    assert tags[:3] == ("O", "B-LOC", "I-LOC")


def test_a_damaged_confusion_matrix_is_named_and_left_out(tmp_path: Path) -> None:
    runs = make_runs(tmp_path, **SMALL)
    np.save(runs / "wikiann/teachers/de/confusion.npy", np.ones((2, 3), dtype=np.int64))
    (runs / "wikiann/teachers/en/confusion.npy").write_bytes(b"")
    findings = gather(runs, "wikiann")
    assert names(confusion.section(findings)) == ["confusion-student"]
    assert [note.partition(" (")[0] for note in findings.notes] == [
        "teachers/de/confusion.npy: not readable",
        "teachers/en/confusion.npy: not readable",
    ]


def test_generated_corpora_have_no_ratios_and_no_paper(tmp_path: Path) -> None:
    """Times of seconds and scores on made sentences mean nothing beside others."""
    findings = gather(make_runs(tmp_path, **{**SMALL, "task": "demo"}), "demo")
    assert beside.section(findings) is None
    section = cost.section(findings)
    assert names(section) == ["cost"]
    (table,) = section.content
    assert isinstance(table, Table)
    assert "×" not in table.markdown()
    assert "ratio" not in table.csv()
    assert "Whole" not in table.markdown()
    real = replace(findings, runs=replace(findings.runs, name="wikiann"))
    with_ratios = cost.section(real)
    assert names(with_ratios) == ["cost", "cost"]
    assert "Whole: predictions and fit." in with_ratios.content[0].markdown()


def test_the_page_says_where_a_table_goes_on(small: Path, tmp_path: Path) -> None:
    write_report(small, "wikiann", tmp_path)
    page = (tmp_path / "index.html").read_text()
    assert page.count("class='scroll wide'") >= 3
    assert "scroll sideways" in page
    assert pd.read_csv(tmp_path / "types.csv").columns.tolist()[:3] == ["system", "language", "type"]
