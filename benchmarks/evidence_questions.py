"""Tables of ``docs/evidence.md`` about sizes, text, new languages and a transformer; see ``evidence_recipe``."""

from __future__ import annotations

from evidence_results import TASKS, Cells, Report, Scored, curve, named, quoted, rounded, signed

SIZES = ("100", "300", "1000", "3000")
ENTITY_TASKS = ("wikiann", "uner")


def by_size(first: str, rows: list[Cells]) -> list[Cells]:
    """Return rows below a head of the sizes on WikiAnn and Universal NER."""
    sizes = ["100", "300", "1,000", "3,000"]
    heads = [
        f"{task} {size}" if size == "100" else size for task in ("WikiAnn", "Universal NER") for size in sizes
    ]
    return [[first, *heads], *rows]


def entity_decoding_by_size() -> list[Cells]:
    """The most probable sequences beside the entities of the best expected F1, by the number of annotated sentences."""
    crfsuite = [curve("curves", task, "crfsuite (peer)", size) for task in ENTITY_TASKS for size in SIZES]
    rows: list[Cells] = [["crfsuite", *(f"{score:.2f}" for score in crfsuite)]]
    found = [named(f"entity_decoding/{task}_{size}.csv") for task in ENTITY_TASKS for size in SIZES]
    for name in ("teachers", "none", "text-20000-pool"):
        for way, said in (("viterbi", "sequence"), ("entities", "entities")):
            rows.append([f"{quoted(name)}, {said}", *(rounded(own[name][f"test {way}"], 2) for own in found)])
    return by_size("annotated sentences", rows)


def generated() -> list[Cells]:
    """What generated sentences add to the student without teachers."""
    rows = []
    for kind, name in (
        ("labelled by teachers", "generated"),
        ("with the tags that they are made of", "generated-none"),
    ):
        gains = [
            curve("generated", task, name, size) - curve("generated", task, "none", size)
            for task in TASKS
            for size in SIZES
        ]
        rows.append([kind, *(signed(gain, 1) for gain in gains)])
    (first, *heads), *_ = by_size("annotated sentences", [])
    return [[first, "UPOS 100", *heads[1:4], *heads], *rows]


def capacity() -> list[Cells]:
    """Students of several sizes."""
    found = named("capacity/capacity.csv")
    report = Report("capacity")
    rows: list[Cells] = [["student", "MiB", "words/s", "without teachers", "taught", "difference"]]
    for label, name in (
        ("network and features", "both"),
        ("half the units, vectors and rows", "both-half"),
        ("a quarter", "both-quarter"),
        ("network alone", "network"),
        ("half", "network-half"),
        ("a quarter", "network-quarter"),
        ("features alone, fitted to text as well where taught", "linear"),
    ):
        taught, without = found[name], found[f"{name}-none"]
        size, speed = rounded(taught["mib"], 1), rounded(taught["new_relative"], 2)
        if name == "linear":
            size = f"{rounded(without['mib'], 1)}, taught {size}"
            speed = f"{rounded(without['new_relative'], 2)}, {speed}"
        scores = [rounded(own["average"], 2) for own in (without, taught)]
        rows.append([label, size, speed, *scores, str(report.difference("controls", name, f"{name}-none"))])
    return rows


def text_only() -> list[Cells]:
    """Languages that have nothing but text."""
    teacher = "best single teacher of the six (chosen on test data, whole files)"
    systems = {
        "`none`: student of the six languages, zero-shot": "none",
        "`pool`: the text taught by a mixture of the six teachers": "pool",
        "`pool-similarity`: weighted by similarity of the text": "pool-similarity",
        "`student-network`: the text taught by `none`, features of gold tags alone": "student-network",
        "`student`: the same, and the features learn from the text too": "student",
    }
    reports = [Report(f"text_only_{task}") for task in ("upos", "wikiann")]
    best = [
        report.score("best teacher", code, "zeroshot").plain for report in reports for code in ("fr", "id")
    ]
    rows = [
        [label, *(report.score(name, code).plain for report in reports for code in ("fr", "id"))]
        for label, name in systems.items()
    ]
    return [["", "UPOS fr", "id", "WikiAnn fr", "id"], [teacher, *best], *rows]


def zeroshot() -> list[Cells]:
    """Languages that nobody has seen."""
    places = [("upos", "de"), ("upos", "es"), ("upos", "nl"), ("wikiann", "nl")]
    systems = {"best teacher of the language": "best teacher", "mean of teachers": "mean of teachers"}
    systems |= {
        f"`{name}`": name for name in ("none", "best-network-none", "best-none", "best", "best-network")
    }
    rows = [
        [label, *(str(Report(task).score(name, code, "zeroshot")) for task, code in places)]
        for label, name in systems.items()
    ]
    return [["", "UPOS de", "es", "nl", "WikiAnn nl"], *rows]


def pretrained() -> list[Cells]:
    """The small transformer and what is made of it."""
    found = [named(f"pretrained/{task}.csv") for task in ("wikiann", "upos")]
    transformer = [rounded(task["teacher"]["mb"], 0) for task in found]
    rows: list[Cells] = []
    for label, name in (
        ("the transformer, fine-tuned", "teacher"),
        *(
            (f"`{name}`", name)
            for name in ("none", "none-long", "static", "frozen", "taught", "taught-static")
        ),
    ):
        cells = []
        for whole, own in ((size, task[name]) for size, task in zip(transformer, found, strict=True)):
            deviation = float(own["deviation"]) if own["deviation"] else None
            size = rounded(own["mb"], 0) + (f" and {whole}" if name == "frozen" else "")
            score = Scored(float(own["average"]), deviation)
            cells += [str(score), size, f"{int(own['words_per_second']):,}"]
        rows.append([label, *cells])
    return [["", "WikiAnn, F1", "MB", "words/s", "UPOS, accuracy", "MB", "words/s"], *rows]


def contexts() -> list[Cells]:
    """Networks above the vectors."""
    labels = {
        "lstm256": "BiLSTM 256",
        "lstm128": "BiLSTM 128 (the default)",
        "lstm64": "BiLSTM 64",
        "lstm32": "BiLSTM 32",
        "conv128": "convolutions 128",
        "conv64": "convolutions 64",
        "minimal128": "minimal recurrence 128",
    }
    found = named("contexts/contexts.csv")
    rows: list[Cells] = [
        ["context", "weights", "dev F1", "test F1", "prediction, words/s", "", "training, words/s", ""]
    ]
    for name, label in labels.items():
        own = found[name]
        speeds = []
        for what in ("predict", "train"):
            speeds += [
                f"{round(int(own[f'{what}_words_per_second']), -2):,}",
                rounded(own[f"{what}_relative"], 2),
            ]
        scores = [rounded(own[column], 2) for column in ("dev_f1", "test_f1")]
        rows.append([label, f"{int(own['weights']):,}", *scores, *speeds])
    return rows
