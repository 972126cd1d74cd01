"""A command that is refused leaves everything as it was; a finished run is never the price of a mistake."""

import shutil
from pathlib import Path

import pytest
from small_corpus import write_corpus
from small_runs import QUICK, refused

from skd_lightning.cli import main
from skd_lightning.run_folder import RunFolder
from skd_lightning.runs import execution
from skd_lightning.storage import alone_in

LANGUAGES = ("de", "en")
SIZES = {"train": 30, "dev": 10, "test": 10}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus, two teachers and a finished student of both."""
    folder = tmp_path_factory.mktemp("trained")
    write_corpus(folder / "mine", (*LANGUAGES, "fi"), SIZES)
    skd(folder, "teachers", "--langs", *LANGUAGES)
    skd(folder, "distill", "--langs", *LANGUAGES)
    return folder


@pytest.fixture
def home(trained: Path, tmp_path: Path) -> Path:
    """A copy of it, to spoil."""
    shutil.copytree(trained, tmp_path / "home")
    return tmp_path / "home"


def skd(home: Path, command: str, *options: str) -> None:
    main([command, "--runs", str(home / "runs"), "--task", "mine", "--data", str(home), *options, *QUICK])


def state(folder: Path) -> dict[str, bytes]:
    """Every file, but for locks."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and "lock" not in path.name]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    ("split", "message"), [("train", "no training sentence"), ("dev", "no dev sentences")]
)
def test_a_baseline_needs_tags_to_learn_from_and_to_choose_by(
    split: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """A corpus may leave sentences without tags; without a score, the first weights would pass for the best."""
    tagged = "1\tred\t_\tADJ\t_\t_\t_\t_\t_\t_\n2\thouse\t_\tNOUN\t_\t_\t_\t_\t_\t_\n\n"
    bare = tagged.replace("ADJ", "_").replace("NOUN", "_")
    (tmp_path / "mine/en").mkdir(parents=True)
    for name in ("train", "dev", "test"):
        (tmp_path / f"mine/en/{name}.conllu").write_text((bare if name == split else tagged) * 4)
    place = ["--runs", str(tmp_path / "runs"), "--task", "mine", "--data", str(tmp_path)]
    line = refused(capsys, "distill", "--loss", "none", *place, *QUICK)
    assert message in line
    assert "tags" in line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--langs", "de", "en", "fi"], "no teacher for language 'fi'"),
        (["--langs", "de", "en", "--data.scheme", "iob1"], "scheme"),
        (["--langs", "de", "en", "--data.seed", "-1"], "--data.seed is -1"),
        (["--langs", "de", "en", "--trainer.devices", "1000000"], "--trainer.devices is 1000000"),
        (["--langs", "de", "xx"], "xx"),
        (
            ["--langs", "de", "en", "--data.text_only", '["de", "en"]'],
            "text_only names all languages, de, en",
        ),
        (["--langs", "de", "en", "--distillation.most_disagreement", ".nan"], "most_disagreement is nan"),
        (["--langs", "de", "en", "--distillation.most_entropy", "-1"], "most_entropy is -1.0"),
        (
            [
                *("--langs", "de", "en", "--model.embedder.sparse", "true"),
                *("--model.optimization.optimizer", "sgd"),
            ],
            "sgd cannot decay weights with sparse gradients",
        ),
        (["--langs", "de", "en", "--teachers", "runs/none", "runs/nothing"], "no teacher for language"),
    ],
)
def test_a_refused_command_changes_nothing(
    home: Path, options: list[str], message: str, capsys: pytest.CaptureFixture
) -> None:
    before = state(home / "runs")
    common = ["distill", "--runs", str(home / "runs"), "--task", "mine", "--data", str(home), *QUICK]
    assert message in refused(capsys, *common, *options)
    assert message in refused(capsys, *common, *options, "--name", "fresh")
    after = state(home / "runs")
    assert {name: after.get(name) for name in before} == before
    assert not [name for name in after.keys() - before.keys() if "cache" not in name]


def test_a_run_that_would_be_its_own_teacher_is_refused(home: Path, capsys: pytest.CaptureFixture) -> None:
    before = state(home / "runs")
    sources = [str(home / "runs/mine/teachers"), str(home / "runs/mine/../mine/topk/seed1")]
    common = ["distill", "--runs", str(home / "runs"), "--task", "mine", "--data", str(home), *QUICK]
    line = refused(capsys, *common, "--langs", *LANGUAGES, "--teachers", *sources)
    assert "its own teacher" in line
    assert "--name" in line
    assert state(home / "runs") == before


def test_a_finished_run_stays_until_its_successor_has_finished(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder(home / "runs/mine/topk/seed1")
    before = state(folder.path)

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(execution, "_write_results", stopped)
        with pytest.raises(SystemExit):
            skd(home, "distill", "--langs", *LANGUAGES, "--model.objective.k", "2")
    assert folder.successor.best.is_file()
    assert {name: content for name, content in state(folder.path).items() if name in before} == before
    skd(home, "distill", "--langs", *LANGUAGES, "--model.objective.k", "2")
    assert state(folder.previous.path) == before
    assert "k: 2" in folder.config.read_text()
    assert "next" not in folder.config.read_text()
    assert not folder.successor.path.exists()


def test_a_run_that_another_process_has_just_finished_is_not_trained_again(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    folder = trained / "runs/mine/topk/seed1"
    before = state(folder)
    shutil.move(folder, tmp_path / "aside")

    def late(path: Path, *below: str, wait: bool = True):
        if not folder.exists():
            shutil.copytree(tmp_path / "aside", folder)
        return alone_in(path, *below, wait=wait)

    monkeypatch.setattr(execution, "alone_in", late)
    skd(trained, "distill", "--langs", *LANGUAGES)
    assert "already trained with this configuration" in " ".join(capsys.readouterr().out.split())
    assert state(folder) == before


@pytest.mark.parametrize("command", ["test", "validate", "predict", "fit"])
def test_lightnings_commands_leave_a_finished_run_alone(
    trained: Path,
    tmp_path: Path,
    command: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    """With the run's own configuration, which names the run's folder as its output."""
    monkeypatch.chdir(tmp_path)
    for run in ("teachers/de", "topk/seed1"):
        folder = RunFolder(trained / "runs/mine" / run)
        before = state(folder.path)
        words = [command, "--config", str(folder.config)]
        refused(capsys, *words, "--ckpt_path", str(tmp_path / "nothing.ckpt"))
        assert state(folder.path) == before
        main([*words, *(["--ckpt_path", str(folder.best)] if command != "fit" else [])])
        assert state(folder.path) == before
        assert f"writes to runs/{command}" in capsys.readouterr().err
    skd(trained, "distill", "--langs", *LANGUAGES)
    assert "already trained" in " ".join(capsys.readouterr().out.split())
