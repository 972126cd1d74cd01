"""Mistyped commands, options and values: one line that names the nearest thing that exists."""

import subprocess
import sys
from pathlib import Path

import pytest

from skd_lightning.cli import main
from skd_lightning.cli.commands import COMMANDS
from skd_lightning.errors import UserError
from skd_lightning.runs.lightning_cli import TaggingCLI

STUDENT = ["--config", "experiments/student.yaml", "--model.objective", "TopK"]


def test_settings_of_the_package_are_found_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (STUDENT, ["--config=experiments/student.yaml", *STUDENT[2:]]):
        TaggingCLI(words, run=False, instantiate=False)
    inline = ["--config", '{"data": {"data": "a//b"}}']  # is taken as it is
    assert TaggingCLI([*STUDENT, *inline], run=False, instantiate=False).config.data.data == "a//b"
    with pytest.raises(UserError, match=r"experiments/mine\.yaml: no such file"):
        TaggingCLI(["--config", "experiments/mine.yaml"], run=False, instantiate=False)
    (tmp_path / "mine/en").mkdir(parents=True)
    with pytest.raises(SystemExit):
        main(["teachers", "--task", "mine"])
    assert "task 'mine' is none of absa, " in (line := capsys.readouterr().err)
    assert "; for the folder mine/ here, give --data ." in line


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--model.temperture 2", "unknown option --model.temperture: did you mean --model.objective.temperature?"),
        ("--data.tokns 5", "unknown option --data.tokns: did you mean --data.tokens?"),
        ("--model.embedder.bukets 3", "unknown option --model.embedder.bukets: did you mean --model.embedder.buckets?"),
        ("--trainer.max_epohs 3", "unknown option --trainer.max_epohs: did you mean --trainer.max_epochs?"),
        ("--model.objective.tempering x", "--model.objective.tempering is no option of TopK"),
        ("--model.objective.k many", "--model.objective.k: 'many' is not of type int"),
        ("--trainer.max_epochs abc", "--trainer.max_epochs: 'abc' is not of type int"),
        ("--model.annealing.kind stp", "--model.annealing.kind: there is no 'stp': did you mean 'step'? Choices: "),
        ("--model.objective Topk", "--model.objective: there is no 'Topk': did you mean 'TopK'? Choices: "),
        ("--model.objective Nothing", "--model.objective: there is no 'Nothing'. Choices: "),
        ("--model.context BiLSTN", "--model.context: there is no 'BiLSTN': did you mean 'BiLSTM'? Choices: BiLSTM, "),
        ("--model.embedder nowhere.Foo", "--model.embedder: no module 'nowhere' on Python's path; set PYTHONPATH"),
        ("--model.context nowhere.Foo", "--model.context: no module 'nowhere' on Python's path"),
        ("--model.objective nowhere.Foo", "--model.objective: no module 'nowhere' on Python's path"),
        ("--model.embedder json.JSONDecoder", "--model.embedder: it names no class of the kind Embedder; give"),
        ("--model.embedder skd_lightning.crf.Nope", "--model.embedder: skd_lightning.crf.Nope cannot be used: module"),
        ("--model.objective json.JSONDecoder", "--model.objective: it names no class of the kind Objective; give"),
        ("--qqq 1", "unknown option --qqq (skd fit --help-all lists all)"),
        ("--model.embeder.buckets 5", "unknown option --model.embeder.buckets: did you mean --model.embedder.buckets?"),
        ("--model.objective null --model.objective.k 5", "--model.objective.k: --model.objective is null here, which"),
        ("--model Teacher --model.objective.k 5", "--model.objective.k is no option of Teacher"),
        ("--model Student --model.embedder null", "--model.embedder is missing; give it, or a --config that has it"),
    ],
)  # fmt: skip
def test_options_of_runs(words: str, line: str) -> None:
    with pytest.raises(UserError) as error:
        TaggingCLI([*STUDENT, *words.split()], run=False, instantiate=False)
    assert str(error.value).startswith(line)
    assert "\n" not in str(error.value)


def test_a_broken_module_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "breaks_on_import.py").write_text("raise ValueError('no such card')\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"^--model\.embedder: no such card$"):
        TaggingCLI([*STUDENT, "--model.embedder", "breaks_on_import.E"], run=False, instantiate=False)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("distil", "unknown command 'distil': did you mean 'distill'? (skd --help lists all)"),
        ("distill --loss topwkk", "argument --loss: there is no 'topwkk': did you mean 'topwk'? Choices: none, "),
        ("suite x --jbs 3", "unknown option --jbs: did you mean '--jobs'? (skd suite --help lists all)"),
        ("distill --seed one", "argument --seed: invalid int value: 'one' (skd distill --help)"),
        ("zeroshot", "the following arguments are required: --langs (skd zeroshot --help)"),
        ("corpus --task upso", "task 'upso'"),
        ("fit --trainer.max_epohs 3", "unknown option --trainer.max_epohs: did you mean --trainer.max_epochs?"),
    ],
)  # fmt: skip
def test_words_of_commands(
    words: str, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.delenv("SKD_DATA", raising=False)
    with pytest.raises(SystemExit) as stop:
        main(words.split())
    assert stop.value.code == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"skd: error: {line}")


def test_help_and_mistakes_import_nothing_heavy() -> None:
    """They are answered at once: torch alone takes longer than a person waits for help."""
    script = """
import contextlib, sys
from skd_lightning.cli import main
for words in sys.argv[1:]:
    with contextlib.suppress(SystemExit):
        main(words.split())
heavy = {"torch", "pytorch_lightning", "transformers", "pandas", "matplotlib", "numba", "wandb", "datasets"}
sys.exit(", ".join(heavy & sys.modules.keys()) or 0)
"""
    words = ["--help", "--version", "distil", "distill --loss topwkk", "distill --task upso"]
    words += [f"{name} --help" for name in COMMANDS]
    words += ["distill --task upso --data experiments"]
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
