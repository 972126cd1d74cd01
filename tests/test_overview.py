"""The counts of ``skd corpus``, and how it shows them."""

import json
import math
from pathlib import Path

import pandas as pd
import pytest
from small_corpus import SHARED

from skd_lightning.cli import main
from skd_lightning.data.overview import has_entities, split_table, tag_table
from skd_lightning.data.sentence import Sentence
from skd_lightning.runs.plan import Plan, student_data


def sentence(text: str, tags: str | None = None) -> Sentence:
    return Sentence(tuple(text.split()), None if tags is None else tuple(tags.split()), "aa")


ENTITIES = {
    "aa": {
        "train": [sentence("a b c", "B-PER I-PER O"), sentence("a b c", "B-PER I-PER O"), sentence("d", "B-LOC")],
        "dev": [sentence("d", "B-LOC"), sentence("d", "O"), sentence("e d", "O O")],
        "test": [sentence("x y", "O B-ORG")],
        "unlabelled": [sentence("a q")],
    },
    "bb": {"train": [], "dev": [], "test": [sentence("a", "O")], "unlabelled": []},
}  # fmt: skip


def test_sizes_duplicates_and_unknown_words_counted_by_hand() -> None:
    table = split_table(ENTITIES).set_index(["language", "split"])
    assert list(table.index) == [
        ("aa", "train"),
        ("aa", "dev"),
        ("aa", "test"),
        ("aa", "unlabelled"),
        ("bb", "test"),
    ]
    train, dev = table.loc[("aa", "train")], table.loc[("aa", "dev")]
    assert (train.sentences, train.words, train.entities, train.types, train.longest) == (3, 7, 3, 2, 3)
    assert train["mean"] == pytest.approx(7 / 3)
    assert (train.in_train, train.repeated) == (0, 1)
    assert math.isnan(train.unknown)
    assert (dev.entities, dev.in_train, dev.repeated) == (1, 2, 1)
    assert dev.unknown == pytest.approx(1 / 4)  # "e" of d d e d
    assert table.loc[("aa", "test")].unknown == 1.0
    free = table.loc[("aa", "unlabelled")]
    assert (free.labelled, free.entities, free.types, free.unknown) == (0, 0, 0, 0.5)
    assert math.isnan(table.loc[("bb", "test")].unknown)  # nothing to compare with


def test_shares_of_entities_and_of_tags() -> None:
    table = tag_table(ENTITIES)
    assert list(table.columns) == ["aa"]  # bb has nothing to train on
    assert table.aa.to_dict() == pytest.approx({"PER": 2 / 3, "LOC": 1 / 3, "in entities": 5 / 7})
    assert list(table.index) == ["PER", "LOC", "in entities"]
    words = {"aa": {"train": [sentence("a b", "NOUN VERB")]}, "bb": {"train": [sentence("c c", "VERB VERB")]}}
    assert not has_entities(words)
    assert tag_table(words).to_dict("index") == {
        "VERB": {"aa": 0.5, "bb": 1.0},
        "NOUN": {"aa": 0.5, "bb": 0.0},
    }
    assert split_table(words).types.tolist() == [2, 1]
    assert tag_table({"bb": {"test": [sentence("a")]}}).empty


def run(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    monkeypatch.setenv("COLUMNS", "100")
    main(["corpus", *arguments])
    return capsys.readouterr().out


def test_the_command_shows_what_is_trained_on(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for split in ("train", "dev", "test"):
        (tmp_path / "mine/aa").mkdir(parents=True, exist_ok=True)
        text = "".join(f"w{i}\tI-PER\n{split}\tO\n\n" for i in range(20))
        (tmp_path / f"mine/aa/{split}.tsv").write_text(text)
    csv = tmp_path / "out/table.csv"
    options = ["--task", "mine", "--data", str(tmp_path), "--runs", str(tmp_path / "runs"), "--csv", str(csv)]
    shown = run(capsys, monkeypatch, *options, "--data.max_train_sentences", "10")
    assert max(map(len, shown.splitlines())) <= 100
    assert "Entities are written in IOB1; read as BIOES." in shown
    table = pd.read_csv(csv).set_index("split")
    assert table.sentences.to_dict() == {"train": 10, "dev": 20, "test": 20}
    assert table.unknown["dev"] == pytest.approx(0.75)  # "dev" itself, and half of the others
    assert not (tmp_path / "runs").exists()
    sampled = run(capsys, monkeypatch, *options, "--data.sample", "{aa: 30}")
    assert "aa: 30 of 60 different sentences drawn and cut 8:1:1 (24, 3, 3)" in sampled


@pytest.mark.skipif(not (SHARED / "SOURCES.md").is_file(), reason=f"no real corpora in {SHARED}")
def test_real_corpora_fit_the_screen(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = run(capsys, monkeypatch, "--task", "upos", "--data", str(SHARED), "--langs", "ta", "de")
    assert max(map(len, shown.splitlines())) <= 100
    assert "5,734" in shown  # words of Tamil's training data, as SOURCES.md has it
    assert "12,480" in shown  # German has no training data here


def test_the_paper_s_recipe_draws_its_sample(tmp_path: Path) -> None:
    for role in ("teacher", "student"):
        plan = Plan(tmp_path, "wikiann", recipe="paper")
        run = plan.teacher("en") if role == "teacher" else plan.student("none", seed=1)
        place = run.arguments.index("--data.sample")
        assert json.loads(run.arguments[place + 1]) == {"en": 10000, "other": 5000}
    assert student_data(Plan(tmp_path, "wikiann", recipe="paper")).sample == {"en": 10000, "other": 5000}
    assert student_data(Plan(tmp_path, "wikiann")).sample is None
