"""How sure taggers are against how often they are right: counts, error, file, and section of the report."""

from __future__ import annotations

import copy
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from made_up_runs import SMALL, make_peers, make_runs
from torch import Tensor

from skd_lightning.analysis.calibration import Bins, expected_calibration_error
from skd_lightning.crf import LinearChainCRF
from skd_lightning.display.style import Plot
from skd_lightning.display.table import Table
from skd_lightning.metrics import TaggingScores
from skd_lightning.report.findings import Section, gather
from skd_lightning.report.sections import calibration
from skd_lightning.report.write import make_sections, write_report
from skd_lightning.run_folder import RunFolder
from skd_lightning.runs.calibration import BinCounts, Calibration
from skd_lightning.taggers.confidences import BINS, ConfidenceCounts
from skd_lightning.taggers.entity_probability import entity_probabilities
from skd_lightning.tags import Scheme, TagSet, continues, entities

NV = TagSet.of(["N", "V"], "none")


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skd_lightning.analysis.comparison.Comparison.draw.__defaults__", (50,))


def independent(probabilities: list[list[float]]) -> LinearChainCRF:
    """Sentences of words that are the first of two tags with these probabilities, whatever stands beside them."""
    lengths = torch.tensor([len(row) for row in probabilities])
    emissions = torch.full((len(lengths), int(lengths.max()), 2), 7.0)
    for sentence, row in enumerate(probabilities):
        p = torch.tensor(row)
        emissions[sentence, : len(row)] = torch.stack([p, 1 - p], 1).log()
    return LinearChainCRF(emissions, torch.zeros(2, 2), lengths)


def count(
    counts: ConfidenceCounts, crf: LinearChainCRF, gold: Tensor, lengths: Tensor, languages: Tensor
) -> None:
    counts.update(crf, crf.viterbi(), gold, lengths, languages, None)


def chain(tag_set: TagSet, words: int, constrained: bool) -> LinearChainCRF:
    """A sentence with drawn potentials; transitions are asymmetric."""
    tags = len(tag_set)
    scores = [torch.randn(shape) for shape in ((tags, tags), (tags,), (tags,))]
    if constrained:
        masks = tag_set.forbidden()
        scores = [s.masked_fill(mask, -torch.inf) for s, mask in zip(scores, masks, strict=True)]
    transitions, start, end = scores
    return LinearChainCRF(torch.randn(1, words, tags), transitions, torch.tensor([words]), start, end)


@pytest.mark.parametrize("constrained", [True, False])
@pytest.mark.parametrize(("scheme", "words"), [("iob2", 1), ("iob2", 5), ("bioes", 4)])
def test_entities_have_the_probability_of_all_sequences_that_hold_them(
    scheme: Scheme, words: int, constrained: bool
) -> None:
    torch.manual_seed(1)
    tag_set = TagSet.of(["B-X"] if scheme == "bioes" else ["B-X", "B-Y"], scheme)
    table = torch.tensor([[continues(a, b) for b in tag_set.names] for a in tag_set.names])
    every = list(itertools.product(range(len(tag_set)), repeat=words))
    seen = 0
    for _ in range(12):
        crf = chain(tag_set, words, constrained)
        probabilities = crf.log_prob(torch.tensor([every]))[0].exp().tolist()
        path = crf.sample(1)[:, 0]
        tags = tag_set.decode(path[0].tolist())
        lengths = torch.tensor([words])
        chunks = TaggingScores(tag_set, ["en"]).both(path, path, lengths)
        assert chunks
        found = entity_probabilities(crf, path, chunks[0], table)[0]
        for entity in entities(tags):
            _, first, end = entity
            expected = 0.0
            for other, probability in zip(every, probabilities, strict=True):
                spelt = tag_set.decode(other)
                # Ill-formed tags have other spellings of the entity, which do not count.
                same = constrained or spelt[first:end] == tags[first:end]
                expected += probability * (same and entity in entities(spelt))
            assert found[first].item() == pytest.approx(expected, rel=1e-4, abs=1e-6)
            seen += 1
    assert seen > 5


def test_bins_by_hand() -> None:
    counts = ConfidenceCounts(NV, ["de", "en"])
    # Decoded: N with .9 (right), V with .7 (wrong: gold N has .3), N with .62 (right); in German one N with .9, wrong.
    crf = independent([[0.9, 0.3, 0.62], [0.9]])
    gold = torch.tensor([[0, 0, 0], [1, -100, -100]])
    count(counts, crf, gold, torch.tensor([3, 1]), torch.tensor([1, 0]))
    found = counts.compute()
    english = found["en"]["words"]
    width = 1 / BINS
    bins = {place: int(np.ceil(p / width)) - 1 for place, p in enumerate((0.9, 0.7, 0.62))}
    assert bins == {0: 13, 1: 10, 2: 9}
    assert {i: n for i, n in enumerate(english["count"]) if n} == {13: 1, 10: 1, 9: 1}
    assert [english["confidence"][i] for i in (13, 10, 9)] == pytest.approx([0.9, 0.7, 0.62])
    assert {i: n for i, n in enumerate(english["correct"]) if n} == {13: 1, 9: 1}
    assert found["en"]["log_loss"] == pytest.approx(-np.mean(np.log([0.9, 0.3, 0.62])))
    assert found["de"]["log_loss"] == pytest.approx(-np.log(0.1), rel=1e-5)
    assert "entities" not in found["en"]
    of_english = Bins.of([BinCounts.model_validate(english)])
    assert of_english
    assert expected_calibration_error(of_english) == pytest.approx((0.1 + 0.7 + 0.38) / 3)


def test_entities_are_counted_by_their_own_probability() -> None:
    tag_set = TagSet.of(["B-X"], "iob2")
    scores = TaggingScores(tag_set, ["en"])
    counts = ConfidenceCounts(tag_set, ["en"])
    # O, B-X, I-X, words independent: B-X then no I-X.
    p = torch.tensor([[[0.1, 0.8, 0.1], [0.25, 0.25, 0.5], [0.7, 0.2, 0.1]]])
    crf = LinearChainCRF(p.log(), torch.zeros(3, 3), torch.tensor([3]))
    path, gold, length = torch.tensor([[1, 2, 0]]), torch.tensor([[1, 2, 1]]), torch.tensor([3])
    counts.update(crf, path, gold, length, torch.tensor([0]), scores.both(path, gold, length))
    found = counts.compute()["en"]["entities"]
    sure = 0.8 * 0.5 * (1 - 0.1)
    place = int(np.ceil(sure * BINS)) - 1
    assert sum(found["count"]) == found["count"][place] == found["correct"][place] == 1
    assert found["confidence"][place] == pytest.approx(sure)


def test_a_tagger_that_draws_the_gold_tags_is_calibrated_and_a_surer_one_is_not() -> None:
    torch.manual_seed(2)
    tag_set = TagSet.of(["B-X"], "bioes")
    words = torch.full((4000,), 6)
    transitions, start, end = (mask.float() * -1e9 for mask in tag_set.forbidden())
    crf = LinearChainCRF(1.5 * torch.randn(4000, 6, 5), transitions, words, start, end)
    gold, scores = crf.sample(1)[:, 0], TaggingScores(tag_set, ["en"])
    errors = {}
    for sureness in (1.0, 4.0):
        tagger = crf.tempered(1 / sureness)
        counts, path = ConfidenceCounts(tag_set, ["en"]), tagger.viterbi()
        chunks = scores.both(path, gold, words)
        counts.update(tagger, path, gold, words, torch.zeros(4000, dtype=torch.int64), chunks)
        row = counts.compute()["en"]
        for unit in ("words", "entities"):
            bins = Bins.of([BinCounts.model_validate(row[unit])])
            assert bins
            errors[unit, sureness] = expected_calibration_error(bins)
            if sureness > 1:  # always too sure: the error is the whole gap
                gap = (bins.confidence.sum() - bins.correct.sum()) / bins.count.sum()
                assert errors[unit, sureness] == pytest.approx(gap, abs=0.01)
        if sureness == 1:  # the mean of −log p(y_i) is the entropy of the marginals
            entropy = -torch.special.xlogy(crf.marginals, crf.marginals).sum(2).mean()
            assert row["log_loss"] == pytest.approx(entropy.item(), abs=0.01)
    assert max(errors["words", 1.0], errors["entities", 1.0]) < 0.02
    assert min(errors["words", 4.0], errors["entities", 4.0]) > 0.1


def test_constant_overconfidence_is_the_gap() -> None:
    counts = ConfidenceCounts(NV, ["en"])
    crf = independent([[0.95] * 10])
    count(counts, crf, torch.tensor([[0] * 6 + [1] * 4]), torch.tensor([10]), torch.tensor([0]))
    bins = Bins.of([BinCounts.model_validate(counts.compute()["en"]["words"])])
    assert bins
    assert expected_calibration_error(bins) == pytest.approx(0.95 - 0.6)


def test_padding_and_sentences_without_gold_tags_do_not_count() -> None:
    torch.manual_seed(3)
    tag_set = TagSet.of(["B-X", "B-Y"], "iob2")
    scores, languages = TaggingScores(tag_set, ["de", "en"]), torch.tensor([0, 1, 1, 0])
    lengths, labelled = torch.tensor([3, 5, 2, 0]), torch.tensor([True, True, False, True])
    emissions, gold = torch.randn(4, 5, len(tag_set)), torch.randint(len(tag_set), (4, 5))
    transitions = torch.randn(len(tag_set), len(tag_set))

    def counted(rows: list[int], padding: int, garbage: float) -> dict:
        counts = ConfidenceCounts(tag_set, ["de", "en"])
        words = torch.arange(5 + padding) < lengths[rows].unsqueeze(1)
        padded = torch.nn.functional.pad(emissions[rows], (0, 0, 0, padding)).masked_fill(
            ~words[..., None], garbage
        )
        tags = torch.nn.functional.pad(gold[rows], (0, padding)).masked_fill(~words, -100)
        crf = LinearChainCRF(padded, transitions, lengths[rows])
        own, path = torch.where(labelled[rows], lengths[rows], 0), crf.viterbi()
        counts.update(crf, path, tags, own, languages[rows], scores.both(path, tags, own))
        return counts.compute()

    whole = counted([0, 1, 2, 3], 0, 0.0)
    alone = counted([0, 1], 3, 99.0)
    assert list(whole) == ["de", "en"]
    assert [sum(whole[code]["words"]["count"]) for code in whole] == [3, 5]
    for code, unit, name in itertools.product(
        whole, ("words", "entities"), ("count", "confidence", "correct")
    ):
        assert whole[code][unit][name] == pytest.approx(alone[code][unit][name], abs=1e-5)


def test_halves_add_up_to_the_last_digit() -> None:
    torch.manual_seed(4)
    crf = LinearChainCRF(torch.randn(30, 7, 2), torch.randn(2, 2), torch.full((30,), 7))
    gold, languages = torch.randint(2, (30, 7)), torch.randint(2, (30,))
    path, marginals = crf.viterbi(), crf.marginals

    def counted(rows: list[slice]) -> ConfidenceCounts:
        counts = ConfidenceCounts(NV, ["de", "en"])
        for row in rows:
            part = copy.copy(crf)
            part._recursions = type("Recursions", (), {"marginals": marginals[row]})
            lengths = torch.full((len(path[row]),), 7)
            counts.update(part, path[row], gold[row], lengths, languages[row], None)
        return counts

    one = counted([slice(0, 30)])
    first, second = counted([slice(17, 30)]), counted([slice(0, 5), slice(5, 17)])
    first.merge_state(second)
    assert first.words.dtype == torch.int64
    assert first.compute() == one.compute()


def test_a_tagger_without_finite_weights_has_counts_all_the_same() -> None:
    counts = ConfidenceCounts(NV, ["en"])
    crf = LinearChainCRF(torch.full((1, 2, 2), torch.nan), torch.zeros(2, 2), torch.tensor([2]))
    count(counts, crf, torch.tensor([[0, 1]]), torch.tensor([2]), torch.tensor([0]))
    found = Calibration.model_validate({"languages": counts.compute()}).languages["en"]
    assert (found.words.count[0], found.words.confidence[0]) == (2, 0.0)
    assert 87 < found.log_loss < 88


# -- files and report -----------------------------------------------------------------------------------------


def shown(section: Section | None) -> dict[str, Table | Plot]:
    assert section
    return {
        f"{type(item).__name__} {item.name}": item for item in section.content if not isinstance(item, str)
    }


def test_the_file_is_written_whole_and_read_again(tmp_path: Path) -> None:
    counts = ConfidenceCounts(NV, ["de", "en"])
    count(counts, independent([[0.9, 0.3]]), torch.tensor([[0, 0]]), torch.tensor([2]), torch.tensor([1]))
    written, folder = Calibration.model_validate({"languages": counts.compute()}), RunFolder(tmp_path)
    assert Calibration.read(folder) is None
    written.save(folder)
    assert Calibration.read(folder) == written
    assert list(written.languages) == ["en"]  # nothing was tested in German
    found = json.loads(folder.calibration.read_text())
    found["languages"]["en"]["words"]["correct"][13] = 2
    folder.calibration.write_text(json.dumps(found))
    with pytest.raises(ValueError, match=r"^2 right, of a confidence of 0\.9, among 1$"):
        Calibration.read(folder)
    del found["languages"]["en"]["words"]["count"]
    folder.calibration.write_text(json.dumps(found))
    with pytest.raises(ValueError, match=r"^languages\.en\.words\.count: Field required$"):
        Calibration.read(folder)


def test_the_section_has_macro_means_over_languages_and_deviations_over_seeds(tmp_path: Path) -> None:
    runs = make_peers(
        make_runs(tmp_path, **SMALL), languages=SMALL["languages"], sentences=SMALL["sentences"]
    )
    items = shown(calibration.section(gather(runs, "wikiann")))
    assert list(items) == [
        "Table calibration",
        "Table calibration-languages",
        "Plot calibration-words",
        "Plot calibration-entities",
    ]
    table = items["Table calibration"]
    assert isinstance(table, Table)
    assert table.columns == ["", "word ECE", "entity ECE", "log loss", "seeds"]
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["crfsuite (peer)"] == ["–", "–", "–", ""]
    means = []
    for seed in (1, 2, 3):
        found = json.loads((runs / f"wikiann/topk/seed{seed}/calibration.json").read_text())["languages"]
        errors = []
        for code in ("de", "en"):
            bins = found[code]["entities"]
            gaps = np.abs(np.array(bins["correct"]) - np.array(bins["confidence"]))
            errors.append(gaps.sum() / sum(bins["count"]))
        means.append(np.mean(errors))
    assert rows["topk"][1] == f"{100 * np.mean(means):.2f} ± {100 * np.std(means, ddof=1):.2f}"
    assert rows["topk"][3] == "3"
    assert rows["teachers"][3] == ""
    assert max(map(len, table.markdown().splitlines()[2:-2])) < 80


def test_runs_of_earlier_versions_have_dashes_and_parts_are_marked(tmp_path: Path) -> None:
    runs = make_runs(tmp_path, **SMALL)
    for seed in (1, 2, 3):
        (runs / f"wikiann/none/seed{seed}/calibration.json").unlink()
    (runs / "wikiann/teachers/de/calibration.json").unlink()
    (runs / "wikiann/topk/seed1/calibration.json").write_text("{}")
    wrong = runs / "wikiann/topk/seed2/calibration.json"
    wrong.write_text((runs / "wikiann/posterior/seed2/calibration.json").read_text())
    findings = gather(runs, "wikiann")
    table = shown(calibration.section(findings))["Table calibration"]
    assert isinstance(table, Table)
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["none (baseline)"] == ["–", "–", "–", ""]
    assert all(cell.endswith("*") for cell in rows["teachers"][:3])
    assert rows["topk"][3] == "1"
    assert "±" not in rows["topk"][0]
    assert table.notes[-1].startswith("* ")
    assert [note.partition(" (")[0] for note in findings.notes] == [
        "topk/seed1/calibration.json: not readable",
        "topk/seed2/calibration.json: not readable",
    ]
    for file in runs.glob("wikiann/*/*/calibration.json"):
        file.unlink()
    assert calibration.section(gather(runs, "wikiann")) is None


def test_without_entities_there_are_words_alone(tmp_path: Path) -> None:
    runs = make_runs(tmp_path / "runs", **{**SMALL, "metric": "accuracy"})
    findings = gather(runs, "wikiann")
    items = shown(calibration.section(findings))
    assert list(items) == ["Table calibration", "Table calibration-languages", "Plot calibration-words"]
    assert "calibration" in [section.name for section in make_sections(findings)]
    write_report(runs, "wikiann", tmp_path / "report")
    header = (tmp_path / "report/calibration-languages.csv").read_text().partition("\n")[0]
    assert header.startswith("system,language,word_ece,word_ece_deviation,log_loss")
    assert (tmp_path / "report/calibration-words.png").is_file()
