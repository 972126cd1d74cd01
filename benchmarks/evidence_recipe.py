"""Tables of ``docs/evidence.md`` about the recipe, its teachers and its probabilities."""

from __future__ import annotations

from collections.abc import Sequence

from evidence_results import TASKS, Cells, Gain, Report, dev_and_test_by_k, named, quoted, rounded, rows_of

UPOS_LANGUAGES, NER_LANGUAGES = "UPOS, 8 languages", ("WikiAnn, 8 languages", "Universal NER, 4 languages")
WORDS = ("seen", "unseen")


def main_scores(systems: Sequence[tuple[str, str]]) -> list[Cells]:
    """Return test scores of systems, by label and name, on the three tasks."""
    rows = [[label, *(str(Report(task).score(name)) for task in TASKS)] for label, name in systems]
    return [["", UPOS_LANGUAGES, *NER_LANGUAGES], *rows]


def recipe() -> list[Cells]:
    """Peers, teachers, students and controls."""
    none = "`none`: one for all, 2,000 steps, annotated sentences alone"
    variants = ("none-network", "best-network-none", "best-network", "best-none", "best-gold", "best")
    found = main_scores(
        [
            ("crfsuite (one per language)", "crfsuite (peer)"),
            ("spaCy from scratch (one per language)", "spacy (peer)"),
            ("flair from scratch, 20 epochs (one per language)", "flair (peer)"),
            ("teachers (one per language)", "teachers"),
            (none, "none"),
            *((f"`{name}`", name) for name in variants),
        ]
    )
    return [*found, ["report", *(f"[{task}](results/{task}/table.md)" for task in TASKS)]]


def readme() -> list[Cells]:
    """The rows of the recipe that a reader needs first."""
    return main_scores(
        [
            ("crfsuite (one per language)", "crfsuite (peer)"),
            ("spaCy from scratch (one per language)", "spacy (peer)"),
            ("flair from scratch (one per language)", "flair (peer)"),
            ("teachers (one per language)", "teachers"),
            ("student, network alone, without teachers (`none-network`)", "none-network"),
            ("network alone, teachers and unlabelled text (`best-network`)", "best-network"),
            ("network and features, without teachers (`best-none`)", "best-none"),
            ("network and features, teachers and unlabelled text (`best`)", "best"),
        ]
    )


def contrasts() -> list[Cells]:
    """What the teachers add, and how students stand beside them."""
    rows: list[Cells] = [["", "UPOS", "WikiAnn", "Universal NER"]]
    for name, other in (("best-network", "best-network-none"), ("best", "best-none")):
        found = [Report(task).difference("controls", name, other) for task in TASKS]
        rows.append([f"`{name}` against `{other}`", *map(str, found)])
    for name in ("best", "best-network"):
        found = [Report(task).difference("teachers", name, "teachers") for task in TASKS]
        rows.append([f"`{name}` against the teachers", *map(str, found)])
    return rows


def pools() -> list[Cells]:
    """Members, pools, and the student that they taught."""
    systems = {
        "a teacher": "one of teachers",
        "three teachers, of equal weight": "all of teachers, equal weights",
        "a `best-none`": "one of best-none",
        "three `best-none`, of equal weight": "all of best-none, equal weights",
        "all six, of equal weight": "all, equal weights",
        "all six, weights learnt on dev data, as in `best`": "all, weights: dev",
        "`best`, which this pool taught": "best",
    }
    found = [named(f"pools/{task}.csv", "system") for task in TASKS]
    rows = [
        [label, *(rounded(own[name][split], 2) for own in found for split in ("dev", "test"))]
        for label, name in systems.items()
    ]
    return [["", "UPOS dev", "test", "WikiAnn dev", "test", "Universal NER dev", "test"], *rows]


def feature_weights() -> list[Cells]:
    """Scores by the weight of the features."""
    found = {(row["name"], row["weight"]): row for row in rows_of("feature_weights/uner.csv")}
    weights = list(dict.fromkeys(weight for _, weight in found))
    rows = [
        [f"`{name}`, {split}", *(rounded(found[name, weight][split], 1) for weight in weights)]
        for name in ("best-gold", "best-none")
        for split in ("dev", "test")
    ]
    return [["", *weights], *rows]


def changes() -> list[Cells]:
    """The recipe on Universal NER with one change at a time."""
    report = Report("uner_changes")
    systems = {
        "`best`": "best",
        "teachers of one seed": "best-one-seed",
        "three seeds of teachers alone": "best-teachers-alone",
        "three students `best-none` alone": "best-students-alone",
        "all six, of equal weight": "best-uniform",
        "their product": "best-product",
        "`posterior`": "best-posterior",
        "`topwk`": "best-topwk",
        "temperature 2.25": "best-T2.25",
        "λ = 0.5 throughout": "best-lambda-constant",
        "no text": "best-annotated",
        "generated text alone": "best-generated",
        "features of gold tags alone (`best-gold`)": "best-gold",
        "four sentences of text for each annotated one": "best-ratio4",
        "languages as often as they have text": "best-exponent1",
        "2,000 steps": "best-half",
        "8,000 steps": "best-double",
    }
    rows = [[label, report.dev(name).plain, str(report.score(name))] for label, name in systems.items()]
    return [["", "dev F1", "test F1"], *rows]


def objectives() -> list[Cells]:
    """The network alone, by what teaches it and how."""
    systems = {
        "no teachers (`best-network-none`)": "best-network-none",
        "`topk`, k = 5": "network-topk",
        "`topwk`, k = 5": "network-topwk",
        "`posterior`": "network-posterior",
        "`pos_topwk`": "network-pos_topwk",
        "`path_set`, mass 0.95": "network-path_set",
        "`structural` (`best-network`)": "best-network",
        "`structural`, product": "network-product",
        "`emission`, product": "network-emission",
        "α = 0.9, product": "network-a0.9",
        "α = 0.5, product": "network-a0.5",
        "α = 0.1, product": "network-a0.1",
        "`structural`, one teacher": "network-one-seed",
        "three seeds of teachers": "network-mixture",
        "three students `best-none`": "network-second",
    }
    rows = []
    for label, name in systems.items():
        cells = [label]
        for task in TASKS:
            report = Report(f"structural_{task}")
            cells += [report.dev(name).plain, report.score(name).plain]
            cells += [report.calibration(name, "entity_ece")] if task != "upos" else []
        rows.append(cells)
    entity = ["test", "entity ECE"]
    return [["", "UPOS dev", "test", "WikiAnn dev", *entity, "Universal NER dev", *entity], *rows]


def k() -> list[Cells]:
    """Dev and test scores by k."""
    numbers = ("1", "2", "3", "5", "10")
    rows = [
        [f"`{name}`", *(dev_and_test_by_k(f"{name}-k{number}") for number in numbers), every]
        for name, every in (("topk", ""), ("topwk", dev_and_test_by_k("structural")))
    ]
    return [["", *numbers, "every path (`structural`)"], *rows]


def seen() -> list[Cells]:
    """Scores of words, or entities, that the annotation has, and that it lacks."""
    rows = []
    for name in ("teachers", "none-network", "best-network", "best-none", "best"):
        cells = [Report(task).seen(name, words) for task in TASKS for words in WORDS]
        rows.append([quoted(name), *cells])
    return [["", "UPOS seen", "unseen", "WikiAnn seen", "unseen", "Universal NER seen", "unseen"], *rows]


def folds() -> list[Cells]:
    """Students of the annotated sentences alone."""
    report = Report("folds")
    rows: list[Cells] = [["", "dev F1", "test F1", "difference", "entity ECE", "log loss"]]
    for label, name in (
        ("`none`", "none"),
        ("`topwk`", "topwk"),
        ("`topwk`, four folds", "topwk-folds"),
        ("`structural`", "structural"),
        ("`structural`, four folds", "structural-folds"),
    ):
        gain = "" if name == "none" else str(report.difference("baseline", name, "none"))
        cells = [report.dev(name).plain, str(report.score(name)), gain]
        rows.append(
            [label, *cells, report.calibration(name, "entity_ece"), report.calibration(name, "log_loss")]
        )
    return rows


def calibration() -> list[Cells]:
    """Expected calibration error and log loss."""
    rows: list[Cells] = [["", "UPOS", "log loss", "WikiAnn", "log loss", "Universal NER", "log loss"]]
    for name in (
        "spacy (peer)",
        "teachers",
        "best-network-none",
        "best-network",
        "none-network",
        "best-none",
        "best",
    ):
        label = {"spacy (peer)": "spaCy from scratch", "teachers": name}.get(name, f"`{name}`")
        cells = [
            Report(task).calibration(name, column)
            for task in TASKS
            for column in ("word_ece" if task == "upos" else "entity_ece", "log_loss")
        ]
        rows.append([label, *cells])
    return rows


def entity_decoding() -> list[Cells]:
    """The most probable sequences beside the entities of the best expected F1."""
    rows: list[Cells] = [
        ["", "WikiAnn, sequence", "entities", "gain", "Universal NER, sequence", "entities", "gain"]
    ]
    found = [named(f"entity_decoding/{task}.csv") for task in ("wikiann", "uner")]
    for name in (
        "teachers",
        "none",
        "none-network",
        "best-network-none",
        "best-network",
        "best-none",
        "best",
    ):
        cells = []
        for own in (task[name] for task in found):
            cells += [rounded(own[f"test {way}"], 2) for way in ("viterbi", "entities")]
            cells.append(str(Gain(*(float(own[end]) for end in ("value", "low", "high")))))
        rows.append([quoted(name), *cells])
    return rows
