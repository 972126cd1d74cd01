"""How sure taggers are against how often they are right: the file of a run, and the section of the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from made_up_runs import SMALL, make_peers, make_runs

from skd_lightning.crf import LinearChainCRF
from skd_lightning.display.style import Plot
from skd_lightning.display.table import Table
from skd_lightning.report.findings import Section, gather
from skd_lightning.report.sections import calibration
from skd_lightning.report.write import make_sections, write_report
from skd_lightning.run_folder import RunFolder
from skd_lightning.runs.calibration import Calibration
from skd_lightning.taggers.confidences import ConfidenceCounts
from skd_lightning.tags import TagSet

pytestmark = pytest.mark.usefixtures("few_resamples")


def shown(section: Section | None) -> dict[str, Table | Plot]:
    assert section
    return {
        f"{type(item).__name__} {item.name}": item for item in section.content if not isinstance(item, str)
    }


def test_the_file_is_written_whole_and_read_again(tmp_path: Path) -> None:
    counts = ConfidenceCounts(TagSet.of(["N", "V"], "none"), ["de", "en"], well_formed=True)
    words, probabilities = torch.tensor([2]), torch.tensor([[[0.9, 0.1], [0.3, 0.7]]])
    crf = LinearChainCRF(probabilities.log(), torch.zeros(2, 2), words)
    counts.update(crf, crf.viterbi(), torch.tensor([[0, 0]]), words, torch.tensor([1]))
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


def test_a_peer_stands_beside_the_students_with_what_it_knows(tmp_path: Path) -> None:
    of_small = {"languages": SMALL["languages"], "sentences": SMALL["sentences"]}
    runs = make_peers(make_runs(tmp_path, **SMALL), **of_small)
    folder = runs / "wikiann/peers/spacy/seed1"
    found = {}
    for language, row in json.loads((folder / "results.json").read_text())["languages"].items():
        words, correct = row["words"], round(row["accuracy"] * row["words"])
        bins = {
            "count": [0] * 14 + [words],
            "confidence": [0] * 14 + [words],
            "correct": [0] * 14 + [correct],
        }
        found[language] = {"words": bins, "entities": bins}  # sure of everything, and no log loss
    (folder / "calibration.json").write_text(json.dumps({"languages": found}))
    findings = gather(runs, "wikiann")
    items = shown(calibration.section(findings))
    table = items["Table calibration"]
    assert isinstance(table, Table)
    rows = {row[0]: row[1:] for row in table.rows}
    wrong = [1 - sum(row["words"]["correct"]) / sum(row["words"]["count"]) for row in found.values()]
    assert rows["spacy (peer)"] == [f"{100 * np.mean(wrong):.2f}"] * 2 + ["–", "1"]
    assert rows["crfsuite (peer)"] == ["–", "–", "–", ""]
    plot = items["Plot calibration-entities"]
    assert isinstance(plot, Plot)
    assert "spacy (peer)" in plot.svg
    assert findings.notes == []
    found["de"]["words"] = found["en"]["words"]
    (folder / "calibration.json").write_text(json.dumps({"languages": found}))
    findings = gather(runs, "wikiann")
    calibration.section(findings)
    assert findings.notes[0].startswith("spacy/seed1/calibration.json: not readable (not of results.json")


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


@pytest.mark.filterwarnings("error")
def test_a_handful_of_words_is_drawn_without_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No bin has enough of them to be drawn."""
    runs = make_runs(tmp_path / "runs", **SMALL)
    monkeypatch.setattr(calibration, "FEWEST", 10**9)
    assert "Plot calibration-words" in shown(calibration.section(gather(runs, "wikiann")))
