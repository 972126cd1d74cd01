"""Readers and corpora: the formats as users have them, and one clear line for what is wrong."""

import gzip
import re
from pathlib import Path

import pytest
from small_corpus import SHARED

from skd_lightning.data.corpora import load_corpora
from skd_lightning.data.hub import from_datasets
from skd_lightning.data.readers import read
from skd_lightning.data.task import HubSource
from skd_lightning.errors import UserError


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def conllu_row(number: str, word: str, upos: str = "X") -> str:
    return "\t".join([number, word, "_", upos, *"______"]) + "\n"


def test_conllu_leaves_out_ranges_and_empty_nodes(tmp_path: Path) -> None:
    text = "# text = du bist #\n" + conllu_row("1-2", "zum", "_") + conllu_row("1", "zu", "ADP")
    text += conllu_row("2", "dem", "DET") + conllu_row("2.1", "x", "_") + conllu_row("3", "#", "SYM") + "\n\n"
    (sentence,) = read(write(tmp_path / "train.conllu", text), "de")
    assert sentence.words == ("zu", "dem", "#")
    assert sentence.tags == ("ADP", "DET", "SYM")
    assert sentence.lines == (3, 4, 6)
    assert sentence.place(1).endswith("train.conllu:4")


def test_conllu_without_tags_is_unlabelled(tmp_path: Path) -> None:
    (sentence,) = read(write(tmp_path / "a.conllu", conllu_row("1", "zu", "_")), "de")
    assert sentence.tags is None


def test_iob2_of_universal_ner(tmp_path: Path) -> None:
    text = "# sent_id = 1\n# text = # i X\n1\t#\tO\tO\t-\n2\ti\tO\t-\t-\n3\tX\tB-LOC\tB-LOC\t-\n\n"
    (sentence,) = read(write(tmp_path / "train.iob2.gz", gzip.compress(text.encode())), "hr")
    assert (sentence.words, sentence.tags) == (("#", "i", "X"), ("O", "O", "B-LOC"))


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_columns_with_docstart_comments_and_bom(tmp_path: Path, newline: str) -> None:
    lines = [
        "-DOCSTART- -X- -X- O",
        "",
        "# a comment here",
        "EU NNP B-NP B-ORG",
        "# NN I-NP O",
        "",
        "",
        "Peter NNP B-NP B-PER",
    ]
    path = write(tmp_path / "train.txt", b"\xef\xbb\xbf" + newline.join(lines).encode())
    first, second = read(path, "en")
    assert first.words == ("EU", "#")
    assert first.tags == ("B-ORG", "O")
    assert second.tags == ("B-PER",)
    assert read(path, "en", tag_column=1)[0].tags == ("NNP", "NN")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#Obama NNP B-PER\nspoke VBD O\n", ["#Obama/B-PER spoke/O"]),
        ("He PRP O\n\n#Obama NNP B-PER\n", ["He/O", "#Obama/B-PER"]),
        ("# O\n1 O\n", ["#/O 1/O"]),
        ("# SYM O\n# SYM O\n1 CD O\n", ["#/O #/O 1/O"]),
        ("#Obama\tO\n#\tO\n", ["#Obama/O #/O"]),
        ("# id 12\nHe PRP O\n", ["He/O"]),
        ("# id 1d0e\tdomain=en\nHe _ _ O\nAnna _ _ B-PER\n", ["He/O Anna/B-PER"]),
        (
            "#begin document (a); part 0\nHe PRP - O\n\n#end document\n#begin document (b)\nI PRP - O\n\n#end document",
            ["He/O", "I/O"],
        ),
        ("#hash\nthree\n", ["#hash/? three/?"]),
    ],
)
def test_words_that_begin_with_a_hash_sign_are_no_comments(
    tmp_path: Path, text: str, expected: list[str]
) -> None:
    found = read(write(tmp_path / "train.conll", text), "en")
    tagged = [
        zip(sentence.words, sentence.tags or ["?"] * len(sentence.words), strict=True) for sentence in found
    ]
    assert [" ".join(f"{word}/{tag}" for word, tag in sentence) for sentence in tagged] == expected


def test_tabs_part_all_lines_of_a_file_or_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.tsv:2: expected at least 2 columns, found 1"):
        read(write(tmp_path / "a.tsv", "the\tDET\nNew York\nb\tNOUN\n"), "en")


def test_blanks_beside_a_tag_make_no_other_tag(tmp_path: Path) -> None:
    (sentence,) = read(write(tmp_path / "a.tsv", "Anna\tB-PER \nsleeps\t O\n"), "en")
    assert sentence.tags == ("B-PER", "O")
    with pytest.raises(UserError, match=r"b\.tsv:1: the tag is empty"):
        read(write(tmp_path / "b.tsv", "Anna\t \nsleeps\tO\n"), "en")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_a_mark_of_the_byte_order_is_no_word(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path / "a.tsv", "\ufeffÁ\tO\n".encode(encoding))
    assert read(path, "en", encoding=encoding)[0].words == ("Á",)


def test_language_prefix_is_taken_away_only_where_every_word_has_it(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a", "en:R.H.\tB-ORG\nen:(\tO\n"), "en")[0].words == ("R.H.", "(")
    assert read(write(tmp_path / "b", "en:R.H.\tB-ORG\n(\tO\n"), "en")[0].words == ("en:R.H.", "(")


def test_a_single_column_is_unlabelled_text(tmp_path: Path) -> None:
    (sentence,) = read(write(tmp_path / "a.txt", "one\ntwo\n"), "en")
    assert (sentence.words, sentence.tags) == (("one", "two"), None)


def test_another_encoding(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "Málaga\tO\n".encode("latin-1"))
    assert read(path, "es", encoding="latin-1")[0].words == ("Málaga",)
    with pytest.raises(UserError, match=r"a\.tsv:1: byte 0xe1 is not utf-8.*encoding"):
        read(path, "es")
    with pytest.raises(UserError, match="nonsense"):
        read(path, "es", encoding="nonsense")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", "one\tO\ntwo\n", r"a\.tsv:2: expected at least 2 columns, found 1"),
        ("a.tsv", "one\tO\n\t\tO\n", r"a\.tsv:2: the word is empty"),
        ("a.conllu", "1\tone\t_\n", r"a\.conllu:1: expected at least 4 columns, found 3"),
        ("a.tsv.gz", b"\x1f\x8b\x08broken", r"a\.tsv\.gz: cannot be read"),
        ("a.tsv.gz", gzip.compress(b"one\tO\n" * 99, mtime=0)[:-9], r"a\.tsv\.gz: cannot be read"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    with pytest.raises(UserError, match=message) as error:
        read(write(tmp_path / name, content), "en")
    assert "\n" not in str(error.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read(tmp_path / "nothing.tsv", "en")


def rows(*words: str) -> str:
    return "".join(f"{word}\tNOUN\n\n" for word in words)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "mine/aa/train.tsv", rows("a", "b", "c", "d"))
    write(tmp_path / "mine/aa/valid.tsv", rows("b", "e"))
    write(tmp_path / "mine/aa/xx-ud-test.tsv", rows("f"))
    write(tmp_path / "mine/bb/train.tsv", rows("a"))
    write(tmp_path / "mine/bb/dev.tsv", rows("a", "g", "h", "i", "j"))
    write(tmp_path / "mine/cc/test.tsv", rows("z"))
    return tmp_path


def words(sentences: list) -> list[str]:
    return [sentence.words[0] for sentence in sentences]


def test_folders_splits_and_duplicates(folder: Path) -> None:
    corpora = load_corpora("mine", str(folder))
    assert list(corpora.languages) == ["aa", "bb"]  # cc has nothing to train on
    assert words(corpora.languages["aa"]["dev"]) == ["b", "e"]
    assert any("1 dev sentences also stand in train; kept" in note for note in corpora.notes)
    assert words(corpora.languages["aa"]["test"]) == ["f"]
    halves = corpora.languages["bb"]["dev"] + corpora.languages["bb"]["test"]
    assert sorted(words(halves)) == ["g", "h", "i", "j"]
    assert len(corpora.languages["bb"]["test"]) == 2
    clean = load_corpora("mine", str(folder), ["aa", "cc"], remove_duplicates=True)
    assert words(clean.languages["aa"]["dev"]) == ["e"]
    assert words(clean.languages["cc"]["test"]) == ["z"]
    assert load_corpora("mine", str(folder / "mine")).languages.keys() == corpora.languages.keys()


def test_a_language_without_an_entity_is_named(tmp_path: Path) -> None:
    for split in ("train", "dev", "test"):
        write(tmp_path / f"mine/aa/{split}.tsv", f"{split}\tO\n\n")
        write(tmp_path / f"mine/bb/{split}.tsv", f"{split}\tB-LOC\n\n{split}\tO\n\n")
    write(tmp_path / "mine/cc/train.tsv", "train\tB-LOC\n\n")
    write(tmp_path / "mine/cc/dev.tsv", "dev\tO\n\n")
    write(tmp_path / "mine/cc/test.tsv", "test\tO\n\n")
    notes = load_corpora("mine", str(tmp_path)).notes
    assert notes == ["aa: no train and no dev sentence has an entity", "cc: no dev sentence has an entity"]


def test_what_looks_misspelt_or_run_together_is_named(tmp_path: Path) -> None:
    write(tmp_path / "mine/aa/train.tsv", "train\tB-LOC\n\n")
    write(tmp_path / "mine/aa/dev.tsv", "dev\tB-LCO\n\nword\tB-LOC\n\n")
    write(tmp_path / "mine/aa/test.tsv", "ok\tO\n\n" + "word\tO\n" * 1001)
    assert load_corpora("mine", str(tmp_path)).notes == [
        f"aa: {tmp_path / 'mine/aa/test.tsv'}:3: a sentence of 1,001 words; are blank lines between sentences missing?",
        "aa: dev has entities of type LCO, train has none",
    ]


def test_samples_are_the_same_and_keep_their_order(folder: Path) -> None:
    def sample(size: int) -> list[str]:
        return words(
            load_corpora("mine", str(folder), ["aa"], max_train_sentences=size).languages["aa"]["train"]
        )

    assert sample(2) == sample(2) == sorted(sample(2))
    assert len(sample(2)) == 2
    assert sample(9) == ["a", "b", "c", "d"]


def test_wrong_places_are_named(folder: Path) -> None:
    with pytest.raises(UserError, match="aa, bb, cc"):
        load_corpora("mine", str(folder), ["dd"])
    with pytest.raises(UserError, match="other"):
        load_corpora("other", str(folder))
    write(folder / "mine/aa/train.tsv", "\n\n")
    with pytest.raises(UserError, match=r"train\.tsv: no sentence"):
        load_corpora("mine", str(folder), ["aa"])


def test_parquet_as_the_hub_has_it(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    labels = datasets.Features(
        {
            "tokens": datasets.List(datasets.Value("string")),
            "ner_tags": datasets.List(datasets.ClassLabel(names=["O", "B-PER"])),
        }
    )
    made = datasets.Dataset.from_dict({"tokens": [["a", "b"]], "ner_tags": [[0, 1]]}, features=labels)
    made.to_parquet(tmp_path / "train.parquet")
    loaded = datasets.load_dataset(
        "parquet",
        data_files={"train": str(tmp_path / "train.parquet")},
        features=labels,
        cache_dir=str(tmp_path / "cache"),
    )
    splits = from_datasets(loaded, "en", HubSource())
    assert [(s.words, s.tags) for s in splits["train"]] == [(("a", "b"), ("O", "B-PER"))]
    assert splits["dev"] == splits["test"] == []


@pytest.mark.skipif(not (SHARED / "SOURCES.md").is_file(), reason=f"no real corpora in {SHARED}")
def test_real_corpora_have_the_sizes_that_are_on_record() -> None:
    pattern = re.compile(r"\| ((?:upos|wikiann|uner)/\S+/(?:dev|test)\S*\.gz) \| (\d+) \| (\d+) \|")
    listed = pattern.findall((SHARED / "SOURCES.md").read_text())
    assert len(listed) > 30
    for name, sentences, tokens in listed:
        found = read(SHARED / name, Path(name).parent.name)
        assert (len(found), sum(len(s.words) for s in found)) == (int(sentences), int(tokens)), name
