"""Corpora of any bytes: sentences with as many tags as words, or one line."""

from __future__ import annotations

import encodings.aliases
import gzip
from pathlib import Path

import pytest
from fuzzing import attempt, spoiled, tries
from hypothesis import given
from hypothesis import strategies as st

from skd_lightning.data.readers import read
from skd_lightning.data.sentence import Sentence
from skd_lightning.data.unlabelled import read_untagged
from skd_lightning.distillation.teachers.predictions_file import PredictionsFile
from skd_lightning.tags import TagSet, convert, entities, recognise

CONLLU = """\
# sent_id = 1
# text = au lait
1-2\tau\t_\t_\t_\t_\t_\t_\t_\t_
1\tà\tà\tADP\t_\t_\t0\troot\t_\t_
2\tle\tle\tDET\t_\t_\t1\tdet\t_\t_
2.1\tlait\tlait\tNOUN\t_\t_\t_\t_\t_\t_

1\tAnna\tAnna\tPROPN\t_\tCase=Nom\t0\troot\t_\tSpaceAfter=No
2\t.\t.\tPUNCT\t_\t_\t1\tpunct\t_\t_

"""
IOB2 = "# sent_id = 1\n1\tAnna\tB-PER\t-\t-\n2\tBerg\tI-PER\t-\t-\n3\tsings\tO\t-\t-\n\n"
PLAIN = "Anna\tB-PER\nBerg\tI-PER\n\nsings\tO\n# \tO\n"
SPACES = "-DOCSTART- -X- O O\n\nEU NNP I-NP I-ORG\nrejects VBZ I-VP O\n\nGerman JJ I-NP I-MISC\n"
GERMEVAL = (
    "#\thttp://de.wikipedia.org/wiki/Anna [2009-10-17]\n1\tAnna\tB-PER\tO\n2\tBerlin\tB-LOC\tB-ORGpart\n\n"
)
WIKIANN = "en:Anna\tB-PER\nen:Berg\tI-PER\n\nen:\tO\n"
XML = """\
<?xml version="1.0" encoding="utf-8"?>
<Reviews><Review rid="1"><sentences>
<sentence id="1:0"><text>Good pizza, bad crème!</text><Opinions>
<Opinion target="pizza" category="FOOD#QUALITY" polarity="positive" from="5" to="10"/>
<Opinion target="crème" category="FOOD#QUALITY" polarity="negative" from="16" to="21"/>
<Opinion target="NULL" category="SERVICE#GENERAL" polarity="negative" from="0" to="0"/>
</Opinions></sentence>
<sentence id="1:1" OutOfScope="TRUE"><text>Hm.</text></sentence>
</sentences></Review></Reviews>
"""
JSONL = """\
{"words": ["Anna", "sang"], "tags": ["B-PER", "O"]}
{"tokens": ["Anna", "sang"], "ner_tags": ["B-PER", "O"]}
"""
TEXT = "Anna sang .\n\u3000Bo\u2028sang\n"
SAMPLES = {
    "train.conllu": CONLLU,
    "train.iob2": IOB2,
    "train.tsv": PLAIN,
    "train.conll": SPACES,
    "deu.testa": SPACES,  # Latin-1, and no comments
    "esp.train": SPACES,
    "NER-de-train.tsv": GERMEVAL,
    "dev.txt": WIKIANN,
    "train.xml": XML,
    "test.xml.gold": XML,
    "train.jsonl": JSONL,
    "train.json": JSONL,
}
"""Names of corpora, which tell their formats, each with a few lines."""
CONTENTS = [text.encode() for text in {*SAMPLES.values(), TEXT}] + [
    XML.replace("utf-8", "utf-16").encode("utf-16"),
    SPACES.replace("German", "Französin").encode("latin-1"),
    PLAIN.encode("utf-8-sig"),
    PLAIN.replace("\n", "\r\n").encode(),
]
WORDS = (
    *(
        b"\t",
        b"\n",
        b"\n\n",
        b"\r",
        b"1-2\t",
        b"2.1\t",
        b"# ",
        b"#",
        b"-DOCSTART-",
        b"en:",
        b"O",
        b"B-",
        b"I-PER",
    ),
    *(
        b"<sentence>",
        b"</sentence>",
        b"<Opinion/>",
        b"<text/>",
        b"NULL",
        b'from="-5"',
        b'to="x"',
        b"&lt;",
        b"&x;",
    ),
    *(
        b"<!DOCTYPE a [<!ENTITY x SYSTEM '/etc/passwd'>]>",
        b"<!DOCTYPE a [<!ENTITY x 'xx'>]>",
        b"<![CDATA[",
        b"]]>",
    ),
    *(b'encoding="utf-32"', b'encoding="shift_jis"', b'encoding="x"', b'encoding="idna"', b'version="2.0"'),
)
CODECS = sorted({*encodings.aliases.aliases, *encodings.aliases.aliases.values(), "utf-8-sig", "undefined"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("corpora")


def check(sentences: list[Sentence] | None, file: Path) -> None:
    """Look at what a reader gave, and at what becomes of its tags."""
    if sentences is None:
        return
    lines = file.read_bytes().count(b"\n") + file.read_bytes().count(b"\r") + 1
    for sentence in sentences:
        assert sentence.words
        assert all(isinstance(word, str) and word for word in sentence.words)
        assert sentence.tags is None or len(sentence.tags) == len(sentence.words)
        assert all(sentence.tags or ("O",))
        assert not sentence.lines or len(sentence.lines) == len(sentence.words)
        assert file.suffix == ".gz" or all(1 <= line <= lines for line in sentence.lines)
        assert sentence.place(0).startswith(str(file))
    if (report := attempt(lambda: recognise(sentences))) is not None:
        annotated = [sentence.tags for sentence in sentences if sentence.tags is not None]
        scheme = "iob2" if report.scheme == "iob1" else report.scheme
        tag_set = TagSet.of((tag for tags in annotated for tag in tags), scheme)
        for tags in annotated:
            written = tags if scheme == "none" else convert(tags, scheme)
            assert tag_set.decode(tag_set.encode(written)) == written
            assert scheme == "none" or entities(written) == entities(tags)


@tries(400)
@given(
    name=st.sampled_from([*SAMPLES]),
    content=st.binary(max_size=200) | spoiled(CONTENTS, WORDS),
    columns=st.sampled_from([(None, None)] * 4 + [(0, 1), (1, 2), (1, -1), (0, -9), (2**40, 0), (0, 0)]),
)
def test_a_corpus(name: str, content: bytes, columns: tuple[int | None, int | None], folder: Path) -> None:
    file = folder / name
    file.write_bytes(content)
    check(attempt(lambda: read(file, "en", *columns)), file)


@tries(200)
@given(name=st.sampled_from([*SAMPLES]), content=spoiled([gzip.compress(c, mtime=0) for c in CONTENTS]))
def test_a_packed_corpus(name: str, content: bytes, folder: Path) -> None:
    file = folder / f"{name}.gz"
    file.write_bytes(content)
    check(attempt(lambda: read(file, "en")), file)


@tries(200)
@given(
    name=st.sampled_from([*SAMPLES]),
    content=st.sampled_from(CONTENTS) | spoiled(CONTENTS, WORDS),
    codec=st.sampled_from(CODECS) | st.text(max_size=5),
)
def test_an_encoding(name: str, content: bytes, codec: str, folder: Path) -> None:
    file = folder / name
    file.write_bytes(content)
    check(attempt(lambda: read(file, "en", encoding=codec)), file)


@tries(100)
@given(
    name=st.sampled_from(["unlabelled.txt", *SAMPLES]),
    content=st.binary(max_size=99) | spoiled(CONTENTS, WORDS),
)
def test_text_without_tags(name: str, content: bytes, folder: Path) -> None:
    file = folder / name
    file.write_bytes(content)
    sentences = attempt(lambda: read_untagged(file, "en"))
    check(sentences, file)
    assert all(sentence.tags is None for sentence in sentences or ())


PREDICTIONS = [
    b'{"words": ["Anna", "sang"], "tags": ["S-PER", "O"]}\n{"words": ["Bo"], "sequences": [[0.5, ["B-PER"]]]}\n',
    b'{"words": ["Anna", "sang"], "sequences": [[0.7, ["S-PER", "O"]], [0.3, ["O", "O"]]]}\n',
    b'{"words": ["Anna", "sang"], "probabilities": [{"PER": 0.9, "O": 0.1}, {"O": 1}]}\n',
    b'{"words": ["Anna", "sang"], "spans": [[0, 0, "PER", 3.5], [0, 1, "LOC", -1.0]]}\n',
]
ASKED = [["Anna", "sang"], ["Bo"], [], ["unknown"]]


@tries(200)
@given(
    content=st.binary(max_size=99)
    | spoiled(PREDICTIONS, (b'"words"', b'"tags"', b'"spans"', b"1e308", b'"L-PER"')),
    tags=st.sampled_from([("bioes", "B-PER", "B-LOC"), ("iob2", "B-PER"), ("none", "S-PER", "O", "PER")]),
)
def test_a_file_of_predictions(content: bytes, tags: tuple[str, ...], folder: Path) -> None:
    file = folder / "predictions.jsonl"
    file.write_bytes(content)
    student = TagSet.of(tags[1:], tags[0])  # type: ignore[arg-type]
    teacher = attempt(lambda: PredictionsFile(file, student))
    if teacher is not None:
        attempt(lambda: teacher.speak(ASKED, lambda _: None, "en"))
        assert teacher.fingerprint()
