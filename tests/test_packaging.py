"""An installation is light where it can be and complete where it must be."""

import ast
import importlib
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

import skd_lightning

REPOSITORY = Path(__file__).parent.parent
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
OPTIONAL = {"triton", "flair", "ipython", "spacy"}
"""Imported only where they are installed, by code that the others do not need."""


def _name(requirement: str) -> str:
    return re.split(r"[\[<>=;~! ]", requirement)[0].lower().replace("_", "-")


def _pinned() -> dict[str, str]:
    lines = (REPOSITORY / "constraints.txt").read_text().splitlines()
    pins = [line.split("==") for line in lines if not line.startswith("#")]
    return {_name(name): version for name, version in pins}


def test_what_is_imported_is_declared() -> None:
    imported = set()
    for file in (REPOSITORY / "skd_lightning").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    imported -= {*sys.stdlib_module_names, "skd_lightning"}
    of = packages_distributions()
    needed = {_name(of[module][0]) if module in of else module.lower() for module in imported}
    assert "torch" in needed
    declared = {
        _name(name) for name in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["train"])
    }
    assert needed - declared - OPTIONAL == set()


@pytest.mark.parametrize("extra", [None, "train", "test", "lint", "docs"])
def test_versions_that_were_tested_together_are_known(extra: str | None) -> None:
    wanted = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    names = {_name(requirement) for requirement in wanted} - {"skd-lightning"}
    assert names - _pinned().keys() <= set()


def test_one_ruff_checks_everywhere() -> None:
    hooks = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())["repos"]
    revisions = {repo["repo"].rpartition("/")[2]: repo["rev"] for repo in hooks}
    assert revisions["ruff-pre-commit"] == f"v{_pinned()['ruff']}"


@pytest.mark.parametrize(
    ("target", "extras"),
    [
        ("demo", set()),
        ("report", set()),
        ("test", {"test"}),
        ("test-all", {"test"}),
        ("lint", {"lint"}),
        ("docs", {"docs"}),
        ("notebooks", {"notebooks"}),
    ],
)
def test_a_target_installs_what_it_needs_alone(target: str, extras: set[str], tmp_path: Path) -> None:
    command = ["make", "--dry-run", target, f"VENV={tmp_path / 'none'}"]
    printed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r'editable "\.\[(.+?)\]"', printed)) == {"train", *extras}


def test_each_package_has_what_it_lists() -> None:
    for file in sorted((REPOSITORY / "skd_lightning").rglob("__init__.py")):
        module = importlib.import_module(".".join(file.parent.relative_to(REPOSITORY).parts))
        for name in getattr(module, "__all__", ()):
            assert hasattr(module, name), f"{file}: {name}"


def test_the_module_lists_what_it_has() -> None:
    assert {"load", "__version__"} <= set(dir(skd_lightning))
    assert callable(skd_lightning.load)
    with pytest.raises(AttributeError, match="module 'skd_lightning' has no attribute 'lod'"):
        skd_lightning.lod  # noqa: B018


@pytest.mark.slow
def test_the_wheel_runs_in_an_empty_folder(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=REPOSITORY, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert not [
        name for name in names if "results" in Path(name).parts or name.startswith(("tests", "experiments"))
    ]
    for wanted in (
        "py.typed",
        "analysis/paper.json",
        "experiments/student.yaml",
        "experiments/recipes/paper/student.yaml",
        "experiments/suites/demo.yaml",
        "experiments/sweeps/distillation.yaml",
        "experiments/paper/figure_2.yaml",
        "experiments/peers/crfsuite_peer.py",
    ):
        assert f"skd_lightning/{wanted}" in names

    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, "--target", str(site), str(wheel)], check=True)
    environment = {**os.environ, "PYTHONPATH": str(site)}

    def run(*command: str) -> str:
        done = subprocess.run(
            command, cwd=empty, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    where = run(
        sys.executable, "-c", "import skd_lightning; print(skd_lightning.__file__, dir(skd_lightning))"
    )
    assert where.startswith(str(site))
    assert "'load'" in where
    skd = str(site / "bin/skd")
    assert run(skd, "--version") == f"skd {skd_lightning.__version__}\n"
    quick = ["--trainer.max_epochs", "1", "--data.max_train_sentences", "30"]
    printed = run(skd, "demo", "--langs", "de", "en", "--losses", "none", "topk", *quick)
    assert "teachers" in printed
    results = json.loads((empty / "runs/demo/topk/seed1/results.json").read_text())
    assert results["versions"]["skd-lightning"] == skd_lightning.__version__
    assert [path.name for path in empty.iterdir()] == ["runs"]
