"""The notebooks run, on runs of the demo task as small as can be; what they show is right."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import torch

import skd_lightning
from skd_lightning import explore
from skd_lightning.cli import main
from skd_lightning.crf import LinearChainCRF
from skd_lightning.data.demo import demo_corpus
from skd_lightning.data.overview import length_table, unknown_table
from skd_lightning.data.sentence import Sentence
from skd_lightning.display.style import Plot

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
QUICK = """
--trainer.enable_progress_bar false --trainer.max_epochs 2 --model.context.hidden_size 16 --model.embedder.buckets 2048
--data.max_train_sentences 60
""".split()
STUDENTS = (
    ("none", "none", None),
    ("topk", "topk-k1", 1),
    ("topk", "topk", 3),
    ("structural", "structural", None),
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two teachers and four students."""
    folder = tmp_path_factory.mktemp("notebooks") / "runs"
    common = ["--runs", str(folder), "--task", "demo", "--langs", "de", "en", *QUICK]
    main(["teachers", *common])
    for loss, name, k in STUDENTS:
        options = [] if k is None else ["--model.objective.k", str(k)]
        main(["distill", *common, "--loss", loss, "--name", name, *options])
    return folder


def run(notebook: Path, runs: Path) -> subprocess.CompletedProcess:
    environment = {**os.environ, "SKD_RUNS": str(runs)}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbmake",
        "--override-ini",
        "addopts=",
        "-p",
        "no:cacheprovider",
    ]
    return subprocess.run([*command, notebook], env=environment, capture_output=True, text=True, check=False)


def test_there_are_three() -> None:
    assert len(NOTEBOOKS) == 3


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_from_top_to_bottom(notebook: Path, runs: Path) -> None:
    done = run(notebook, runs)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("notebook", NOTEBOOKS[1:], ids=lambda path: path.stem)
def test_says_in_a_line_that_there_are_no_runs(notebook: Path, tmp_path: Path) -> None:
    done = run(notebook, tmp_path)
    assert done.returncode == 1
    assert "skd: error: " in done.stdout
    assert str(tmp_path) in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_committed_without_outputs(notebook: Path) -> None:
    content = nbformat.read(notebook, as_version=4)
    nbformat.validate(content)
    for cell in content.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
            assert "def " not in cell.source  # functions come from the package, where they are tested


def test_a_taggers_distribution_is_what_it_predicts(runs: Path) -> None:
    tagger = skd_lightning.load(runs / "demo/teachers/en")
    sentences = [sentence.words for sentence in demo_corpus("en")["test"][:20]] + [()]
    crf = tagger.distribution(sentences)
    assert crf.lengths.tolist() == [len(words) for words in sentences]
    paths = tagger.decode(crf)
    probabilities = crf.log_prob(paths).exp()
    for i, prediction in enumerate(tagger.predict(sentences)):
        assert tagger.tag_set.decode(paths[i, : len(sentences[i])].tolist()) == prediction.tags
        assert probabilities[i].item() == pytest.approx(prediction.probability, rel=1e-4)
    assert not crf.entropy().requires_grad


def small() -> LinearChainCRF:
    generator = torch.Generator().manual_seed(3)
    return LinearChainCRF(
        torch.randn(1, 3, 2, generator=generator), torch.randn(2, 2, generator=generator), torch.tensor([3])
    )


def test_kbest_table_against_all_sequences() -> None:
    crf, words, tags = small(), ["a", "b", "a"], ["X", "Y"]
    paths = torch.tensor(list(itertools.product(range(2), repeat=3)))
    probabilities = crf.log_prob(paths[None])[0].exp().sort(descending=True)
    table = explore.kbest_table(crf, words, tags, k=20)
    assert len(table) == 8  # there are no more
    assert list(table.columns) == ["probability", "cumulative", "weight", *words]
    assert table["probability"].tolist() == pytest.approx(probabilities.values.tolist())
    assert table["cumulative"].iloc[-1] == pytest.approx(1)
    best, second = ([tags[tag] for tag in paths[i].tolist()] for i in probabilities.indices[:2])
    assert table.iloc[0, 3:].tolist() == best
    assert table.iloc[1, 3:].tolist() == ["·" if a == b else b for a, b in zip(best, second, strict=True)]
    three = explore.kbest_table(crf, words, tags, k=3)
    assert three["weight"].sum() == pytest.approx(1)
    assert three["weight"].tolist() == pytest.approx(
        (probabilities.values[:3] / probabilities.values[:3].sum()).tolist()
    )


def test_posterior_map_shows_the_marginals_and_frames_gold_tags() -> None:
    crf = small()
    table = explore.posterior_table(crf, ["a", "b", "c"], ["X", "Y"])
    assert list(table.index) == ["X", "Y"]
    torch.testing.assert_close(torch.tensor(table.to_numpy()), crf.marginals[0].T)
    frame = "#d05a00"
    sentence = Sentence(("a", "b", "c"), ("X", "X", "Z"), "en")  # the tagger does not know Z
    shown = explore.posterior_map(crf, sentence, ["X", "Y"], "Teacher")
    assert shown.svg.count(frame) == 2
    share = f">{100 * crf.marginals[0, 0, 0]:.0f}</text>"
    assert share in shown.svg
    assert explore.posterior_map(crf, Sentence(("a", "b", "c")), ["X", "Y"], "Teacher").svg.count(frame) == 0


def test_temperature_in_both_ways() -> None:
    crf = small()
    table = explore.tempered_table(crf, 1, ["X", "Y"], [1, 2])
    marginals = crf.marginals[0, 1]
    for name in ("as it is", "marginals, T = 1", "potentials, T = 1"):
        assert table.loc[name].tolist() == pytest.approx(marginals.tolist(), rel=1e-5)
    soft = marginals.sqrt() / marginals.sqrt().sum()
    assert table.loc["marginals, T = 2"].tolist() == pytest.approx(soft.tolist())
    assert table.loc["potentials, T = 2"].tolist() == pytest.approx(crf.tempered(2).marginals[0, 1].tolist())
    assert table.loc["potentials, T = 2"].tolist() != pytest.approx(soft.tolist(), rel=1e-3)


def test_mass_is_the_mean_over_sentences() -> None:
    emissions = torch.tensor([[[0.0, 0.0]], [[3.0, 0.0]]])
    crf = LinearChainCRF(emissions, torch.zeros(2, 2), torch.tensor([1, 1]))
    table = explore.mass_table({"both": crf}, k=3)
    sure = torch.tensor(3.0).sigmoid().item()
    assert table["both"].tolist() == pytest.approx([(0.5 + sure) / 2, 1, 1])
    assert ">both</text>" in explore.show_mass(table).svg


def words(text: str) -> Sentence:
    return Sentence(tuple(text.split()))


CORPUS = {
    "aa": {"train": [words("a b"), words("a b c d")], "test": [words("a x y z")]},
    "bb": {"train": [words("x y")], "test": [words("x"), words("q")]},
    "cc": {"train": [], "test": [words("q")]},
}


def test_lengths_and_unknown_words_counted_by_hand() -> None:
    lengths = length_table(CORPUS, [0.0, 0.5, 1.0])
    assert lengths.loc[("aa", "train")].tolist() == [2, 3, 4]
    assert ("cc", "train") not in lengths.index
    unknown = unknown_table(CORPUS, "test")
    assert unknown.to_dict("index") == {"aa": {"own": 0.75, "all": 0.25}, "bb": {"own": 0.5, "all": 0.5}}


def test_figures_of_corpora() -> None:
    languages = {
        language: demo_corpus(language, {"train": 20, "dev": 5, "test": 9}) for language in ("de", "en")
    }
    for plot in (explore.sentence_lengths(languages), explore.unknown_words(languages)):
        assert {f">{language}</text>" in plot.svg for language in languages} == {True}
    shares = explore.tag_shares(languages)
    assert ">PER</text>" in shares.svg
    assert ">language</text>" in shares.svg


def test_a_notebook_shows_a_plot_with_title_and_caption() -> None:
    plot = explore.heat_map(pd.DataFrame([[0.25]], ["a"], ["b"]), 'Tags of "<b>"', "How to read it.")
    assert isinstance(plot, Plot)
    shown = plot._repr_html_()
    assert "Tags of &quot;&lt;b&gt;&quot;" in shown
    assert "How to read it." in shown
    assert "data:image/png;base64," in shown
