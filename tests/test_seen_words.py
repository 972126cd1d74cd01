"""Scores on words and entities that the annotated training sentences hold, and on others."""

import re
import shutil
from pathlib import Path
from random import Random

import numpy as np
import pytest
from made_up_runs import SMALL, make_runs
from made_up_tags import SETTINGS, tagged_run

from skd_lightning.analysis.collection import read_task as read_task
from skd_lightning.analysis.seen import comparisons, items, parts, recall
from skd_lightning.analysis.tagged_words import TaggedWords, read_tagged_words, spans
from skd_lightning.data.module import TaggingData
from skd_lightning.data.sentence import Sentence
from skd_lightning.display.table import Table
from skd_lightning.metrics import COLUMNS
from skd_lightning.report.findings import gather
from skd_lightning.report.sections import seen
from skd_lightning.run_folder import RunFolder
from skd_lightning.runs.tagged_words import seen_words, tagged_words
from skd_lightning.tags import TagSet, entities

pytestmark = pytest.mark.usefixtures("few_resamples")


@pytest.fixture(scope="module")
def data() -> TaggingData:
    return TaggingData(**SETTINGS)


@pytest.fixture
def runs(tmp_path: Path, data: TaggingData) -> Path:
    """Teachers, the baseline and a student whose tags are made up."""
    both = {"de": 0.1, "en": 0.2}
    for number, (place, wrong) in enumerate(
        {
            "teachers/de": {"de": 0.05},
            "teachers/en": {"en": 0.05},
            "none/seed1": both,
            "topk/seed1": {"de": 0.02, "en": 0.03},
        }.items()
    ):
        tagged_run(tmp_path, place, data, wrong, number)
    return tmp_path


def columns(table: np.ndarray) -> dict[str, list[int]]:
    return {name: table[:, place].tolist() for place, name in enumerate(COLUMNS)}


def test_words_are_seen_in_the_spelling_of_annotated_sentences() -> None:
    training = [Sentence(("the", "Cat"), ("D", "N")), Sentence(("dog",))]  # nobody annotated the dog
    sentences = [Sentence(("The", "the")), Sentence(()), Sentence(("dog", "Cat"))]
    assert seen_words(sentences, training).tolist() == [0, 1, 0, 1]


def test_columns_are_as_small_as_the_number_of_tags_allows() -> None:
    def of(largest: int) -> np.ndarray:
        return tagged_words(np.array([largest, 0]), np.array([0, 1]), np.array([1, 0]))

    assert of(255).dtype == np.uint8
    assert of(256).dtype == np.uint16
    assert of(256).tolist() == [[256, 0, 1], [0, 1, 0]]
    assert tagged_words(*np.zeros((3, 0), dtype=np.int64)).shape == (0, 3)


@pytest.mark.parametrize("scheme", ["iob2", "bioes", "none"])
def test_spans_of_all_sentences_are_the_entities_of_each(scheme: str) -> None:
    names = TagSet.of(["N", "V"] if scheme == "none" else ["B-LOC", "B-PER"], scheme).names
    draw = Random(1)
    for _ in range(100):
        lengths = [draw.randint(0, 6) for _ in range(draw.randint(0, 5))]
        sentences = [draw.choices(range(len(names)), k=n) for n in lengths]
        flat = np.array([i for sentence in sentences for i in sentence], dtype=np.int64)
        kinds = sorted({"", "LOC", "PER"})
        expected, start = [], 0
        for sentence in sentences:
            for kind, first, end in entities([names[i] for i in sentence]):
                expected.append([start + first, start + end, kinds.index(kind)])
            start += len(sentence)
        assert spans(flat, np.array(lengths, dtype=np.int64), names).tolist() == expected


def test_parts_of_words_by_hand() -> None:
    #   sentence 1: right seen, wrong seen, right unseen | 2: wrong unseen | 3: none
    words = TaggedWords(
        np.array([0, 1, 1, 0]), np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0], dtype=bool),
        np.array([3, 1, 0]), ("N", "V"),
    )  # fmt: skip
    found = parts(words)
    assert columns(found["seen"]) | {"words": [2, 0, 0], "correct": [1, 0, 0]} == columns(found["seen"])
    assert columns(found["unseen"]) | {"words": [1, 1, 0], "correct": [1, 0, 0]} == columns(found["unseen"])
    assert found["seen"][:, 3:].sum() == 0


def test_parts_of_entities_by_hand() -> None:
    # Words       Anna  Berg   saw  Rome  .   | Bonn
    # seen        yes   no     yes  yes   yes | no
    # gold        B-PER I-PER  O    B-LOC O   | B-LOC
    # predicted   B-PER O      O    B-LOC B-LOC | B-LOC
    names = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    gold, predicted = np.array([3, 4, 0, 1, 0, 1]), np.array([3, 0, 0, 1, 1, 1])
    words = TaggedWords(predicted, gold, np.array([1, 0, 1, 1, 1, 0], dtype=bool), np.array([5, 1]), names)
    seen_part, unseen = (columns(table) for table in parts(words).values())
    # [Anna] alone is predicted, of a seen word and wrong; [Rome] is right; [.] is wrong.
    assert (seen_part["found"], seen_part["predicted"], seen_part["gold"]) == ([1, 0], [3, 0], [1, 0])
    # [Anna Berg] has an unseen word and is missed; [Bonn] is unseen and right.
    assert (unseen["found"], unseen["predicted"], unseen["gold"]) == ([0, 1], [0, 1], [1, 1])


def test_parts_add_up_to_the_counts_of_the_run(runs: Path) -> None:
    task = read_task(runs, "demo")
    notes: list[str] = []
    for run in [*task.runs()]:
        found = read_tagged_words(run, notes)
        assert found.keys() == run.test.counts.keys()
        for language, words in found.items():
            both = parts(words)
            assert 0 < both["unseen"][:, 1].sum() < both["seen"][:, 1].sum()
            whole = run.test.counts[language]
            assert (both["seen"][:, 1:6] + both["unseen"][:, 1:6]).tolist() == whole[:, 1:6].tolist()
    assert notes == []


def test_the_section_has_both_parts_and_their_differences(runs: Path) -> None:
    findings = gather(runs, "demo")
    section = seen.section(findings)
    assert section
    sentence, table, against = section.content
    assert sentence.startswith("topk against the baseline: +")
    assert "on seen entities, +" in sentence
    found = comparisons(findings.runs, [])
    assert found
    assert [row[0] for row in table.rows] == ["teachers", "none (baseline)", "topk"]
    for part, column in (("seen", 1), ("unseen", 3)):
        of_part = found[part].systems["topk"]
        (scores,) = of_part
        mean = np.mean([items(scores, language, "f1").f1 for language in ("de", "en")])
        assert table.rows[2][column] == f"{100 * mean:.2f}"
        assert table.rows[2][column + 1] == f"{100 * recall(of_part, 'f1', ['de', 'en']):.2f}"
        total = sum(items(scores, language, "f1").gold for language in ("de", "en"))
        assert table.columns[column] == f"{part} ({total:,})"
    assert {(row["system"], row["language"], row["words"]) for row in table.data} == {
        (system, language, part)
        for system in ("teachers", "none", "topk")
        for language in ("de", "en")
        for part in ("seen", "unseen")
    }
    (row,) = against.rows
    assert row[0] == "topk"
    assert row[1].startswith("+")
    assert "–" not in row
    assert findings.notes == []


def test_runs_of_earlier_versions_are_left_out(tmp_path: Path) -> None:
    assert seen.section(gather(make_runs(tmp_path, **SMALL), "wikiann")) is None


def test_a_baseline_without_predictions_is_left_out(runs: Path) -> None:
    shutil.rmtree(RunFolder(runs / "demo/none/seed1").predictions)
    section = seen.section(gather(runs, "demo"))
    assert section
    tables = [item for item in section.content if isinstance(item, Table)]
    assert [row[0] for row in tables[0].rows] == ["teachers", "topk"]
    assert not any(isinstance(item, str) for item in section.content)  # nothing is compared


def test_files_that_are_not_of_the_run_are_named(runs: Path) -> None:
    folder = RunFolder(runs / "demo/topk/seed1").predictions
    columns = np.load(folder / "de.npy")
    np.savez(folder / "en.npz", columns)
    (folder / "en.npz").replace(folder / "en.npy")
    (run,) = read_task(runs, "demo").students["topk"]
    swapped = columns.copy()
    swapped[0, 0] = 1 - swapped[0, 0] if swapped[0, 0] < 2 else 0
    for wrong, message in (
        (columns[1:], f"uint8 of shape ({len(columns) - 1}, 3), not ({len(columns)} words, 3)"),
        (columns.astype(np.int64), "int64 of shape"),
        (columns + np.uint8(100), "tags, and a word is seen (1) or not (0)"),
        (swapped, "not of the counts: other words are right"),
    ):
        np.save(folder / "de.npy", wrong)
        notes: list[str] = []
        assert read_tagged_words(run, notes) == {}
        assert notes[0].startswith("topk/seed1/predictions/de.npy: not readable (")
        assert message in notes[0]
        assert notes[1] == "topk/seed1/predictions/en.npy: not readable (not an array); not used"


def test_a_run_of_other_training_sentences_is_marked(runs: Path) -> None:
    folder = RunFolder(runs / "demo/topk/seed1").predictions
    for language in ("de", "en"):
        columns = np.load(folder / f"{language}.npy")
        columns[:, 2] = 0
        np.save(folder / f"{language}.npy", columns)
    findings = gather(runs, "demo")
    section = seen.section(findings)
    assert section
    _, table, against = section.content
    assert table.rows[2][1] == "–"
    assert table.rows[2][3].endswith("*")
    assert against.rows[0][1:4] == ["–"] * 3
    assert against.rows[0][5] == "–"  # a difference, but no interval
    assert any("topk: other training or test sentences in de" in note for note in findings.notes)


def test_both_parts_add_up_to_the_test_where_students_have_no_labels_of_a_language(runs: Path) -> None:
    for place in ("none/seed1", "topk/seed1"):
        file = RunFolder(runs / "demo" / place).predictions / "en.npy"
        columns = np.load(file)
        columns[:, 2] = 0
        np.save(file, columns)
    findings = gather(runs, "demo")
    section = seen.section(findings)
    assert section
    sentence, table, against = section.content
    held = [int(re.search(r"\(([\d,]+)\)", column)[1].replace(",", "")) for column in table.columns[1:4:2]]
    (run,) = findings.runs.students["none"]
    assert sum(held) == sum(counts[:, COLUMNS.index("gold")].sum() for counts in run.test.counts.values())
    teachers, *students = table.rows
    assert [cell.endswith("*") for cell in teachers[1:5]] == [True] * 4
    assert not any("*" in cell for row in students for cell in row)
    assert "No entities of en are seen." in table.notes
    assert "–" not in against.rows[0]
    assert sentence.count("95 % interval") == 2
    assert findings.notes == [
        "seen and unseen words: teachers: other training or test sentences in en than the rest; no bootstrap there"
    ]
