"""A whole table from one file, run for real on a small corpus; and evaluation on unseen languages."""

import csv
import json
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from made_up_runs import SMALL, make_runs
from small_corpus import write_corpus
from small_runs import QUICK, refused

import skd_lightning
from skd_lightning.analysis import tagged_words
from skd_lightning.analysis.tested_corpus import read_corpus
from skd_lightning.cli import main
from skd_lightning.data.demo import demo_corpus
from skd_lightning.errors import UserError
from skd_lightning.metrics import COLUMNS, split_types
from skd_lightning.parsing import read_yaml
from skd_lightning.report.findings import gather
from skd_lightning.report.write import make_sections
from skd_lightning.runs.configurations import recipe_names
from skd_lightning.runs.plan import Plan
from skd_lightning.runs.run import Run
from skd_lightning.runs.work_as_json import from_json, to_json
from skd_lightning.storage import alone_in
from skd_lightning.studies import suite as suite_module
from skd_lightning.studies import zeroshot
from skd_lightning.studies.suite import phases, planned_runs
from skd_lightning.studies.suite_file import read_suite
from skd_lightning.studies.zeroshot import ZeroshotTest, evaluate

EXPERIMENTS = Path("experiments")
SIZES = {"train": 40, "dev": 10, "test": 15}
SUITE = """
title: Small
runs: {runs}
seeds: [3]
tasks:
  mine: {{languages: [de, en], zeroshot: [fi]}}
options:
  trainer.enable_progress_bar: false
  trainer.max_epochs: 2
  model.context.hidden_size: 16
students:
  data.tokens: 400
variants:
  none:
  topk-k2: {{loss: topk, model.objective.k: 2}}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the suite has been run."""
    folder = tmp_path_factory.mktemp("suite")
    write_corpus(folder / "mine", ("de", "en", "fi"), SIZES)
    (folder / "small.yaml").write_text(SUITE.format(runs=folder / "runs"))
    main(["suite", str(folder / "small.yaml"), "--data", str(folder), "--jobs", "2"])
    return folder


def test_everything_has_been_run_and_is_not_run_again(home: Path, capsys: pytest.CaptureFixture) -> None:
    runs = home / "runs/mine"
    finished = {str(file.parent.relative_to(runs)) for file in runs.glob("*/*/results.json")}
    assert finished == {"teachers/de", "teachers/en", "none/seed3", "topk-k2/seed3"}
    results = json.loads((runs / "topk-k2/seed3/results.json").read_text())
    assert (results["variant"], results["loss"], results["seed"]) == ("topk-k2", "topk", 3)
    assert results["objective"] == {"k": 2}
    stamps = {file: file.stat().st_mtime_ns for file in runs.glob("*/*/results.json")}
    main(["suite", str(home / "small.yaml"), "--data", str(home)])
    assert stamps == {file: file.stat().st_mtime_ns for file in runs.glob("*/*/results.json")}
    capsys.readouterr()


def test_a_dry_run_tells_what_is_finished(home: Path, capsys: pytest.CaptureFixture) -> None:
    text = (home / "small.yaml").read_text() + "  posterior:\n"
    (home / "more.yaml").write_text(text)
    main(["suite", str(home / "more.yaml"), "--data", str(home), "--dry-run"])
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("finished mine: teacher") for line in lines) == 2
    assert sum(line.startswith(("finished mine: none", "finished mine: topk-k2")) for line in lines) == 2
    to_run = [line for line in lines if line.startswith("to run")]
    assert len(to_run) == 1
    assert to_run[0] == "to run   mine: posterior seed 3"
    assert not (home / "runs/mine/posterior").exists()
    main(["suite", str(home / "more.yaml"), "--data", str(home), "--dry-run", "--anew"])
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("to run")] == to_run
    jobs = [job for phase in phases(read_suite(home / "more.yaml"), str(home), anew=True) for job in phase]
    assert [job.command[-1] == "--anew" for job in jobs] == [True] * 5 + [
        False
    ]  # a transfer is made as a whole
    assert sum(line.startswith("finished") for line in lines) == 5  # with what was transferred


def test_a_failed_run_is_named(home: Path, capsys: pytest.CaptureFixture) -> None:
    text = SUITE.format(runs=home / "runs") + "  topk-c9: {loss: topk, data.word_column: 99}\n"
    (home / "bad.yaml").write_text(text)
    with pytest.raises(SystemExit) as stop:
        main(["suite", str(home / "bad.yaml"), "--data", str(home)])
    assert stop.value.code == 2
    told = capsys.readouterr()
    assert "column" in " ".join(told.out.split())
    assert "1 run failed: mine: topk-c9 seed 3; the same command tries again" in told.err


def test_a_wrong_option_is_refused_before_the_first_run(home: Path, capsys: pytest.CaptureFixture) -> None:
    text = SUITE.format(runs=home / "others") + "  topk-k0: {loss: topk, model.objective.k: 0}\n"
    (home / "wrong.yaml").write_text(text)
    line = refused(capsys, "suite", str(home / "wrong.yaml"), "--data", str(home))
    assert "task mine: topk-k0: --model.objective.k is 0" in line
    assert not (home / "others").exists()


def test_options_reach_the_runs_that_they_are_for(home: Path) -> None:
    runs = planned_runs(read_suite(home / "small.yaml"), "mine", str(home))
    assert [run.role for run in runs] == ["teacher", "teacher", "student", "student"]
    assert all(("--data.tokens" in run.arguments) == (run.role == "student") for run in runs)
    assert all(from_json(Run, to_json(run)) == run for run in runs)  # as a process of its own receives it
    *_, (transfer,) = phases(read_suite(home / "small.yaml"), str(home))
    assert transfer.command[:2] == ("job", "zeroshot")
    found = _transfer_of(home / "small.yaml", home)
    assert (found.task, found.on, found.data, found.languages) == ("mine", "mine", str(home), ("fi",))


def test_a_transfer_may_read_what_the_students_teachers_may(home: Path) -> None:
    assert not _transfer_of(home / "small.yaml", home).outside
    text = SUITE.format(runs=home / "runs").replace(
        "data.tokens: 400", "data.tokens: 400\n  distillation.outside: true"
    )
    (home / "outside.yaml").write_text(text)
    assert _transfer_of(home / "outside.yaml", home).outside


def _transfer_of(file: Path, data: Path) -> ZeroshotTest:
    *_, (transfer,) = phases(read_suite(file), str(data))
    return from_json(ZeroshotTest, transfer.command[2])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("title: Small", "titel: Small"), "unknown setting 'titel'"),
        (("title: Small", ""), "'title' is missing"),
        (("zeroshot", "zero"), "task mine: unknown setting 'zero'"),
        (("loss: topk", "loss: top"), "variant topk-k2: loss is 'top'; choose one of none, token"),
        (("seeds: [3", "seeds: [3]]"), "not YAML"),
        (("[fi]", "[no]"), 'language False is not a word; write Norwegian as "no"'),
        (("[fi]", r'["\0"]'), "must not have control characters"),
        (("seeds: [3]", "seeds: 1"), "seeds: expected a list, such as [1, 2]"),
        (("title: Small", "title: [a]"), "title: expected a text"),
        (
            ("loss: topk", "objective: topk"),
            "loss is 'topk-k2', the variant's name, since it has no 'loss:'; give",
        ),
        (("seeds: [3]", "recipe: good"), "recipe is 'good'; choose one of best, linear, paper"),
    ],
)
def test_mistakes_in_the_file_are_named(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    (tmp_path / "suite.yaml").write_text(SUITE.format(runs="runs").replace(*change))
    with pytest.raises(UserError) as error:
        read_suite(tmp_path / "suite.yaml")
    assert message in str(error.value)
    assert str(error.value).startswith(str(tmp_path / "suite.yaml"))


def test_suites_of_the_package_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = read_suite(EXPERIMENTS / "suites" / "demo.yaml").title
    monkeypatch.chdir(tmp_path)
    for name in ("demo.yaml", "demo", "experiments/suites/demo.yaml"):
        assert read_suite(Path(name)).title == expected
    assert "table 7" in read_suite(Path("experiments/paper/table_7.yaml")).title.lower()
    with pytest.raises(
        UserError, match=r"^dmo.yaml: no such suite; give a file of yours, or one of .*demo\.yaml"
    ):
        read_suite(Path("dmo.yaml"))
    Path("demo.yaml").write_text("title: [mine]")
    with pytest.raises(UserError, match=r"^demo\.yaml: "):
        read_suite(Path("demo.yaml"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("  mine:", "  nowhere:"), "no folder nowhere/<language>"),
        (("[de, en]", "[de, xx]"), "no language 'xx' there"),
        (("[fi]", "[xx]"), "no language 'xx' there"),
    ],
)
def test_a_dry_run_refuses_corpora_that_are_not_there(
    home: Path, change: tuple[str, str], message: str, capsys: pytest.CaptureFixture
) -> None:
    (home / "other.yaml").write_text(SUITE.format(runs=home / "other").replace(*change))
    assert message in refused(capsys, "suite", str(home / "other.yaml"), "--data", str(home), "--dry-run")


def test_every_suite_in_the_repository_is_readable() -> None:
    names = ("suites/*.yaml", "paper/table*.yaml", "paper/figure*.yaml")
    files = [file for name in names for file in Path("experiments").glob(name)]
    assert len(files) >= 5
    for file in files:
        suite = read_suite(file)
        runs = planned_runs(suite, next(iter(suite.tasks)))
        kinds = {(run.role, run.loss): run for run in runs}
        assert len(kinds) > 1 or not suite.variants
        for run in kinds.values():
            run.parse()  # every option is one that the runs know


def test_suites_that_share_a_folder_mean_the_same_runs() -> None:
    """Else each suite would train again what another one has just trained."""
    planned: dict[Path, dict[Path, Run]] = {}
    for file in sorted(Path("experiments/suites").glob("*.yaml")):
        suite = read_suite(file)
        for task, settings in suite.tasks.items():
            if not settings.languages:
                continue
            for run in planned_runs(suite, task):
                first = run.role == "teacher" and run.path.name == settings.languages[0]
                if first or run.path.name == "seed1":
                    planned.setdefault(run.path, {})[file] = run
    shared = [runs for runs in planned.values() if len(runs) > 1]
    assert len(shared) > 3
    for runs in shared:
        keys = {str(file): run.parse().key() for file, run in runs.items()}
        assert len(set(keys.values())) == 1, f"{next(iter(runs.values())).path}: {keys}"


def test_the_help_explains_every_recipe(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        main(["distill", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    for name in recipe_names():
        assert f"{name}: " in told


@pytest.mark.parametrize("recipe", ["paper", "best"])
@pytest.mark.parametrize("task", ["demo", "wikiann"])
def test_recipes_are_readable(recipe: str, task: str, tmp_path: Path) -> None:
    plan = Plan(tmp_path, task, languages=["en", "fr"], recipe=recipe)
    assert not plan.teacher("en").finished()
    student = plan.student("posterior", seed=2)
    assert not student.finished()
    assert student.path == tmp_path / task / f"{recipe}-posterior" / "seed2"


def test_sentence_counts_add_up_to_the_scores(home: Path) -> None:
    folder = home / "runs/mine/none/seed3"
    results = json.loads((folder / "results.json").read_text())
    for language, row in results["languages"].items():
        counts = np.load(folder / f"counts/{language}.npy", allow_pickle=False)
        assert counts.shape == (15, len(COLUMNS))
        total = dict(zip(COLUMNS, counts.sum(0).tolist(), strict=True))
        assert (total["sentences"], total["words"]) == (row["sentences"], row["words"])
        assert row["accuracy"] == total["correct"] / total["words"]
    words = [len(s.words) for s in demo_corpus("de", SIZES)["test"]]
    assert np.load(folder / "counts/de.npy")[:, 1].tolist() == words  # in the corpus's order


def test_predictions_are_those_of_the_tagger_and_know_the_training_sentences(home: Path) -> None:
    folder = home / "runs/mine/none/seed3"
    tagger = skd_lightning.load(folder)
    for language in ("de", "en"):
        corpus = demo_corpus(language, SIZES)
        columns = np.load(folder / f"predictions/{language}.npy", allow_pickle=False)
        assert columns.dtype == np.uint8
        words = [sentence.words for sentence in corpus["test"]]
        tags = [tag for found in tagger.predict(words, language) for tag in found.tags]
        assert list(tagger.tag_set.decode(columns[:, 0])) == tags
        known = {word for sentence in corpus["train"] for word in sentence.words}
        assert columns[:, 2].tolist() == [word in known for sentence in words for word in sentence]
    findings = gather(home / "runs", "mine")
    assert [section.name for section in make_sections(findings)][2:4] == ["types", "seen"]
    runs = [*findings.runs.runs()]
    for run in runs:
        found = tagged_words.read_tagged_words(run, findings.notes)
        for language, sentences in read_corpus(run, found).items():
            assert [s.words for s in sentences] == [s.words for s in demo_corpus(language, SIZES)["test"]]
    assert len(runs) == 4
    assert findings.notes == []


def test_unseen_languages(home: Path, capsys: pytest.CaptureFixture) -> None:
    folder = home / "runs/mine/teachers/de"
    found = json.loads((folder / "zeroshot/results.json").read_text())
    assert set(found["languages"]) == {"fi"}
    assert (found["role"], found["average"]) == ("teacher", found["languages"]["fi"]["f1"])
    counts = np.load(folder / "zeroshot/counts/fi.npy", allow_pickle=False)
    assert counts.shape == (15, len(COLUMNS))
    # A run is not asked about what it was trained on.
    main(["zeroshot", str(folder), "--task", "mine", "--data", str(home), "--langs", "de", "fi", "en"])
    found = json.loads((folder / "zeroshot/results.json").read_text())
    assert set(found["languages"]) == {"en", "fi"}
    assert "Zero-shot f1 in per cent" in capsys.readouterr().out


def test_tests_on_other_languages_stand_beside_each_other(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """But those on another task's corpora replace them, and so does a test beside one whose counts are lost."""
    folder = tmp_path / "runs/mine/teachers/de"
    shutil.copytree(home / "runs/mine/teachers/de", folder)
    shutil.rmtree(folder / "zeroshot")
    place = ["--task", "mine", "--data", str(home), "--langs"]
    main(["zeroshot", str(folder), *place, "fi"])
    finnish = json.loads((folder / "zeroshot/results.json").read_text())
    main(["zeroshot", str(folder), *place, "en"])
    both = json.loads((folder / "zeroshot/results.json").read_text())
    assert both["asked"] == ["en", "fi"]
    assert both["languages"]["fi"] == finnish["languages"]["fi"]
    assert both["types"]["fi"] == finnish["types"]["fi"]
    assert both["average"] == pytest.approx(np.mean([one["f1"] for one in both["languages"].values()]))
    assert {file.stem for file in (folder / "zeroshot/counts").iterdir()} == {"en", "fi"}
    capsys.readouterr()
    before = (folder / "zeroshot/results.json").stat().st_mtime_ns
    main(["zeroshot", str(folder), *place, "fi"])  # done before
    assert (folder / "zeroshot/results.json").stat().st_mtime_ns == before
    assert "en" in capsys.readouterr().out
    (folder / "zeroshot/counts/fi.npy").unlink()
    shutil.copytree(home / "mine/en", home / "mine/xx", dirs_exist_ok=True)
    main(["zeroshot", str(folder), *place, "xx"])
    assert set(json.loads((folder / "zeroshot/results.json").read_text())["languages"]) == {"xx"}


def test_a_run_that_was_trained_on_all_the_languages_has_nothing_to_be_tested_on(
    home: Path, capsys: pytest.CaptureFixture
) -> None:
    """It holds nothing up, and an earlier test on other languages is not taken for this one."""
    german, english = (home / "runs/mine/teachers" / code for code in ("de", "en"))
    earlier = (german / "zeroshot/results.json").read_bytes()
    place = ["--task", "mine", "--data", str(home), "--langs"]
    capsys.readouterr()
    main(["zeroshot", str(german), str(english), *place, "de"])
    lines = capsys.readouterr().out.splitlines()
    assert any("teachers/en" in line for line in lines)
    assert not any("teachers/de" in line for line in lines)
    assert ZeroshotTest(home / "runs", "mine", "mine", str(home), ("de",), (german, english)).finished()
    assert ZeroshotTest(home / "runs", "mine", "mine", str(home), ("de",), (german,)).finished()
    line = refused(capsys, "zeroshot", str(german), *place, "de")
    assert "every run was trained on annotated sentences of de; give --langs others" in line
    assert (german / "zeroshot/results.json").read_bytes() == earlier


def test_a_run_of_another_task_is_refused(home: Path, capsys: pytest.CaptureFixture) -> None:
    line = refused(capsys, "zeroshot", str(home / "runs/mine/none/seed3"), "--langs", "es")
    assert "a run of task mine, not of demo; add --task mine" in line


def test_entities_are_not_looked_for_in_parts_of_speech(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "words/xx").mkdir(parents=True)
    for split in ("train", "dev", "test"):
        (tmp_path / f"words/xx/{split}.tsv").write_text("Anna\tPROPN\nbor\tVERB\n\n")
    folder = home / "runs/mine/none/seed3"
    place = ["--task", "mine", "--on", "words", "--data", str(tmp_path), "--langs", "xx"]
    line = refused(capsys, "zeroshot", str(folder), *place)
    assert "its tags mark entities, those of task words mark no entities" in line


def test_a_test_on_another_tasks_sentences_is_another_test(tmp_path: Path) -> None:
    make_runs(tmp_path, **SMALL, zeroshot=("nl",))
    assert ZeroshotTest(tmp_path, "wikiann", "wikiann", None, ("nl",)).finished()
    assert not ZeroshotTest(tmp_path, "wikiann", "uner", None, ("nl",)).finished()


def test_a_tagger_in_iob2_is_tested_on_sentences_with_tags_alone(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    place = ["--task", "mine", "--data", str(tmp_path), "--runs", str(tmp_path / "runs")]
    for language in ("de", "fi"):
        shutil.copytree(home / "mine" / language, tmp_path / "mine" / language)
    (tmp_path / "mine/sv").mkdir()
    (tmp_path / "mine/sv/test.tsv").write_text("Anna\nbor\n\nHon\n\n")
    small = ["--trainer.max_epochs", "1", "--model.context.hidden_size", "8", "--data.scheme", "iob2"]
    main(["distill", *place, "--langs", "de", "--loss", "none", *small])
    main(["zeroshot", *place, "--langs", "fi"])
    found = json.loads((tmp_path / "runs/mine/none/seed1/zeroshot/results.json").read_text())
    assert (found["languages"]["fi"]["sentences"], found["on"]) == (15, "mine")
    assert "no test sentences with tags in sv" in refused(capsys, "zeroshot", *place, "--langs", "fi", "sv")


def test_nothing_is_written_or_removed_through_a_link(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """A run folder may hold a link to a person's own files."""
    run, own = tmp_path / "run", tmp_path / "own"
    shutil.copytree(home / "runs/mine/none/seed3", run)
    shutil.rmtree(run / "zeroshot")
    (own / "counts").mkdir(parents=True)
    for name in ("results.json", "counts/mine.npy"):
        (own / name).write_text("mine")
    (run / "zeroshot").symlink_to(own)
    command = ["zeroshot", str(run), "--task", "mine", "--data", str(home), "--langs", "fi"]
    # A file that can be read, of other languages, is as good as none.
    (own / "results.json").write_text('{"asked": ["en"]}')
    with pytest.raises(SystemExit) as stop:
        main(command)
    assert stop.value.code == 2
    assert f"{run / 'zeroshot'}: is a link" in capsys.readouterr().err
    assert (own / "results.json").read_text() == '{"asked": ["en"]}'
    assert (own / "counts/mine.npy").read_text() == "mine"
    (run / "zeroshot").unlink()
    main(command)
    assert json.loads((run / "zeroshot/results.json").read_text())["asked"] == ["fi"]


def test_nothing_takes_the_place_of_a_run_while_it_is_tested(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Else the scores of the earlier tagger would stand beside the later one."""
    run = tmp_path / "run"
    shutil.copytree(home / "runs/mine/none/seed3", run)
    shutil.rmtree(run / "zeroshot")
    command = ["zeroshot", str(run), "--task", "mine", "--data", str(home), "--langs", "fi"]
    tested: list[object] = []

    def watched(*given: Any) -> Any:
        with pytest.raises(UserError, match="another process is at work"), alone_in(run, wait=False):
            pytest.fail("a training could begin")
        tested.append(given)
        return evaluate(*given)

    monkeypatch.setattr(zeroshot, "evaluate", watched)
    main(command)
    assert len(tested) == 1
    shutil.rmtree(run / "zeroshot")
    with alone_in(run):  # as of a training
        assert f"{run}: another process is at work there" in refused(capsys, *command)
    assert len(tested) == 1


def test_a_run_that_another_process_has_just_tested_is_not_tested_again(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    shutil.copytree(home / "runs/mine/none/seed3", run)
    shutil.move(run / "zeroshot", tmp_path / "aside")

    def late(path: Path, *below: str, wait: bool = True) -> AbstractContextManager[None]:
        shutil.copytree(tmp_path / "aside", run / "zeroshot")
        return alone_in(path, *below, wait=wait)

    monkeypatch.setattr(zeroshot, "alone_in", late)
    monkeypatch.setattr(zeroshot, "evaluate", lambda *_: pytest.fail("tested again"))
    main(["zeroshot", str(run), "--task", "mine", "--data", str(home), "--langs", "fi"])


def test_a_language_is_unseen_unless_its_annotation_was_trained_on(home: Path, tmp_path: Path) -> None:
    """Whatever a run was tested on: one language has no tags to be tested on, another no training sentences."""
    shutil.copytree(home / "mine", tmp_path / "mine")
    (tmp_path / "mine/en/test.tsv").write_text("Anna\nbor\n\n")
    for split in ("train", "dev"):
        (tmp_path / f"mine/fi/{split}.tsv").unlink()
    place = ["--task", "mine", "--data", str(tmp_path), "--runs", str(tmp_path / "runs")]
    main(["distill", *place, "--langs", "de", "en", "fi", "--loss", "none", *QUICK])
    run = tmp_path / "runs/mine/none/seed1"
    record = json.loads((run / "results.json").read_text())
    assert (record["annotated"], set(record["languages"])) == (["de", "en"], {"de", "fi"})
    command = ["zeroshot", str(run), "--task", "mine", "--data", str(home), "--langs", "en", "fi"]
    main(command)
    assert set(json.loads((run / "zeroshot/results.json").read_text())["languages"]) == {"fi"}
    del record["annotated"]  # as earlier versions wrote it
    (run / "results.json").write_text(json.dumps(record))
    shutil.rmtree(run / "zeroshot")
    main(command)
    assert set(json.loads((run / "zeroshot/results.json").read_text())["languages"]) == {"en"}


def test_a_folder_that_is_no_run_is_not_made_one(home: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(["zeroshot", str(tmp_path / "typo"), "--task", "mine", "--data", str(home), "--langs", "fi"])
    assert not (tmp_path / "typo").exists()


def test_evaluation_agrees_with_lightnings_test(home: Path) -> None:
    folder = home / "runs/mine/none/seed3"
    results = json.loads((folder / "results.json").read_text())
    tagger = skd_lightning.load(folder)
    from skd_lightning.data.module import TaggingData

    data = TaggingData("mine", str(home), ["de", "en"])
    found, counts = evaluate(tagger, data.sentences["test"])
    found["languages"], found["types"] = split_types(found["languages"])
    assert found["languages"] == {name: results["languages"][name] for name in ("de", "en")}
    assert found["types"] == results["types"]
    for language in ("de", "en"):
        np.testing.assert_array_equal(counts[language], np.load(folder / f"counts/{language}.npy"))


def test_tags_unknown_to_a_tagger_count_against_it(home: Path) -> None:
    tagger = skd_lightning.load(home / "runs/mine/none/seed3")
    from skd_lightning.data.sentence import Sentence

    found, _ = evaluate(tagger, {"fi": [Sentence(("a", "b"), ("S-NEW", "O"), "fi")]})
    assert found["languages"]["fi"]["recall"] == 0.0


def test_students_that_learn_from_students_are_a_phase_after_them(tmp_path: Path) -> None:
    file = tmp_path / "suite.yaml"
    file.write_text(
        """
        title: Two generations
        runs: runs
        seeds: [1, 2]
        tasks: {demo: {languages: [de, en]}}
        variants:
          third: {loss: structural, distillation.teachers: [runs/demo/second/seed1, runs/demo/teachers]}
          second: {loss: structural, distillation.teachers: [runs/demo/none/seed1, runs/demo/none/seed2]}
          none:
          topk:
        """
    )
    found = phases(read_suite(file))
    teachers, *students, transfer = [{job.title.split()[1] for job in phase} for phase in found]
    assert teachers == {"teacher"}
    assert students == [{"none", "topk"}, {"second"}, {"third"}]
    assert not transfer
    circle = file.read_text().replace("runs/demo/none/seed1", "runs/demo/third/seed1")
    file.write_text(circle)
    assert len(phases(read_suite(file))) == 4  # both are tried, and say what they lack


def test_students_of_students_in_a_file_of_teachers_are_a_phase_after_them(tmp_path: Path) -> None:
    teachers, file = tmp_path / "teachers.yaml", tmp_path / "suite.yaml"
    file.write_text(
        "title: t\nruns: runs\ntasks: {demo: {languages: [de, en]}}\n"
        f"variants: {{second: {{loss: topk, distillation.teachers: {teachers}}}, none: , topk: }}\n"
    )
    for entry in (
        "'*': runs/demo/none/seed1",
        "de: {product: [runs/demo/teachers, runs/demo/none/seed1], weights: [2, 1]}\nen: de",
        "de: {folds: [runs/demo/teachers, [{model: runs/demo/none/seed1, pieces: mean}]]}",
    ):
        teachers.write_text(entry)
        _, *students, _ = phases(read_suite(file))
        assert [{job.title.split()[1] for job in phase} for phase in students] == [
            {"none", "topk"},
            {"second"},
        ]


def test_teachers_that_nobody_trains_are_refused_before_anything_is_run(tmp_path: Path) -> None:
    file = tmp_path / "suite.yaml"
    teachers = "[{runs}/demo/teachers, {runs}/demo/none/seed1, {elsewhere}]"
    settings = "title: t\nruns: {runs}\ntasks: {{demo: {{languages: [de]}}}}\nvariants:\n  none:\n  topk: "
    settings += "{{distillation.teachers: " + teachers + "}}\n"
    elsewhere = tmp_path / "seed2" / "teachers"
    file.write_text(settings.format(runs=tmp_path / "runs", elsewhere=elsewhere))
    with pytest.raises(UserError, match=r"task demo: topk: .*seed2/teachers: nothing is there"):
        suite_module.run_suite(read_suite(file), None, 1, dry_run=True)
    elsewhere.mkdir(parents=True)
    suite_module.run_suite(read_suite(file), None, 1, dry_run=True)
    file.write_text(settings.format(runs=tmp_path / "runs", elsewhere="hf:owner/name"))
    suite_module.run_suite(read_suite(file), None, 1, dry_run=True)
    assert not (tmp_path / "runs").exists()


def test_a_student_of_a_file_whose_teachers_are_not_trained_yet_is_to_run(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    teachers, file = tmp_path / "teachers.yaml", tmp_path / "suite.yaml"
    teachers.write_text(f"de: {tmp_path}/runs/demo/teachers\nen: de\n")
    file.write_text(
        f"title: t\nruns: {tmp_path}/runs\ntasks: {{demo: {{languages: [de, en]}}}}\n"
        f"variants: {{topk: {{distillation.teachers: {teachers}}}}}\n"
    )
    suite_module.run_suite(read_suite(file), None, 1, dry_run=True)
    assert capsys.readouterr().out.split("\n")[-2].split() == "to run demo: topk seed 1".split()


def options_of(recipe: str) -> dict[str, object]:
    """Return the options of a recipe's students as a suite writes them, {name with dots: value}."""

    def flat(settings: dict[str, object], names: tuple[str, ...]) -> Iterator[tuple[str, object]]:
        for name, value in settings.items():
            inner = names if name == "init_args" else (*names, name)
            yield from flat(value, inner) if isinstance(value, dict) else [(".".join(inner), value)]

    return dict(flat(read_yaml(EXPERIMENTS / "recipes" / recipe / "student.yaml"), ()))


@pytest.mark.parametrize("file", sorted((EXPERIMENTS / "suites").glob("*.yaml")), ids=lambda file: file.stem)
def test_the_students_of_a_suite_do_not_undo_its_recipes(file: Path) -> None:
    suite = read_suite(file)
    for name, variant in suite.variants.items():
        recipe = options_of(variant.recipe) if variant.recipe else {}
        undone = {option for option in recipe if suite.students.get(option, recipe[option]) != recipe[option]}
        assert undone <= variant.options.keys(), name


def test_a_suite_may_be_of_teachers_alone(tmp_path: Path) -> None:
    file = tmp_path / "suite.yaml"
    file.write_text("title: Teachers\ntasks: {demo: {languages: [de, fi]}}\nteachers: {seed_everything: 2}\n")
    planned = planned_runs(read_suite(file), "demo")
    assert [run.role for run in planned] == ["teacher", "teacher"]
    assert all("seed_everything: 2" in run.parse().text for run in planned)


def test_teachers_of_folds_are_planned_where_a_task_asks_for_them(tmp_path: Path) -> None:
    file = tmp_path / "folds.yaml"
    file.write_text(
        "title: Folds\ntasks:\n  mine: {languages: [de], options: {distillation.folds: 2}}\nvariants:\n  topk:\n"
    )
    names = {run.path.parent.name for run in planned_runs(read_suite(file), "mine")}
    assert names == {"teachers", "teachers-fold1of2", "teachers-fold2of2", "topk"}


def test_other_values_are_run_where_one_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def failing(*phases: object) -> None:
        asked.append(phases)
        raise UserError("1 run failed")

    monkeypatch.setattr(suite_module, "run_jobs", failing)
    suite = SimpleNamespace(title="t", vary={"a": (1, 2)}, tasks={})
    suite.by_value = lambda: {"1": suite, "2": suite}
    with pytest.raises(UserError, match="1: 1 run failed; 2: 1 run failed"):
        suite_module.run_suite(suite, None, 1, dry_run=False)
    assert len(asked) == 2


def test_an_option_that_varies_is_not_set_again(tmp_path: Path) -> None:
    file = tmp_path / "suite.yaml"
    file.write_text(VARIED.format(runs=tmp_path) + "students: {data.max_train_sentences: 50}\n")
    with pytest.raises(UserError, match=r"data\.max_train_sentences is set again for tasks or students"):
        read_suite(file)


VARIED = """
title: Sizes
runs: {runs}
tasks: {{wikiann: {{languages: [de, en]}}}}
variants: {{none: , topk: }}
vary: {{data.max_train_sentences: [100, 300, 1000]}}
"""


def test_named_options_count_more_than_files_and_files_lie_beside_the_suite(tmp_path: Path) -> None:
    """The more particular level counts, whichever was written first."""
    for name, content in {
        "base": "trainer: {max_epochs: 40}\ndata: {tokens: 300, max_train_sentences: 77}\n",
        "own": "trainer: {max_epochs: 50}\n",
    }.items():
        (tmp_path / f"{name}.yaml").write_text(content)
    file = tmp_path / "suite.yaml"
    text = VARIED.format(runs=tmp_path / "runs").replace(
        "variants: {none: , topk: }",
        "options: {trainer.max_epochs: 3}\nstudents: {config: base.yaml}\n"
        "variants: {none: {trainer.max_epochs: 9}, topk: {config: own.yaml}}",
    )
    file.write_text(text)
    runs = {run.variant: run for run in planned_runs(read_suite(file).by_value()["100"], "wikiann")}
    epochs = {name: run.parse().cli.config.trainer.max_epochs for name, run in runs.items()}
    assert epochs == {"teachers": 3, "none": 9, "topk": 3}
    for name in ("none", "topk"):
        data = runs[name].parse().cli.config.data
        assert (data.tokens, data.max_train_sentences) == (300, 100)


def test_an_option_varies_over_folders(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    file = tmp_path / "suite.yaml"
    file.write_text(VARIED.format(runs=tmp_path / "runs"))
    suites = read_suite(file).by_value()
    assert list(suites) == ["100", "300", "1000"]
    assert suites["300"].runs == tmp_path / "runs/300"
    assert all(
        "max_train_sentences: 300" in run.parse().text for run in planned_runs(suites["300"], "wikiann")
    )
    with pytest.raises(SystemExit):
        main(["report", "--suite", str(file)])
    assert "no finished runs of wikiann" in capsys.readouterr().err
    for value in ("100", "1000"):
        make_runs(tmp_path / "runs" / value, **SMALL)
    (tmp_path / "runs/100/wikiann/topk/seed1/results.json").write_text("{")
    main(["report", "--suite", str(file), "--out", str(tmp_path / "out")])
    with (tmp_path / "out/curve.csv").open() as found:
        rows = [(row["system"], row["data.max_train_sentences"]) for row in csv.DictReader(found)]
    assert rows == [(name, value) for name in ("teachers", "none", "topk") for value in ("100", "1000")]
    text = (tmp_path / "out/curve.md").read_text()
    assert "No finished runs: data.max_train_sentences 300." in text
    assert "data.max_train_sentences 100: topk/seed1/results.json: not readable" in text
    assert (tmp_path / "out/curve.png").stat().st_size > 1000


def test_options_name_runs_of_the_suite_itself(tmp_path: Path) -> None:
    """Of the same task, and under the same value of an option that varies; whoever teaches is trained before."""
    file = tmp_path / "suite.yaml"
    pool = '["{runs}/{task}/teachers", "{runs}/{task}/none/seed1"]'
    variants = f"variants: {{second: {{loss: structural, distillation.teachers: {pool}}}, none: , topk: }}"
    file.write_text(VARIED.format(runs="runs/sizes").replace("variants: {none: , topk: }", variants))
    suite = read_suite(file).by_value()["300"]
    second = next(run for run in planned_runs(suite, "wikiann") if run.variant == "second")
    own = Path("runs/sizes/300/wikiann")
    assert second.teacher_paths() == [own / "teachers", own / "none/seed1"]
    _, first, then, _ = phases(suite)
    assert [job.title.split()[1] for job in first] == ["none", "topk"]
    assert [job.title.split()[1] for job in then] == ["second"]


def test_the_curves_of_several_tasks_stand_beside_each_other(tmp_path: Path) -> None:
    one = "wikiann: {languages: [de, en]}"
    text = VARIED.format(runs=tmp_path / "runs").replace(one, f"{one}, mine: {{languages: [de, en]}}")
    (tmp_path / "suite.yaml").write_text(text)
    for value in ("100", "1000"):
        for task in ("wikiann", "mine"):
            make_runs(tmp_path / "runs" / value, task=task, **SMALL)
    main(["report", "--suite", str(tmp_path / "suite.yaml"), "--out", str(tmp_path / "out")])
    assert all((tmp_path / "out" / task / "curve.csv").is_file() for task in ("wikiann", "mine"))
    wide, one = (
        int.from_bytes((tmp_path / "out" / file).read_bytes()[16:20])  # a PNG's width in pixels
        for file in ("curves.png", "mine/curve.png")
    )
    assert wide > 1.3 * one


@pytest.mark.parametrize(
    "vary", ["[1]", "{a: [1], b: [2]}", "{data.tokens: 5}", "{data.tokens: [5, 5]}", "{data.data: [../x]}"]
)
def test_what_cannot_vary_is_refused(vary: str, tmp_path: Path) -> None:
    file = tmp_path / "suite.yaml"
    file.write_text(VARIED.format(runs="runs").replace("{data.max_train_sentences: [100, 300, 1000]}", vary))
    with pytest.raises(UserError, match=r"suite\.yaml: vary"):
        read_suite(file)
