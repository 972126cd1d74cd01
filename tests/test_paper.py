"""The paper's figures: what our file of them holds, and how ours stand beside them."""

import json
from pathlib import Path
from statistics import fmean

import pytest
from made_up_runs import LANGUAGES, SMALL, make_runs

from skd_lightning.analysis import paper
from skd_lightning.analysis.collection import read_task
from skd_lightning.analysis.comparison import on_trained_languages
from skd_lightning.errors import UserError
from skd_lightning.report.sections.paper import beside_tables
from skd_lightning.report.write import write_report


def test_the_papers_figures_agree_with_its_text() -> None:
    """The authors' statements about Tables 2 to 4 follow from the numbers in our file, and so do the averages."""
    printed = paper.load()
    main_tables = [printed.find(task, "scores") for task in ("conll", "absa", "wikiann", "upos")]
    won = sets = 0
    for table in main_tables:
        assert table
        for row in table.rows.values():
            mean = fmean(value for language, value in row.items() if language != "average")
            assert abs(mean - row["average"]) < 0.0101
        ours, base, teachers = (table.rows[name] for name in ("posterior", "none", "teachers"))
        sets += len(base) - 1
        won += sum(ours[language] > base[language] for language in base if language != "average")
        closed = (ours["average"] - base["average"]) / (teachers["average"] - base["average"])
        assert 0.095 < closed < 0.265
    assert (won, sets) == (21, 25)
    upos = printed.find("upos", "zeroshot")
    assert upos
    assert len(upos.rows["none"]) == 24 + 1


def test_ours_stand_beside_the_papers(tmp_path: Path) -> None:
    """A made-up paper: language by language where both have one, averages and gains over those."""
    entry = {"table": "Table 1", "task": "wikiann", "kind": "scores", "metric": "f1"}
    row = {
        "teachers": {"de": 90.0, "xx": 1},
        "none": {"de": 80.0, "xx": 1},
        "posterior": {"de": 82.5, "xx": 1},
    }
    content = {"paper": "A", "url": "u", "source": "s", "setting": "t", "tables": [{**entry, "rows": row}]}
    file = tmp_path / "made-up.json"
    file.write_text(json.dumps(content))
    printed = paper.load(file)
    make_runs(tmp_path / "runs", **SMALL)
    comparison = on_trained_languages(read_task(tmp_path / "runs", "wikiann"))
    scores, gains = beside_tables(comparison, printed.find("wikiann", "scores"), "paper", "Beside")
    assert scores.columns == ["", "de", "average"]
    assert scores.rows[-1] == ["posterior", *[f"{100 * comparison.mean('posterior', 'de'):.2f} / 82.50"] * 2]
    assert gains.data[0]["gain_paper"] == pytest.approx(2.5)
    assert gains.data[0]["gap_closed_paper"] == pytest.approx(0.25)
    assert gains.rows[0][2::2] == ["+2.50", "1 of 1", "25 %"]
    assert beside_tables(comparison, None, "paper", "") == []
    for damage in ({**entry, "rows": {"none": {"de": 801}}}, {"table": "Table 1"}, {**entry, "rows": []}):
        file.write_text(json.dumps({**content, "tables": [damage]}))
        with pytest.raises(UserError, match=r"made-up\.json"):
            paper.load(file)


def test_languages_that_one_row_lacks_are_compared_in_no_row(tmp_path: Path) -> None:
    make_runs(tmp_path, **SMALL)
    for file in tmp_path.glob("wikiann/posterior/*/results.json"):
        record = json.loads(file.read_text())
        del record["languages"]["en"]
        file.write_text(json.dumps(record))
    rows = {name: {"de": 80.0, "en": 90.0} for name in ("teachers", "none", "topk", "posterior")}
    found = paper.beside(
        on_trained_languages(read_task(tmp_path, "wikiann")),
        paper.PaperTable("t", "wikiann", "scores", "f1", rows),
    )
    assert found is not None
    assert found.languages == ["de"]
    assert all(score == score for row in found.ours.values() for score in row.values())  # no NaN


def test_weaker_teachers_have_a_table_of_their_own(tmp_path: Path) -> None:
    """The table of teachers that read what the students read; where settings cannot be read, it is the other one."""
    tables = [paper.PaperTable(kind, "wikiann", kind, "f1", {}) for kind in ("weaker teachers", "scores")]
    printed = paper.Paper("", "", "", "", [], tables)
    make_runs(tmp_path, **SMALL)
    runs = read_task(tmp_path, "wikiann")

    def table(teachers: str | None, students: str) -> str:
        for run in runs.runs():
            read_by = teachers if run.variant == "teachers" else students
            content = f"model: {{init_args: {{embedder: {{class_path: {read_by}}}}}}}"
            run.folder.config.write_text(content if read_by else "[")
        found = printed.scores_of(runs)
        return found.table if found else ""

    assert table("A", "A") == "weaker teachers"
    assert table("A", "B") == table(None, "A") == "scores"
    for run in runs.runs():
        run.folder.config.unlink()
    assert printed.scores_of(runs) == tables[1]


@pytest.mark.parametrize("task", ["wikiann", "mine"])
def test_the_page_says_nothing_where_the_paper_has_nothing(task: str, tmp_path: Path) -> None:
    make_runs(tmp_path, **{**SMALL, "task": task})
    write_report(tmp_path, task)
    page = (tmp_path / task / "report/index.html").read_text()
    assert ("Beside the paper" in page) == ("paper.json" in page) == (task == "wikiann")


def test_made_up_languages_are_the_papers() -> None:
    table = paper.load().find("wikiann", "scores")
    assert table
    assert set(LANGUAGES) == set(table.rows["none"]) - {"average"}
