"""The report on made-up run folders: what it says, what it leaves out, and what it writes."""

import csv
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
import pandas as pd
import pytest
from made_up_runs import SMALL, counts, make_runs, results, write_log, write_run

from skd_lightning.analysis import paper, training_logs
from skd_lightning.analysis.collection import natural, read_task
from skd_lightning.analysis.comparison import (
    BEST_TEACHER,
    MEAN_TEACHER,
    Comparison,
    on_trained_languages,
    on_zeroshot_languages,
)
from skd_lightning.analysis.origins import origins
from skd_lightning.analysis.scores import Scores
from skd_lightning.cli import main
from skd_lightning.display.formats import points
from skd_lightning.display.table import Table
from skd_lightning.errors import UserError
from skd_lightning.report.findings import gather
from skd_lightning.report.looks import system_looks
from skd_lightning.report.sections.by_k import score_by_k
from skd_lightning.report.sections.cost import cost_table
from skd_lightning.report.sections.differences import (
    baseline_table,
    controls_table,
    differences_plot,
    teachers_table,
)
from skd_lightning.report.sections.origins import section as origins_section
from skd_lightning.report.sections.paper import beside_tables
from skd_lightning.report.sections.scores import scores_table
from skd_lightning.report.sections.training import dev_table
from skd_lightning.report.summary import summary
from skd_lightning.report.write import write_report
from skd_lightning.run_folder import RunFolder

pytestmark = pytest.mark.usefixtures("few_resamples")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return make_runs(tmp_path / "runs", zeroshot=("nl", "sv"), **SMALL)


def rows(table: Table) -> dict[str, list[str]]:
    return {row[0]: row[1:] for row in table.rows}


def test_scores_are_means_and_sample_deviations_over_seeds(small: Path) -> None:
    comparison = on_trained_languages(read_task(small, "wikiann"))
    table = rows(scores_table(comparison, "table", ""))
    assert list(table) == ["teachers", "none (baseline)", "topk", "posterior"]
    for variant in ("topk", "posterior"):
        files = [
            json.loads((small / f"wikiann/{variant}/seed{s}/results.json").read_text()) for s in (1, 2, 3)
        ]
        for j, language in enumerate(("de", "en")):
            scores = [100 * file["languages"][language]["f1"] for file in files]
            assert table[variant][j] == f"{fmean(scores):.2f} ± {stdev(scores):.2f}"
        averages = [100 * file["average"] for file in files]
        assert table[variant][2:] == [f"{fmean(averages):.2f} ± {stdev(averages):.2f}", "3"]
    teachers = [
        json.loads((small / f"wikiann/teachers/{x}/results.json").read_text())["average"]
        for x in ("de", "en")
    ]
    assert table["teachers"] == [f"{100 * s:.2f}" for s in [*teachers, fmean(teachers)]] + [""]


def test_comparisons_by_hand(small: Path) -> None:
    comparison = on_trained_languages(read_task(small, "wikiann"))
    comparison.resample([])
    found = comparison.contrast("posterior", "none")
    assert found
    means = {
        name: [comparison.mean(name, x) for x in ("de", "en")] for name in ("teachers", "none", "posterior")
    }
    gains = [a - b for a, b in zip(means["posterior"], means["none"], strict=True)]
    assert found.value == pytest.approx(fmean(gains), abs=1e-12)
    assert found.better == sum(round(100 * gain, 2) > 0 for gain in gains)
    assert found.certain
    assert found.certain.low <= found.value <= found.certain.high
    gap = fmean(means["teachers"]) - fmean(means["none"])
    assert comparison.gap_closed("posterior") == pytest.approx(fmean(gains) / gap)
    pairs = [
        [json.loads((small / f"wikiann/{v}/seed{s}/results.json").read_text())["average"] for s in (1, 2, 3)]
        for v in ("posterior", "none")
    ]
    assert found.seeds == (3, sum(a > b for a, b in zip(*pairs, strict=True)))


def test_no_gap_where_teachers_are_not_better(small: Path) -> None:
    task = read_task(small, "wikiann")
    for run in task.teachers.values():
        run.test.languages = dict.fromkeys(run.test.languages, 0.01)
    comparison = on_trained_languages(task)
    assert comparison.gap_closed("topk") is None
    table = teachers_table(comparison, "teachers", "")
    assert table
    assert "no gap to close" in " ".join(table.notes)
    assert rows(table)["topk"][-1] == "–"


def test_zeroshot_has_the_best_teacher_of_each_language_and_the_mean(small: Path) -> None:
    comparison = on_zeroshot_languages(read_task(small, "wikiann"))
    assert comparison
    assert comparison.languages == ["nl", "sv"]
    files = [small / f"wikiann/teachers/{x}/zeroshot/results.json" for x in ("de", "en")]
    found = [json.loads(file.read_text())["languages"] for file in files]
    for language in comparison.languages:
        scores = [rows[language]["f1"] for rows in found]
        assert comparison.mean(BEST_TEACHER, language) == max(scores)
        assert comparison.mean(MEAN_TEACHER, language) == pytest.approx(fmean(scores))
    comparison.resample([])
    against = comparison.contrast("topk", BEST_TEACHER)
    assert against
    assert against.certain
    shutil.rmtree(small / "wikiann/none")
    for variant in ("topk", "posterior"):
        for seed in (1, 2, 3):
            shutil.rmtree(small / f"wikiann/{variant}/seed{seed}/zeroshot")
    teachers_only = on_zeroshot_languages(read_task(small, "wikiann"))
    assert teachers_only
    assert list(teachers_only.systems) == [BEST_TEACHER, MEAN_TEACHER]
    write_report(small, "wikiann")  # without a baseline, too


def test_a_variant_is_its_loss_in_older_files(small: Path) -> None:
    file = small / "wikiann/topk/seed1/results.json"
    old = json.loads(file.read_text())
    del old["variant"]
    file.write_text(json.dumps(old))
    assert [run.results.seed for run in read_task(small, "wikiann").students["topk"]] == [1, 2, 3]


def test_order_of_variants(tmp_path: Path) -> None:
    names = ("none", "topk", "topk-k10", "topk-k3", "posterior", "posterior+unlabelled", "pos_topwk")
    make_runs(tmp_path, **{**SMALL, "variants": names, "seeds": (1,)})
    assert list(read_task(tmp_path, "wikiann").students) == [
        "none", "topk", "topk-k3", "topk-k10", "posterior", "posterior+unlabelled", "pos_topwk",
    ]  # fmt: skip
    assert sorted(["k10", "k9", "b"], key=natural) == ["b", "k9", "k10"]


def test_variants_of_other_names_are_what_their_loss_says(small: Path) -> None:
    """The baseline, the colours and the rows of the paper of runs that all bear a name of their own."""
    for variant in ("none", "topk", "posterior"):
        (small / "wikiann" / variant).rename(small / "wikiann" / f"best-{variant}")
        for file in (small / "wikiann" / f"best-{variant}").glob("*/results.json"):
            file.write_text(json.dumps(json.loads(file.read_text()) | {"variant": f"best-{variant}"}))
    task = read_task(small, "wikiann")
    comparison = on_trained_languages(task)
    assert list(task.students) == ["best-none", "best-topk", "best-posterior"]
    assert comparison.baseline == "best-none"
    assert comparison.gap_closed("best-topk") is not None
    table = baseline_table(comparison, "baseline", "")
    assert table
    assert "The baseline is best-none." in table.notes
    seen = system_looks(["teachers", *task.students], task.losses)
    assert seen["best-topk"] == seen["topk"] != seen["best-posterior"]
    rows = {"none": {"de": 80.0}, "posterior": {"de": 81.0}}
    printed = paper.PaperTable("Table 1", "wikiann", "scores", "f1", rows)
    scores, gains = beside_tables(comparison, printed, "paper", "")
    assert [row[0] for row in scores.rows] == ["best-none", "best-posterior"]
    assert gains.data[0]["gain_paper"] == pytest.approx(1.0)
    write_report(small, "wikiann")
    looked = system_looks(
        ["none", "topk", "topk-k1", "topk-k3"], {"topk": "topk", "topk-k1": "topk", "topk-k3": "topk"}
    )
    assert (
        len({(look.colour, look.marker) for look in (looked["topk"], looked["topk-k1"], looked["topk-k3"])})
        == 3
    )


def test_a_student_stands_against_the_same_one_without_teachers(small: Path) -> None:
    """As ``best`` against ``best-none``; the baseline is nobody's control, whatever its name."""
    assert controls_table(on_trained_languages(read_task(small, "wikiann"))) is None
    (small / "wikiann/topk").rename(small / "wikiann/posterior-none")
    for file in (small / "wikiann/posterior-none").glob("*/results.json"):
        file.write_text(
            json.dumps(json.loads(file.read_text()) | {"variant": "posterior-none", "loss": "none"})
        )
    comparison = on_trained_languages(read_task(small, "wikiann"))
    assert comparison.controls == {"posterior": "posterior-none"}
    table = controls_table(comparison)
    assert table
    gained = comparison.average("posterior") - comparison.average("posterior-none")
    assert [row[:2] for row in table.rows] == [
        ["posterior against posterior-none", points(gained, signed=True)]
    ]
    assert table.data[0]["against"] == "posterior-none"
    assert table.data[0]["difference"] == pytest.approx(gained)
    del comparison.systems["none"]
    assert comparison.best() == "posterior"
    assert "Against posterior-none, the same without teachers: " in "".join(summary(comparison))
    comparison.baseline = "posterior-none"
    assert comparison.controls == {}


def test_runs_without_counts_have_no_bootstrap_and_it_says_so(small: Path) -> None:
    shutil.rmtree(small / "wikiann/posterior/seed2/counts")
    for seed in (1, 2, 3):
        shutil.rmtree(small / f"wikiann/topk/seed{seed}/counts")
    comparison = on_trained_languages(read_task(small, "wikiann"))
    comparison.resample([])
    table = baseline_table(comparison, "baseline", "")
    assert table
    assert rows(table)["topk"][1:4] == ["–", "–", "–"]
    assert "topk: no bootstrap, its runs have no counts of single sentences." in table.notes
    assert (
        "posterior: difference, interval and p from the 2 of 3 runs whose sentences were counted."
        in table.notes
    )
    whole = comparison.contrast("posterior", "none")
    assert whole
    of_two = [run.test for run in read_task(small, "wikiann").students["posterior"] if run.results.seed != 2]
    assert whole.value == pytest.approx(fmean(s.mean() for s in of_two) - comparison.average("none"))


def test_damaged_and_foreign_files_are_named_and_left_out(small: Path) -> None:
    task = small / "wikiann"
    (task / "topk/seed1/results.json").write_text("{")
    (task / "topk/seed2/results.json").write_text(json.dumps({"schema": 2}))
    (task / "posterior/seed1/results.json").write_bytes(b"\xff\xfe")
    (task / "posterior/seed2/zeroshot/results.json").write_text("[]")
    np.save(task / "posterior/seed2/counts/de.npy", np.ones((60, 4), dtype=np.int64))
    np.save(task / "posterior/seed2/counts/en.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    other = counts(np.random.default_rng(9), 60, 0.0, "f1", "de")
    np.save(task / "posterior/seed3/counts/de.npy", other)
    (task / "posterior/seed3/counts/en.npy").write_bytes(b"")
    (task / "none/seed1/metrics.csv").write_bytes(b"\x00\xff\x00")
    (task / "none/seed2/metrics.csv").write_text("")
    (task / "none/seed3/metrics.csv").write_text("a,b\n1,2\n")
    (task / "teachers/de/results.json").unlink()
    (task / "teachers/de/results.json").mkdir()
    (task / "notes.txt").write_text("mine")
    (task / "mine/folder").mkdir(parents=True)
    (task / "mine/folder/results.json").write_text("null")
    copied = task / "copy/seed3"
    shutil.copytree(task / "topk/seed3", copied)
    accuracy = {"de": counts(np.random.default_rng(9), 60, 0.0, "accuracy", "de")}
    labels = {"task": "wikiann", "role": "student", "loss": "token", "seed": 1}
    write_run(task / "token/seed1", results(accuracy, "accuracy", **labels), accuracy)
    write_report(small, "wikiann")
    page = (task / "report/index.html").read_text()
    for name in (
        "topk/seed1/results.json: not readable",
        "topk/seed2/results.json: not readable (schema 2, this version reads 1)",
        "posterior/seed1/results.json: not readable",
        "posterior/seed2/zeroshot/results.json: not readable",
        "posterior/seed2/counts/de.npy: int64 of shape (60, 4)",
        "posterior/seed2/counts/en.npy",
        "posterior/seed3/counts/de.npy: not of results.json",
        "posterior/seed3/counts/en.npy",
        "none/seed1/metrics.csv: not readable",
        "none/seed2/metrics.csv: not readable",
        "none/seed3/metrics.csv: not readable (no columns epoch and step)",
        "teachers/de/results.json: not readable",
        "mine/folder/results.json: not readable",
        "copy/seed3: a second run of topk with seed 3",
        "token/seed1: scored by accuracy, the others by f1",
    ):
        assert name in page, name
    assert str(small) not in page
    assert [run.results.seed for run in read_task(small, "wikiann").students["posterior"]] == [2, 3]


def test_nothing_readable_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "mine/none/seed1").mkdir(parents=True)
    (tmp_path / "mine/none/seed1/results.json").write_text("{")
    with pytest.raises(SystemExit) as stop:
        main(["report", "--runs", str(tmp_path), "--task", "mine"])
    assert stop.value.code == 2
    line = capsys.readouterr().err.strip()
    assert "\n" not in line
    assert "no finished runs" in line
    assert "none/seed1/results.json" in line


def test_a_student_without_one_language_has_its_name_in_the_picture(small: Path) -> None:
    for seed in (1, 2, 3):
        file = small / f"wikiann/topk/seed{seed}/results.json"
        record = json.loads(file.read_text())
        del record["languages"]["en"], record["types"]["en"]
        file.write_text(json.dumps(record))
    findings = gather(small, "wikiann")
    plot = differences_plot(findings.trained, findings.looks)
    assert plot
    assert ">topk<" in plot.svg


def test_languages_that_not_all_have(small: Path) -> None:
    file = small / "wikiann/topk/seed2/results.json"
    found = json.loads(file.read_text())
    del found["languages"]["en"]
    file.write_text(json.dumps(found))
    shutil.rmtree(small / "wikiann/teachers/de")
    comparison = on_trained_languages(read_task(small, "wikiann"))
    comparison.resample([])
    assert comparison.has("topk") == ["de"]
    assert comparison.best() in ("none", "posterior")
    table = rows(scores_table(comparison, "table", ""))
    assert table["topk"][2].endswith("*")
    assert table["teachers"][0] == "–"
    assert table["teachers"][2].endswith("*")
    found = comparison.contrast("topk", "none")
    assert found
    assert found.languages == ["de"]
    write_report(small, "wikiann")


def test_a_teacher_of_a_language_that_no_student_has_takes_nothing_away(small: Path) -> None:
    before = gather(small, "wikiann")
    folder = shutil.copytree(small / "wikiann/teachers/de", small / "wikiann/teachers/es")
    record = json.loads((folder / "results.json").read_text())
    for what in ("languages", "types"):
        record[what] = {"es": record[what]["de"]}
    (folder / "results.json").write_text(json.dumps(record))
    after = gather(small, "wikiann")
    assert summary(after.trained) == summary(before.trained) != []
    assert after.trained.languages == ["de", "en"]
    assert "no student was tested on es; the teachers' scores there are left out" in after.runs.notes
    shutil.rmtree(small / "wikiann/none")
    for loss in ("topk", "posterior"):
        shutil.rmtree(small / "wikiann" / loss)
    assert on_trained_languages(read_task(small, "wikiann")).languages == ["de", "en", "es"]


def test_nothing_is_said_to_be_worse_than_the_baseline_that_was_not_compared(small: Path) -> None:
    files = [*small.glob("wikiann/topk/*/results.json"), *small.glob("wikiann/posterior/*/results.json")]
    for file in files:
        record = json.loads(file.read_text())
        del record["languages"]["en"]
        file.write_text(json.dumps(record))
    text = " ".join(summary(on_trained_languages(read_task(small, "wikiann"))))
    assert "Best student: none (baseline)" in text
    assert "No distillation beats" not in text
    for file in small.glob("wikiann/*/*/results.json"):
        record = json.loads(file.read_text())
        for row in record["languages"].values():
            row.update(sentences=0, words=0)
        file.write_text(json.dumps(record))
    assert summary(on_trained_languages(read_task(small, "wikiann"))) == []


def test_languages_without_test_sentences_are_not_counted(small: Path) -> None:
    file = small / "wikiann/topk/seed1/results.json"
    results = json.loads(file.read_text())
    results["languages"]["xx"] = {**results["languages"]["en"], "sentences": 0, "words": 0}
    results["types"]["xx"] = {}
    file.write_text(json.dumps(results))
    runs = read_task(small, "wikiann")
    assert "xx" not in runs.students["topk"][0].test.languages


def test_the_states_of_the_code_are_counted(small: Path) -> None:
    assert origins(read_task(small, "wikiann")).keys() == {("",)}
    made = {"code of skd_lightning": "abc", "torch": "2", "pytorch-lightning": "3"}
    (small / "wikiann/topk/seed1/provenance.json").write_text(json.dumps(made))
    found = origins(read_task(small, "wikiann"))
    assert found[("abc", "2", "3")] == 1
    assert found.total() == sum(1 for _ in read_task(small, "wikiann").runs())
    section = origins_section(gather(small, "wikiann"))
    assert section is not None
    assert "1 run was made by the code whose hash is abc, with torch 2, pytorch-lightning 3." in str(
        section.content
    )


def test_languages_without_labels_are_said_and_marked(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in (small / "wikiann").glob("*/seed*"):
        (folder / "config.yaml").write_text("data: {text_only: [en]}")
    write_report(small, "wikiann")
    page = (small / "wikiann/report/table.md").read_text()
    lines = page.splitlines()
    assert "- Students have no labels of en." in lines[:8]
    assert "|  | de | en † | average | seeds |" in lines
    assert "|  | de | en † | average |" in lines
    assert lines.count("† Students have no labels of en.") == 2
    printed = capsys.readouterr().out
    assert "en †" in printed
    assert "† Students have no labels of en." in printed


def test_the_gain_on_languages_without_labels_stands_apart() -> None:
    scores = {"none": {"de": 0.9, "es": 0.5, "fi": 0.4}, "topk": {"de": 0.905, "es": 0.8, "fi": 0.9}}
    systems = {name: [Scores(found, dict.fromkeys(found, 10))] for name, found in scores.items()}
    lacking = {name: ["es", "fi"] for name in scores}
    found = Comparison(
        "f1", ["de", "es", "fi"], systems, {"none": [1], "topk": [1]}, {"none": "none"}, text_only=lacking
    )
    first, against, apart = summary(found)
    assert "topk" in first
    assert against.startswith("Against the baseline: +26.83 points")
    assert apart == (
        "Students have no labels of es, fi: against the baseline +40.00 points on these, +0.50 on the other languages."
    )


def test_students_without_labels_are_named_where_others_have_them(small: Path) -> None:
    for seed in (1, 2, 3):
        (small / f"wikiann/topk/seed{seed}/config.yaml").write_text("data: {text_only: [de]}")
    (small / "wikiann/none/seed1/config.yaml").write_text("data: {text_only: de}")
    findings = gather(small, "wikiann")
    assert "No labels of de: topk." in summary(findings.trained)
    assert "† No labels of de: topk." in scores_table(findings.trained, "table", "").notes
    (note,) = findings.notes
    assert note.startswith("none/seed1/config.yaml: data.text_only: ")
    assert note.endswith("; it may have had no labels of some languages")


def test_a_suite_reports_its_own_variants(small: Path, tmp_path: Path) -> None:
    suite = tmp_path / "suite.yaml"
    tasks = "tasks: {wikiann: {languages: [de, en]}}\nvariants: {none: , topk: }"
    suite.write_text(f"title: Two\nruns: {small}\n{tasks}\n")
    main(["report", "--suite", str(suite), "--out", str(tmp_path / "out")])
    with (tmp_path / "out/runs.csv").open() as file:
        assert {row["run"] for row in csv.DictReader(file)} == {"teachers", "none", "topk"}


def test_output_is_the_same_for_the_same_runs(small: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(small, moved)
    for runs, out in ((small, "a"), (moved, "b")):
        main(["report", "--runs", str(runs), "--task", "wikiann", "--out", str(tmp_path / out)])
    first, second = (sorted((tmp_path / out).iterdir()) for out in ("a", "b"))
    assert [file.name for file in first] == [file.name for file in second]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name
        assert str(tmp_path).encode() not in one.read_bytes(), one.name
    assert not (small / "wikiann/report").exists()


def test_an_earlier_report_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    """A file that only the earlier report had goes; files of others stay, whatever their names."""
    out = tmp_path / "results"
    variants = ("none", "topk", "topk-k1")
    runs = make_runs(tmp_path / "runs", zeroshot=("nl",), **{**SMALL, "variants": variants, "seeds": (1,)})
    write_report(runs, "wikiann", out)
    earlier = {file.name for file in out.iterdir()}
    assert {"k.png", "zeroshot.csv", "files.txt"} <= earlier
    assert sorted(earlier - {"files.txt"}) == (out / "files.txt").read_text().split()
    names_of_mine = ("README.md", "curves.png", "loss.csv", ".k.png-mine", ".k.png-01234567")
    mine = dict.fromkeys(names_of_mine, "mine")
    for name, text in mine.items():
        (out / name).write_text(text)
    for run in (runs / "wikiann").glob("*/*/zeroshot"):
        shutil.rmtree(run)
    shutil.rmtree(runs / "wikiann/topk-k1")
    write_report(runs, "wikiann", out)
    names = {file.name for file in out.iterdir()}
    assert names - mine.keys() == earlier - {"k.png"} - {name for name in earlier if "zeroshot" in name}
    assert {name: (out / name).read_text() for name in mine} == mine
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file: File exists; what stands there is no folder"):
        write_report(runs, "wikiann", tmp_path / "file")


def test_a_damaged_manifest_removes_nothing_elsewhere(small: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    out = tmp_path / "out"
    (out / "folder").mkdir(parents=True)
    write_report(small, "wikiann", out)
    listed = (out / "files.txt").read_text()
    (out / "files.txt").write_text(f"{listed}../precious\n{tmp_path}/precious\n..\n.\n\nfolder/x\n")
    write_report(small, "wikiann", out)
    assert (tmp_path / "precious").read_text() == "mine"
    assert (out / "folder").is_dir()
    assert (out / "files.txt").read_text() == listed


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("files.txt", b"train.tsv\n"),
        ("files.txt", b"\xff\xfe"),
        ("table.csv", b"mine"),
        ("index.html", b"mine"),
    ],
)
def test_files_of_somebody_else_are_not_replaced(
    name: str, content: bytes, small: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_bytes(content)
    with pytest.raises(
        UserError, match=f"{name} is there, and no earlier report wrote it; name another folder"
    ):
        write_report(small, "wikiann", out)
    assert [file.name for file in out.iterdir()] == [name]
    assert (out / name).read_bytes() == content


def test_of_two_teachers_of_a_language_the_one_in_its_place_counts(small: Path) -> None:
    shutil.copytree(small / "wikiann/teachers", small / "wikiann/teachers-backup")
    found = read_task(small, "wikiann")
    assert found.teachers["de"].folder.path.parent.name == "teachers"
    assert any("teachers-backup/de: a second teacher of de; left out" in note for note in found.notes)


def test_a_baseline_alone_is_not_compared_with_itself(tmp_path: Path) -> None:
    make_runs(tmp_path, **{**SMALL, "variants": ("none",)})
    assert all("Against the baseline" not in line for line in summary(gather(tmp_path, "wikiann").trained))


@pytest.mark.parametrize(
    ("run", "change"),
    [
        ("topk/seed1", {"objective": {"k": "five"}}),
        ("topk/seed1", {"objective": {"k": [5]}}),
        ("topk/seed1", {"seconds": {"fit": 1.0}}),
        ("teachers/de", {"types": {}}),
    ],
    ids=str,
)
def test_a_strange_record_ends_no_report(small: Path, run: str, change: dict) -> None:
    file = small / "wikiann" / run / "results.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    write_report(small, "wikiann")


class Page(HTMLParser):
    """Tags that stay open or close what was not opened, ids, and everything that loads something."""

    EMPTY = {"meta", "br", "hr", "img", "link", "input"}

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href", "data") and not (value or "").startswith("#"):
                self.loads.append(f"{tag} {name}={value}")
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def test_the_page_needs_nothing_else_and_is_small(tmp_path: Path) -> None:
    """Eight languages, seven variants, three seeds, 100 epochs: the size of a real experiment."""
    runs = make_runs(tmp_path / "runs", zeroshot=("de", "nl"), epochs=100, sentences=100)
    out = tmp_path / "out"
    write_report(runs, "wikiann", out)
    text = (out / "index.html").read_text()
    page = Page()
    page.feed(text)
    assert not page.wrong
    assert not page.open
    assert not page.loads
    assert len(page.ids) == len(set(page.ids))
    assert "script" not in page.tags
    assert not re.search(r"@import|@font-face|url\((?!#)", text)
    pictures, drawings = [*out.glob("*.png")], re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(drawings) >= len(pictures) > 5
    for file in pictures:
        assert file.stat().st_size < 200_000, file.name
    assert all(len(svg) < 200_000 for svg in drawings)
    assert len(text) < 800_000
    for heading in ("Zero-shot transfer", "Beside the paper", "Time, memory and size"):
        assert heading in text
    with (out / "baseline.csv").open() as lines:
        found = list(csv.DictReader(lines))
    assert [row["system"] for row in found] == [
        "token",
        "emission",
        "topk",
        "topwk",
        "posterior",
        "pos_topwk",
    ]
    assert all(0 < float(row["p"]) <= float(row["p_holm"]) <= 1 for row in found)
    names = set(pd.read_csv(out / "runs.csv").columns)
    assert names == {"run", "seed", "kind", "language", "metric", "score"}


def test_names_are_text_wherever_they_stand(tmp_path: Path) -> None:
    make_runs(tmp_path, **{**SMALL, "seeds": (1, 2)})
    name = "<b>x|$y_1$&[bold] #0072b2; 0.1251"
    for seed in (1, 2):
        file = tmp_path / f"wikiann/posterior/seed{seed}/results.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"variant": name}))
    write_report(tmp_path, "wikiann")
    folder = tmp_path / "wikiann/report"
    page = (folder / "index.html").read_text()
    assert "<b>x" not in page
    assert page.count("&lt;b&gt;x|$y_1$&amp;[bold] #0072b2; 0.1251") > 9  # in tables and in plots
    assert "| <b>x\\|$y_1$&[bold] #0072b2; 0.1251 |" in (folder / "table.md").read_text()
    parser = Page()
    parser.feed(page)
    assert not parser.wrong


def test_one_run_alone_is_a_report(tmp_path: Path) -> None:
    make_runs(tmp_path, **{**SMALL, "variants": ("posterior",), "seeds": (1,), "with_counts": False})
    shutil.rmtree(tmp_path / "wikiann/teachers")
    write_report(tmp_path, "wikiann")
    assert "One seed each" in (tmp_path / "wikiann/report/table.md").read_text()
    make_runs(tmp_path, **{**SMALL, "task": "mine", "variants": ()})
    write_report(tmp_path, "mine")
    assert (tmp_path / "mine/report/index.html").is_file()


def test_k_is_plotted_where_a_loss_has_several(tmp_path: Path) -> None:
    make_runs(tmp_path / "one", **SMALL)
    task = read_task(tmp_path / "one", "wikiann")
    assert (
        score_by_k(task, on_trained_languages(task), system_looks(["teachers", *task.students], task.losses))
        is None
    )
    names = ("none", "topk", "topk-k1", "topk-k10", "topk+unlabelled", "structural", "structural-half")
    make_runs(tmp_path / "two", **{**SMALL, "variants": names})
    task = read_task(tmp_path / "two", "wikiann")
    found = score_by_k(
        task, on_trained_languages(task), system_looks(["teachers", *task.students], task.losses)
    )
    assert found
    assert "topk" in found.svg
    assert "unlabelled" not in found.svg
    assert "structural (every path)" in found.svg
    assert "half" not in found.svg


def test_all_dev_scores_of_an_epoch_are_in_the_log_by_steps(tmp_path: Path) -> None:
    lines = ["dev/average,epoch,step,train/loss", "0.5,0,1,", "0.9,0,3,", "0.7,0,5,", ",0,5,1.5", "0.6,1,7,"]
    folder = RunFolder(tmp_path)
    folder.metrics.write_text("\n".join(lines) + "\n")
    assert training_logs.read(folder)["dev/average"].tolist() == [0.7, 0.6]
    steps = training_logs.read_steps(folder)
    assert steps["dev/average"].tolist() == [0.5, 0.9, 0.7, 0.6]
    assert steps["step"].tolist() == [2, 4, 6, 8]
    assert steps.index.tolist() == [1, 1, 1, 2]


def test_the_best_dev_score_and_its_step_are_in_the_report(small: Path) -> None:
    """Teachers' scores are a mean over languages; a variant of which a log is missing is left out."""
    runs = read_task(small, "wikiann")
    for i, run in enumerate(runs.teachers.values()):
        lines = ["dev/average,epoch,step", "0.5,0,9", f"0.{6 + i},0,19", "0.1,1,29"]
        run.folder.metrics.write_text("\n".join(lines) + "\n")
    table = {row["system"]: row for row in dev_table(runs).data}
    for name, group in runs.students.items():
        logs = [training_logs.read_steps(run.folder) for run in group]
        assert table[name]["average"] == pytest.approx(fmean(log["dev/average"].max() for log in logs))
        best = [log["step"].iloc[log["dev/average"].argmax()] for log in logs]
        assert table[name]["after"] == fmean(best)
        assert table[name]["of"] == fmean(log["step"].max() for log in logs)
    assert len(runs.teachers) == 2
    teachers = table["teachers"]
    assert teachers["average"] == pytest.approx(0.65)
    assert (teachers["deviation"], teachers["after"], teachers["of"]) == (None, 20, 30)
    (runs.students["topk"][0].folder.metrics).unlink()
    assert "topk" not in {row["system"] for row in dev_table(runs).data}


def test_a_resumed_log_is_one(tmp_path: Path) -> None:
    """Two parts, the second of which does an epoch again: one row an epoch, the later values."""
    folder = tmp_path / "run"
    write_log(folder, "topk", 6, 0.9, np.random.default_rng(0))
    whole = training_logs.read(RunFolder(folder))
    assert list(whole.index) == [1, 2, 3, 4, 5, 6]
    assert list(whole.step) == [40, 80, 120, 160, 200, 240]
    lines = (folder / "metrics.csv").read_text().splitlines()
    head, body = lines[0], lines[1:]
    early = [line.replace("0.", "0.9", 1) if ",3," in line else line for line in body[:8]]  # epochs 0 to 3
    (folder / "metrics-1.csv").write_text("\n".join([head, *early]) + "\n")
    (folder / "metrics.csv").write_text("\n".join([head, *body[6:]]) + "\n")
    pd.testing.assert_frame_equal(training_logs.read(RunFolder(folder)), whole)
    assert training_logs.read(RunFolder(tmp_path)).empty


def test_curves_average_over_seeds_while_all_go_on() -> None:
    one = pd.DataFrame({"step": [10.0, 20.0, 30.0], "x": [1.0, 2.0, 3.0]}, index=[1, 2, 3])
    two = pd.DataFrame({"step": [12.0, 22.0], "x": [2.0, 4.0]}, index=[1, 2])
    found = training_logs.curve([one, two], "x")
    assert found.to_dict("list") == {"step": [11, 21], "mean": [1.5, 3.0], "low": [1, 2], "high": [2, 4]}
    assert training_logs.curve([one, two], "y").empty


def test_cost_is_relative_to_the_baseline(small: Path) -> None:
    task = read_task(small, "wikiann")
    found = {row["system"]: row for row in cost_table(task).data}
    fits = {
        v: [
            json.loads((small / f"wikiann/{v}/seed{s}/results.json").read_text())["seconds"]["fit"]
            for s in (1, 2, 3)
        ]
        for v in ("none", "topk")
    }
    assert found["topk"]["fit_ratio"] == pytest.approx(fmean(fits["topk"]) / fmean(fits["none"]))
    assert found["topk"]["whole_ratio"] == pytest.approx((fmean(fits["topk"]) + 30) / fmean(fits["none"]))
    assert found["teachers"]["parameters"] == 8_000_000
