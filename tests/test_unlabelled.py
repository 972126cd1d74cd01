"""Text without annotation: read, held back, mixed into batches, taught by teachers alone."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from small_corpus import write_corpus

from skd_lightning.cli import main
from skd_lightning.crf import LinearChainCRF
from skd_lightning.data.batch_sampling import TrainingBatches
from skd_lightning.data.corpora import load_corpora
from skd_lightning.data.sentence import Sentence
from skd_lightning.data.unlabelled import read_untagged, sample_of_text
from skd_lightning.errors import UserError

LANGUAGES = ("de", "en")
SIZES = {"train": 40, "dev": 10, "test": 10}
QUICK = ["--trainer.enable_progress_bar", "false", "--model.context.hidden_size", "16"]


def test_plain_text_is_split_at_white_space(tmp_path: Path) -> None:
    file = tmp_path / "en.txt.gz"
    file.write_bytes(gzip.compress(b"Anna  lives\there .\n\n   \nYes\n"))
    first, second = read_untagged(file, "en")
    assert first.words == ("Anna", "lives", "here", ".")
    assert first.tags is None
    assert first.place(2) == f"{file}:1"
    assert (second.words, second.lines) == (("Yes",), (4,))


def test_annotated_files_lose_their_tags(tmp_path: Path) -> None:
    (tmp_path / "en.tsv").write_text("Anna\tB-PER\nlives\tO\n")
    assert [(s.words, s.tags) for s in read_untagged(tmp_path / "en.tsv", "en")] == [
        (("Anna", "lives"), None)
    ]


def test_unlabelled_text_beside_the_corpus_and_from_another_folder(tmp_path: Path) -> None:
    write_corpus(tmp_path / "mine", LANGUAGES, SIZES)
    (tmp_path / "mine" / "en" / "unlabelled.txt").write_text("one two\n")
    (tmp_path / "more").mkdir()
    for language in ("de", "en"):
        (tmp_path / "more" / f"{language}.txt").write_text("three\nfour five\n")
    corpora = load_corpora("mine", str(tmp_path), unlabelled=str(tmp_path / "more"))
    found = {
        language: [s.words for s in splits["unlabelled"]] for language, splits in corpora.languages.items()
    }
    assert found["en"] == [("one", "two"), ("three",), ("four", "five")]
    assert found["de"] == [("three",), ("four", "five")]
    assert "unlabelled 5 sentences (8 words)" in corpora.summary()
    with pytest.raises(UserError, match=r"no unlabelled text 'de\.txt' there"):
        load_corpora("mine", str(tmp_path), unlabelled=str(tmp_path / "mine"))


def test_held_back_sentences_are_the_rest_of_the_sample(tmp_path: Path) -> None:
    write_corpus(tmp_path / "mine", LANGUAGES, SIZES)

    def split(held_back: int, name: str) -> list[tuple[str, ...]]:
        corpora = load_corpora("mine", str(tmp_path), ["en"], max_train_sentences=15, held_back=held_back)
        return [sentence.words for sentence in corpora.languages["en"][name]]

    everything = [s.words for s in load_corpora("mine", str(tmp_path), ["en"]).languages["en"]["train"]]
    assert split(0, "unlabelled") == []
    assert split(0, "train") == split(10, "train")
    assert set(split(10, "unlabelled")) < set(split(20, "unlabelled"))
    assert sorted(split(15, "train") + split(1000, "unlabelled")) == sorted(everything)


def test_sentences_that_are_evaluated_on_are_found_in_text(tmp_path: Path) -> None:
    write_corpus(tmp_path / "mine", ("en",), SIZES)
    evaluated = load_corpora("mine", str(tmp_path), ["en"]).languages["en"]
    lines = [" ".join(evaluated[split][0].words) for split in ("dev", "test")]
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts/en.txt").write_text("\n".join([*lines, "Another one"]))
    for remove, said in ((True, "removed"), (False, "kept")):
        found = load_corpora(
            "mine",
            str(tmp_path),
            ["en"],
            unlabelled=str(tmp_path / "texts"),
            max_dev_sentences=2,
            remove_duplicates=remove,
        )
        (note,) = [note for note in found.notes if "unlabelled" in note]
        assert note.startswith(f"en: 2 unlabelled sentences are dev or test sentences; {said}")
        assert len(found.languages["en"]["unlabelled"]) == (1 if remove else 3)


def test_test_sentences_that_stand_in_dev_are_counted(tmp_path: Path) -> None:
    for split, words in (("train", "ab"), ("dev", "cd"), ("test", "dde")):
        file = tmp_path / f"mine/en/{split}.tsv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n\n".join(f"{word}\tO" for word in words))
    found = load_corpora("mine", str(tmp_path), ["en"])
    assert "en: 2 test sentences also stand in dev; kept" in found.notes
    assert len(found.languages["en"]["test"]) == 3


def test_a_sample_of_dev_leaves_train_and_test_alone(tmp_path: Path) -> None:
    write_corpus(tmp_path / "mine", LANGUAGES, SIZES)
    everything = load_corpora("mine", str(tmp_path), ["en"]).languages["en"]
    sample = load_corpora("mine", str(tmp_path), ["en"], max_dev_sentences=4).languages["en"]
    assert len(sample["dev"]) == 4
    assert set(sample["dev"]) < set(everything["dev"])
    assert (sample["train"], sample["test"]) == (everything["train"], everything["test"])


@pytest.mark.parametrize("exponent", [1.0, 0.5])
@pytest.mark.parametrize("ratio", [None, 0.0, 0.5, 1.0, 3.3])
def test_unlabelled_sentences_come_at_their_ratio(ratio: float | None, exponent: float) -> None:
    rng = np.random.default_rng(0)
    labelled = rng.permutation(np.arange(90) < 30)
    languages = np.zeros(90, np.int64)
    languages[np.flatnonzero(~labelled)[:48]] = 1  # unlabelled: 12 sentences of one language, 48 of another
    sampler = TrainingBatches(
        rng.integers(1, 9, 90), languages, 20, exponent, labelled=labelled, unlabelled_ratio=ratio
    )
    wanted = 60 if ratio is None else round(ratio * 30)
    shown = np.zeros(90, dtype=int)
    for epoch in range(5):
        sampler.set_epoch(epoch)
        times = np.bincount([i for batch in sampler for i in batch], minlength=90)
        assert (times[labelled] == 1).all()
        assert times[~labelled].sum() == pytest.approx(wanted, abs=1)
        shown += times
        for language, share in (
            (0, 0.2 if exponent == 1.0 else 1 / 3),
            (1, 0.8 if exponent == 1.0 else 2 / 3),
        ):
            members = ~labelled & (languages == language)
            assert times[members].sum() == pytest.approx(share * wanted, abs=0.51)
            # over all epochs so far no sentence is shown a second time before each was shown once
            assert np.ptp(shown[members]) <= 1


def test_students_learn_from_text_that_only_teachers_speak_on(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from skd_lightning.taggers import Student

    write_corpus(tmp_path / "mine", LANGUAGES, {**SIZES, "train": 60})
    shared = ["--runs", str(tmp_path / "runs"), "--task", "mine", "--data", str(tmp_path), *QUICK]
    sample = ["--data.max_train_sentences", "20", "--trainer.max_epochs", "2"]
    main(["teachers", *shared, *sample])
    seen: list[tuple[int, int]] = []
    losses = Student.losses

    def spy(self: Student, crf: LinearChainCRF, batch):  # type: ignore[no-untyped-def]
        found = losses(self, crf, batch)
        seen.append((int(batch.labelled.sum()), int((~batch.labelled).sum())))
        if self.objective is not None:
            expected = self.unlabelled_annealing.weight(0, 0, 1) * self.objective(crf, batch.targets)
            torch.testing.assert_close(found[~batch.labelled], expected[~batch.labelled])
        return found

    monkeypatch.setattr(Student, "losses", spy)
    more = [*sample, "--data.held_back", "30"]
    main(["distill", *shared, *more, "--loss", "posterior", "--model.unlabelled_annealing.start", "0.5"])
    assert np.sum(seen, axis=0).tolist() == [80, 120]  # two epochs of two languages
    out = capsys.readouterr().out
    assert "en unlabelled" in out
    assert "4 misses" in out
    seen.clear()
    main(["distill", *shared, *more, "--loss", "none"])
    assert np.sum(seen, axis=0).tolist() == [80, 0]  # nobody speaks there
    main(["distill", *shared, *sample, "--data.held_back", "40", "--loss", "topk"])
    assert "2 hits, 2 misses" in capsys.readouterr().out  # the annotated part is known


def test_held_back_needs_a_sample(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["fit", "--config", "experiments/student.yaml", "--data.held_back", "5"])
    assert stop.value.code == 2
    assert "--data.max_train_sentences" in capsys.readouterr().err


def test_a_language_that_nobody_annotated_is_taught_by_a_pool_of_other_teachers(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the student teaches the next generation, beside a teacher, on the same text."""
    from skd_lightning.taggers import Student, load

    monkeypatch.chdir(tmp_path)
    write_corpus(tmp_path / "mine", ("de", "en", "fi"), SIZES)
    shared = ["--task", "mine", "--data", str(tmp_path), *QUICK, "--trainer.max_epochs", "2"]
    main(["teachers", *shared, "--langs", "de", "en"])
    (tmp_path / "teachers.yaml").write_text(
        "fi: {product: [de, en], weights: [2, 1]}\nde: runs/mine/teachers\nen: runs/mine/teachers\n"
    )
    seen: set[tuple[int, bool]] = set()
    losses = Student.losses

    def spy(self: Student, crf: LinearChainCRF, batch):  # type: ignore[no-untyped-def]
        seen.update(zip(batch.languages.tolist(), batch.labelled.tolist(), strict=True))
        return losses(self, crf, batch)

    monkeypatch.setattr(Student, "losses", spy)
    never = ["--model.wide.of_text", "false"]
    text = ["--langs", "de", "en", "fi", "--data.text_only", '["fi"]', "--loss", "structural"]
    capsys.readouterr()
    main(["distill", *shared, *text, "--teachers", "teachers.yaml", "--model.objective.alpha", "0.5", *never])
    assert "fi unlabelled ×2" in capsys.readouterr().out
    assert seen == {(0, True), (1, True), (2, False)}
    student = tmp_path / "runs/mine/structural/seed1"
    main(["zeroshot", str(student), "--task", "mine", "--data", str(tmp_path), "--langs", "de", "fi"])
    assert set(json.loads((student / "zeroshot/results.json").read_text())["languages"]) == {"fi"}

    more = ["--teachers", "teachers.yaml", "--name", "text"]
    main(["distill", *shared, *text, *more])
    with_text = load(tmp_path / "runs/mine/text/seed1").wide
    without = load(student).wide
    assert len(with_text.keys) > 1.2 * len(without.keys)  # features of the third language, too
    own = len(with_text.keys) - len(without.keys)
    assert with_text.weight[-own:].abs().max() > 0.01
    with pytest.raises(SystemExit) as stop:
        main(["distill", *shared, *text, "--teachers", str(student)])
    assert stop.value.code == 2
    assert "this run would be its own teacher, and replace it; give another --name" in capsys.readouterr().err

    both = [
        "--teachers",
        str(student),
        "runs/mine/teachers/de",
        "--name",
        "second",
        "--distillation.weights",
        "dev",
    ]
    main(["distill", *shared, *text, *both])
    out = capsys.readouterr().out
    assert all(f"{name} ×2" in out for name in ("de", "en", "fi unlabelled"))
    assert json.loads((tmp_path / "runs/mine/second/seed1/results.json").read_text())["loss"] == "structural"


def test_languages_with_text_alone_must_be_there(tmp_path: Path) -> None:
    write_corpus(tmp_path / "mine", LANGUAGES, SIZES)
    with pytest.raises(UserError, match=r"--data.text_only names fi; the languages are de, en"):
        load_corpora("mine", str(tmp_path), text_only=["fi"])
    splits = load_corpora("mine", str(tmp_path), text_only=["de"]).languages["de"]
    assert [len(splits[name]) for name in ("train", "dev", "test", "unlabelled")] == [0, 0, 10, 40]
    assert all(sentence.tags is None for sentence in splits["unlabelled"])


def test_features_are_fitted_to_as_much_text_as_an_epoch_has() -> None:
    text = {
        language: [Sentence((f"{language}{i}",), None, language) for i in range(10)]
        for language in ("de", "en", "fi")
    }
    annotated = {"de": 2, "en": 9, "fi": 0}
    assert sample_of_text(text, annotated, None) == [*range(30)]
    chosen = sample_of_text(text, annotated, 2.0)
    assert (
        len(chosen) == 4 + 10 + 10
    )  # twice as many; all there are; a language that nobody annotated has all
    assert len(set(chosen)) == len(chosen)
    assert chosen == sample_of_text(text, annotated, 2.0)
    assert {place // 10 for place in chosen[:4]} == {0}
    assert sample_of_text(text, annotated, 0.0) == [*range(20, 30)]
