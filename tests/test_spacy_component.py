"""Saved taggers in spaCy's pipelines: annotations are the runtime's answers, and pipelines can be saved and moved."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from skd_lightning.encoders import BiLSTM, NgramEmbedder
from skd_lightning.errors import UserError
from skd_lightning.serving import Runtime
from skd_lightning.serving.folder import FILES
from skd_lightning.taggers import Student, Wide

spacy = pytest.importorskip("spacy")
from spacy.tokens import Doc, DocBin, Span  # noqa: E402

from skd_lightning.serving import spacy_component  # noqa: E402

TEXTS = ["Anna Berg lives in Lincoln. She  knows\n\nBerlin!", "", " \n", "Karl", "Anna Berg " * 4]
TAGS = {
    "bioes": ["O", *(f"{part}-{label}" for label in ("PER", "LOC") for part in "BIES")],
    "upos": ["ADJ", "NOUN", "VERB", "X"],
    "fine": ["JJ", "NN", "VBZ"],
}


def save(folder: Path, kind: str, languages: list[str]) -> Path:
    """Save a tagger of random weights."""
    torch.manual_seed(3)
    scheme: Any = "bioes" if kind == "bioes" else "none"
    wide = Wide(of_languages=True)
    tagger = Student(TAGS[kind], scheme, languages, NgramEmbedder(8, 64), BiLSTM(6), wide)
    tagger.learn_vocabulary([["Anna", "lives", "Berg"], ["Lincoln", "in"]], languages)
    with torch.no_grad():
        for name, weight in tagger.named_parameters():
            if name.endswith(("transitions", "wide.weight", "emissions.weight")):
                weight.copy_(2 * torch.randn_like(weight))
    tagger.eval().save(folder)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return saved taggers of random weights, each of Swedish and English, by the kind of their tags."""
    return {kind: save(tmp_path_factory.mktemp("saved") / kind, kind, ["sv", "en"]) for kind in TAGS}


def pipeline(folder: Path, code: str = "sv", **config: Any) -> Any:
    nlp = spacy.blank(code)
    nlp.add_pipe("skd_lightning", config={"model": str(folder), **config})
    return nlp


def words_of(doc: Any) -> list[str]:
    return [token.text for token in doc if not token.is_space]


@pytest.mark.parametrize("text", TEXTS)
def test_entities_are_those_of_the_runtime(folders: dict[str, Path], text: str) -> None:
    doc = pipeline(folders["bioes"])(text)
    places = [token.i for token in doc if not token.is_space]
    (expected,) = Runtime.load(folders["bioes"]).predict([words_of(doc)], "sv")
    assert [(e.start, e.end, e.label_) for e in doc.ents] == [
        (places[first], places[last] + 1, label) for first, last, label, _ in expected.entities
    ]
    np.testing.assert_allclose(
        [e._.score for e in doc.ents], [e.probability for e in expected.entities], atol=1e-6
    )
    assert not any(token.is_space for e in doc.ents for token in (e[0], e[-1]))
    group = doc.spans["skd_lightning"]
    assert [*group] == [*doc.ents]
    assert group.attrs["scores"] == [e._.score for e in doc.ents]
    assert doc.has_annotation("ENT_IOB")  # also where there is none: the document was looked at


def test_a_threshold_leaves_out_what_is_less_sure(folders: dict[str, Path]) -> None:
    sure = [e._.score for e in pipeline(folders["bioes"])(TEXTS[0]).ents]
    middle = float(np.mean(sure))
    doc = pipeline(folders["bioes"], threshold=middle)(TEXTS[0])
    assert 0 < len(doc.ents) < len(sure)
    assert [e._.score for e in doc.ents] == [score for score in sure if score >= middle]
    assert len(doc.spans["skd_lightning"]) == len(sure)
    with pytest.raises(UserError, match="the threshold is 2"):
        pipeline(folders["bioes"], threshold=2.0)


def test_universal_tags_are_parts_of_speech_and_others_are_tags(folders: dict[str, Path]) -> None:
    for kind, attribute in (("upos", "pos_"), ("fine", "tag_")):
        doc = pipeline(folders[kind])(TEXTS[0])
        (expected,) = Runtime.load(folders[kind]).predict([words_of(doc)], "sv")
        kept = [token for token in doc if not token.is_space]
        assert [getattr(token, attribute) for token in kept] == [*expected.tags]
        np.testing.assert_allclose([token._.score for token in kept], expected.confidences, atol=1e-6)
        assert doc.ents == ()
        space = [token for token in doc if token.is_space]
        assert {token._.score for token in space} == {None}
        assert {getattr(token, attribute) for token in space} == {"SPACE" if kind == "upos" else ""}
    unsure = pipeline(folders["upos"], threshold=1.0)(TEXTS[0])
    assert "" in {token.pos_ for token in unsure}


def test_sentences_are_tagged_each_for_itself(folders: dict[str, Path]) -> None:
    nlp = pipeline(folders["upos"])
    nlp.add_pipe("sentencizer", first=True)
    doc = nlp(TEXTS[0])
    sentences = [[token for token in sentence if not token.is_space] for sentence in doc.sents]
    assert len(sentences) == 2
    expected = Runtime.load(folders["upos"]).predict([[t.text for t in own] for own in sentences], "sv")
    found = [[token._.score for token in own] for own in sentences]
    for own, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(own, other.confidences, atol=1e-6)


@pytest.mark.parametrize("sizes", [[5], [7, 7], [14, 14, 3], [9, 2, 8, 1, 14], [40]])
def test_long_documents_are_cut_where_sentences_end(
    sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spacy_component, "LONGEST", 15)
    words = [word for size in sizes for word in [*["word"] * (size - 1), "."]]
    found = spacy_component.stretches(Doc(spacy.blank("sv").vocab, words))
    assert [place for passage in found for place in passage.places] == [*range(len(words))]
    assert all(len(passage.places) == len(passage.words) <= 15 for passage in found)
    if max(sizes) <= 15:
        assert all(passage.words[-1] == "." for passage in found)
        assert all(len(a.places) + len(b.places) > 15 for a, b in pairwise(found))


def test_pipe_gives_what_single_calls_give(folders: dict[str, Path]) -> None:
    nlp = pipeline(folders["bioes"])
    single = [nlp(text) for text in TEXTS * 3]
    for processes in (1, 2):
        piped = [*nlp.pipe(TEXTS * 3, batch_size=4, n_process=processes)]
        for own, other in zip(piped, single, strict=True):
            assert [(e.start, e.end, e.label_) for e in own.ents] == [
                (e.start, e.end, e.label_) for e in other.ents
            ]
            np.testing.assert_allclose(
                [e._.score for e in own.ents], [e._.score for e in other.ents], atol=1e-6
            )


def test_the_language_is_the_pipelines_where_the_tagger_knows_it(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    def scores(nlp: Any) -> list[float]:
        return [token._.score for token in nlp("Anna lives in Lincoln")]

    swedish, english = (scores(pipeline(folders["upos"], language)) for language in ("sv", "en"))
    assert swedish != pytest.approx(english)
    assert scores(pipeline(folders["upos"], "sv", language="en")) == pytest.approx(english)
    treebank = save(tmp_path / "treebank", "upos", ["sv_talbanken", "en"])
    assert scores(pipeline(treebank, "sv")) == scores(pipeline(treebank, "sv", language="sv_talbanken"))
    with pytest.warns(UserWarning, match="the language of a sentence is not given and unknown"):
        scores(pipeline(folders["upos"], "xx"))


def test_entities_that_stand_already_stay(folders: dict[str, Path]) -> None:
    nlp = pipeline(folders["bioes"])
    alone = nlp(TEXTS[0])
    doc = nlp.make_doc(TEXTS[0])
    doc.ents = [Span(doc, alone.ents[0].start, alone.ents[0].start + 1, label="RULE")]
    doc = nlp(doc)
    assert doc.ents[0].label_ == "RULE"
    assert [e.label_ for e in doc.ents[1:]] == [e.label_ for e in alone.ents[1:]]
    assert len(doc.spans["skd_lightning"]) == len(alone.ents)


def test_a_saved_pipeline_can_be_moved(folders: dict[str, Path], tmp_path: Path) -> None:
    model = shutil.copytree(folders["bioes"], tmp_path / "model")
    nlp = pipeline(model)
    expected = [(e.text, e.label_, e._.score) for e in nlp(TEXTS[0]).ents]
    nlp.to_disk(tmp_path / "pipeline")
    nlp.to_disk(tmp_path / "pipeline")
    shutil.rmtree(model)
    moved = (tmp_path / "pipeline").rename(tmp_path / "elsewhere")
    again = spacy.load(moved)
    assert [(e.text, e.label_, e._.score) for e in again(TEXTS[0]).ents] == expected
    again.to_disk(moved)
    assert [(e.text, e.label_, e._.score) for e in spacy.load(moved)(TEXTS[0]).ents] == expected


def test_a_saved_pipeline_has_every_file_of_its_tagger(folders: dict[str, Path], tmp_path: Path) -> None:
    model = shutil.copytree(folders["bioes"], tmp_path / "model")
    for name in FILES:  # a tagger on a transformer has one more
        if not (model / name).exists():
            (model / name).write_bytes(b"graph")
    pipeline(model).to_disk(tmp_path / "pipeline")
    copied = tmp_path / "pipeline/skd_lightning"
    assert {file.name: file.read_bytes() for file in copied.iterdir()} == {
        file.name: file.read_bytes() for file in model.iterdir()
    }


def test_documents_keep_the_probabilities(folders: dict[str, Path]) -> None:
    nlp = pipeline(folders["bioes"])
    doc = nlp(TEXTS[0])
    scores = [e._.score for e in doc.ents]
    (restored,) = DocBin().from_bytes(DocBin(docs=[doc]).to_bytes()).get_docs(nlp.vocab)
    assert restored.spans["skd_lightning"].attrs["scores"] == scores
    (restored,) = DocBin().from_bytes(DocBin(docs=[doc], store_user_data=True).to_bytes()).get_docs(nlp.vocab)
    assert [e._.score for e in restored.ents] == scores


def test_a_missing_tagger_is_named(tmp_path: Path) -> None:
    nlp = pipeline(tmp_path / "missing")
    with pytest.raises(UserError, match="missing: no saved tagger there"):
        nlp("Anna")
    with pytest.raises(UserError, match="missing: no saved tagger there"):
        nlp.to_disk(tmp_path / "pipeline")


def test_spacy_finds_the_installed_component(folders: dict[str, Path], tmp_path: Path) -> None:
    """The entry point of ``pyproject.toml``, in a process that imports nothing of this package."""
    root = Path(__file__).parents[1]
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    installed = tmp_path / "skd_lightning_entry-0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: skd-lightning-entry\nVersion: 0\n")
    (point,) = project["entry-points"]["spacy_factories"].items()
    (installed / "entry_points.txt").write_text("[spacy_factories]\n{} = {}\n".format(*point))
    code = (
        "import spacy; nlp = spacy.blank('sv'); "
        f"nlp.add_pipe('skd_lightning', config={{'model': {str(folders['upos'])!r}}}); "
        "print([token.pos_ for token in nlp('Anna lives')])"
    )
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{root}"}
    printed = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == str([token.pos_ for token in pipeline(folders["upos"])("Anna lives")])
