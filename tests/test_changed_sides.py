"""Sentences that changed sides: which ones they are, which are drawn, and how they are shown."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from made_up_runs import SMALL, make_runs
from made_up_tags import SETTINGS, tagged_run

from skd_lightning.analysis.changed_sides import changed_sides, take_turns
from skd_lightning.analysis.collection import read_task as read_task
from skd_lightning.analysis.scores import Scores
from skd_lightning.analysis.tagged_words import TaggedWords, read_tagged_words
from skd_lightning.analysis.tested_corpus import read_corpus
from skd_lightning.data.module import TaggingData
from skd_lightning.data.sentence import Sentence
from skd_lightning.display.passages import Passage, Passages, Piece
from skd_lightning.errors import UserError
from skd_lightning.metrics import COLUMNS
from skd_lightning.report.findings import gather
from skd_lightning.report.sections import changed_sides as section_of
from skd_lightning.report.write import write_report
from skd_lightning.tags import entities

pytestmark = pytest.mark.usefixtures("few_resamples")


@pytest.fixture(scope="module")
def data() -> TaggingData:
    return TaggingData(**SETTINGS)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, data: TaggingData) -> Path:
    folder = tmp_path_factory.mktemp("sides")
    tagged_run(folder, "teachers/de", data, {"de": 0.02}, 1)
    tagged_run(folder, "none/seed1", data, {"de": 0.05, "en": 0.05}, 2)
    tagged_run(folder, "topk/seed1", data, {"de": 0.02, "en": 0.02}, 3)
    return folder


def counted(**columns: list[int]) -> np.ndarray:
    (length,) = {len(values) for values in columns.values()}
    table = np.zeros((length, len(COLUMNS)), dtype=np.int64)
    for name, values in columns.items():
        table[:, COLUMNS.index(name)] = values
    return table


def test_sides_by_hand() -> None:
    gold = {"words": [5, 5, 5, 5], "gold": [1, 2, 0, 1]}
    before = counted(**gold, found=[1, 2, 0, 0], predicted=[1, 3, 0, 0])  # right, one too many, right, missed
    after = counted(**gold, found=[0, 2, 0, 1], predicted=[1, 2, 1, 1])  # wrong, right, one too many, right
    other = counted(words=[5], gold=[1], found=[1], predicted=[1])
    first = Scores({}, {}, {"de": before, "en": other, "fr": before})
    second = Scores({}, {}, {"de": after, "en": after})
    sides = changed_sides(first, second, "f1")
    assert sides.gained == {"de": [1, 3]}  # English has other test sentences, French was not tested
    assert sides.lost == {"de": [0, 2]}
    words = counted(words=[2, 2, 0], correct=[1, 2, 0]), counted(words=[2, 2, 0], correct=[2, 2, 0])
    sides = changed_sides(*(Scores({}, {}, {"de": table}) for table in words), "accuracy")
    assert (sides.gained, sides.lost) == ({"de": [0]}, {"de": []})


def test_sentences_are_drawn_in_turn_and_always_the_same() -> None:
    places = {"en": [*range(50)], "de": [*range(100, 103)], "fi": []}
    drawn = take_turns(places, 10, "seed")
    assert drawn == take_turns(places, 10, "seed") != take_turns(places, 10, "other")
    assert len(set(drawn)) == 10
    assert [language for language, _ in drawn] == ["de", "en"] * 3 + ["en"] * 4
    assert all(place in places[language] for language, place in drawn)
    assert len(take_turns(places, 99, "seed")) == 53
    assert take_turns({}, 10, "seed") == []


def test_entities_are_pieces_and_only_those_of_the_gold_tags_are_right() -> None:
    words = ("Anna", "Berg", "saw", "Rome", ".")
    gold = {("PER", 0, 2), ("LOC", 3, 4)}
    tags = ["B-PER", "O", "O", "S-LOC", "O"]
    assert section_of.entity_pieces(words, tags, gold) == [
        Piece("Anna", "PER", False), Piece("Berg"), Piece("saw"), Piece("Rome", "LOC"), Piece(".")
    ]  # fmt: skip


def test_words_that_all_tag_alike_bear_no_tag() -> None:
    sentence = Sentence(("a", "b", "c"), ("N", "V", "N"), "en")
    gold, everywhere = np.array([0, 1, 0]), np.ones(3, dtype=bool)
    sources = {
        name: TaggedWords(np.array(tags), gold, everywhere, np.array([3]), ("N", "V"))
        for name, tags in {"one": [0, 0, 0], "two": [0, 1, 0]}.items()
    }
    other = TaggedWords(np.array([0]), np.array([1]), everywhere[:1], np.array([1]), ("N", "V"))
    found = section_of.passage(sentence, 0, {**sources, "of another corpus": other}, "accuracy")
    assert found.title == "en, test sentence 1"
    assert found.readings == [
        ("gold", [Piece("a"), Piece("b", "V"), Piece("c")]),
        ("one", [Piece("a"), Piece("b", "N", False), Piece("c")]),
        ("two", [Piece("a"), Piece("b", "V"), Piece("c")]),
    ]


def test_passages_are_escaped() -> None:
    passages = Passages("p", "A", [Passage("en 1", [("<none>", [Piece("<b>*"), Piece("a_b|", "X", False)])])])
    html = passages.html()
    assert "&lt;b&gt;*" in html
    assert '<th scope="row">&lt;none&gt;</th>' in html
    assert '<mark class="wrong">a_b| <small dir="ltr">X ✗</small></mark>' in html
    assert passages.markdown().splitlines()[-1] == r"- \<none\>: \<b\>\* **\[a\_b\|\] X ✗**"


def test_the_section_shows_what_the_runs_said(runs: Path, data: TaggingData) -> None:
    findings = gather(runs, "demo")
    section = section_of.section(findings)
    assert section
    text, gained, lost = section.content
    task = read_task(runs, "demo")
    (control,), (student,) = task.students["none"], task.students["topk"]
    sides = changed_sides(control.test, student.test, "f1")
    numbers = [sum(map(len, side.values())) for side in (sides.gained, sides.lost)]
    assert min(numbers) > 10
    assert f": {numbers[0]:,} test sentences are right" in text
    assert f"{numbers[1]:,} with the baseline alone" in text
    before, after = (read_tagged_words(run, []) for run in (control, student))
    for passages, right, wrong in ((gained, 3, 2), (lost, 2, 3)):
        assert len(passages.passages) == 10
        for shown in passages.passages:
            language, place = shown.title.split(", test sentence ")
            names = [name for name, _ in shown.readings if name != "teacher"]
            assert names == ["gold", "none (baseline)", "topk"]
            assert ("teacher" in dict(shown.readings)) == (language == "de")
            sentence = data.sentences["test"][language][int(place) - 1]
            lines = [pieces for name, pieces in shown.readings if name != "teacher"]
            for pieces in lines:
                assert " ".join(piece.text for piece in pieces) == " ".join(sentence.words)
            gold = [(piece.text, piece.label) for piece in lines[0]]
            assert [(piece.text, piece.label) for piece in lines[right - 1]] == gold
            assert [(piece.text, piece.label) for piece in lines[wrong - 1]] != gold
            for tagged, pieces in ((before, lines[1]), (after, lines[2])):
                predicted, true = tagged[language].sentence(int(place) - 1)
                assert true == list(sentence.tags)
                assert len(entities(predicted)) == sum(bool(piece.label) for piece in pieces)
    assert findings.notes == []


def test_the_report_has_them_in_the_page_and_in_files_beside(runs: Path, tmp_path: Path) -> None:
    write_report(runs, "demo", tmp_path / "report")
    page = (tmp_path / "report/index.html").read_text()
    assert page.count('<table class="passage">') == 20
    assert "(sentences-gained.md)" in (tmp_path / "report/table.md").read_text()
    for name in ("gained", "lost"):
        assert (tmp_path / f"report/sentences-{name}.md").read_text().count("### ") == 10
    before = {file.name: file.read_bytes() for file in (tmp_path / "report").iterdir()}
    write_report(runs, "demo", tmp_path / "report")
    assert before == {file.name: file.read_bytes() for file in (tmp_path / "report").iterdir()}


def test_a_language_without_readable_predictions_is_left_out(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs, tmp_path / "runs")
    (tmp_path / "runs/demo/topk/seed1/predictions/de.npy").write_bytes(b"")
    section = section_of.section(gather(tmp_path / "runs", "demo"))
    assert section
    titles = [passage.title for part in section.content[1:] for passage in part.passages]
    assert titles
    assert all(title.startswith("en") for title in titles)


def test_without_the_corpus_a_line_says_so(tmp_path: Path, data: TaggingData) -> None:
    for place, seed in (("none/seed1", 2), ("topk/seed1", 3)):
        folder = tagged_run(tmp_path, place, data, {"de": 0.05, "en": 0.05}, seed)
        folder.config.write_text(f"data: {{task: gone, data: {tmp_path / 'nowhere'}, languages: [de, en]}}\n")
    findings = gather(tmp_path, "demo")
    assert section_of.section(findings) is None
    line = "none/seed1: its test sentences are not at hand, or others; no sentences that changed sides"
    assert findings.notes == [line]
    (run,) = findings.runs.students["none"]
    for settings, message in (
        ("{task: demo, languages: [de, es]}", "other test sentences in en"),
        ("{task: demo, languages: [de, en], sample: 100}", "other test sentences in de"),
        ("{task: demo, colour: red}", "colour"),
        ("[1]", "data"),
    ):
        run.folder.config.write_text(f"data: {settings}\n")
        with pytest.raises(UserError, match=message):
            read_corpus(run, read_tagged_words(run, []))


def test_nothing_is_shown_without_a_baseline_or_without_predictions(
    tmp_path: Path, data: TaggingData
) -> None:
    tagged_run(tmp_path, "topk/seed1", data, {"de": 0.05, "en": 0.05}, 3)
    assert section_of.section(gather(tmp_path, "demo")) is None
    old = gather(make_runs(tmp_path / "old", **SMALL), "wikiann")
    assert section_of.section(old) is None
    assert old.notes == []
