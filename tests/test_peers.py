"""Peers: other libraries on the sentences of a suite, as rows of the report and as scripts that train them."""

import importlib
import json
import shutil
import sys
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pytest
from made_up_runs import SMALL, make_peers, make_runs

from skd_lightning.analysis import tagged_words
from skd_lightning.analysis.collection import read_task
from skd_lightning.analysis.comparison import on_trained_languages
from skd_lightning.data.module import TaggingData
from skd_lightning.report.findings import gather
from skd_lightning.report.sections import cost, differences, entity_types
from skd_lightning.report.sections.scores import brief_table, scores_table
from skd_lightning.report.write import print_scores, write_report
from skd_lightning.run_folder import RunFolder, peer_folder
from skd_lightning.runs.calibration import Calibration
from skd_lightning.runs.record import PeerResults
from skd_lightning.tags import TagSet

PEERS = Path(__file__).parent.parent / "experiments" / "peers"
OF_SMALL = {"languages": SMALL["languages"], "sentences": SMALL["sentences"]}


pytestmark = pytest.mark.usefixtures("few_resamples")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return make_peers(make_runs(tmp_path / "runs", zeroshot=("nl",), **SMALL), **OF_SMALL)


def scores_of(runs: Path, name: str, seed: int) -> float:
    return float(json.loads(peer_folder(runs, "wikiann", name, seed).results.read_text())["average"])


def test_peers_stand_after_the_teachers_and_are_never_bold(runs: Path) -> None:
    found = on_trained_languages(read_task(runs, "wikiann"))
    table = scores_table(found, "table", "")
    names = [row[0] for row in table.rows]
    assert names == ["teachers", "crfsuite (peer)", "spacy (peer)", "none (baseline)", "topk", "posterior"]
    cells = {row[0]: row[1:] for row in table.rows}
    assert cells["crfsuite (peer)"][2:] == [f"{100 * scores_of(runs, 'crfsuite', 1):.2f}", "1"]
    both = [100 * scores_of(runs, "spacy", seed) for seed in (1, 2)]
    assert cells["spacy (peer)"][2:] == [f"{fmean(both):.2f} ± {stdev(both):.2f}", "2"]
    assert found.students == ["none", "topk", "posterior"]
    assert found.best() in found.students
    assert found.average("crfsuite (peer)") > found.average(found.best() or "")
    assert not {row for row, _ in table.strong} & {1, 2}
    assert any(note.startswith("Peers:") for note in table.notes)


def test_the_table_of_the_terminal_has_their_cpu_seconds(runs: Path) -> None:
    task = read_task(runs, "wikiann")
    table = brief_table(task, on_trained_languages(task), "")
    cells = {row[0]: row[-2:] for row in table.rows}
    assert cells["crfsuite (peer)"] == ["1", "13"]
    assert cells["spacy (peer)"] == ["2", "14"]
    assert not {row for row, _ in table.strong} & {1, 2}


def test_differences_of_peers_to_the_baseline(runs: Path) -> None:
    findings = gather(runs, "wikiann")
    section = differences.section(findings)
    assert section
    tables = {item.name: item for item in section.content if hasattr(item, "rows")}
    assert [row["system"] for row in tables["peers"].data] == ["crfsuite (peer)", "spacy (peer)"]
    row = tables["peers"].data[0]
    gain = scores_of(runs, "crfsuite", 1) - findings.trained.average("none")
    assert row["difference"] == pytest.approx(gain)
    assert row["p"] is not None
    assert not tables["peers"].strong
    assert [row["system"] for row in tables["baseline"].data] == ["topk", "posterior"]
    assert {row["system"] for row in tables["differences"].data} == {
        "crfsuite (peer)", "spacy (peer)", "topk", "posterior"
    }  # fmt: skip
    assert not {row for row, _ in tables["differences"].strong} & {0, 1}


def test_cost_and_types_of_peers(runs: Path) -> None:
    findings = gather(runs, "wikiann")
    table = cost.peers_table(findings.runs)
    assert table
    words = sum(
        row["words"]
        for row in json.loads(peer_folder(runs, "wikiann", "crfsuite", 1).results.read_text())[
            "languages"
        ].values()
    )
    assert table.data[0]["words_per_second"] == pytest.approx(words / 0.5)
    assert table.data[0]["fit"] == 13.0
    section = entity_types.section(findings)
    assert section
    assert [row[0] for row in section.content[0].rows][:3] == ["teachers", "crfsuite (peer)", "spacy (peer)"]


def test_the_report_shows_them_and_takes_them_away_again(runs: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    shutil.copytree(runs, alone)
    shutil.rmtree(alone / "wikiann/peers")
    write_report(alone, "wikiann", tmp_path / "before")
    write_report(runs, "wikiann", tmp_path / "out")
    text = (tmp_path / "out/table.md").read_text()
    assert "- Against crfsuite (peer): " in text
    assert "crfsuite (peer)" in (tmp_path / "out/runs.csv").read_text()
    assert "Notes on the run folder" not in text
    write_report(alone, "wikiann", tmp_path / "out")
    for file in (tmp_path / "before").iterdir():
        assert file.read_bytes() == (tmp_path / "out" / file.name).read_bytes(), file.name
    assert len([*(tmp_path / "before").iterdir()]) == len([*(tmp_path / "out").iterdir()])


def test_colours_of_students_do_not_depend_on_peers(runs: Path) -> None:
    with_peers = gather(runs, "wikiann").looks
    shutil.rmtree(runs / "wikiann/peers")
    assert gather(runs, "wikiann").looks.items() <= with_peers.items()


def test_peers_alone_are_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_peers(tmp_path, **OF_SMALL)
    print_scores(tmp_path, "wikiann")
    assert "crfsuite (peer)" in capsys.readouterr().out
    write_report(tmp_path, "wikiann")
    assert (tmp_path / "wikiann/report/peers-cost.csv").is_file()


def test_a_peer_that_cannot_be_read_or_compared_is_named(runs: Path) -> None:
    peer_folder(runs, "wikiann", "crfsuite", 1).results.write_text("{")
    make_peers(runs, metric="accuracy", peers=(("spacy", (2,)),), **OF_SMALL)
    task = read_task(runs, "wikiann")
    assert list(task.peers) == ["spacy (peer)"]
    assert [peer.results.seed for peer in task.peers["spacy (peer)"]] == [1]
    assert task.notes[0].startswith("peers/crfsuite/seed1/results.json: not readable")
    assert task.notes[1] == "peers/spacy/seed2: scored by accuracy, the others by f1; left out"


def test_a_peer_of_other_test_sentences_has_no_interval_and_takes_none_away(runs: Path) -> None:
    shutil.rmtree(runs / "wikiann/teachers")
    make_peers(runs, peers=(("crfsuite", (1,)),), languages=("de", "en"), sentences=50)
    findings = gather(runs, "wikiann")
    assert findings.notes == [
        "crfsuite (peer): other test sentences in de, en than the rest; no bootstrap there"
    ]
    for name, certain in (("crfsuite (peer)", False), ("spacy (peer)", True), ("topk", True)):
        contrast = findings.trained.contrast(name, "none")
        assert contrast
        assert (contrast.certain is not None) == certain


# -- the scripts ------------------------------------------------------------------------------------------------


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PEERS))


SUITE = """
title: A small suite
tasks:
  {task}:
    languages: [en, de]
options:
  data.max_train_sentences: 40
  data.max_dev_sentences: 10
  data.remove_duplicates: true
variants:
  none:
"""


def trained(script: str, folder: Path, *words: str, task: str = "demo") -> PeerResults:
    """The record that a script writes for a small suite."""
    (folder / "suite.yaml").write_text(SUITE.format(task=task))
    module = importlib.import_module(script)
    sys.modules["peer"].main(
        module.PEER, [str(folder / "suite.yaml"), "--runs", str(folder / "runs"), *words]
    )
    results = PeerResults.read(peer_folder(folder / "runs", task, module.PEER.name, 1))
    assert results
    return results


def check(results: PeerResults, folder: Path) -> None:
    """The record, the counts and the matrix of a small suite tell of the same sentences."""
    place = peer_folder(folder / "runs", results.task, results.variant, 1)
    peers = read_task(folder / "runs", results.task).peers
    (found,) = peers[f"{results.variant} (peer)"]
    assert set(found.test.counts) == {"de", "en"}
    settings = {
        "task": "demo",
        "languages": ["en", "de"],
        "max_train_sentences": 40,
        "remove_duplicates": True,
    }
    data = TaggingData(**settings, max_dev_sentences=10)
    for language, row in results.languages.items():
        assert row.words == sum(len(s.words) for s in data.sentences["test"][language])
    assert np.load(place.confusion).sum() == sum(row.words for row in results.languages.values())
    words = tagged_words.read_tagged_words(found, [])
    assert set(words) == {"de", "en"}
    for language, tagged in words.items():
        (known, test) = (
            [word for s in data.sentences[x][language] for word in s.words] for x in ("train", "test")
        )
        assert tagged.seen.tolist() == [word in set(known) for word in test]
    assert tuple(results.tags) == data.tag_set.names
    assert results.seconds["fit"] > 0 < results.words_per_second
    assert results.parameters > 100


@pytest.mark.usefixtures("scripts")
def test_tags_become_numbers_and_unlabelled_sentences_do_not_count() -> None:
    peer = importlib.import_module("peer")
    from skd_lightning.data.sentence import Sentence
    from skd_lightning.errors import UserError

    tag_set = TagSet.of(["B-PER"], "bioes")
    test = [Sentence(("a", "b"), ("O", "S-PER")), Sentence(("c",))]
    predicted, gold, lengths = peer.as_numbers(tag_set, [["S-PER", "O"], ["O"]], test)
    assert lengths.tolist() == [2, 0]
    assert tag_set.decode(predicted[0].tolist()) == ("S-PER", "O")
    assert tag_set.decode(gold[0].tolist()) == ("O", "S-PER")
    with pytest.raises(UserError, match="1 tags for 2 words"):
        peer.as_numbers(tag_set, [["O"], ["O"]], test)


@pytest.mark.usefixtures("scripts")
def test_where_an_option_varies_each_value_has_its_own_models(tmp_path: Path) -> None:
    peer = importlib.import_module("peer")
    varied = SUITE.format(task="demo").replace("  data.max_train_sentences: 40\n", "")
    (tmp_path / "suite.yaml").write_text(varied + "vary: {data.max_train_sentences: [10, 20]}\n")
    sizes = []

    def learn_nothing(lesson: Any) -> Any:
        sizes.append(len(lesson.train))
        return peer.Model(lambda texts: [["O"] * len(words) for words in texts], 1, Path.touch)

    nobody = peer.Peer("nobody", "numpy", "peers", learn_nothing)
    peer.main(nobody, [str(tmp_path / "suite.yaml"), "--runs", str(tmp_path / "runs")])
    assert sizes == [10, 10, 20, 20]
    for value in ("10", "20"):
        assert peer_folder(tmp_path / "runs" / value, "demo", "nobody", 1).finished


@pytest.mark.usefixtures("scripts")
def test_what_is_not_installed_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    peer = importlib.import_module("peer")
    (tmp_path / "suite.yaml").write_text(SUITE.format(task="demo"))
    with pytest.raises(SystemExit) as stop:
        peer.main(peer.Peer("nobody", "no-such-library", "peers", print), [str(tmp_path / "suite.yaml")])
    assert stop.value.code == 2
    assert "no-such-library is not installed; pip install 'skd-lightning[peers]'" in capsys.readouterr().err


@pytest.mark.usefixtures("scripts")
def test_features_of_crfsuite() -> None:
    module = importlib.import_module("crfsuite_features")
    assert module.shape("Lincolnshire-2024") == "Xxxx-ddd"
    first = module.features(["Anna", "sleeps"])[0]
    assert {"word=Anna", "lower=anna", "prefix2=An", "suffix3=nna", "1:word=sleeps", "-1:none"} <= set(first)


@pytest.mark.usefixtures("scripts")
def test_crfsuite_learns_and_is_not_trained_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sklearn_crfsuite")
    results = trained("crfsuite_peer", tmp_path)
    check(results, tmp_path)
    assert results.average > 0.5
    written = peer_folder(tmp_path / "runs", "demo", "crfsuite", 1).results.stat().st_mtime_ns
    assert "finished" not in capsys.readouterr().out
    trained("crfsuite_peer", tmp_path)
    assert "crfsuite demo seed 1: finished" in capsys.readouterr().out
    assert RunFolder(tmp_path / "runs/demo/peers/crfsuite/seed1").results.stat().st_mtime_ns == written
    trained("crfsuite_peer", tmp_path, "--anew")
    assert RunFolder(tmp_path / "runs/demo/peers/crfsuite/seed1").results.stat().st_mtime_ns > written


@pytest.mark.usefixtures("scripts")
@pytest.mark.parametrize(("script", "library"), [("spacy_peer", "spacy"), ("flair_peer", "flair")])
def test_neural_peers_learn(
    script: str, library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(library)
    monkeypatch.setattr(importlib.import_module(script), "MOST", 2 if library == "flair" else 200)
    results = trained(script, tmp_path)
    check(results, tmp_path)
    sure = Calibration.read(peer_folder(tmp_path / "runs", "demo", results.variant, 1))
    assert (sure is not None) == (library == "spacy")
    for language, row in results.languages.items() if sure else ():
        found = sure.languages[language]
        assert found.log_loss is None
        assert found.entities
        assert sum(found.entities.count) == sum(x.predicted for x in results.types[language].values())
        right = sum(round(x.recall * x.support) for x in results.types[language].values())
        assert sum(found.entities.correct) == right
        assert sum(found.words.correct) == round(row.accuracy * row.words)
        # The greedy parse is nearly always in the beam, and most often its best.
        assert sum(found.words.confidence) > 0.9 * row.words
