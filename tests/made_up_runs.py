"""Run folders as training leaves them, made up: nothing is trained, every number is drawn."""

import json
from pathlib import Path

import numpy as np

from skd_lightning.metrics import COLUMNS
from skd_lightning.taggers.confidences import BINS
from skd_lightning.tags import TagSet

LANGUAGES = ("en", "eu", "fa", "fr", "he", "id", "sl", "ta")
TYPES = ("LOC", "ORG", "PER")
LOSSES = ("none", "token", "emission", "topk", "topwk", "posterior", "pos_topwk")

SMALL = {"languages": ("de", "en"), "variants": ("none", "topk", "posterior"), "sentences": 60, "epochs": 8}
"""For :func:`make_runs`, where size does not matter."""


def counts(
    random: np.random.Generator, sentences: int, skill: float, metric: str, language: str
) -> np.ndarray:
    """(sentences, 9); words and gold entities depend on the language alone."""
    fixed = np.random.default_rng(len(language) + sum(map(ord, language)))
    words = fixed.integers(3, 30, sentences)
    gold = fixed.integers(0, 4, sentences)
    hard = fixed.normal(0, 1.2, sentences)
    chance = 1 / (1 + np.exp(-(skill - hard)))
    table = np.zeros((sentences, len(COLUMNS)), dtype=np.int64)
    table[:, 0], table[:, 1] = 1, words
    table[:, 2] = random.binomial(words, chance)
    if metric == "f1":
        found = random.binomial(gold, chance)
        predicted = found + random.binomial(gold, (1 - chance) * 0.9)
        table[:, 3:6] = np.stack([found, predicted, gold], 1)
        table[:, 6:9] = table[:, 3:6]
    return table


def results(tables: dict[str, np.ndarray], metric: str, **labels: object) -> dict[str, object]:
    rows = {}
    for language, table in tables.items():
        total = dict(zip(COLUMNS, table.sum(0).tolist(), strict=True))
        rows[language] = {
            "accuracy": total["correct"] / total["words"],
            "sentences": len(table),
            "words": total["words"],
        }
        if metric == "f1":
            rows[language]["f1"] = 2 * total["found"] / (total["predicted"] + total["gold"])
    scores = [row[metric] for row in rows.values()]
    tag_set = TagSet.of([f"B-{name}" for name in TYPES], "bioes")
    if metric == "f1":
        of_types = {language: types(table) for language, table in tables.items()}
        labels = {**labels, "types": of_types, "tags": list(tag_set.names)}
    tags = {"tags": ["N", "V"], "variant": str(labels["loss"]), "objective": {}, "peak_memory_mib": 1}
    tags |= {"epochs": 1, "steps": 1, "parameters": 1, "seconds": {"teacher_predictions": 0.0, "fit": 1.0}}
    return {
        "schema": 1, **tags, **labels, "metric": metric, "languages": rows, "average": sum(scores) / len(scores),
        "versions": {"torch": "0"}, "command": "skd demo",
    }  # fmt: skip


def types(table: np.ndarray) -> dict[str, dict[str, object]]:
    """The entities of a language by type: uneven thirds."""
    found, predicted, gold = table[:, 3:6].sum(0).tolist()
    rows, shares = {}, {"LOC": 0.5, "ORG": 0.2}
    for name in TYPES:
        own = [int(shares.get(name, 0) * number) for number in (found, predicted, gold)]
        if name == "PER":  # the rest
            own = [n - sum(int(share * n) for share in shares.values()) for n in (found, predicted, gold)]
        f, p, g = own
        rows[name] = {
            "precision": f / p if p else 0.0, "recall": f / g if g else 0.0, "f1": 2 * f / (p + g) if p + g else 0.0,
            "support": g, "predicted": p,
        }  # fmt: skip
    return rows


def confusion(table: np.ndarray, tags: tuple[str, ...]) -> np.ndarray:
    """Words by gold and predicted tag, right ones on the diagonal; drawn from the counts alone."""
    random = np.random.default_rng(int(table[:, 2].sum()))
    right, wrong = int(table[:, 2].sum()), int((table[:, 1] - table[:, 2]).sum())
    found = np.diag(random.multinomial(right, np.full(len(tags), 1 / len(tags))))
    return found + random.multinomial(wrong, np.full(len(tags) ** 2, len(tags) ** -2.0)).reshape(found.shape)


def calibration(table: np.ndarray, metric: str, sureness: float) -> dict[str, object]:
    """The words and predicted entities of a language by probability; a ``sureness`` above 1 is too much of it."""
    random = np.random.default_rng(int(table[:, 2].sum()))
    totals = {"words": table[:, [1, 2]].sum(0)} | (
        {"entities": table[:, [4, 3]].sum(0)} if metric == "f1" else {}
    )
    row: dict[str, object] = {"log_loss": 0.9 * float(1 - table[:, 2].sum() / table[:, 1].sum())}
    for unit, (total, right) in totals.items():
        is_right = np.arange(total) < right
        share = random.beta(np.where(is_right, 8, 3), np.where(is_right, 1, 3)) ** (1 / sureness)
        places = np.clip(np.ceil(share * BINS).astype(int) - 1, 0, BINS - 1)
        row[unit] = {
            "count": np.bincount(places, minlength=BINS).tolist(),
            "confidence": np.bincount(places, share, minlength=BINS).tolist(),
            "correct": np.bincount(places, is_right, minlength=BINS).astype(int).tolist(),
        }
    return row


def write_run(
    folder: Path, found: dict[str, object], tables: dict[str, np.ndarray], with_counts: bool = True
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(found))
    if with_counts:
        (folder / "counts").mkdir(exist_ok=True)
        for language, table in tables.items():
            np.save(folder / "counts" / f"{language}.npy", table)
        if found["metric"] == "f1":
            tags = tuple(map(str, found["tags"]))
            np.save(folder / "confusion.npy", confusion(np.concatenate([*tables.values()]), tags))
        if found["role"] != "peer" and "asked" not in found:  # neither peers nor zero-shot tests count this
            sureness = 1.0 if found["role"] == "teacher" else 0.7 if found["loss"] != "none" else 2.0
            rows = {x: calibration(table, str(found["metric"]), sureness) for x, table in tables.items()}
            (folder / "calibration.json").write_text(json.dumps({"languages": rows}))


def write_log(folder: Path, loss: str, epochs: int, level: float, random: np.random.Generator) -> None:
    """``metrics.csv`` as Lightning's CSVLogger writes it: a line of dev scores and one of losses an epoch."""
    columns = (
        "dev/average,epoch,step,test/average,train/loss,train/loss_kd,train/loss_nll,train/teacher_weight"
    )
    lines = [columns]
    for epoch in range(epochs):
        step = 40 * (epoch + 1) - 1
        dev = level * (1 - np.exp(-(epoch + 1) / (0.12 * epochs))) + random.normal(0, 0.002)
        weight = max(0.0, 1 - epoch / (0.7 * epochs))
        kd, nll = 6 * np.exp(-4 * epoch / epochs) + 1.5, 9 * np.exp(-5 * epoch / epochs) + 0.3
        lines.append(f"{dev},{epoch},{step},,,,,")
        if loss == "none":
            lines.append(f",{epoch},{step},,{nll},,,")
        else:
            lines.append(f",{epoch},{step},,{weight * kd + (1 - weight) * nll},{kd},{nll},{weight}")
    lines.append(f",{epochs},{40 * epochs},{level},,,,")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n")


def make_runs(
    root: Path,
    *,
    task: str = "wikiann",
    metric: str = "f1",
    languages: tuple[str, ...] = LANGUAGES,
    variants: tuple[str, ...] = LOSSES,
    seeds: tuple[int, ...] = (1, 2, 3),
    sentences: int = 300,
    epochs: int = 30,
    zeroshot: tuple[str, ...] = (),
    with_counts: bool = True,
) -> Path:
    """Teachers and students of a task; returns the folder of all runs."""
    random = np.random.default_rng(1)
    base = {language: 1.4 + 0.25 * i for i, language in enumerate((*languages, *zeroshot))}
    for i, language in enumerate(languages):
        labels = {
            "task": task,
            "role": "teacher",
            "loss": "none",
            "seed": 1,
            "epochs": epochs,
            "steps": 40 * epochs,
        }
        labels |= {"seconds": {"teacher_predictions": 0.0, "fit": 50.0 + i}, "peak_memory_mib": 800}
        labels |= {"parameters": 4_000_000}
        folder = root / task / "teachers" / language
        table = {language: counts(random, sentences, base[language] + 0.35, metric, language)}
        write_run(folder, results(table, metric, **labels), table, with_counts)
        if zeroshot:
            others = {x: counts(random, sentences, base[x] - 1.2 + 0.1 * i, metric, x) for x in zeroshot}
            write_run(
                folder / "zeroshot",
                results(others, metric, asked=sorted(zeroshot), **labels),
                others,
                with_counts,
            )
    for place, variant in enumerate(variants):
        loss = next(
            x
            for x in (*reversed(LOSSES), "structural")
            if variant == x or variant.startswith((f"{x}-", f"{x}+"))
        )
        for seed in seeds:
            skill = 0.025 * place + random.normal(0, 0.02)
            labels = {"task": task, "role": "student", "loss": loss, "variant": variant, "seed": seed}
            k = int(variant.rsplit("-k")[1]) if "-k" in variant else 5
            labels["objective"] = {"k": k} if loss in ("topk", "topwk", "pos_topwk") else {}
            if loss == "structural":
                labels["objective"] = {"alpha": 0.5 if "half" in variant else 1.0, "temperature": 1.0}
            labels |= {"epochs": epochs, "steps": 40 * epochs, "peak_memory_mib": 1000 + 40 * place}
            fit = 100.0 + 4 * place + float(random.normal(0, 2))
            labels |= {"seconds": {"teacher_predictions": 30.0 * (seed == 1 and place > 0), "fit": fit}}
            labels |= {"parameters": 5_000_000}
            folder = root / task / variant / f"seed{seed}"
            table = {x: counts(random, sentences, base[x] + skill, metric, x) for x in languages}
            found = results(table, metric, **labels)
            write_run(folder, found, table, with_counts)
            write_log(folder, loss, epochs, float(found["average"]), random)
            if zeroshot:
                others = {x: counts(random, sentences, base[x] - 1.0 + skill, metric, x) for x in zeroshot}
                write_run(
                    folder / "zeroshot",
                    results(others, metric, asked=sorted(zeroshot), **labels),
                    others,
                    with_counts,
                )
    return root


def make_peers(
    root: Path,
    *,
    task: str = "wikiann",
    metric: str = "f1",
    languages: tuple[str, ...] = LANGUAGES,
    peers: tuple[tuple[str, tuple[int, ...]], ...] = (("crfsuite", (1,)), ("spacy", (1, 2))),
    sentences: int = 300,
    skill: float = 4.0,
) -> Path:
    """Peers of a task, better than all others by default; returns the folder of all runs."""
    random = np.random.default_rng(2)
    for name, seeds in peers:
        for seed in seeds:
            labels = {"task": task, "role": "peer", "loss": "none", "variant": name, "seed": seed}
            table = {x: counts(random, sentences, skill, metric, x) for x in languages}
            found = results(table, metric, **labels) | {"seconds": {"fit": 12.0 + seed, "tagging": 0.5}}
            write_run(root / task / "peers" / name / f"seed{seed}", found, table)
    return root
