"""Raw text to tags, from the command line and from Python."""

from __future__ import annotations

import html
import io
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from small_runs import refused

import skd_lightning
from skd_lightning.cli import main
from skd_lightning.data.readers import read
from skd_lightning.encoders import BiLSTM, NgramEmbedder
from skd_lightning.errors import UserError
from skd_lightning.predictions import Alternative, Entity, Prediction
from skd_lightning.run_folder import RunFolder
from skd_lightning.serving.text.documents import sentences_of_text
from skd_lightning.serving.text.page import html_page
from skd_lightning.serving.text.tagging import Tagged, iob2
from skd_lightning.taggers import Tagger, Teacher
from skd_lightning.taggers.wide import Wide

TEXT = 'Anna Berg 👩‍👩‍👧 lives in Lincoln.\nShe left "<b>Acme & Co.</b>"\n\nآنا برگ در لینکلن\n'
ENTITIES = ["O", "B-PER", "I-PER", "E-PER", "S-PER"]


def teacher(tags: list[str], scheme: str, languages: list[str]) -> Teacher:
    torch.manual_seed(3)
    network = NgramEmbedder(4, 64, word_embedding_size=2), BiLSTM(4)
    return Teacher(tags, scheme, languages, *network, decoding="viterbi").eval()  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run folder with a tagger of entities in two languages."""
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    tagger = teacher(ENTITIES, "bioes", ["de", "en"])
    checkpoint = {"state_dict": tagger.state_dict()}
    tagger.on_save_checkpoint(checkpoint)
    folder.checkpoints.mkdir()
    torch.save(checkpoint, folder.best)
    return str(folder.path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "a.en.txt").write_text(TEXT)
    return tmp_path / "a.en.txt"


def tag(capsys: pytest.CaptureFixture, *words: object) -> str:
    capsys.readouterr()
    main(["tag", *map(str, words)])
    out: str = capsys.readouterr().out
    return out


def test_json_lines_say_what_the_tagger_says(run: str, file: Path, capsys: pytest.CaptureFixture) -> None:
    tagger = skd_lightning.load(run)
    lines = [json.loads(line) for line in tag(capsys, run, file, "--k", 3).splitlines()]
    assert [line["words"] for line in lines] == [list(s.words) for s in sentences_of_text(TEXT, "en")]
    assert len(lines) == 3
    found = 0
    for line in lines:
        assert (line["language"], line["document"]) == ("en", str(file))
        assert [TEXT[start:end] for start, end in line["offsets"]] == line["words"]
        assert TEXT[line["start"] : line["end"]] == line["text"]
        (prediction,) = tagger.predict([line["words"]], "en", 3)
        assert tuple(line["tags"]) == iob2(prediction.tags)
        assert line["confidences"] == pytest.approx(prediction.confidences, abs=1e-4)
        assert line["probability"] == pytest.approx(prediction.probability, rel=1e-3)
        assert len(line["alternatives"]) == 3
        for one, expected in zip(line["alternatives"], prediction.alternatives, strict=True):
            assert tuple(one["tags"]) == iob2(expected.tags)
            assert one["probability"] == pytest.approx(expected.probability, rel=1e-3)
        for entity, expected in zip(line["entities"], prediction.entities, strict=True):
            assert TEXT[entity["start"] : entity["end"]] == entity["word"]
            assert entity["score"] == pytest.approx(expected.probability, abs=1e-4)
            assert entity["entity_group"] == expected.label == "PER"
            found += 1
    assert found > 1


def test_python_gives_the_entities_of_the_command(
    run: str, file: Path, capsys: pytest.CaptureFixture
) -> None:
    found = skd_lightning.load(run).tag(TEXT, "en")
    lines = [json.loads(line) for line in tag(capsys, run, file).splitlines()]
    listed = [entity for line in lines for entity in line["entities"]]
    assert [{**entity, "score": round(entity["score"], 4)} for entity in found] == listed
    least = sorted(entity["score"] for entity in found)[1]
    assert [e for e in found if e["score"] >= least] == skd_lightning.load(run).tag(TEXT, "en", least)
    assert 0 < len(skd_lightning.load(run).tag(TEXT, "en", least)) < len(found)


def test_python_gives_the_tag_of_each_word_where_tags_mark_no_entities() -> None:
    tagger = teacher(["NOUN", "VERB"], "none", ["en"])
    found = tagger.tag("He didn't go.")
    (prediction,) = tagger.predict([["He", "did", "n't", "go", "."]])
    assert [row["entity"] for row in found] == list(prediction.tags)
    assert [row["score"] for row in found] == list(prediction.confidences)
    assert [(row["start"], row["end"]) for row in found] == [(0, 2), (3, 6), (6, 9), (10, 12), (12, 13)]
    assert tagger.tag("") == tagger.tag(" \n") == []
    with pytest.raises(UserError, match="a text is a string, not list"):
        tagger.tag(["He"])  # type: ignore[arg-type]


def test_columns_are_a_corpus(run: str, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "out" / "train.tsv"
    assert tag(capsys, run, file, "--to", "conll", "--out", out) == ""
    lines = [json.loads(line) for line in tag(capsys, run, file).splitlines()]
    corpus = read(out, "en")
    assert [list(sentence.words) for sentence in corpus] == [line["words"] for line in lines]
    assert [list(sentence.tags or ()) for sentence in corpus] == [line["tags"] for line in lines]
    text = out.read_text()
    assert text.startswith(f"# newdoc id = {file}\nAnna\t0\t4\t")
    assert [path.name for path in out.parent.iterdir()] == ["train.tsv"]
    strict = tag(capsys, run, file, "--to", "conll", "--threshold", 1)
    assert {line.rsplit("\t")[-1] for line in strict.splitlines() if "\t" in line} == {"O"}


def test_words_spaces_and_lines(run: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "given").write_text("New York\tx\nis\n\nbig")
    (tmp_path / "de.txt").write_text("U.S. don't\nJa")
    (tmp_path / "x.jsonl").write_text('{"words": ["a b", "\\ud800"], "language": "de"}\n')
    files = [tmp_path / name for name in ("given", "de.txt", "x.jsonl")]
    given = [json.loads(line) for line in tag(capsys, run, "--words", "given", files[0]).splitlines()]
    assert [line["words"] for line in given] == [["New York", "is"], ["big"]]
    assert [line["language"] for line in given] == [None, None]
    both = [json.loads(line) for line in tag(capsys, run, "--words", "spaces", *files[1:]).splitlines()]
    assert [line["words"] for line in both] == [["U.S.", "don't"], ["Ja"], ["a b", "\ud800"]]
    assert [line["language"] for line in both] == ["de"] * 3
    named = tag(capsys, run, files[1], "--language", "en")
    assert json.loads(named.splitlines()[0])["words"] == ["U.S.", "do", "n't", "Ja"]


class Structure(HTMLParser):
    """The text of a page without its notes, and its elements in balance."""

    VOID = {"meta", "br"}

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[tuple[str, str]] = []
        self.text, self.rows = "", 0
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag != "script"
        assert not {"src", "href"} & {name for name, _ in attrs}
        if tag not in self.VOID:
            self.open.append((tag, dict(attrs).get("class") or ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        tags = [tag for tag, _ in self.open]
        classes = [name for _, name in self.open]
        if (
            "p" in tags
            and "footer" not in tags
            and not {"note", "q"} & set(classes)
            and tags[-1] not in ("b", "rt")
        ):
            self.text += data


def test_the_page_shows_the_text_as_it_is(run: str, file: Path, capsys: pytest.CaptureFixture) -> None:
    page = tag(capsys, run, file, "--to", "html")
    assert "".join(Structure(page).text.split()) == "".join(TEXT.split())
    assert page.count('<p dir="auto" lang="en">') == 2
    assert "3 best sequences" in page
    assert "http" not in page


def test_the_page_marks_entities_and_words() -> None:
    (one,) = sentences_of_text("Anna <Berg> runs", "en")
    tags, other = ("B-PER", "O", "B-<i>", "O", "O"), ("O", "O", "O", "O", "O")
    entities = (Entity(0, 0, "PER", 0.91), Entity(2, 2, "<i>", 0.25))
    alternatives = (Alternative(tags, 0.75), Alternative(other, 0.125))
    prediction = Prediction(tags, (0.9, 1.0, 0.3, 1.0, 1.0), 0.75, entities, alternatives)
    page = "".join(html_page([Tagged(one, prediction)]))
    assert Structure(page).text.split() == ["Anna", "<Berg>", "runs"]
    assert re.search(r'<span class="e c0" style="--p:0.91" tabindex="0">Anna<b>PER</b>', page)
    assert re.search(r'<span class="e c\d unsure" style="--p:0.25" tabindex="0">Berg<b>&lt;i&gt;</b>', page)
    assert "else, in the 2 best sequences: O 12.5%" in page
    assert "12.5% all O" in page
    assert "Berg<b>" in page
    assert "Berg<b>" not in "".join(html_page([Tagged(one, prediction)], threshold=0.5))
    words = Prediction(("NOUN", "PUNCT", "PROPN", "PUNCT", "VERB"), (0.9, 1.0, 0.3, 1.0, 1.0), 0.5, ())
    page = "".join(html_page([Tagged(one, words)]))
    assert Structure(page).text.split() == ["Anna", "<Berg>", "runs"]
    assert html.unescape(page).count("<rt>") == 5
    assert "has no words" in "".join(html_page([]))


def test_nothing_gives_nothing(run: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for content in (b"", b"\n", b"\xef\xbb\xbf", b" \r\n\r\n"):
        (tmp_path / "empty").write_bytes(content)
        assert (
            tag(capsys, run, tmp_path / "empty")
            == tag(capsys, run, tmp_path / "empty", "--to", "conll")
            == ""
        )
    Structure(tag(capsys, run, tmp_path / "empty", "--to", "html"))


def test_mistakes_get_one_line(run: str, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    bad = tmp_path / "bad.txt"
    bad.write_bytes(b"Anna \xe9")
    out = tmp_path / "kept.jsonl"
    out.write_text("old")
    for words, message in (
        ([run, tmp_path / "none.txt"], "none.txt: No such file or directory"),
        ([run, tmp_path], "is a folder; name its files, such as"),
        ([run, file, bad, "--out", out], "bad.txt: byte 5 (0xe9) is not UTF-8"),
        ([run, file, "--threshold", "1.5"], "threshold is 1.5"),
        ([run, file, "--threshold", "nan"], "threshold is nan"),
        ([run, file, "--k", "-1"], "--k is -1"),
        ([tmp_path / "nothing", file], "no trained tagger there"),
        ([run, file, "--words", "space"], "did you mean 'spaces'?"),
    ):
        assert message in refused(capsys, "tag", *map(str, words))
    assert out.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.en.txt", "bad.txt", "kept.jsonl"]


def test_a_saved_tagger_is_read_without_pytorch() -> None:
    """Serving needs NumPy, and nothing else beside the tagger itself."""
    code = (
        "import sys; from skd_lightning.serving.text import tag, page, jsonl, conll; import skd_lightning.storage\n"
        "import skd_lightning.cli.tag\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], env=path(), capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) <= {"__main__", "numpy", "skd_lightning"}


def path() -> dict[str, str]:
    """Where modules are found without ``site``."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])}


def test_a_pipe_that_closes_ends_it_quietly(run: str, tmp_path: Path) -> None:
    (tmp_path / "long.en.txt").write_text("Anna Berg lives in Lincoln.\n\n" * 600)
    command = [sys.executable, "-m", "skd_lightning", "tag", run, str(tmp_path / "long.en.txt")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["words"][0] == "Anna"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_standard_input(run: str, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    for words in ([], ["-"]):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("Ja, Änne.".encode())))
        (line,) = tag(capsys, run, *words, "--language", "de").splitlines()
        assert json.loads(line)["words"] == ["Ja", ",", "Änne", "."]


def test_an_unknown_language_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Weights of each language make a difference; a text of many batches asks for them again and again."""
    embedder, context = NgramEmbedder(4, 64, word_embedding_size=2), BiLSTM(4)
    tagger = Tagger(ENTITIES, "bioes", ["de", "en"], embedder, context, Wide(of_languages=True))
    tagger.learn_vocabulary([["Anna", "lives"]], ["en"])
    tagger.save(tmp_path / "saved")
    (tmp_path / "text").write_text("Anna lives. " * 1000)
    capsys.readouterr()
    main(["tag", str(tmp_path / "saved"), str(tmp_path / "text"), "--language", "fr"])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("skd: warning: the language fr is unknown")


def test_a_tagger_of_one_language_takes_text_for_its_own() -> None:
    tagger: Tagger = teacher(ENTITIES, "bioes", ["en"])
    assert tagger.tag("Anna didn't", None) == tagger.tag("Anna didn't", "en")
