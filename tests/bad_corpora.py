# ruff: noqa: E501 - a line each
"""The table of bad corpora: the files, the options of ``skd corpus``, and the words that the answer has to hold.

``READ`` are folders as people have them, which are read; the words stand in what the command prints. ``REFUSED`` are
those that end with one line of error. ``--task mine --data <folder>`` comes before the options, and ``{root}`` stands
for the folder.
"""

import gzip
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class Link(NamedTuple):
    """A symbolic link in the place of a file."""

    target: str


class Sparse(NamedTuple):
    """A file of so many bytes, none of which takes room."""

    size: int


FOLDER, PIPE = "a folder", "a pipe"

Content = str | bytes | Link | Sparse | None
"""Text, bytes, or what stands in the place of a file; None for a folder, ``...`` for a pipe."""

NER = "Anna\tB-PER\nlebt\tO\n\nBerlin\tB-LOC\n\nOtto\tB-PER\nBerg\tI-PER\n\n"
POS = "Anna\tPROPN\nlebt\tVERB\n\nBerlin\tPROPN\n\nOtto\tPROPN\n\n"
SPANISH = "Málaga\tB-LOC\n\nCórdoba\tB-LOC\n\nNerja\tB-LOC\n\n".encode("latin-1")
GERMEVAL = (
    "#\thttp://de.wikipedia.org/wiki/Manfred_Korfmann\t[2009-10-17]\n"
    "1\tAufgrund\tO\tO\n2\tTrojas\tB-LOC\tB-PER\n\n"
    "#\thttps://www.tagesschau.de/x\t[2011-01-01]\n1\tUni\tB-ORG\tO\n2\tBonn\tI-ORG\tB-LOC\n3\t#\tO\tO\n\n"
    "#\thttp://a.b\t[2011-01-02]\n1\tBonner\tB-LOCderiv\tO\n\n"
)


def conllu(*words: str, columns: int = 10) -> str:
    rows = [f"{i}\t{word}\t_\tNOUN" + "\t_" * (columns - 4) for i, word in enumerate(words, 1)]
    return "\n".join(rows) + "\n\n"


UD = conllu("bir", "iki") + conllu("üç") + conllu("dört", "beş")


def semeval(text: str = "<text>Good food</text>", head: str = '<?xml version="1.0"?>', mark: str = "") -> str:
    opinion = f'<Opinions><Opinion target="{mark or "NULL"}" from="5" to="9"/></Opinions>'
    rows = "".join(f'<sentence id="{i}">{text}{opinion}</sentence>' for i in range(3))
    return f"{head}<Reviews><Review><sentences>{rows}</sentences></Review></Reviews>"


LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a0 "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    + "]><Reviews><sentence><text>&a9;</text></sentence></Reviews>"
)
MEMBER = gzip.compress(b"a" * 2**24, mtime=0)
STRAY = "".join(f"w{i}\tI-PER\nx\tO\n\n" for i in range(9))
VIOLATING = "".join(f"w{i}\tB-PER\nx\tO\n\n" for i in range(9))


def one(content: object, name: str = "train.tsv") -> dict[str, object]:
    """A language with one file of its own, and a training file beside it if it is another split."""
    rest = {} if "train" in name else {"mine/de/train.tsv": NER}
    return {**rest, f"mine/de/{name}": content}


TWO = {"mine/de/train.tsv": NER, "mine/es/train.tsv": SPANISH}
CLONE = {
    f"UD_Turkish-IMST/{name}": text
    for name, text in {
        "README.md": "# Summary\n",
        "LICENSE.txt": "CC\n",
        "stats.xml": "<treebank/>\n",
        "tr_imst-ud-train.conllu": UD,
        "tr_imst-ud-train.txt": "bir iki\n",
        "tr_imst-ud-dev.conllu": conllu("altı", "yedi"),
        "tr_imst-ud-dev.txt": "altı yedi\n",
        "tr_imst-ud-test.conllu": conllu("sekiz"),
        "not-to-release/sources/train.conllu": UD,
    }.items()
}
UPOS = "--task upos"

READ: list[tuple[str, Mapping[str, object], str, str]] = [
    # what it is | files | options | words in the answer
    ("split inside", {f"mine/en/en.absa.{s}.tsv": NER + s for s in ("train", "dev", "test")}, "", "en test"),
    (
        "WNUT",
        {
            "mine/en/wnut17train.conll": NER,
            "mine/en/emerging.dev.conll": "a\tO\n",
            "mine/en/emerging.test.annotated": "b\tO\n",
        },
        "",
        "en train 3 5 3",
    ),
    (
        "WNUT, test twice",
        {"mine/en/wnut17train.conll": NER, "mine/en/emerging.test": "b\n", "mine/en/emerging.test.annotated": "b\tO\n"},
        "",
        "emerging.test.annotated is test, not emerging.test",
    ),
    ("BILOU", one("a\tB-PER\nb\tL-PER\n\nc\tU-LOC\nd\tO\n\n"), "", "Entities are written in BIOES"),
    ("commas", {"mine/de/train.tsv": NER, "mine/fr/train.csv": "a,O\nb,B-X\n\nc,O\n"}, "", "fr: train.csv has no tags, its lines have one column; columns are parted by tabs or spaces, not by commas"),
    ("clone", CLONE, f"{UPOS} --langs tr", "tr train 3 5"),
    ("clone, by treebank", CLONE, f"{UPOS} --langs tr_imst", "tr_imst test 1 1"),
    ("clone, by its folder", CLONE, f"{UPOS} --langs UD_Turkish-IMST", "UD_Turkish-IMST test 1 1"),
    ("a link of no language", {"mine/de/train.tsv": NER, "mine/README.md": Link("nowhere")}, "", "de train"),
    ("clone, no name", CLONE, UPOS, "tr dev 1 2"),
    ("clone itself", CLONE, f"{UPOS} --data {{root}}/UD_Turkish-IMST --langs tr", "tr train 3 5"),
    ("clone under its task", {f"upos/{k}": v for k, v in CLONE.items()}, f"{UPOS} --langs tr", "tr train 3 5"),
    ("clone, said", CLONE, UPOS, "tr_imst-ud-train.conllu is train, not tr_imst-ud-train.txt"),
    (
        "clones",
        {**CLONE, "UD_Turkish-BOUN/tr_boun-ud-train.conllu": UD},
        UPOS,
        "tr_boun train",
    ),
    ("GermEval", {f"mine/de/NER-de-{s}.tsv": GERMEVAL for s in ("train", "dev", "test")}, "", "de train 3 6 3"),
    ("GermEval, inner", {**one(GERMEVAL), "mine/de/dev.tsv": GERMEVAL}, "--data.tag_column 3", "PER"),
    ("gold", {"absa/en/train.xml": semeval(mark="food"), "absa/en/EN_REST_SB1_TEST.xml": semeval(),
              "absa/en/EN_REST_SB1_TEST.xml.gold": semeval(mark="food")}, "--task absa",
     "EN_REST_SB1_TEST.xml.gold is test, not EN_REST_SB1_TEST.xml"),
    ("capitals", {"mine/de/TRAIN.TSV.GZ": gzip.compress(NER.encode())}, "", "de train"),
    ("long words", {"mine/de/training.tsv": NER, "mine/de/development.tsv": "a\tO\n"}, "", "de dev 1 1"),
    ("capital inside", {"mine/de/nerTrain.tsv": NER, "mine/de/nerTest.tsv": "a\tO\n"}, "", "de test 1 1"),
    ("unlabelled", {"mine/de/train.tsv": NER, "mine/de/train.unlabelled.txt": "a b c\n"}, "", "de unlabelled 1 3"),
    ("leftovers", {"mine/de/train.tsv": NER, "mine/de/.train.tsv.swp": "x", "mine/de/train.tsv~": "x"}, "", "de train"),
    ("encodings", TWO, "--data.encoding '{\"es\": \"latin-1\"}'", "es train"),
    ("encodings, others", TWO, "--data.encoding '{\"de\": \"utf-8\", \"other\": \"latin-1\"}'", "es train"),
    ("one encoding", one(SPANISH), "--data.encoding latin-1", "de train"),
    ("UTF-16", one(NER.encode("utf-16")), "--data.encoding utf-16", "de train"),
    ("byte order mark", one(b"\xef\xbb\xbf" + NER.encode()), "--data.encoding utf8", "de train"),
    ("XML's encoding named", one(semeval("<text>Málaga</text>", '<?xml version="1.0" encoding="x-7"?>').encode("latin-1"),
                                 "train.xml"), "--data.encoding latin-1", "de train"),
    ("markup", one("a\t[/]\nb\t[bold]\nc\t[/red]\nd\t\\\n\n" * 3), "", "[/]"),
    ("emoji", one("a\t:smile:\nb\tX\n\n" * 3), "", ":smile:"),
    ("markup in a name", {"mine/[b]/[a].train.tsv": NER, "mine/[b]/[a].train.gold.tsv": NER}, "", "[a].train.gold.tsv"),
    ("IOB1, one B-", one(STRAY + "y\tB-PER\nz\tO\n\n"), "", "1 of 10 entities"),
    ("IOB1, said", one(STRAY + "y\tB-PER\nz\tO\n\n"), "", "IOB1"),
    ("IOB2, one I-", one(VIOLATING + "y\tI-PER\nz\tO\n\n"), "", "1 of 10 entities"),
    ("long tags", one("a\t" + "N" * 200 + "\nb\tX\n\nc\tX\n\n"), "", "de train"),
    ("many tags", one("".join(f"a\tTAG{i}\n" for i in range(60)) + "\nb\tTAG1\n\n"), "", "de train"),
    ("large numbers", {f"mine/{language}/{split}.tsv": "".join(f"w{i}\tX\n\n" for i in range(2000))
                       for language in ("de_a_long_name", "en") for split in ("train", "dev", "test")}, "", "2,000"),
    ("texts of one sentence missing", one(semeval(mark="food").replace("<text>Good food</text>", "<text/>", 1).replace(
        ' target="food"', ' target="NULL"', 1), "train.xml"), "", "de train"),
    ("unlabelled in Latin-1", {"mine/de/train.tsv": NER, "texts/de.txt": "é é\n".encode("latin-1")},
     "--data.unlabelled {root}/texts --data.encoding '{\"de\": \"latin-1\"}'", "de unlabelled 1 2"),
]  # fmt: skip

REFUSED: list[tuple[str, Mapping[str, object], str, str]] = [
    # names
    ("two train", {"mine/de/train.txt": NER, "mine/de/train_ud.conllu": UD}, "", "train.txt, train_ud.conllu"),
    ("packed twice", {"mine/de/train.tsv": NER, "mine/de/train.tsv.gz": gzip.compress(NER.encode())}, "", "train.tsv.gz"),
    ("two dev", {"mine/de/train.tsv": NER, "mine/de/dev.a.tsv": NER, "mine/de/valid.tsv": NER}, "", "dev.a.tsv, valid.tsv"),
    ("two places", {"conll/eng.train": NER, "conll/en/train.tsv": NER}, "--task conll", "eng.train"),
    ("published twice", {"conll/eng.train": NER, "conll/en/eng.train": NER}, "--task conll", "en/eng.train"),
    ("two treebanks", {"mine/tr/tr_imst-ud-train.conllu": UD, "mine/tr/tr_boun-ud-train.conllu": UD}, "", "tr_boun-ud-train"),
    ("two clones", {**CLONE, "UD_Turkish-BOUN/tr_boun-ud-train.conllu": UD}, f"{UPOS} --langs tr", "--langs tr_boun"),
    ("two splits in a name", {"mine/de/train_dev.tsv": NER}, "", "train and dev"),
    ("two splits, another", {"mine/de/train.tsv": NER, "mine/de/dev-test.tsv": NER}, "", "dev and test"),
    ("no split", {"mine/de/corpus.tsv": NER, "mine/de/notes.md": ""}, "", "corpus.tsv, notes.md"),
    ("no language", {"mine/train.tsv": NER, "mine/other.txt": NER}, "", "other.txt, train.tsv"),
    ("nothing", {"mine": None}, "", "is empty"),
    ("no split, named", {"mine/de/train.tsv": NER, "mine/fr/corpus.tsv": NER}, "--langs fr", "corpus.tsv"),
    ("restrained", {"mine/de/restrain.tsv": NER, "mine/de/latest.tsv": NER}, "", "latest.tsv, restrain.tsv"),
    ("json", {"mine/de/train.json": "{}"}, "", "train.json); no reader reads .json; write columns, word and tag"),
    ("two endings", {"mine/de/train.jsonl": "{}", "mine/de/dev.parquet": ""}, "", "no reader reads .jsonl or .parquet;"),
    ("no split, other ending", {"mine/de/corpus.jsonl": "{}"}, "", "the name of a file has to say its split"),
    ("only test, conll", {"conll/esp.testb": NER}, "--task conll", "no training file"),
    ("only dev", {"mine/de/dev.tsv": NER}, "", "no training file"),
    ("nothing in French", {"absa/ABSA16FR_Restaurants_Train.xml": semeval()}, "--task absa", "ABSA16FR_Restaurants_Train.xml"),
    # tags
    ("unknown prefix", one("a\tB-PER\nb\tL-PER\nc\tS-LOC\n"), "", "train.tsv:2: tag 'L-PER'"),
    ("unknown prefix in test", one("a\tO\nb\tX-PER\n", "test.tsv"), "", "test.tsv:2: tag 'X-PER'"),
    ("bare prefixes", one("a\tB\nb\tO\n"), "", "train.tsv:1: tag 'B'"),
    ("two kinds", {"mine/de/train.tsv": NER, "mine/en/train.tsv": POS}, "", "de: iob2, en: none"),
    ("markup as tag", one("a\tB-PER\nb\t[/]\n"), "", "train.tsv:2: tag '[/]'"),
    ("escape as tag", one("a\tB-PER\nb\t\x1b[31m\n"), "", "train.tsv:2"),
    # columns
    ("tab in a word", one(NER + "Frank\tfurt\tB-LOC\n\n"), "", "train.tsv:9: 3 columns, other lines have 2"),
    ("tab in the first word", one("Frank\tfurt\tB-LOC\n\n" + NER), "", "train.tsv:1: 3 columns, other lines have 2"),
    ("space in a word", one("Anna B-PER\nNew York B-LOC\nis O\n"), "", "train.tsv:2: 3 columns, other lines have 2"),
    ("tab in a form", one(UD + conllu("a\tb"), "train.conllu"), "", "train.conllu:9: 11 columns, other lines have 10"),
    ("tab in Universal NER", one("1\ta\tO\tO\t-\n2\tb\tc\tO\tO\t-\n3\td\tO\tO\t-\n", "train.iob2"), "", "train.iob2:2"),
    ("CoNLL-U under another name", one(UD), "", ".conllu"),
    ("numbers", one("1\ta\tX\n2\tb\tY\n"), "", "--data.word_column 1"),
    ("no forms", one(conllu("_", "_") + conllu("_"), "train.conllu"), "", "no words"),
    ("one column", one("a\tO\nb\n"), "", "train.tsv:2: expected at least 2 columns"),
    ("column out of reach", one(NER), "--data.tag_column 7", "train.tsv:1: expected at least 8 columns"),
    ("no word", one("a\tO\n\t\tO\n"), "", "train.tsv:2"),
    ("empty", one(""), "", "train.tsv: no sentence"),
    ("blank", one("\n \n\t\n"), "", "train.tsv: no sentence"),
    ("only comments", one("# a\n# b\n"), "", "train.tsv: no sentence"),
    ("only documents", one("-DOCSTART- -X- O\n"), "", "train.tsv: no sentence"),
    ("empty dev", one("", "dev.tsv"), "", "dev.tsv: no sentence"),
    ("empty test", one("", "test.tsv"), "", "test.tsv: no sentence"),
    ("empty text", one("", "unlabelled.txt"), "", "unlabelled.txt: no sentence"),
    # what is no file
    ("folder", {"mine/de/train.tsv": None, "mine/de/dev.tsv": NER}, "", "train.tsv: a folder, not a file"),
    ("folder for dev", one(None, "dev.tsv"), "", "dev.tsv: a folder, not a file"),
    ("folders alone", {"mine/de/train/a.tsv": NER, "mine/de/test/a.tsv": NER}, "", "de/ (test/, train/)"),
    ("pipe", one(...), "", "train.tsv: a pipe, not a file"),
    ("pipe for dev", one(..., "dev.tsv"), "", "dev.tsv: a pipe, not a file"),
    ("packed pipe", one(..., "train.tsv.gz"), "", "train.tsv.gz: a pipe, not a file"),
    ("XML pipe", one(..., "train.xml"), "", "train.xml: a pipe, not a file"),
    ("pipe of text", one(..., "unlabelled.txt"), "", "unlabelled.txt: a pipe, not a file"),
    ("published pipe", {"conll/eng.train": ...}, "--task conll", "eng.train: a pipe, not a file"),
    ("link to nothing", one(Link("nowhere.tsv")), "", "train.tsv: a link to nothing"),
    ("link to nothing for test", one(Link("nowhere.tsv"), "test.tsv"), "", "test.tsv: a link to nothing"),
    ("published link", {"conll/eng.train": Link("x"), "conll/esp.train": NER}, "--task conll", "eng.train: a link to nothing"),
    ("circle", one(Link("train.tsv")), "", "train.tsv: a link that leads back to itself"),
    ("circle for dev", one(Link("dev.tsv"), "dev.tsv"), "", "dev.tsv: a link that leads back to itself"),
    ("link to a folder", {"mine/de/train.tsv": Link("."), "mine/de/dev.tsv": NER}, "", "train.tsv: a folder, not a file"),
    ("device", one(Link("/dev/zero")), "", "train.tsv: a device, not a file"),
    ("language to nothing", {"mine/de": Link("nowhere"), "mine/en/train.tsv": NER}, "", "mine/de: a link to nothing"),
    ("language in a circle", {"mine/de": Link("de"), "mine/en/train.tsv": NER}, "--langs de", "mine/de: a link that leads"),
    ("language a file", {"mine/de": NER, "mine/en/train.tsv": NER}, "--langs de", "mine/de: a file, not a folder"),
    ("language a pipe", {"mine/de": ..., "mine/en/train.tsv": NER}, "--langs de", "mine/de: a pipe, not a folder"),
    ("task a pipe", {"mine": ...}, "", "mine (a pipe)"),
    ("task in a circle", {"mine": Link("mine")}, "", "mine (a link that leads back to itself)"),
    ("data a pipe", {"pipe": ...}, "--data {root}/pipe", "pipe: a pipe, not a folder"),
    ("texts a pipe", {**one(NER), "texts/de.txt": ...}, "--data.unlabelled {root}/texts", "de.txt: a pipe, not a file"),
    ("texts a folder", {**one(NER), "texts/de.txt": None}, "--data.unlabelled {root}/texts", "de.txt: a folder, not a file"),
    ("texts to nothing", {**one(NER), "texts/de.txt": Link("x")}, "--data.unlabelled {root}/texts", "de.txt: a link to nothing"),
    ("a folder of texts to nothing", {**one(NER), "texts": Link("x")}, "--data.unlabelled {root}/texts", "texts: a link to nothing"),
    ("no text", {**one(NER), "texts/fr.txt": "a\n"}, "--data.unlabelled {root}/texts", "fr.txt"),
    # encodings
    ("Latin-1", one(SPANISH), "", "train.tsv:1: byte 0xe1 is not utf-8 (the 2nd of the file)"),
    ("Latin-1 in dev", one(b"a\tO\nb\xfc\tO\n", "dev.tsv"), "", "dev.tsv:2: byte 0xfc is not utf-8 (the 6th of the file)"),
    ("Latin-1, option", TWO, "", "--data.encoding"),
    ("Latin-1 text", {**one(NER), "texts/de.txt": b"\xfc\n"}, "--data.unlabelled {root}/texts", "de.txt:1: byte 0xfc"),
    ("UTF-16", one(NER.encode("utf-16")), "", "train.tsv:1: byte 0xff"),
    ("UTF-16 without its mark", one(NER.encode("utf-16-le")), "", "train.tsv:1: a zero byte"),
    ("UTF-16 cut", one(NER.encode("utf-16")[:-1]), "--data.encoding utf-16", "train.tsv"),
    ("zeros", one("a\0b\tO\n"), "", "train.tsv:1: a zero byte"),
    ("binary", one(bytes(range(256))), "", "train.tsv"),
    ("punycode", one(NER), "--data.encoding punycode", "--data.encoding: 'punycode'"),
    ("undefined", one(NER), "--data.encoding undefined", "--data.encoding: 'undefined'"),
    ("idna", one(NER), "--data.encoding idna", "--data.encoding: 'idna'"),
    ("escapes", one(NER), "--data.encoding unicode_escape", "--data.encoding: 'unicode_escape'"),
    ("base64", one(NER), "--data.encoding base64", "--data.encoding: 'base64'"),
    ("rot13", one(NER), "--data.encoding rot13", "--data.encoding: 'rot13'"),
    ("zlib", one(NER), "--data.encoding zlib", "--data.encoding: 'zlib'"),
    ("nonsense", one(NER), "--data.encoding nothing-8", "--data.encoding: 'nothing-8'"),
    ("path", one(NER), "--data.encoding ../../etc/passwd", "--data.encoding: '../../etc/passwd'"),
    ("no name", one(NER), "--data.encoding ''", "--data.encoding is empty"),
    ("long name", one(NER), "--data.encoding " + "x" * 5000, "--data.encoding: 'xxx"),
    ("punycode by language", one(NER), "--data.encoding '{\"de\": \"punycode\"}'", "--data.encoding: 'punycode'"),
    ("no name by language", one(NER), "--data.encoding '{\"de\": \"\"}'", "--data.encoding is empty"),
    ("unknown language", one(NER), "--data.encoding '{\"xx\": \"latin-1\"}'", "--data.encoding names xx"),
    ("number by language", one(NER), "--data.encoding '{\"de\": 3}'", "--data.encoding"),
    ("half characters", one(b"a+2AA-\tO\n\nb\tO\n"), "--data.encoding utf-7", "train.tsv:1: half a character"),
    ("bad utf-7", one(b"a+\xff-\tO\n"), "--data.encoding utf-7", "train.tsv:1"),
    ("hole of cp1252", one(b"a\x81\tO\n"), "--data.encoding cp1252", "train.tsv:1: byte 0x81"),
    ("ascii", one("é\tO\n"), "--data.encoding ascii", "train.tsv:1: byte 0xc3"),
    ("published in UTF-8", {"conll/esp.train": "Málaga B-LOC\n"}, "--task conll", "say --data.encoding utf-8"),
    # XML
    ("encoding nobody knows", one(semeval(head='<?xml version="1.0" encoding="x-7"?>'), "train.xml"), "", "train.xml:1: its encoding 'x-7'"),
    ("encoding of many bytes", one(semeval(head='<?xml version="1.0" encoding="shift_jis"?>'), "train.xml"), "", "train.xml:1: its encoding 'shift_jis'"),
    ("encoding not of text", one(semeval(head='<?xml version="1.0" encoding="base64"?>'), "train.xml"), "", "train.xml:1: its encoding 'base64'"),
    ("undefined encoding", one(semeval(head='<?xml version="1.0" encoding="undefined"?>'), "train.xml"), "", "train.xml:1: its encoding 'undefined'"),
    ("another encoding than it says", one(semeval(head='<?xml version="1.0" encoding="utf-16"?>'), "train.xml"), "", "train.xml"),
    ("not its encoding", one(semeval("<text>Málaga</text>").encode("latin-1"), "train.xml"), "", "train.xml:1"),
    ("cut", one(semeval()[:-30], "train.xml"), "", "train.xml:1: not well-formed XML"),
    ("empty XML", one("", "train.xml"), "", "train.xml:1: not well-formed XML"),
    ("other XML", one("<a><b/></a>", "train.xml"), "", "train.xml: no <sentence>"),
    ("laughs", one(LAUGHS, "train.xml"), "", "train.xml"),
    ("half characters in XML", one(semeval("<text>&#xD800;</text>"), "train.xml"), "", "train.xml:1"),
    ("no texts", one(semeval(""), "train.xml"), "", "train.xml: none of its 3 sentences has a text"),
    ("empty texts", one(semeval("<text/>"), "train.xml"), "", "train.xml: none of its 3 sentences has a text"),
    ("no texts, targets", one(semeval("<text/>", mark="food"), "train.xml"), "", "train.xml: sentence 0 has a target ('food') but no text"),
    ("offsets", one(semeval().replace('"NULL" from="5"', '"drink" from="x"'), "train.xml"), "", "lacks its offsets"),
    # gzip
    ("bomb of one line", one(MEMBER * 4, "train.tsv.gz"), "", "train.tsv.gz: unpacks to more than 100 times"),
    ("bomb of rows", one(gzip.compress(b"a\tO\n" * 2**22, mtime=0), "train.tsv.gz"), "", "train.tsv.gz: unpacks to more than 100 times"),
    ("bomb in XML", one(MEMBER, "train.xml.gz"), "", "train.xml.gz: unpacks to more than 100 times"),
    ("bomb of text", one(MEMBER, "unlabelled.txt.gz"), "", "unlabelled.txt.gz: unpacks to more than 100 times"),
    ("a long line", one("a" * 2**21 + "\tO\n"), "", "train.tsv:1: a line of more than 1,048,576 characters"),
    ("a large file", one(Sparse(2**33)), "", "train.tsv: larger than 1 GiB"),
    ("cut gzip", one(gzip.compress(NER.encode(), mtime=0)[:-9], "train.tsv.gz"), "", "train.tsv.gz: cannot be read"),
    ("no gzip", one(NER, "train.tsv.gz"), "", "train.tsv.gz: cannot be read"),
    ("gzip without its name", one(gzip.compress(NER.encode())), "", "train.tsv: packed with gzip"),
    ("gzip twice", one(gzip.compress(gzip.compress(NER.encode())), "train.tsv.gz"), "", "train.tsv.gz: packed with gzip twice"),
    ("empty gzip", one(b"", "train.tsv.gz"), "", "train.tsv.gz"),
]  # fmt: skip


def make(root: Path, files: Mapping[str, object]) -> None:
    """Write the files of a case."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.mkdir()
        elif content is ...:
            os.mkfifo(path)
        elif isinstance(content, Link):
            path.symlink_to(content.target)
        elif isinstance(content, Sparse):
            with path.open("wb") as file:
                file.truncate(content.size)
        else:
            path.write_bytes(content if isinstance(content, bytes) else str(content).encode())
