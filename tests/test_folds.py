"""Cross-fitting: a fold is left out of a training, and its sentences are asked of the teacher that left it out."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pytorch_lightning.strategies import SingleDeviceStrategy
from small_corpus import write_corpus
from small_runs import SMALL, refused

from skd_lightning.analysis.collection import read_task
from skd_lightning.cli import main
from skd_lightning.data.batches import SentenceDataset
from skd_lightning.data.folds import Fold, fold_of
from skd_lightning.data.module import TaggingData
from skd_lightning.distillation.callback import DistillationCallback
from skd_lightning.distillation.objectives import TopWK
from skd_lightning.distillation.teachers import Pool, TeacherSet
from skd_lightning.errors import UserError
from skd_lightning.taggers.checkpoints import load


def words_of(data: TaggingData, split: str = "train") -> list[tuple[str, ...]]:
    return [sentence.words for sentence in data.sentences[split]["en"]]


def test_folds_divide_the_training_text_and_copies_stay_together() -> None:
    def without(fold: str | None) -> TaggingData:
        return TaggingData(
            languages=["en"], max_train_sentences=90, held_back=60, without_fold=fold, seed=len(fold or "")
        )

    whole = without(None)
    for split in ("train", "unlabelled"):
        left_out = []
        for fold in Fold.all(3):
            data = without(str(fold))
            kept = words_of(data, split)
            assert kept == [words for words in words_of(whole, split) if fold_of(words, 3) != fold.number]
            left_out += [words for words in words_of(whole, split) if words not in set(kept)]
            assert words_of(data, "dev") == words_of(whole, "dev")
        assert sorted(left_out) == sorted(words_of(whole, split))
        assert min(np.bincount([fold_of(words, 3) for words in words_of(whole, split)])[1:]) > 10
    assert "fold 2/3 are left out" in without("2/3").corpora.summary()


@pytest.mark.parametrize("name", ["0/5", "6/5", "1/1", "2", "a/b", "2/5/1", "-1/5", ""])
def test_what_names_no_fold_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=r"--data.without_fold is '.*such as 2/5"):
        TaggingData(without_fold=name)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Teachers of two languages and of their two folds, and two students that left a fold out."""
    for number in (1, 2):
        trained = f"data:\n  without_fold: {number}/2\n"
        for run in (f"teachers-fold{number}of2/en", f"teachers-fold{number}of2/de", f"half{number}/seed1"):
            write_run(tmp_path / run, trained)
    for language in ("de", "en"):
        write_run(tmp_path / "teachers" / language, "data:\n  without_fold: null\n")
    return tmp_path


def write_run(folder: Path, config: str) -> None:
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "best.ckpt").touch()
    (folder / "config.yaml").write_text(config)


def file_of(runs: Path, text: str) -> TeacherSet:
    file = runs / "teachers.yaml"
    file.write_text(text.replace("@", f"{runs}/"))
    return TeacherSet.named(str(file))


def test_folders_beside_the_teachers_hold_those_of_the_folds(runs: Path) -> None:
    teachers = TeacherSet.named(str(runs / "teachers"), folds=2)
    first, second = Fold.all(2)
    assert teachers.pools("de") == {
        first: Pool((runs / "teachers-fold1of2/de",)),
        second: Pool((runs / "teachers-fold2of2/de",)),
        None: Pool((runs / "teachers/de",)),
    }
    assert (teachers.divided("de"), teachers.divided("de", labelled=False)) == (2, 0)
    assert teachers.of("de") == (runs / "teachers/de",)
    assert set(teachers.folders(["de"])) == {
        runs / f"{x}/de" for x in ("teachers", "teachers-fold1of2", "teachers-fold2of2")
    }
    teachers.require(["de", "en"])
    with pytest.raises(
        UserError, match=r"'fi' in .*for each of 2 folds; .*skd teachers --langs fi --folds 2,"
    ):
        teachers.require(["de", "fi"])
    with pytest.raises(UserError, match="for each of 3 folds"):
        TeacherSet.named(str(runs / "teachers"), folds=3).require(["de"])


def test_a_file_names_folds(runs: Path) -> None:
    teachers = file_of(
        runs,
        """
        en: {folds: [@teachers-fold1of2, [@teachers-fold2of2, @half2/seed1]], unlabelled: @teachers}
        fi: en
        "*": {folds: [@half1/seed1, @half2/seed1]}
        sv: "*"
        """,
    )
    first, second = Fold.all(2)
    en = {
        first: Pool((runs / "teachers-fold1of2/en",)),
        second: Pool((runs / "teachers-fold2of2/en", runs / "half2/seed1")),
        None: Pool((runs / "teachers/en",)),
    }
    halves = {first: Pool((runs / "half1/seed1",)), second: Pool((runs / "half2/seed1",))}
    assert teachers.pools("en") == teachers.pools("fi") == en
    assert teachers.pools("de") == teachers.pools("sv") == halves
    assert (teachers.divided("en", labelled=False), teachers.divided("de", labelled=False)) == (0, 2)
    teachers.require(["en", "fi", "de", "sv"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("en: {folds: [@teachers-fold1of2]}", r"expected \{folds: \["),
        ("en: {folds: @teachers}", r"expected \{folds: \["),
        ("en: {folds: [@half1/seed1, @half2/seed1], weights: [1, 1]}", r"expected \{folds: \["),
        ("en: {folds: [@half1/seed1, @nowhere]}", "nowhere holds no finished teacher"),
        ("en: {folds: [@teachers, @half2/seed1]}", "teachers/en: .* fold 1/2 .* trained on all of them"),
        ("en: {folds: [@half2/seed1, @half1/seed1]}", "half2/seed1: .* fold 1/2 .* without fold 2/2"),
        ("en: {folds: [@half1/seed1, @half2/seed1, @half2/seed1]}", "half1/seed1: .* fold 1/3 .* fold 1/2"),
    ],
)
def test_a_teacher_that_may_have_seen_the_sentences_is_refused(runs: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as refusal:
        file_of(runs, text).require(["en"])
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("names", [["a", "b"], "teachers.yaml", ["teachers.yml"]])
def test_a_number_of_folds_goes_with_one_folder(names: list[str] | str) -> None:
    with pytest.raises(UserError, match="goes with one folder of teachers"):
        TeacherSet.named(names, folds=2)
    with pytest.raises(UserError, match="at least 2"):
        TeacherSet.named("teachers", folds=1)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus and its teachers, those of two folds included."""
    folder = tmp_path_factory.mktemp("home")
    write_corpus(folder / "mine", ("de", "en"), {"train": 40, "dev": 10, "test": 10})
    skd(folder, "teachers", "--folds", "2", "--trainer.max_epochs", "2")
    return folder


def skd(home: Path, command: str, *options: str) -> None:
    main([command, *words_for(home), *options, *SMALL])


def words_for(home: Path) -> list[str]:
    return ["--runs", str(home / "runs"), "--task", "mine", "--data", str(home)]


def test_a_student_learns_from_the_teachers_of_folds(home: Path, capsys: pytest.CaptureFixture) -> None:
    skd(home, "distill", "--loss", "topwk", "--folds", "2", "--trainer.max_epochs", "1")
    told = capsys.readouterr().out
    assert "de (2 folds)" in told
    assert "0 hits, 4 misses" in told
    skd(home, "distill", "--loss", "structural", "--folds", "2", "--trainer.max_epochs", "1")
    assert "4 hits, 0 misses" in capsys.readouterr().out
    found = read_task(home / "runs", "mine")
    assert sorted(found.teachers) == ["de", "en"]
    assert {run.folder.path.parent.name for run in found.teachers.values()} == {"teachers"}
    assert not found.notes
    known = json.loads((home / "runs/mine/topwk/seed1/provenance.json").read_text())
    assert len([name for name in known if name.startswith("teacher ")]) == 6


def test_without_teachers_of_these_folds_nothing_is_trained(
    home: Path, capsys: pytest.CaptureFixture
) -> None:
    words = ("distill", *words_for(home), "--name", "three", "--folds", "3", *SMALL)
    assert "for each of 3 folds" in refused(capsys, *words)
    assert not (home / "runs/mine/three").exists()


def test_each_sentence_is_answered_by_the_teacher_that_has_not_seen_it(home: Path) -> None:
    data = TaggingData("mine", str(home))
    tagger = load(home / "runs/mine/teachers/de")
    sentences = [s for s in data.train_sentences if s.language == "de"]
    sentences += [
        sentences[0].__class__(s.words, None, "de") for s in sentences[:6]
    ]  # the same as unlabelled text
    dataset = SentenceDataset(sentences, tagger.featurizer, ["de"], tagger.tag_set)
    trainer = SimpleNamespace(
        datamodule=SimpleNamespace(train_dataset=dataset, sentences={"dev": {}}),
        strategy=SingleDeviceStrategy(torch.device("cpu")),
        **{"global_rank": 0, "world_size": 1, "is_global_zero": False},
    )
    student = SimpleNamespace(
        tag_set=tagger.tag_set, objective=TopWK(2), load_teacher=lambda path, outside: load(path, outside)
    )
    teachers = home / "runs/mine/teachers"
    DistillationCallback(str(teachers), str(home / "cache"), "float32", folds=2).on_fit_start(
        trainer, student
    )
    for i, sentence in enumerate(sentences):
        fold = fold_of(sentence.words, 2)
        folder = teachers if sentence.tags is None else home / f"runs/mine/teachers-fold{fold}of2"
        expected = load(folder / "de").distribution([sentence.words]).kbest(2)
        assert dataset.targets.read([i], len(sentence.words)).paths[0].equal(expected.paths[0])
