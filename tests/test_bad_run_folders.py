"""Run folders that are damaged, in the way, or of a stranger: one line, nothing lost, and nothing of theirs is run."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_corpus import write_corpus
from small_runs import QUICK, Killed, refused

import skd_lightning
from skd_lightning.cli import main
from skd_lightning.run_folder import RunFolder
from skd_lightning.runs import lightning_cli
from skd_lightning.runs.resuming import LastState
from skd_lightning.storage import alone_in, remove
from skd_lightning.taggers import Tagger

TEACHER, STOPPED = Path("runs/mine/teachers/de"), Path("runs/mine/none/seed1")


def words(command: str, *options: str) -> list[str]:
    return [command, "--runs", "runs", "--task", "mine", "--data", ".", *options, *QUICK]


TEACH = words("teachers", "--langs", "de")
LEARN = words("distill", "--langs", "de", "--loss", "topk")
GO_ON = words("distill", "--langs", "de", "--loss", "none", "--data.tokens", "60")
EVALUATE = ["zeroshot", str(TEACHER), "--runs", "runs", "--task", "mine", "--data", ".", "--langs", "fi"]
EXPORT = ["export", str(TEACHER), "saved"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus, a teacher, a student of it, and a training that was stopped on its way."""
    folder = tmp_path_factory.mktemp("made")
    write_corpus(folder / "mine", ("de", "fi"), {"train": 30, "dev": 10, "test": 10})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        main(TEACH)
        main(LEARN)
        patch.setattr(lightning_cli, "LastState", partial(LastState, minutes=0))
        patch.setattr(Tagger, "validation_step", _die)
        with pytest.raises(Killed):
            main(GO_ON)
    assert RunFolder(folder / STOPPED).last.is_file()
    return folder


def _die(*_: Any) -> None:
    raise Killed


@pytest.fixture(autouse=True)
def home(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, to spoil, as the working folder."""
    shutil.copytree(made, tmp_path / "home")
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


def a_file(path: Path) -> None:
    remove(path)
    path.write_text("x")


def a_folder(path: Path) -> None:
    remove(path)
    path.mkdir(parents=True)


def a_link(path: Path, target: str = "nowhere") -> None:
    remove(path)
    path.symlink_to(target)


A_CIRCLE: Callable[[Path], None] = partial(a_link, target="de")
ELSEWHERE: Callable[[Path], None] = partial(a_link, target="/tmp")
PLACES = [
    ("runs", a_file, TEACH, "no folder; move it away"),
    ("runs", a_link, TEACH, "no folder; move it away"),
    ("runs/mine", a_file, TEACH, "no folder; move it away"),
    (TEACHER, a_file, TEACH, "no folder; move it away"),
    (TEACHER, a_link, TEACH, "no folder; move it away"),
    (TEACHER, A_CIRCLE, TEACH, "File exists"),
    (TEACHER / "next", a_file, [*TEACH, "--anew"], "no folder; move it away"),
    (TEACHER / "next", ELSEWHERE, [*TEACH, "--anew"], "is a link to another place"),
    (TEACHER / "previous", a_file, [*TEACH, "--anew"], "no folder; move it away"),
    (TEACHER / "provenance.json", a_folder, EXPORT, None),
    (TEACHER / "checkpoints/best.ckpt", a_folder, [*LEARN, "--name", "x"], "best.ckpt"),
    (TEACHER / "checkpoints/best.ckpt", a_folder, EXPORT, "best.ckpt: no trained tagger there"),
    (TEACHER / "zeroshot", a_file, EVALUATE, "no folder; move it away"),
    (TEACHER / "zeroshot", ELSEWHERE, EVALUATE, "is a link to another place"),
    (TEACHER / "zeroshot/results.json", a_folder, EVALUATE, "a folder stands where a file has to be"),
    (TEACHER / "results.json", a_folder, EVALUATE, "no results.json there"),
    ("runs/cache", a_file, [*LEARN, "--name", "x"], "no folder; move it away"),
    ("runs/cache", a_link, [*LEARN, "--name", "x"], "no folder; move it away"),
    (STOPPED / ".skd-lock", a_folder, GO_ON, ".skd-lock"),
    (STOPPED / "checkpoints", ELSEWHERE, GO_ON, "is a link to another place"),
    ("saved", a_file, EXPORT, "saved"),
]


@pytest.mark.parametrize(("place", "spoil", "command", "expected"), PLACES)
def test_what_is_in_the_way_is_named(
    place: str | Path,
    spoil: Callable[[Path], None],
    command: list[str],
    expected: str | None,
    capsys: pytest.CaptureFixture,
) -> None:
    spoil(Path(place))
    if expected is None:
        main(command)
        return
    line = refused(capsys, *command)
    assert expected in line
    assert Path(place).name in line


@pytest.mark.parametrize("folder", ["/proc/runs", "/dev/null/runs"])
def test_a_place_that_cannot_be_written_to_is_named(folder: str, capsys: pytest.CaptureFixture) -> None:
    assert f"{folder}" in refused(capsys, *TEACH, "--runs", folder)


class Runs:
    """Leaves a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("run by pickle").absolute(),)


def change(checkpoint: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return {**checkpoint, **parts}


def without(checkpoint: dict[str, Any], part: str) -> dict[str, Any]:
    return {name: value for name, value in checkpoint.items() if name != part}


def not_finite(checkpoint: dict[str, Any]) -> dict[str, Any]:
    weights = {name: value.clone() for name, value in checkpoint["state_dict"].items()}
    weights["head.transitions"][0, 0] = float("nan")
    return {**checkpoint, "state_dict": weights}


STATES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a number": (lambda found: 7, "damaged (file: "),
    "nothing": (lambda found: {}, "damaged (state_dict: "),
    "a pickle": (lambda found: {**found, "loops": Runs()}, "damaged ("),
    **{
        f"no {part}": (partial(without, part=part), f"damaged ({part}: ")
        for part in ("state_dict", "optimizer_states", "loops", "callbacks", "epoch", "last_state")
    },
    "another step": (partial(change, global_step="x"), "damaged (global_step: "),
    "another clock": (partial(change, last_state={"seconds": float("nan"), "score": None}), "seconds: "),
    "other callbacks": (partial(change, callbacks=7), "damaged (callbacks: "),
    "not finite": (not_finite, "damaged (head.transitions is not finite)"),
    "another optimizer": (
        lambda found: change(found, optimizer_states=[{**found["optimizer_states"][0], "param_groups": []}]),
        "does not fit this training (",
    ),
    "other schedules": (partial(change, lr_schedulers=[{"x": 1}]), "does not fit this training ("),
    "other tags": (
        lambda found: change(found, tagger={**found["tagger"], "tags": ["O"]}),
        "does not fit this training (the checkpoint was trained on the tags O,",
    ),
}


@pytest.mark.parametrize("state", STATES)
def test_a_state_that_no_training_can_go_on_from_is_refused(
    state: str, capsys: pytest.CaptureFixture
) -> None:
    spoil, expected = STATES[state]
    file = RunFolder(STOPPED).last
    torch.save(spoil(torch.load(file, weights_only=True)), file)
    before = file.read_bytes()
    line = refused(capsys, *GO_ON)
    assert f"{file}: " in line
    assert expected in line
    assert file.read_bytes() == before
    assert not Path("run by pickle").exists()


def test_a_state_that_was_cut_is_refused_and_a_whole_one_goes_on(capsys: pytest.CaptureFixture) -> None:
    file = RunFolder(STOPPED).last
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert f"{file}: damaged (" in refused(capsys, *GO_ON)
    file.write_bytes(whole)
    main(GO_ON)
    assert RunFolder(STOPPED).finished


def test_a_folder_of_a_stranger_runs_nothing_and_reads_nothing_outside(
    home: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = RunFolder(TEACHER)
    key = folder.config.read_text().partition("\n")[0]
    folder.config.write_text(
        f"{key}\nmodel: {{class_path: os.system, init_args: {{command: touch run-by-class}}}}\n"
        "trainer: {logger: {class_path: os.system, init_args: {command: touch run-by-class}}}\n"
    )
    np.save(folder.confusion, np.array([Runs()], dtype=object), allow_pickle=True)
    np.save(folder.counts / "de.npy", np.array([Runs()], dtype=object), allow_pickle=True)
    before = {path.name for path in home.iterdir()}
    skd_lightning.load(folder.path)
    for command in (EXPORT, EVALUATE, TEACH, [*LEARN, "--name", "again"]):
        main(command)
    assert {path.name for path in home.iterdir()} == {*before, "saved"}
    folder.config.write_text(f'{key}\ndata: !!python/object/apply:os.system ["touch run-by-yaml"]\n')
    shutil.rmtree(folder.zeroshot.path)
    main(EVALUATE)  # which has no need of the settings
    assert f"{folder.config}: not YAML" in refused(capsys, *EXPORT)
    text = folder.results.read_text()
    folder.results.write_text(text.replace('"de": {', '"../../de": {', 1))
    assert f"{folder.results}: damaged (languages.../../de" in refused(capsys, *EXPORT)
    assert {path.name for path in home.iterdir()} == {*before, "saved"}


def test_of_two_commands_for_one_run_one_works_and_the_other_says_so(capsys: pytest.CaptureFixture) -> None:
    with alone_in(TEACHER):
        line = refused(capsys, *TEACH, "--anew")
    assert f"{TEACHER}: another process is at work there" in line
    main([*TEACH, "--anew"])


def test_a_sweep_of_10000_values_is_parsed_by_a_few_trials(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from skd_lightning.studies.sweep import check

    parsed: list[Any] = []
    original = check._check_trial
    monkeypatch.setattr(check, "_check_trial", lambda *given: (parsed.append(given), original(*given)))
    numbers, kinds = ", ".join(map(str, range(1, 10_000))), "model.context.hidden_size: {values: ["
    start = (
        "program: skd\nmetric: {name: dev/average, goal: maximize}\n"
        "command: [skd, distill, --task, demo, --loss, none, '${args}']\n"
    )
    sweep = Path("many.yaml")
    sweep.write_text(f"{start}method: grid\nparameters: {{{kinds}{numbers}]}}}}\n")
    main(["sweep-check", "many.yaml"])
    assert len(parsed) <= 20
    sweep.write_text(
        f"{start}method: random\nparameters: {{{kinds}0, {numbers}]}}, model.dropout: {{min: 0.0, max: 1.0}}}}\n"
    )
    assert "hidden_size: value 0: " in refused(capsys, "sweep-check", "many.yaml")
    sweep.write_text(f"{start}method: grid\nparameters: {{{kinds}{numbers}, big]}}}}\n")
    assert "hidden_size: value 'big': " in refused(capsys, "sweep-check", "many.yaml")
