"""The commands of README and documentation: targets and commands exist, and every option is understood."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from skd_lightning.cli import main
from skd_lightning.cli.commands import COMMANDS as TABLE
from skd_lightning.cli.distill import run_of
from skd_lightning.cli.options import plan_of
from skd_lightning.distillation.teachers import TeacherSet

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
BLOCK = re.compile(r"^( *)```sh\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
PLANNED = ("corpus", "teachers", "distill", "demo")
"""Commands whose further options are those of a training."""


def shell_lines(page: Path) -> list[list[str]]:
    """The words of each command in the shell blocks of a page, without comments and ``srun``."""
    blocks = [block.replace("\\\n", " ") for _, block in BLOCK.findall(page.read_text())]
    words = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    return [line[1:] if line[0] == "srun" else line for line in words if line]


COMMANDS = [(page.relative_to(ROOT), line) for page in PAGES for line in shell_lines(page)]
SKD = [line for _, line in COMMANDS if line[0] == "skd" or "skd_lightning" in line]
MAKE = [line for _, line in COMMANDS if line[0] == "make"]


def after_skd(words: list[str]) -> list[str]:
    """Return the words after ``skd`` or ``-m skd_lightning``."""
    place = next(i for i, word in enumerate(words) if word == "skd_lightning" or Path(word).name == "skd")
    return words[place + 1 :]


def targets(line: list[str]) -> list[str]:
    return [word for word in line[1:] if "=" not in word]


def made(line: list[str]) -> list[list[str]]:
    """The skd commands that make would run."""
    # What the tests' own make was given (ARGS) is not the line's.
    own = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "ARGS"))
    }
    printed = subprocess.run(
        ["make", "-n", *line[1:]], cwd=ROOT, env=own, capture_output=True, text=True, check=True
    )
    lines = [
        shlex.split(line) for line in printed.stdout.splitlines() if re.match(r"\S*(skd|torchrun) ", line)
    ]
    return [after_skd(words) for words in lines]


def test_pages_have_commands() -> None:
    assert len(SKD) > 20
    assert len(MAKE) > 20


def test_links_of_the_readme_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text())
    missing = [link for link in links if not link.startswith("http") and not (ROOT / link).is_file()]
    assert len(links) > 15
    assert not missing


def test_make_has_every_target() -> None:
    known = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {target for line in MAKE for target in targets(line)} <= set(known)


def test_skd_has_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    told = re.findall(r"[\w-]+", capsys.readouterr().out)
    assert {words[0] for line in SKD if (words := after_skd(line)) and words[0][0] != "-"} <= set(told)


def test_files_of_the_repository_exist() -> None:
    parts = {part for _, line in COMMANDS for part in line}
    named = {file for part in parts for file in re.findall(r"experiments/[\w/.]+yaml", part)}
    assert len(named) > 5
    assert not [file for file in named if not (ROOT / file).is_file()]


def test_every_option_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsed as the command would, without training anything; refusals raise."""
    for path in ROOT.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "mydata/en").mkdir(parents=True)
    (tmp_path / "mydata/en/train.tsv").write_text("a\tO\n")
    monkeypatch.chdir(tmp_path)
    commands = [after_skd(line) for line in SKD] + [words for line in MAKE for words in made(line)]
    seen = set()
    for words in commands:
        if words[0] not in TABLE or tuple(words) in seen:
            continue
        seen.add(tuple(words))
        if words[0] not in PLANNED:
            TABLE[words[0]].parse(words[1:])
            continue
        if words[0] == "distill":
            run_of(words[1:]).parse()
            continue
        options, rest = TABLE[words[0]].parse(words[1:])
        plan = plan_of(options, rest)
        (plan.teacher("en") if words[0] == "teachers" else plan.student("none", seed=1)).parse()
    assert len(seen) > 30


def test_files_of_teachers_are_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs/how-to/teachers.md").read_text()
    files = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    for text in files:
        Path("teachers.yaml").write_text(text)
        teachers = TeacherSet.named("teachers.yaml")
        languages = ["other" if language == "*" else language for language in teachers.mapping]
        for named in re.findall(r"runs/[\w/]+", text):
            runs = [f"{named}/{code}" for code in languages] if named.endswith("teachers") else [named]
            for run in runs:
                checkpoints = Path(run, "checkpoints")
                checkpoints.mkdir(parents=True, exist_ok=True)
                (checkpoints / "best.ckpt").touch()
                if half := re.search(r"half(\d)", named):
                    Path(run, "config.yaml").write_text(f"data: {{without_fold: {half[1]}/2}}")
        teachers.require(languages)
    assert len(files) > 2
