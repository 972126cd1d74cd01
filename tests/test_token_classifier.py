"""Pretrained token classifiers as teachers, held against transformers itself."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from small_bert import save_bert
from small_corpus import write_corpus
from small_runs import ONE_EPOCH, refused
from transformers import AutoModelForTokenClassification, AutoTokenizer

from skd_lightning.cli import main
from skd_lightning.data.demo import demo_corpus
from skd_lightning.distillation.teachers import TeacherSet
from skd_lightning.distillation.teachers.kinds import identity
from skd_lightning.distillation.teachers.token_classifier import TokenClassifier
from skd_lightning.errors import UserError
from skd_lightning.run_folder import RunFolder
from skd_lightning.runs.record import Results

LABELS = ["I-PER", "O", "B-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG"]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_bert(tmp_path_factory.mktemp("home") / "bert", positions=64, labels=LABELS)


def expected(model: str, words: list[str], pieces: str) -> np.ndarray:
    """(words, labels) as a user of transformers computes them."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    network = AutoModelForTokenClassification.from_pretrained(model).eval()
    encoded = tokenizer(words, is_split_into_words=True, return_tensors="pt")
    with torch.inference_mode():
        log_probs = network(**encoded).logits[0].log_softmax(-1)
    of_words = [
        [i for i, word in enumerate(encoded.word_ids()) if word == number] for number in range(len(words))
    ]
    return np.stack([log_probs[own[:1] if pieces == "first" else own].mean(0).numpy() for own in of_words])


@pytest.mark.parametrize("pieces", ["first", "mean"])
def test_words_have_the_log_probabilities_of_their_pieces(model: str, pieces: str) -> None:
    teacher = TokenClassifier(model, "bioes", CPU, pieces)
    sentences = [s.words for s in demo_corpus("en", {"train": 4, "dev": 1, "test": 1})["train"]]
    sentences.insert(1, ())
    done: list[int] = []
    said = teacher.speak(sentences, done.append, "en")
    assert sum(done) == len(sentences)
    direct = np.concatenate([expected(model, list(words), pieces) for words in sentences if words])
    columns = [LABELS.index(name) for name in teacher.tag_set.names]
    np.testing.assert_allclose(said.emissions, direct[:, columns], atol=1e-4)
    neighbours, first, _ = (torch.from_numpy(mask) for mask in teacher.tag_set.forbidden())
    np.testing.assert_array_equal(np.isneginf(said.transitions), neighbours)
    np.testing.assert_array_equal(np.isneginf(said.start), first)
    assert (said.transitions[~neighbours.numpy()] == 0).all()


def test_long_sentences_and_words_without_a_piece_are_read(model: str) -> None:
    teacher = TokenClassifier(model, "bioes", CPU)
    (words,) = [s.words[:4] for s in demo_corpus("en", {"train": 1, "dev": 1, "test": 1})["train"]]
    long = [*words, *(90 * ["the"]), "\u200b", "\ud800"]
    said = teacher.speak([long, words], lambda _: None, "en")
    assert said.emissions.shape == (len(long) + 4, len(LABELS))
    assert np.isfinite(said.emissions).all()
    np.testing.assert_allclose(
        said.emissions[-4:], teacher.speak([words], lambda _: None, "en").emissions, atol=1e-4
    )


def test_a_fingerprint_tells_weights_labels_and_pieces_apart(model: str, tmp_path: Path) -> None:
    others = [
        TokenClassifier(model, "bioes", CPU, "mean"),
        TokenClassifier(save_bert(tmp_path / "seed", seed=1, labels=LABELS), "bioes", CPU),
        TokenClassifier(save_bert(tmp_path / "labels", labels=LABELS[::-1]), "bioes", CPU),
    ]
    edited = save_bert(tmp_path / "edited", labels=LABELS)
    own = TokenClassifier(edited, "bioes", CPU).fingerprint()
    config = Path(edited, "config.json")
    config.write_text(json.dumps(json.loads(config.read_text()) | {"hidden_act": "relu"}))
    assert TokenClassifier(edited, "bioes", CPU).fingerprint() != own
    own = TokenClassifier(model, "bioes", CPU).fingerprint()
    assert own == TokenClassifier(model, "bioes", CPU).fingerprint()
    assert len({own, *(other.fingerprint() for other in others)}) == 4


def test_what_is_no_token_classifier_is_refused(model: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"it is BertModel, not a token classifier; fine-tune it first"):
        TokenClassifier(save_bert(tmp_path / "bare"), "bioes", CPU)
    pickled = tmp_path / "pickled"
    save_bert(pickled, labels=LABELS)
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"teacher .*pickled: no transformer"):
        TokenClassifier(str(pickled), "bioes", CPU)
    for file in Path(save_bert(tmp_path / "wordless", labels=LABELS)).glob("*token*"):
        file.unlink()
    with pytest.raises(
        UserError, match=r"wordless' has no words in its tokenizer; tokenizer.save_pretrained"
    ):
        TokenClassifier(str(tmp_path / "wordless"), "bioes", CPU)
    with pytest.raises(UserError, match="it has I-X without B-X"):
        TokenClassifier(save_bert(tmp_path / "iob1", labels=["O", "I-X", "B-Y", "I-Y"]), "bioes", CPU)


def test_teachers_are_named_where_run_folders_stand(model: str, tmp_path: Path) -> None:
    name = "hf:owner/name"
    assert TeacherSet.named([name, model]).of("en") == (Path(name), Path(model))
    assert TeacherSet.named(str(Path(model).parent)).of("bert") == (Path(model),)  # a language's own
    file = tmp_path / "teachers.yaml"
    file.write_text(f"en: [{{model: {name}, pieces: mean}}, {model}]\nde: {{model: {model}}}\n")
    teachers = TeacherSet.named(str(file))
    assert teachers.of("en") == (Path(name), Path(model))
    assert teachers.pieces == {Path(name): "mean", Path(model): "first"}
    assert identity(Path(name)) == name
    assert identity(Path(model)) not in (None, identity(Path(save_bert(tmp_path / "x", 1, labels=LABELS))))
    for wrong, message in (
        (f"en: {{model: {model}, pieces: last}}", "is no model; expected"),
        (f"en: {{model: {model}, tags: 1}}", "is no model; expected"),
        (f"en: {model}\nde: [{{model: {name}, pieces: mean}}, {{model: {name}}}]", "with the first piece"),
    ):
        file.write_text(wrong)
        with pytest.raises(UserError, match=message):
            TeacherSet.named(str(file))


def test_a_student_in_bioes_learns_from_a_classifier_in_iob2(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_corpus(tmp_path / "mine", ("en",), {"train": 30, "dev": 5, "test": 5})
    words = ("distill", *ONE_EPOCH)
    main([*words, "--loss", "topwk", "--teachers", model])
    assert "1 miss" in capsys.readouterr().out
    folder = RunFolder(Path("runs/mine/topwk/seed1"))
    found = Results.read(folder)
    assert found is not None
    assert "E-PER" in found.tags
    assert '"teacher bert"' in folder.provenance.read_text()
    main([*words, "--loss", "structural", "--teachers", model])
    assert "1 hit, 0 misses" in capsys.readouterr().out
    main([*words, "--loss", "structural", "--teachers", model])
    assert "already trained with this configuration" in capsys.readouterr().out
    other = save_bert(tmp_path / "other", labels=["O", "B-PER", "I-PER", "B-ANIMAL", "I-ANIMAL"])
    line = refused(capsys, *words, "--loss", "topwk", "--teachers", other, "--name", "other")
    assert "other: the student does not know the teacher's tags B-ANIMAL" in line
    assert "under 'tags' in the file of teachers" in line
