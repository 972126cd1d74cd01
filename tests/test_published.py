"""CoNLL and SemEval-2016 Task 5 as they were published, and the cuts that make train, dev and test of them."""

import gzip
from pathlib import Path

import pytest

from skd_lightning import tags
from skd_lightning.data.corpora import load_corpora, training_languages
from skd_lightning.data.readers import read
from skd_lightning.data.readers.semeval import words_in
from skd_lightning.errors import UserError

ENGLISH = "-DOCSTART- -X- O O\n\nEU NNP I-NP I-ORG\nrejects VBZ I-VP O\n\n# NN I-NP O\n100 CD I-NP O\n\n"
GERMAN = "-DOCSTART- -X- -X- -X- O\n\nKöln Köln NE I-NC I-LOC\nBonn Bonn NE I-NC B-LOC\n\n"
SPANISH = "Málaga B-LOC\n, O\nCórdoba B-LOC\n\n"
DUTCH = "-DOCSTART- -DOCSTART- O\nBrussel N B-LOC\nzegt V O\n\n"


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.fixture
def conll(tmp_path: Path) -> Path:
    """English and Dutch lie flat, German and Spanish in folders of their languages."""
    for place, name, text in (
        ("", "eng", ENGLISH),
        ("de/", "deu", GERMAN),
        ("es/", "esp", SPANISH),
        ("", "ned", DUTCH),
    ):
        for split in ("train", "testa", "testb"):
            write(tmp_path / f"conll/{place}{name}.{split}", text.encode("latin-1"))
    packed = gzip.compress(GERMAN.encode("latin-1"))
    (tmp_path / "conll/de/deu.testb").unlink()
    write(tmp_path / "conll/de/deu.testb.gz", packed)
    return tmp_path


def test_conll_under_its_published_names(conll: Path) -> None:
    assert training_languages("conll", str(conll)) == ["de", "en", "es", "nl"]
    languages = load_corpora("conll", str(conll)).languages
    found = {code: [(s.words, s.tags) for s in splits["test"]] for code, splits in languages.items()}
    assert found == {
        "de": [(("Köln", "Bonn"), ("I-LOC", "B-LOC"))],
        "en": [(("EU", "rejects"), ("I-ORG", "O")), (("#", "100"), ("O", "O"))],
        "es": [(("Málaga", ",", "Córdoba"), ("B-LOC", "O", "B-LOC"))],
        "nl": [(("Brussel", "zegt"), ("B-LOC", "O"))],
    }
    assert tags.recognise(languages["de"]["train"]).scheme == "iob1"
    assert all(
        len(splits[split]) == len(splits["test"])
        for splits in languages.values()
        for split in splits
        if split != "unlabelled"
    )
    assert load_corpora("conll", str(conll / "conll"), ["en"]).languages["en"] == languages["en"]


def test_latin_1_is_the_corpus_s_and_utf_8_is_not_taken_for_it(conll: Path) -> None:
    file = write(conll / "conll/es/esp.train", SPANISH)
    with pytest.raises(UserError, match=r"esp\.train.*Latin-1.*UTF-8.*encoding utf-8"):
        read(file, "es")
    assert read(file, "es", encoding="utf-8")[0].words[0] == "Málaga"
    # In Latin-1 a word may hold characters that Unicode takes for white space.
    odd = write(conll / "conll/es/esp.testa", "a\xa0b\x85 O\n".encode("latin-1"))
    assert read(odd, "es")[0].words == ("a\xa0b\x85",)


def test_where_nothing_is_the_message_names_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"no folder absa/<language>.*EN_REST_SB1_TEST\.xml\.gold"):
        load_corpora("absa", str(tmp_path))
    monkeypatch.delenv("SKD_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="SemEval-2016 Task 5"):
        load_corpora("absa")
    with pytest.raises(UserError, match=r"deu\.train"):
        load_corpora("conll", languages=["de"])


# -- SemEval-2016 Task 5 ----------------------------------------------------------------------------------


def opinion(target: str, first: int, end: int, category: str = "FOOD#QUALITY") -> str:
    return f'<Opinion target="{target}" category="{category}" polarity="positive" from="{first}" to="{end}"/>'


def review(*sentences: tuple[str, str], mark: str = "") -> str:
    """(text, opinions) pairs as the published XML has them."""
    body = "".join(
        f'<sentence id="r1:{i}"{mark}><text>{text}</text>{opinions and f"<Opinions>{opinions}</Opinions>"}</sentence>'
        for i, (text, opinions) in enumerate(sentences)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        f'<Reviews><Review rid="r1"><sentences>{body}</sentences></Review></Reviews>'
    )


def test_words_are_found_again_in_the_text() -> None:
    text = " Don't miss: 27,50 €, Málaga e\u0301tait «bon» 寿司!"
    spans = words_in(text)
    assert [text[first:end] for first, end in spans] == [
        "Don", "'", "t", "miss", ":", "27", ",", "50", "€", ",", "Málaga", "e\u0301tait", "«", "bon", "»", "寿司", "!",
    ]  # fmt: skip
    gaps = [text[end:first] for (_, end), (first, _) in zip([(0, 0), *spans], spans, strict=False)]
    assert not "".join(gaps).strip()


@pytest.mark.parametrize("text", ["جداً", "हिन्दी", "می\u200cکند", "ไม่"])
def test_marks_belong_to_their_word(text: str) -> None:
    assert words_in(f"a {text}, b")[1] == (2, 2 + len(text))


@pytest.mark.parametrize(
    ("text", "opinions", "expected"),
    [
        ("The sushi roll is good.", [opinion("sushi roll", 4, 14)], "The/O sushi/B roll/I is/O good/O ./O"),
        ("Not cheap!", [opinion("NULL", 0, 0)], "Not/O cheap/O !/O"),
        ("No opinion here", [], "No/O opinion/O here/O"),
        # two opinions on one target, in another case than the text has it
        ("Pizza is it", [opinion("pizza", 0, 5), opinion("pizza", 0, 5, "FOOD#PRICES")], "Pizza/B is/O it/O"),
        # neighbours stay two terms
        ("wine list", [opinion("list", 5, 9), opinion("wine", 0, 4)], "wine/B list/B"),
        # of overlapping targets the longest stays, of equally long ones the first
        ("red wine list", [opinion("wine", 4, 8), opinion("wine list", 4, 13)], "red/O wine/B list/I"),
        ("red wine list", [opinion("wine list", 4, 13), opinion("red wine", 0, 8)], "red/B wine/I list/O"),
        # a target that cuts a word takes all of it, also where both pieces are targets
        ("seafood soups", [opinion("food soup", 3, 12)], "seafood/B soups/I"),
        ("fishdishes", [opinion("fish", 0, 4), opinion("dishes", 4, 10)], "fishdishes/B"),
        # punctuation and entities of XML: offsets count the characters of the text
        ("&quot;A &amp; B&quot; rocks", [opinion("A &amp; B", 1, 6)], '"/O A/B &/I B/I "/O rocks/O'),
        # offsets beside the target: the nearest place where it stands
        ("beer, wine, beer", [opinion("beer", 13, 17)], "beer/O ,/O wine/O ,/O beer/B"),
        ("The ambience", [opinion("ambiance", 4, 12)], "The/O ambience/B"),
    ],
)  # fmt: skip
def test_targets_become_aspect_terms(tmp_path: Path, text: str, opinions: list[str], expected: str) -> None:
    # A second sentence keeps the file annotated where the first has no opinion.
    path = write(tmp_path / "train.xml", review((text, "".join(opinions)), ("x", opinion("NULL", 0, 0))))
    sentence = read(path, "en")[0]
    assert sentence.tags is not None
    assert " ".join(f"{w}/{t[0]}" for w, t in zip(sentence.words, sentence.tags, strict=True)) == expected
    assert set(sentence.tags) <= {"O", "B-ASP", "I-ASP"}


def test_sentences_out_of_scope_are_left_out_and_test_data_without_gold_has_no_tags(tmp_path: Path) -> None:
    text = review(("Good food", opinion("food", 5, 9)), ("   ", ""), ("Thanks", ""))
    text = text.replace('id="r1:2"', 'id="r1:2" OutOfScope="TRUE"')
    assert [s.words for s in read(write(tmp_path / "a.xml", text), "en")] == [("Good", "food")]
    bare = read(write(tmp_path / "b.xml", review(("Good food", ""))), "en")
    assert [s.tags for s in bare] == [None]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (review(("Good food", opinion("fish", 50, 54))), r"sentence r1:0: target 'fish' is not in the text"),
        (review(("Good", '<Opinion target="food"/>')), r"sentence r1:0: target 'food' lacks its offsets"),
        (review(("", opinion("food", 5, 9))), r"sentence r1:0 has a target \('food'\) but no text"),
        ("<Reviews>\n<Review>", r"x\.xml:2: not well-formed XML"),
        ("<reviews/>", r"x\.xml: no <sentence> in it"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_xml_is_said_in_a_line(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        read(write(tmp_path / "x.xml", content), "en")
    assert "\n" not in str(error.value)


def numbered(count: int, start: int = 0) -> str:
    return review(
        *((f"Dish {i} rocks", opinion(f"Dish {i}", 0, 5 + len(str(i)))) for i in range(start, start + count))
    )


def test_absa_under_its_published_names(tmp_path: Path) -> None:
    names = {
        "en": ("ABSA16_Restaurants_Train_SB1_v2.xml", "EN_REST_SB1_TEST.xml.gold"),
        "es": ("SemEval-2016ABSA Restaurants-Spanish_Train_Subtask1.xml", "SP_REST_SB1_TEST.xml.gold"),
        "nl": ("restaurants_dutch_training.xml", "DU_REST_SB1_TEST.xml.gold"),
        "ru": ("se16_ru_rest_train.xml", "RU_REST_SB1_TEST.xml.gold"),
        "tr": ("TU_REST_SB1_TRAINING.xml", "TU_REST_SB1_TEST.xml.gold"),
    }
    for language, (train, test) in names.items():
        folder = tmp_path / "absa" / (language if language in ("nl", "ru") else "")
        write(folder / train, numbered(40))
        write(folder / test, numbered(5, 100))
        write(folder / test.removesuffix(".gold"), review(("without gold", "")))
    corpora = load_corpora("absa", str(tmp_path))
    assert list(corpora.languages) == list(names)
    for language, splits in corpora.languages.items():
        assert [len(splits[split]) for split in ("train", "dev", "test")] == [36, 4, 5], language
        assert splits["test"][0].tags == ("B-ASP", "I-ASP", "O")
        assert not {s.words for s in splits["train"]} & {s.words for s in splits["dev"]}
    assert any("no dev file; a tenth of train (4 sentences) became dev" in note for note in corpora.notes)
    assert load_corpora("absa", str(tmp_path)).languages == corpora.languages
    write(tmp_path / "absa/nl/dev.xml", numbered(3, 200))
    assert len(load_corpora("absa", str(tmp_path), ["nl"]).languages["nl"]["dev"]) == 3


def test_converted_absa_may_have_bare_prefixes(tmp_path: Path) -> None:
    for split in ("train", "dev", "test"):
        write(tmp_path / f"absa/en/{split}.txt", "sushi B\nroll I\nrocks O\n")
    splits = load_corpora("absa", str(tmp_path)).languages["en"]
    assert splits["train"][0].tags == ("B-ASP", "I-ASP", "O")


# -- the paper's cut of WikiAnn ---------------------------------------------------------------------------


@pytest.fixture
def wiki(tmp_path: Path) -> Path:
    for language in ("aa", "bb"):
        for split, count in (("train", 60), ("dev", 50)):  # each sentence of dev stands in train, too
            text = "".join(f"{language}{i}\tB-PER\nx\tO\n\n" for i in range(count))
            write(tmp_path / f"wikiann/{language}/{split}.tsv", text)
    return tmp_path


def test_a_sample_is_cut_eight_one_one_without_overlap(wiki: Path) -> None:
    corpora = load_corpora("wikiann", str(wiki), sample={"bb": 50, "other": 20})
    for language, sizes in (("aa", [16, 2, 2]), ("bb", [40, 5, 5])):
        splits = corpora.languages[language]
        assert [len(splits[split]) for split in ("train", "dev", "test")] == sizes
        assert len({s.words for split in splits.values() for s in split}) == sum(sizes)
    assert corpora.notes == [
        "aa: 20 of 60 different sentences drawn and cut 8:1:1 (16, 2, 2)",
        "bb: 50 of 60 different sentences drawn and cut 8:1:1 (40, 5, 5)",
    ]
    assert load_corpora("wikiann", str(wiki), sample={"bb": 50, "other": 20}).languages == corpora.languages
    everything = load_corpora("wikiann", str(wiki), ["aa"], sample=5000)
    assert "60 of 60 different sentences drawn (5,000 were asked for)" in everything.notes[0]
    untouched = load_corpora("wikiann", str(wiki), ["aa"], sample={"bb": 50}).languages["aa"]
    assert len(untouched["train"]) == 60


def test_a_sample_too_small_to_cut_is_refused(wiki: Path) -> None:
    with pytest.raises(UserError, match=r"--data\.sample: 9 sentences of aa"):
        load_corpora("wikiann", str(wiki), ["aa"], sample=9)
