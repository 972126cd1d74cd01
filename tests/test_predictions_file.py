"""Files of predictions as teachers: every kind against its definition, coverage, and mistakes."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from small_corpus import write_corpus
from small_runs import ONE_EPOCH, refused

from skd_lightning import taggers
from skd_lightning.cli import main
from skd_lightning.crf import LinearChainCRF
from skd_lightning.data.batches import SentenceDataset
from skd_lightning.data.sentence import Sentence
from skd_lightning.distillation.cache.entry import Potentials
from skd_lightning.distillation.cache.reading import CachedTargets, LanguageAnswers
from skd_lightning.distillation.objective import Needs, Objective
from skd_lightning.distillation.objectives import PathSet, Posterior, Structural, TopK, TopWK
from skd_lightning.distillation.targets import TeacherTargets
from skd_lightning.distillation.teachers import TeacherSet
from skd_lightning.distillation.teachers.asking import Asking, Found, Text
from skd_lightning.distillation.teachers.predictions_file import PredictionsFile
from skd_lightning.encoders import BiLSTM, NgramEmbedder
from skd_lightning.errors import UserError
from skd_lightning.tags import TagSet, convert

BIOES = TagSet.of(["B-PER", "B-LOC"], "bioes")
SENTENCES = [("Anna", "lives", "in", "New", "York"), (), ("Hi",), ("Anna", "sang")]
BOTH = Needs(marginals=1.0, transition_counts=1.0)


def write(folder: Path, *lines: dict[str, Any], name: str = "said.jsonl") -> Path:
    file = folder / name
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def asking(
    folder: Path, needs: Needs, *files: Path, tags: TagSet = BIOES, kind: str = "mixture", **more: Any
) -> Asking:
    student = SimpleNamespace(tag_set=tags, device=torch.device("cpu"), load_teacher=Tagger)
    return Asking(
        student, TeacherSet.named([*map(str, files)], kind), needs, folder / "cache", "float32", **more
    )


def answer(
    folder: Path, needs: Needs, *files: Path, tags: TagSet = BIOES, kind: str = "mixture"
) -> tuple[TeacherTargets, LanguageAnswers, Found]:
    """The targets of the sentences as one batch."""
    one = asking(folder, needs, *files, tags=tags, kind=kind)
    one.check("en")
    words, found = one.answers(Text("en", "en", SENTENCES), [])
    n = len(SENTENCES)
    cached = CachedTargets([words], np.zeros(n, int), np.arange(n), len(tags), needs)
    return cached.read(range(n), max(map(len, SENTENCES))), words, found


def expected(
    paths: dict[tuple[str, ...], float], words: int, tags: TagSet
) -> tuple[torch.Tensor, torch.Tensor]:
    """Marginals and counts of tag sequences with weights."""
    marginals, counts, total = (
        torch.zeros(words, len(tags)),
        torch.zeros(2 * (len(tags),)),
        sum(paths.values()),
    )
    for path, weight in paths.items():
        numbers = tags.encode(path)
        for word, tag in enumerate(numbers):
            marginals[word, tag] += weight / total
        for a, b in itertools.pairwise(numbers):
            counts[a, b] += weight / total
    return marginals, counts


IOB = ("B-PER", "O", "O", "B-LOC", "I-LOC")
OTHER = ("O", "O", "O", "B-LOC", "B-LOC")


@pytest.mark.parametrize("scheme", ["bioes", "iob2"])
def test_weighted_sequences_are_read_in_the_students_scheme(tmp_path: Path, scheme: str) -> None:
    tags = TagSet.of(BIOES.names, scheme)
    file = write(
        tmp_path,
        {"words": SENTENCES[0], "sequences": [[3, IOB], [1, OTHER], [2, convert(OTHER, "bioes")]]},
        {"words": SENTENCES[3], "tags": ["PER", "O"]},
        {"words": ["not", "asked", "for"], "tags": ["O", "O", "O"]},
    )
    targets, words, found = answer(
        tmp_path, Needs(k=3, marginals=1.0, transition_counts=1.0), file, tags=tags
    )
    assert targets.taught.tolist() == words.taught.tolist() == [True, False, False, True]
    assert found.taught == 0.5
    assert found.mass == pytest.approx(1.0)
    marginals, counts = expected({convert(p, scheme): 3.0 for p in (IOB, OTHER)}, 5, tags)
    torch.testing.assert_close(targets.marginals[0], marginals, rtol=0, atol=1e-3)
    torch.testing.assert_close(targets.transition_counts[0], counts, rtol=0, atol=1e-3)
    assert targets.marginals[1:3].sum() == 0
    assert tags.decode(targets.paths[3, 0, :2].tolist()) == convert(("B-PER", "O"), scheme)
    assert targets.log_probs[0].exp().tolist() == pytest.approx([0.5, 0.5, 0])
    assert {tags.decode(path) for path in targets.paths[0, :2].tolist()} == {
        convert(p, scheme) for p in (IOB, OTHER)
    }
    assert targets.log_probs[:, 0].isfinite().all()


def test_scored_spans_are_a_semi_markov_chain(tmp_path: Path) -> None:
    """Two spans that overlap, and one beside them: six segmentations."""
    a, b, c = 1.5, 0.5, -0.7
    spans = [[3, 4, "place", a], [4, 4, "place", b], [0, 0, "PER", c]]
    file = write(tmp_path, {"words": SENTENCES[0], "spans": spans}, {"words": ["Hi"], "spans": []})
    named = tmp_path / "teachers.yaml"
    named.write_text(f"en: {file}\ntags: {{place: LOC}}\n")
    targets, _, found = answer(tmp_path, Needs(marginals=1.0, transition_counts=1.0, k=7), named)
    paths = {}
    for person, place in itertools.product((0, 1), (0, 1, 2)):
        tags = [
            "S-PER" if person else "O",
            "O",
            "O",
            *[["O", "O"], ["B-LOC", "E-LOC"], ["O", "S-LOC"]][place],
        ]
        paths[tuple(tags)] = math.exp(c * person + [0, a, b][place])
    marginals, counts = expected(paths, 5, BIOES)
    torch.testing.assert_close(targets.marginals[0], marginals, rtol=0, atol=1e-3)
    torch.testing.assert_close(targets.transition_counts[0], counts, rtol=0, atol=1e-3)
    assert targets.marginals[2, 0].tolist() == [1.0, *(8 * [0.0])]
    ranked = sorted(paths, key=paths.__getitem__, reverse=True)
    assert [BIOES.decode(path) for path in targets.paths[0, :6].tolist()] == ranked
    p = [paths[path] / sum(paths.values()) for path in ranked]
    assert targets.log_probs[0].exp().tolist() == pytest.approx([*p, 0], abs=1e-6)
    assert found.mass == pytest.approx(1.0)
    assert targets.taught.tolist() == [True, False, True, False]


def test_probabilities_are_a_chain_without_ill_formed_sequences(tmp_path: Path) -> None:
    p = [{"O": 0.5, "B-PER": 0.25, "I-PER": 0.25}, {"O": 0.2, "I-PER": 0.8}]
    file = write(tmp_path, {"words": SENTENCES[3], "probabilities": p})
    targets, _, _ = answer(tmp_path, Needs(chain=True, marginals=1.0, transition_counts=1.0, k=2), file)
    paths = {
        convert(path, "bioes"): p[0].get(path[0], 0) * p[1].get(path[1], 0)
        for path in itertools.product(("O", "B-PER", "I-PER"), repeat=2)
        if convert(path, "iob2") == path
    }
    marginals, counts = expected(paths, 2, BIOES)
    torch.testing.assert_close(targets.marginals[3, :2], marginals, rtol=0, atol=1e-3)
    torch.testing.assert_close(targets.transition_counts[3], counts, rtol=0, atol=1e-3)
    assert BIOES.decode(targets.paths[3, 0, :2].tolist()) == ("B-PER", "E-PER")
    teacher = targets.chain(torch.tensor([5, 0, 1, 2]))
    torch.testing.assert_close(teacher.marginals[3, :2], marginals, rtol=1e-4, atol=1e-5)
    assert teacher.log_partition.isfinite().all()


class Tagger:
    """A chain of made-up potentials, as a run folder holds one."""

    speaks, complete, languages, tag_set = Potentials, True, ("en",), BIOES

    def __init__(self, path: Path, outside: bool = False) -> None:
        generator = np.random.default_rng(len(path.name))
        n = len(BIOES)
        neighbours, first, last = BIOES.forbidden()
        self.said = Potentials(
            generator.normal(size=(8, n)).astype(np.float32),
            np.where(neighbours, -np.inf, generator.normal(size=(n, n))).astype(np.float32),
            np.where(first, -np.inf, 0.0).astype(np.float32),
            np.where(last, -np.inf, 0.0).astype(np.float32),
        )

    def fingerprint(self) -> str:
        return str(self.said.emissions.sum())

    def speak(self, sentences: list, advance: Callable, language: str) -> Potentials:
        assert list(sentences) == SENTENCES
        return self.said


def run_folder(folder: Path) -> Path:
    (folder / "run" / "checkpoints").mkdir(parents=True)
    (folder / "run" / "checkpoints" / "best.ckpt").touch()
    return folder / "run"


def student() -> LinearChainCRF:
    generator = torch.Generator().manual_seed(5)
    emissions = torch.randn(4, 5, len(BIOES), generator=generator)
    return LinearChainCRF(
        emissions, torch.randn(2 * (len(BIOES),), generator=generator), torch.tensor([5, 0, 1, 2])
    )


@pytest.mark.parametrize("objective", [Posterior(), Posterior(2.0)], ids=str)
def test_a_taggers_own_marginals_from_a_file_give_the_same_losses(
    tmp_path: Path, objective: Objective
) -> None:
    """Exactly so where every tag sequence makes sense: elsewhere, marginals are no distributions of words alone."""
    torch.manual_seed(0)
    tagger = taggers.Tagger(["A", "B", "C"], "none", ["en"], NgramEmbedder(4, 64), BiLSTM(4)).eval()
    torch.nn.init.normal_(tagger.head.transitions, std=2.0)
    torch.nn.init.normal_(tagger.head.emissions.weight, std=4.0)
    marginals = tagger.distribution([list(words) for words in SENTENCES], "en").marginals
    lines = [
        {
            "words": words,
            "probabilities": [dict(zip("ABC", row.tolist(), strict=True)) for row in own[: len(words)]],
        }
        for words, own in zip(SENTENCES, marginals, strict=True)
    ]
    one = asking(tmp_path, objective.needs, run_folder(tmp_path), tags=tagger.tag_set)
    one.student.load_teacher = lambda path, outside: tagger
    words, _ = one.answers(Text("en", "en", SENTENCES), [])
    cached = CachedTargets([words], np.zeros(4, int), np.arange(4), 3, objective.needs)
    targets, _, _ = answer(tmp_path, objective.needs, write(tmp_path, *lines), tags=tagger.tag_set)
    learner = LinearChainCRF(torch.randn(4, 5, 3), torch.randn(3, 3), torch.tensor([5, 0, 1, 2]))
    losses = objective(learner, targets)
    assert losses[0] > 1
    torch.testing.assert_close(losses, objective(learner, cached.read(range(4), 5)), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "objective",
    [Posterior(), Structural(), Structural(temperature=2.0), TopK(400), TopWK(400), PathSet(1.0)],
    ids=str,
)
def test_a_chain_and_all_its_sequences_in_a_file_give_the_same_losses(
    tmp_path: Path, objective: Objective
) -> None:
    """Every sequence of a teacher with its probability is the teacher."""
    run = run_folder(tmp_path)
    said, lengths = Tagger(run).said, np.array([len(words) for words in SENTENCES])
    starts = np.cumsum(lengths) - lengths
    crf, lines = said.chain(np.arange(4), lengths, starts), []
    for row, words in enumerate(SENTENCES):
        best = crf.kbest(3000)
        p = (best.scores[row] - crf.log_partition[row]).exp().tolist()
        paths = [BIOES.decode(path[: len(words)].tolist()) for path in best.paths[row]]
        lines.append(
            {"words": words, "sequences": [[w, path] for w, path in zip(p, paths, strict=True) if w > 0]}
        )
    assert max(len(line["sequences"]) for line in lines) > 500
    direct, _, _ = answer(tmp_path, objective.needs, run)
    targets, _, _ = answer(tmp_path, objective.needs, write(tmp_path, *lines))
    losses = objective(student(), direct)
    torch.testing.assert_close(objective(student(), targets), losses, rtol=1e-3, atol=2e-3)


def test_members_of_a_mixture_share_the_weight_of_one_that_is_silent(tmp_path: Path) -> None:
    run = run_folder(tmp_path)
    file = write(tmp_path, {"words": SENTENCES[3], "tags": ["S-PER", "O"]})
    spans = write(tmp_path, {"words": SENTENCES[3], "spans": []}, name="spans.jsonl")
    alone, _, _ = answer(tmp_path, BOTH, run)
    pooled, words, found = answer(tmp_path, BOTH, run, file, spans)
    assert words.taught.all()
    assert found.taught == 1.0
    torch.testing.assert_close(pooled.marginals[:3], alone.marginals[:3], rtol=0, atol=1e-3)
    sure, _ = expected({("S-PER", "O"): 1.0}, 2, BIOES)
    outside, _ = expected({("O", "O"): 1.0}, 2, BIOES)
    third = (alone.marginals[3, :2] + sure + outside) / 3
    torch.testing.assert_close(pooled.marginals[3, :2], third, rtol=0, atol=1e-3)
    files, words, _ = answer(tmp_path, Needs(k=2, path_set=0.9), file, file)
    assert words.taught.tolist() == [False, False, False, True]
    assert files.log_probs[:, 0].isfinite().all()
    loss = TopWK(2)(student(), files)
    assert loss.isfinite().all()


def test_a_product_speaks_where_all_its_members_do(tmp_path: Path) -> None:
    run = run_folder(tmp_path)
    file = write(tmp_path, {"words": SENTENCES[3], "probabilities": [{"S-PER": 0.9, "O": 0.1}, {"O": 1.0}]})
    _, words, found = answer(tmp_path, Needs(chain=True), run, file, kind="product")
    assert words.taught.tolist() == [False, False, False, True]
    assert found.taught == 0.25


@pytest.mark.parametrize(
    ("line", "needs", "kind", "message"),
    [
        (
            {"spans": []},
            Needs(k=2),
            "mixture",
            "gives spans with scores, and this objective of a pool asks for probabilities of tag sequences",
        ),
        ({"spans": []}, Needs(path_set=0.9), "mixture", "objective asks for probabilities of tag sequences"),
        ({"spans": []}, Needs(chain=True), "mixture", "asks for potentials: take posterior, or structural"),
        (
            {"tags": ["O"]},
            Needs(emissions=True),
            "mixture",
            "gives tag sequences with weights, and this objective",
        ),
        ({"tags": ["O"]}, BOTH, "product", "have no potentials to multiply: take a mixture"),
    ],
)
def test_kinds_that_have_no_answer_are_refused(
    tmp_path: Path, line: dict, needs: Needs, kind: str, message: str
) -> None:
    file = write(tmp_path, {"words": ["Hi"], **line})
    with pytest.raises(
        UserError, match=rf"said.jsonl: it {'gives' if 'gives' not in message else ''}.*{message}"
    ):
        asking(tmp_path, needs, file, run_folder(tmp_path), kind=kind).check("en")


def test_pools_ask_more_than_a_file_has(tmp_path: Path) -> None:
    file, run = write(tmp_path, {"words": ["Hi"], "probabilities": [{"O": 1}]}), run_folder(tmp_path)
    with pytest.raises(UserError, match="most_disagreement asks for potentials on every sentence"):
        asking(tmp_path, BOTH, run, file, most_disagreement=1.0).check("en")
    for weights, message in (("dev", "weights: dev asks for"), ("similarity", "nobody knows what text")):
        one = asking(tmp_path, BOTH, run, file)
        teachers = TeacherSet(one.teachers.sources, weights=weights)
        with pytest.raises(UserError, match=message):
            Asking(one.student, teachers, BOTH, one.cache, "float32").check("en")


W = '{"words": ["a", "b"], '


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("", "it holds no predictions"),
        ("\n", "it holds no predictions"),
        ('{"words": ["a"', "1: this is not JSON"),
        ("\xff", "1: this is not JSON"),
        ("[1]", '1: expected an object with "words"'),
        ('{"words": "a b", "tags": []}', '1: expected an object with "words"'),
        (W + '"tag": ["O"]}', "1: expected one of tags, .* it has none of these"),
        (W + '"tags": ["O", "O"], "spans": []}', "it has tags and spans"),
        ("\n" + W + '"tags": ["O"]}', "2: 1 tags for 2 words"),
        (W + '"tags": ["O", 1]}', "1: tags are .*, not a list of names"),
        (W + '"tags": ["O", "B-ANIMAL"]}', "1: the student does not know the teacher's tags B-ANIMAL"),
        (W + '"tags": ["O", "animal"]}', "1: the student does not know the teacher's tags B-animal"),
        (W + '"sequences": []}', "1: no sequence"),
        (W + '"sequences": [["O", "O"]]}', '1: a weight is "O"'),
        (W + '"sequences": [[0, ["O", "O"]]]}', "1: a weight is 0, it must be a number above 0"),
        (W + '"sequences": [[NaN, ["O", "O"]]]}', "1: a weight is NaN"),
        (W + '"sequences": [[1, ["O"]]]}', "1: 1 tags for 2 words"),
        (W + '"probabilities": [{"O": 1}]}', "1: probabilities of 1 words for 2 words"),
        (
            W + '"probabilities": [{"O": 1}, {"O": Infinity}]}',
            "1: the probability of O at word 2 is Infinity",
        ),
        (W + '"probabilities": [{"O": 1}, {"O": -0.5}]}', "1: the probability of O at word 2 is -0.5"),
        (W + '"probabilities": [{"O": 1}, {}]}', "1: no tag of word 2 has a probability above 0"),
        (W + '"probabilities": [{"O": 1}, 1]}', r"1: word 2 has 1, not \{tag: probability\}"),
        (W + '"spans": [[0, 2, "PER", 1]]}', "1: span .* does not lie in a sentence of 2 words"),
        (W + '"spans": [[1, 0, "PER", 1]]}', "does not lie in"),
        (W + '"spans": [[0, true, "PER", 1]]}', "does not lie in"),
        (W + '"spans": [[0, 1, "PER", NaN]]}', "is no finite number"),
        (W + '"spans": [[0, 1, "PER"]]}', "1: a span is .*, not .first word"),
        (W + '"spans": [[0, 1, "", 1]]}', "1: a span is"),
        (W + '"spans": [[0, 1, "PER", 1], [0, 1, "PER", 2]]}', "stands twice"),
        (W + '"spans": [[0, 1, "ANIMAL", 1]]}', "1: the student does not know the teacher's tags"),
        (
            W + '"tags": ["O", "O"]}\n' + W + '"spans": []}',
            "2: it has spans, the lines before have sequences",
        ),
        (W + '"tags": ["O", "O"]}\n' + W + '"tags": ["O", "S-PER"]}', "2: another answer about words"),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path: Path, lines: str, message: str) -> None:
    file = tmp_path / "said.jsonl"
    file.write_bytes(lines.encode("latin-1"))
    with pytest.raises(UserError, match=rf"said\.jsonl.*{message}"):
        PredictionsFile(file, BIOES)


def test_files_of_other_contents_differ_and_the_same_line_may_stand_twice(tmp_path: Path) -> None:
    line, other = {"words": ["a"], "tags": ["O"]}, {"words": ["a"], "tags": ["S-PER"]}
    files = [
        write(tmp_path, *lines, name=f"{i}.jsonl")
        for i, lines in enumerate([(line,), (other,), (line, line)])
    ]
    assert len({PredictionsFile(file, BIOES).fingerprint() for file in files}) == 3
    coded = write(tmp_path, {"words": ["a"], "tags": ["LABEL_0"]}, name="coded.jsonl")
    meanings = ({"LABEL_0": "S-PER", "LABEL_1": "S-LOC"}, {"LABEL_0": "S-LOC", "LABEL_1": "S-PER"})
    assert len({PredictionsFile(coded, BIOES, names).fingerprint() for names in meanings}) == 2
    none = TagSet(("O", "N"), "none")
    assert PredictionsFile(files[0], none).tag_set.scheme == "none"
    with pytest.raises(UserError, match="it has spans, and the student's tags mark no entities"):
        PredictionsFile(write(tmp_path, {"words": ["a"], "spans": []}), none)


def test_a_student_learns_from_a_file_that_knows_some_sentences(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_corpus(tmp_path / "mine", ("en",), {"train": 40, "dev": 5, "test": 5})
    blocks = [
        block.splitlines() for block in (tmp_path / "mine/en/train.tsv").read_text().split("\n\n") if block
    ]
    lines = [
        dict(zip(("words", "tags"), zip(*(r.split("\t") for r in b), strict=True), strict=True))
        for b in blocks
    ]
    predictions = tmp_path / "predictions"
    predictions.mkdir()
    write(predictions, *lines[: len(lines) // 2], name="en.jsonl")
    words = ("distill", *ONE_EPOCH)
    main([*words, "--loss", "structural", "--teachers", "predictions"])
    told = capsys.readouterr().out
    assert "taught" in told
    assert "1 miss" in told
    assert '"teacher en.jsonl"' in Path("runs/mine/structural/seed1/provenance.json").read_text()
    write(predictions, {"words": ["of", "nobody"], "tags": ["O", "O"]}, name="en.jsonl")
    line = refused(capsys, *words, "--loss", "structural", "--teachers", "predictions/en.jsonl")
    assert "en.jsonl: none of the training sentences of 'en' is there" in line


def test_an_annotated_sentence_that_nobody_speaks_on_has_its_gold_loss(tmp_path: Path) -> None:
    """λ is 1 at first, so all others have that of the teacher; an unlabelled one has none."""
    torch.manual_seed(0)
    learner = taggers.Student(
        list(BIOES.names), "bioes", ["en"], NgramEmbedder(4, 64), BiLSTM(4), objective=Structural()
    ).eval()
    logged = {}
    learner.log_mean = lambda name, value, weight: logged.update({name: (float(value), int(weight))})
    learner._weight = lambda annealing: 1.0
    sentences = [
        Sentence(("Anna", "sang"), ("S-PER", "O"), "en"),
        Sentence(("Anna", "sang"), None, "en"),
        Sentence(("Hi",), ("O",), "en"),
    ]
    dataset = SentenceDataset(sentences, learner.featurizer, ["en"], BIOES)
    file = write(tmp_path, {"words": ["Hi"], "tags": ["O"]})
    words, _ = asking(tmp_path, BOTH, file).answers(Text("en", "en", [s.words for s in sentences]), [])
    dataset.targets = CachedTargets([words], np.zeros(3, int), np.arange(3), len(BIOES), BOTH)
    batch = dataset.__getitems__(range(3))
    with torch.inference_mode():
        crf = learner(batch)
        losses = learner.losses(crf, batch)
        gold = -crf.log_prob(batch.tags)
    torch.testing.assert_close(losses, torch.stack([gold[0], gold.new_zeros(()), gold[2]]))
    nll = float(gold[2])  # its teacher says what the gold tags say
    assert logged["train/loss_kd"] == (pytest.approx(nll), 1)
    assert logged["train/loss_nll"] == (pytest.approx(float(gold[0] + gold[2]) / 2), 2)
    batch.targets.taught = None
    with torch.inference_mode():
        of_all = learner.objective(crf, batch.targets)
        learner.losses(crf, batch)
    assert logged["train/loss_kd"] == (pytest.approx(float(of_all.mean())), 3)
