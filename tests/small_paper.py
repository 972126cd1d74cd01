"""Small stand-ins for all that the paper's suites read: corpora under their published names, and models."""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import torch
from small_bert import save_bert
from small_fasttext import write_bin
from transformers import BertForPreTraining

STAND_IN = Path(__file__).with_name("flair_stand_in")
HAS_FLAIR = importlib.util.find_spec("flair") is not None

LETTERS = {
    "Latin": "abdeilnorstäéñ",
    "Cyrillic": "абвгдежзиклмнопрст",
    "Arabic": "ابتثجحدرسشعفکلمنهی",
    "Hebrew": "אבגדהוזחטיכלמנסעפ",
    "Greek": "αβγδεζηθικλμνοπρστ",
    "Armenian": "աբգդեզէըթժիլխծկ",
    "Tamil": "கஙசஞடணதநபமயரலவ",
    "Devanagari": "कखगघचछजटडतदनपम",
    "Kana": "あいうえおかきくけこさし",
    "Hangul": "가나다라마바사아자차카타",
    "Han": "中国人大学北京上海天地",
}
SCRIPTS = {
    **dict.fromkeys(("ru", "bg", "be", "uk", "kk", "sr"), "Cyrillic"),
    **dict.fromkeys(("ar", "fa"), "Arabic"),
    **{"he": "Hebrew", "el": "Greek", "hy": "Armenian", "ta": "Tamil", "hi": "Devanagari"},
    **{"ja": "Kana", "ko": "Hangul", "zh": "Han"},
}
"""Script of a language; Latin for all others."""

Tagged = list[tuple[str, str]]
SIZES = {"train": 20, "dev": 4, "test": 4}


def made_up(language: str, tags: Sequence[str], sizes: Mapping[str, int]) -> dict[str, list[Tagged]]:
    """Sentences of four to nine made-up words in the language's script; the first letter tells the tag."""
    draw = random.Random(f"{language} {tags}")
    letters = LETTERS[SCRIPTS.get(language, "Latin")]

    def word() -> tuple[str, str]:
        text = "".join(draw.choices(letters, k=draw.randint(2, 7)))
        return text, tags[letters.index(text[0]) % len(tags)]

    return {
        split: [[word() for _ in range(draw.randint(4, 9))] for _ in range(size)]
        for split, size in sizes.items()
    }


def names(language: str, types: Sequence[str], sizes: Mapping[str, int]) -> dict[str, list[Tagged]]:
    """Sentences with names of one or two words, and nothing tagged beside them."""

    def marked(sentence: Tagged) -> Tagged:
        found: Tagged = []
        for word, tag in sentence:
            last = found[-1][1][2:] if found else ""
            found.append((word, "O" if tag == "O" else f"{'I' if tag == last else 'B'}-{tag}"))
        return found

    made = made_up(language, ["O", *types, "O"], sizes)
    return {split: [marked(sentence) for sentence in sentences] for split, sentences in made.items()}


def write(file: Path, blocks: Iterable[Iterable[str]], encoding: str = "utf-8", head: str = "") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    text = head + "".join("".join(f"{line}\n" for line in block) + "\n" for block in blocks)
    file.write_bytes(text.encode(encoding))


def write_conll(folder: Path, language: str, sizes: Mapping[str, int]) -> None:
    """The columns of CoNLL-2002 (es: word, tag; nl: and part of speech) and 2003 (en, de: and chunk; IOB1), Latin-1."""
    name = {"de": "deu", "en": "eng", "es": "esp", "nl": "ned"}[language]
    middle = {"de": " lemma NN I-NC ", "en": " NN I-NP ", "es": " ", "nl": " N "}[language]
    head = "" if language == "es" else f"-DOCSTART-{middle}O\n\n"
    iob1 = language in ("de", "en")
    for split, sentences in names(language, ("PER", "LOC", "ORG", "MISC"), sizes).items():
        ending = {"train": "train", "dev": "testa", "test": "testb"}[split]
        rows = [
            [f"{word}{middle}{f'I{tag[1:]}' if iob1 and tag != 'O' else tag}" for word, tag in sentence]
            for sentence in sentences
        ]
        write(folder / f"{name}.{ending}", rows, "latin-1", head)


def write_absa(folder: Path, language: str, sizes: Mapping[str, int]) -> None:
    """The XML of SemEval-2016 Task 5: opinion targets by their characters, no dev file."""
    published = {
        "en": ("ABSA16_Restaurants_Train_SB1_v2.xml", "EN_REST_SB1_TEST.xml.gold"),
        "es": ("SemEval-2016ABSA Restaurants-Spanish_Train_Subtask1.xml", "SP_REST_SB1_TEST.xml.gold"),
        "nl": ("restaurants_dutch_training.xml", "DU_REST_SB1_TEST.xml.gold"),
        "ru": ("se16_ru_rest_train.xml", "RU_REST_SB1_TEST.xml.gold"),
        "tr": ("TU_REST_SB1_TRAINING.xml", "TU_REST_SB1_TEST.xml.gold"),
    }[language]
    corpus = names(language, ("ASP",), sizes)
    for name, sentences in zip(published, (corpus["train"], corpus["test"]), strict=True):
        blocks = []
        for i, sentence in enumerate(sentences):
            text, opinions = "", []
            for word, tag in sentence:
                if tag == "B-ASP":
                    opinions.append([len(text), 0])
                text += word
                if tag != "O":
                    opinions[-1][1] = len(text)
                text += " "
            lines = [
                f'<Opinion target="{text[a:b]}" category="FOOD#QUALITY" polarity="positive" from="{a}" to="{b}"/>'
                for a, b in opinions
            ] or ['<Opinion target="NULL" category="FOOD#QUALITY" polarity="neutral" from="0" to="0"/>']
            body = [f"<text>{text.rstrip()}</text>", "<Opinions>", *lines, "</Opinions>"]
            blocks.append([f'<sentence id="1:{i}">', *body, "</sentence>"])
        head = (
            '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<Reviews><Review rid="1"><sentences>\n'
        )
        write(folder / name, [*blocks, ["</sentences></Review></Reviews>"]], head=head)


def write_wikiann(folder: Path, language: str, sizes: Mapping[str, int]) -> None:
    """Files without an ending, the language before every word (Rahimi et al. 2019)."""
    for split, sentences in names(language, ("PER", "LOC", "ORG"), sizes).items():
        rows = [[f"{language}:{word}\t{tag}" for word, tag in sentence] for sentence in sentences]
        write(folder / language / split, rows)


def write_upos(folder: Path, language: str, sizes: Mapping[str, int]) -> None:
    """CoNLL-U with comments and the dependencies of nobody."""
    for split, sentences in made_up(language, ("NOUN", "VERB", "ADJ", "DET"), sizes).items():
        rows = [
            [
                f"# text = {' '.join(word for word, _ in sentence)}",
                *(
                    "\t".join((str(n), word, word, tag, *"______"))
                    for n, (word, tag) in enumerate(sentence, 1)
                ),
            ]
            for sentence in sentences
        ]
        write(folder / language / f"{language}_bank-ud-{split}.conllu", rows)


WRITERS: dict[str, Callable[[Path, str, Mapping[str, int]], None]] = {
    "conll": write_conll,
    "absa": write_absa,
    "wikiann": write_wikiann,
    "upos": write_upos,
}


def write_models(home: Path, languages: Iterable[str]) -> None:
    """M-BERT, fastText and Flair, all where the suites find them when they are run in ``home``.

    M-BERT is a folder of that name. Flair's models are in its cache (``FLAIR_CACHE_ROOT``) under the names of
    its downloads; they have few units, and a projection to as many numbers as the published ones give.
    """
    texts = ["".join(letters[i:] + letters[:i]) for letters in LETTERS.values() for i in range(len(letters))]
    save_bert(home / "bert-base-multilingual-cased", positions=64, texts=texts, kind=BertForPreTraining)
    (home / "vectors").mkdir()
    for seed, language in enumerate(languages):
        write_bin(home / f"vectors/cc.{language}.300.bin", seed=seed, size=300)
    from flair.data import Dictionary
    from flair.models import LanguageModel

    characters = Dictionary()
    for character in sorted({"\n", " ", *"".join(LETTERS.values())}):
        characters.add_item(character)
    torch.manual_seed(0)
    (home / "flair-models/embeddings").mkdir(parents=True)
    for direction in ("forward", "backward"):
        model = LanguageModel(characters, direction == "forward", 8, 1, embedding_size=4, nout=2048)
        model.save(home / f"flair-models/embeddings/lm-jw300-{direction}-v0.1.pt")
