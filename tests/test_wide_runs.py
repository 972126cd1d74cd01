"""Taggers with a CRF of sparse features: the pool of both experts, from training to prediction."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from small_corpus import write_corpus
from small_runs import SMALL, refused

import skd_lightning
from skd_lightning.cli import main
from skd_lightning.data.batches import SentenceDataset
from skd_lightning.data.sentence import Sentence
from skd_lightning.encoders import BiLSTM, NgramEmbedder, NoContext, NoEmbedder
from skd_lightning.run_folder import RunFolder
from skd_lightning.runs.record import Results
from skd_lightning.taggers import Tagger, experts
from skd_lightning.taggers.wide import Wide
from skd_lightning.taggers.wide_fit import fit_wide

TAGS = ["O", "B-X", "I-X"]
SENTENCES = [["Anna", "lives", "in", "Lincoln", "."], [], ["Hi"]]
LEARNT = [
    Sentence(("Anna", "lives"), ("B-X", "O"), "en"),
    Sentence(("Anna", "wohnt"), ("O", "O"), "de"),
    Sentence(("New", "York"), ("B-X", "I-X"), "en"),
]


def tagger(network: bool = True, of_languages: bool = True) -> Tagger:
    torch.manual_seed(0)
    embedder, context = (NgramEmbedder(4, 64), BiLSTM(4)) if network else (NoEmbedder(), NoContext())
    made = Tagger(TAGS, "iob2", ["de", "en"], embedder, context, Wide(of_languages=of_languages))
    made.learn_vocabulary([s.words for s in LEARNT], [s.language for s in LEARNT])
    assert made.wide is not None
    fit_wide(made.wide, LEARNT, made.tag_set)
    return made.eval()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus of two languages."""
    folder = tmp_path_factory.mktemp("home")
    write_corpus(folder / "mine", ("de", "en"), {"train": 60, "dev": 20, "test": 20})
    return folder


def skd(home: Path, command: str, *options: str) -> None:
    main([command, "--runs", str(home / "runs"), "--task", "mine", "--data", str(home), *options])


def test_a_tagger_is_the_product_of_its_experts() -> None:
    """p ∝ p_network^0.7 · p_wide^0.3, path by path."""
    both = tagger()
    assert both.wide is not None
    both.wide.share.fill_(0.3)
    dataset = SentenceDataset([Sentence(("Anna", "in", "York"), language="en")], both.featurizer, ["en"])
    batch = dataset.__getitems__([0])
    paths = torch.cartesian_prod(*3 * [torch.arange(3)]).unsqueeze(0)
    inputs = {name.removeprefix("1."): value for name, value in batch.inputs.items()}
    with torch.inference_mode():
        network = experts.network(both, batch).log_prob(paths)
        wide = both.wide(inputs, batch.lengths).log_prob(paths)
        pool = both(batch).log_prob(paths)
    expected = (0.7 * network + 0.3 * wide).log_softmax(-1)
    assert torch.allclose(pool.exp(), expected.exp(), atol=1e-5)
    assert not torch.allclose(pool.exp(), network.exp(), atol=1e-2)
    crf = both.distribution([["Anna", "in", "York"]], "en")
    assert torch.allclose(crf.log_prob(paths).exp(), pool.exp(), atol=1e-5)


def test_training_moves_the_network_alone() -> None:
    both = tagger()
    dataset = SentenceDataset(LEARNT, both.training_featurizer, ["de", "en"], both.tag_set)
    batch = dataset.__getitems__([0, 1, 2])
    both.losses(experts.network(both, batch), batch).mean().backward()
    moved = {name.partition(".")[0] for name, weight in both.named_parameters() if weight.grad is not None}
    assert moved == {"encoder", "head"}


def test_the_language_of_a_sentence_matters_where_features_belong_to_languages() -> None:
    own = tagger(network=False)
    english, german = (own.predict([["Anna", "lives"]], language)[0] for language in ("en", "de"))
    assert english.tags[0] == "B-X"
    assert 1 - english.confidences[0] < (1 - german.confidences[0]) / 2
    assert own.predict(2 * [["Anna", "lives"]], ["en", "de"]) == [english, german]
    with pytest.warns(
        UserWarning, match="language of a sentence is not given .* tagger of de, en: it uses what"
    ):
        unknown = own.predict([["Anna", "lives"]])[0]
    with pytest.warns(UserWarning, match="the language fr is unknown to this tagger of de, en"):
        assert own.predict([["Anna", "lives"]], "fr")[0] == unknown
    assert unknown not in (english, german)
    with pytest.raises(skd_lightning.errors.UserError, match="2 languages for 1 sentences"):
        own.predict([["Anna"]], ["en", "de"])
    shared = tagger(network=False, of_languages=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert shared.predict([["Anna"]]) == shared.predict([["Anna"]], "de")


def test_a_linear_tagger_is_trained_saved_and_loaded(home: Path, capsys: pytest.CaptureFixture) -> None:
    skd(home, "distill", "--loss", "none", "--recipe", "linear", "--trainer.enable_progress_bar", "false")
    assert "features fitted in" in capsys.readouterr().out
    folder = RunFolder(home / "runs/mine/linear-none/seed1")
    results = Results.read(folder)
    assert results is not None
    assert results.average > 0.7
    loaded = skd_lightning.load(folder.path)
    assert loaded.wide is not None
    assert results.parameters == sum(weight.numel() for weight in loaded.parameters())
    assert len(loaded.wide.keys) > 1000
    assert loaded.wide.weight.abs().max() > 0.1
    assert loaded.predict(SENTENCES, "en")[0].tags == ("S-PER", "O", "O", "S-LOC", "O")
    with pytest.raises(AssertionError):
        torch.testing.assert_close(
            loaded.predict_emissions(SENTENCES, language="de"),
            loaded.predict_emissions(SENTENCES, language="en"),
        )
    before = loaded.fingerprint()
    loaded.wide.weight[0, 0] += 1
    assert loaded.fingerprint() != before


def test_teachers_with_features_teach_a_student_and_a_resumed_training_keeps_them(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skd(home, "teachers", *SMALL, "--trainer.max_epochs", "2")
    options = ("--loss", "posterior", *SMALL, "--trainer.max_epochs", "3")
    skd(home, "distill", *options)
    whole = skd_lightning.load(home / "runs/mine/posterior/seed1")

    def stop(self: Tagger) -> None:
        if self.current_epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(skd_lightning.taggers.Student, "on_train_epoch_start", stop, raising=False)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        skd(home, "distill", *options, "--seed", "1", "--anew")
    monkeypatch.undo()
    fits: list[object] = []
    monkeypatch.setattr(
        "skd_lightning.taggers.tagger.fit_to_data", lambda *given: fits.append(given)
    )  # the cache would hide a fit
    skd(home, "distill", *options)
    assert not fits
    again = skd_lightning.load(home / "runs/mine/posterior/seed1")
    for name, weight in whole.state_dict().items():
        assert torch.equal(again.state_dict()[name], weight), name


def test_settings_that_cannot_be_are_refused(home: Path, capsys: pytest.CaptureFixture) -> None:
    start = ("teachers", "--runs", str(home / "none"), "--task", "mine", "--data", str(home))
    assert "l2 is -1.0, it must be above 0" in refused(capsys, *start, "--model.wide.l2", "-1")
    assert "iterations" in refused(capsys, *start, "--model.wide.iterations", "many")
    nothing = ["--model.embedder", "NoEmbedder", "--model.context", "NoContext", "--model.wide", "null"]
    assert "reads no word" in refused(capsys, *start, *nothing)
