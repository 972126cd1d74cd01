"""Benchmarks are run by hand; that they fit the package is seen whenever it changes."""

import importlib
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
FOREIGN = {"torchcrf", "torch_struct", "supar", "allennlp_light", "flair"}


@pytest.mark.parametrize("file", sorted(BENCHMARKS.glob("*.py")), ids=lambda file: file.stem)
def test_a_benchmark_finds_all_that_it_imports(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)
    try:
        importlib.import_module(file.stem)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in FOREIGN:
            raise
    finally:
        for name in set(sys.modules) - before:
            if str(BENCHMARKS) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]


def test_the_time_of_a_training_holds_that_of_its_teachers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    module = importlib.import_module("whole_run")
    assert module.whole({"seconds": {"fit": 20.0, "teacher_predictions": 1.0}}) == 21.0


def test_a_student_and_its_baseline_have_one_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    epoch = importlib.import_module("epoch")
    baselines = {variant: epoch.baseline_of(variant) for variant in epoch.VARIANTS}
    softmax = {variant for variant, baseline in baselines.items() if baseline == epoch.SOFTMAX}
    assert softmax == {"token", epoch.SOFTMAX}
    assert set(baselines.values()) == {epoch.BASELINE, epoch.SOFTMAX}
