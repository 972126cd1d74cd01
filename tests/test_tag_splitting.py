"""Text to sentences and words: every character has its place, however the text arrives."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from skd_lightning.errors import UserError
from skd_lightning.serving.text import sentences as splitting
from skd_lightning.serving.text import word_splitting as word_rules
from skd_lightning.serving.text.documents import (
    PlacedSentence,
    decoded,
    language_of,
    sentences_of_file,
    sentences_of_text,
    split_stream,
)
from skd_lightning.serving.text.languages import ABBREVIATIONS
from skd_lightning.serving.text.sentences import by_rules, by_spaces
from skd_lightning.serving.text.word_splitting import Spans, spans_of

ANY = st.text(st.characters(codec=None), max_size=80)
TRIED = ["", "en", "de", "fr", "it", "nl", "fi", "ja", "xx"]
LANGUAGES = st.sampled_from(TRIED)
PARTS = "Mr.|U.S.|www.x.org/a|3.|e.g.|don't|l'eau|dit-il|👩|👍🏽|🇩🇪|クロ|東京|です|ไทย|क्ष|שלום|。|؟|  |\n\n".split(
    "|"
)
LIKELY = st.lists(
    st.sampled_from([*PARTS, *"aBé1.,!?\"'’-()@#:/ \n\r\t\u200d\u200b\ufe0f\u0301"]), max_size=60
).map("".join)
SETTINGS = settings(max_examples=300, deadline=None, derandomize=True)


def words(text: str, language: str = "") -> list[list[str]]:
    return [list(sentence.words) for sentence in sentences_of_text(text, language)]


def read(
    content: bytes, name: str = "-", language: str | None = "en", source: str = "rules"
) -> list[PlacedSentence]:
    return list(sentences_of_file(io.BytesIO(content), name, language, source))  # type: ignore[arg-type]


@SETTINGS
@given(text=ANY | LIKELY, language=LANGUAGES)
@example(text="", language="en")
@example(text="a" * 2500 + ".", language="en")
def test_every_character_is_in_one_word_or_unseen(text: str, language: str) -> None:
    end = 0
    for sentence in sentences_of_text(text, language):
        assert len(sentence.words) == len(sentence.offsets) > 0
        assert sentence.text == text[sentence.start : sentence.offsets[-1][1]]
        assert sentence.start == sentence.offsets[0][0]
        for (start, stop), word in zip(sentence.offsets, sentence.words, strict=True):
            assert text[start:stop] == word != ""
            assert not any(c.isspace() for c in word)
            between = text[end:start]
            assert all(c.isspace() or unicodedata.category(c) in ("Cc", "Cf") for c in between)
            end = stop
    assert all(c.isspace() or unicodedata.category(c) in ("Cc", "Cf") for c in text[end:])


@SETTINGS
@given(
    text=ANY | LIKELY,
    language=LANGUAGES,
    size=st.integers(1, 40),
    spaces=st.booleans(),
    longest=st.integers(1, 6),
)
def test_pieces_and_whole_are_split_alike(
    text: str, language: str, size: int, spaces: bool, longest: int
) -> None:
    """Also where words and sentences are cut, and gaps are wide, at a few characters."""
    for tried in TRIED:
        spans_of("", tried)  # its expression is made before it depends on a smaller limit
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(splitting, "LONGEST_SENTENCE", longest)
        patch.setattr(splitting, "WIDE_GAP", 4)
        patch.setattr(splitting, "HELD_BACK", 60)
        patch.setattr(word_rules, "LONGEST_WORD", 5)
        split = by_spaces if spaces else by_rules(language)
        pieces = [text[i : i + size] for i in range(0, len(text), size)]
        whole = [(s.start, s.words, s.offsets) for s in split_stream([text], split, "", None)]
        assert [(s.start, s.words, s.offsets) for s in split_stream(pieces, split, "", None)] == whole
        assert all(len(own) <= longest for _, own, _ in whole)


def test_a_word_behind_a_wide_gap_does_not_carry_on_a_sentence() -> None:
    text = "He left... «" + 1200 * " " + "and came."
    split = by_rules("en")
    whole, cut = (
        [(s.start, s.words) for s in split_stream(pieces, split, "", None)]
        for pieces in ([text], [text[:1100], text[1100:]])
    )
    assert whole == cut
    assert len(whole) == 3


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "Mr. Berg didn't pay $5.30. He left.", "Mr. Berg did n't pay $ 5.30 . | He left ."),
        ("en", 'She said: "Go!" and left. (Yes.) Then', 'She said : " Go ! " and left . | ( Yes . ) | Then'),
        ("en", "See John's long-term plan, e.g. at U.S. Steel.", "See John 's long - term plan , e.g. at U.S. Steel ."),
        ("en", "J. R. Smith and I. Then plan 9, i.e. no. 5.", "J. R. Smith and I . | Then plan 9 , i.e. no. 5 ."),
        ("en", "Mail a.b@x.org, www.x.org/q?a=1. #tag @me :)", "Mail a.b@x.org , www.x.org/q?a=1 . | #tag @me :)"),
        ("en_ewt", "Gov. Berg didn't see John's.", "Gov. Berg did n't see John 's ."),
        ("fr_gsd", "L’eau, dit-il.", "L’ eau , dit -il ."),
        ("no", "Det koster 5 kr. Anna og ca. ti", "Det koster 5 kr. Anna og ca. ti"),
        ("nn", "Det kostar 5 kr. Anna og ca. ti", "Det kostar 5 kr. Anna og ca. ti"),
        ("de", "Am 3. Mai kam Dr. Ott, z.B. per US-Bahn.", "Am 3. Mai kam Dr. Ott , z.B. per US-Bahn ."),
        ("sk", "Bolo to 3. mája. Potom", "Bolo to 3 . mája . | Potom"),
        ("fr", "L’eau qu'il a, dit-il, aujourd'hui.", "L’ eau qu' il a , dit -il , aujourd'hui ."),
        ("it", "C'è l'arte dell'uomo.", "C' è l' arte dell' uomo ."),
        ("nl", "'s Avonds is 't auto's kijken.", "'s Avonds is 't auto's kijken ."),
        ("fi", "EU:n 1. päivä.", "EU:n 1. päivä ."),
        ("", "O'Neil isn't 1,000.50% sure... Why?! Yes", "O'Neil isn't 1,000.50 % sure ... | Why ?! | Yes"),
        ("he", 'צה"ל הגיע. שלום', 'צה"ל הגיע . | שלום'),
        ("fa", "می‌کند؟ بله.", "می‌کند ؟ | بله ."),
        ("hi", "क्षत्रिय है। संस्कृति", "क्षत्रिय है । | संस्कृति"),
        ("ja", "東京です。テストED12！次", "東京 です 。 | テスト ED12 ！ | 次"),
        ("zh", "他在北京。好", "他 在 北 京 。 | 好"),
        ("", "a👩‍👩‍👧👍🏽🇩🇪1️⃣ b", "a 👩‍👩‍👧 👍🏽 🇩🇪 1️⃣ b"),
        ("", "cafe\u0301 nai\u0308ve", "cafe\u0301 nai\u0308ve"),
        ("", "no end\n\nnew", "no end | new"),
        ("", "one\nline\r\n\r\nnew\x0cpage", "one line | new | page"),
        ("", "\ufeff\u200b \u200e.", "."),
    ],
)  # fmt: skip
def test_words_and_sentences(language: str, text: str, expected: str) -> None:
    assert [" ".join(own) for own in words(text, language)] == expected.split(" | ")


def test_abbreviations_are_written_as_they_are_looked_up() -> None:
    for language, listed in ABBREVIATIONS.items():
        assert listed == listed.lower(), language
        assert len(set(listed.split())) == len(listed.split()), language


def test_a_sentence_of_too_many_words_is_cut_at_a_word() -> None:
    found = words("word " * 1201)
    assert [len(own) for own in found] == [500, 500, 201]
    assert [len(own) for own in words("x" * 2500)[0]] == [1000, 1000, 500]


def test_bytes_are_decoded_wherever_they_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\ufeffÄ👩‍👧 schön\r\nzwei\n"
    for size in (1, 2, 3, 100):
        monkeypatch.setattr("skd_lightning.serving.text.documents.PIECE", size)
        assert "".join(decoded(io.BytesIO(text.encode()), "-")) == text[1:]
        with pytest.raises(UserError, match=r"^a: byte 12 \(0xff\) is not UTF-8"):
            list(decoded(io.BytesIO("äöü 👩 ".encode() + b"\xff" + b"ab"), "a"))
        with pytest.raises(UserError, match=r"^a: byte 1 \(0xf0\)"):
            list(decoded(io.BytesIO(b"a\xf0\x9f"), "a"))


def test_words_between_spaces_and_a_sentence_on_each_line() -> None:
    found = read("\ufeffU.S. don't\r\n\n a\u00a0b. C".encode(), source="spaces")
    assert [s.words for s in found] == [("U.S.", "don't"), ("a", "b.", "C")]
    assert found[1].offsets == [(14, 15), (16, 18), (19, 20)]


def test_words_that_are_given() -> None:
    content = b"# newdoc\n# text = x\nNew York\tB\r\n#\tO\n\n\n. \nlast"
    found = read(content, source="given")
    assert [s.words for s in found] == [("New York", "#"), (".", "last")]
    text = content.decode()
    assert [text[a:b] for s in found for a, b in s.offsets] == ["New York", "#", ".", "last"]
    assert found[0].text == "New York #"
    assert [found[0].text[a:b] for a, b in found[0].places()] == ["New York", "#"]
    with pytest.raises(UserError, match=r"^f:2: a line of more than 100,000 characters"):
        read(b"a\n" + b"x" * 200_000, "f", source="given")
    with pytest.raises(UserError, match=r"^f:100001: no blank line in 100,000 lines"):
        read(b"a\n" * 100_002, "f", source="given")


def test_given_words_of_conll_files() -> None:
    content = b"-DOCSTART- -X- -X- O\n\nTom NNP B-NP B-PER\nsang VBD  B-VP O\n-DOCSTART- -X- -X- O\nHi UH B-INTJ O\n"
    found = read(content, source="given")
    assert [s.words for s in found] == [("Tom", "sang"), ("Hi",)]
    assert [content[a:b] for s in found for a, b in s.offsets] == [b"Tom", b"sang", b"Hi"]
    with pytest.raises(
        UserError, match=r"^f:4: 3 columns between spaces, other lines have 2; .* put a tab behind"
    ):
        read(b"New York\nHo Chi\n\nHo Chi Minh\n", "f", source="given")
    for whole in (b"New York\nsings\n\nNew Orleans too\n", b"New York\t\nNew Orleans\n\nNew Orleans\n"):
        assert read(whole, source="given")[0].words[0] == "New York"


def test_json_lines() -> None:
    content = b'{"words": ["A b", ""]}\n\n{"text": "Hi. Du da", "language": "de"}\n{"words": []}\n'
    first, second, third = read(content, "x.jsonl")
    assert (first.document, first.words, first.language) == ("x.jsonl:1", ("A b", ""), "en")
    assert (first.text, first.offsets) == ("A b ", [(0, 3), (4, 4)])
    assert (second.words, third.words) == (("Hi", "."), ("Du", "da"))
    assert (third.document, third.start, third.language) == ("x.jsonl:3", 4, "de")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[1]", "expected an object"),
        ('{"words": "a b"}', "expected an object"),
        ('{"words": ["a", 1]}', "expected an object"),
        ('{"text": null}', "expected an object"),
        ('{"text": "a", "language": 1}', "its language is no code"),
    ],
)
def test_json_lines_that_are_none(line: str, message: str) -> None:
    with pytest.raises(UserError, match=rf"^x\.jsonl:2: {message}") as refusal:
        read(b'{"text": ""}\n' + line.encode(), "x.jsonl")
    assert "\n" not in str(refusal.value)


def test_the_language_that_a_name_tells() -> None:
    known = ["de", "en"]
    named = {
        "de.txt": "de",
        "a.de.txt": "de",
        "en/a.txt": "en",
        "de": "de",
        "en/a.de.txt": "de",
        "x.fr.txt": None,
    }
    assert {name: language_of(Path(name), known) for name in named} == named
    treebanks = ["de_gsd", "de_hdt", "en_ewt"]
    named = {"a.en.txt": "en_ewt", "a.de.txt": None, "a.de_hdt.txt": "de_hdt"}
    assert {name: language_of(Path(name), treebanks) for name in named} == named


@pytest.mark.parametrize("text", ["Anna lives here. ", "word ", "a", " ", "\n", "a-", "京", "."])
@pytest.mark.parametrize("source", ["rules", "spaces"])
def test_what_is_held_of_a_text_does_not_grow_with_it(text: str, source: str) -> None:
    """Passages of a text whose words are the longest, a sentence of them."""
    lengths: list[int] = []
    split = by_spaces if source == "spaces" else by_rules("en")

    def spied(held: str, complete: bool) -> tuple[list[Spans], int]:
        lengths.append(len(held))
        return split(held, complete)

    piece = text * (20_000 // len(text))
    for _ in split_stream([piece] * 30, spied, "", None):
        pass
    assert len(lengths) == 31
    longest = splitting.LONGEST_SENTENCE * word_rules.LONGEST_WORD + splitting.HELD_BACK
    assert max(lengths) <= len(piece) + (5000 if any(map(str.isspace, text)) else longest)


def test_sentences_come_before_the_file_has_ended() -> None:
    def pieces() -> Iterator[str]:
        yield "One sentence. " * 300
        raise AssertionError("read on")

    first = next(split_stream(pieces(), by_rules("en"), "", None))
    assert first.words == ("One", "sentence", ".")
