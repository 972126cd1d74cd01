"""The page on classes of one's own: its code trains, loads and saves as it says."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from small_corpus import write_corpus

from skd_lightning.cli import main
from skd_lightning.studies.sweep.file import read_sweep

HOW_TO = Path(__file__).parents[1] / "docs/how-to"
QUICK = ("--trainer.max_epochs", "1", "--trainer.enable_progress_bar", "false", "--model.wide", "null")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (HOW_TO / page).read_text(), re.DOTALL)


def test_the_code_of_the_page_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    write_corpus(tmp_path / "mydata", ("de", "en"), {"train": 40, "dev": 10, "test": 10})
    embedder, use, objective = blocks("own-classes.md", "python")
    Path("endings.py").write_text(embedder)
    Path("sharp.py").write_text(objective)
    main(["teachers", "--task", "mydata", "--data", ".", *QUICK])
    commands = [shlex.split(block.replace("\\\n", " ")) for block in blocks("own-classes.md", "sh")]
    for path, skd, *words in commands:
        assert (path, skd) == ("PYTHONPATH=.", "skd")
        main([*words, *QUICK])
    record = json.loads(Path("runs/mydata/sharp/seed1/results.json").read_text())
    assert (record["loss"], record["objective"]) == ("sharp", {"power": 1.5})
    values: dict[str, object] = {}
    exec(use, values)
    assert Path("saved/README.md").is_file()
    with pytest.raises(SystemExit):
        main(["export", "runs/mydata/endings/seed1", "out"])
    assert "embedders={'endings.EndingEmbedder': …}" in capsys.readouterr().err
    main(["export", "runs/mydata/sharp/seed1", "out"])
    assert "objective `sharp`, and learned" in Path("out/README.md").read_text()


def test_the_sweep_of_the_page_is_one(tmp_path: Path) -> None:
    (text,) = blocks("tracking.md", "yaml")
    (tmp_path / "sweep.yaml").write_text(text)
    sweep = read_sweep(tmp_path / "sweep.yaml")
    words = sweep.arguments({"model.objective.k": 5})
    assert words[words.index("--task") + 1] == "mydata"
    assert words[-1] == "--model.objective.k=5"
