"""The tables of damaged files: who reads what, contents wrong for every reader, and keys wrong for one of them."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import skd_lightning
from skd_lightning.data.run_settings import read_settings
from skd_lightning.distillation.teachers import TeacherSet
from skd_lightning.encoders.fasttext import BinaryVectors, TextVectors
from skd_lightning.encoders.subword_table import read_table
from skd_lightning.errors import UserError
from skd_lightning.run_folder import RunFolder
from skd_lightning.runs import provenance
from skd_lightning.runs.calibration import Calibration
from skd_lightning.runs.record import Results
from skd_lightning.studies.suite_file import read_suite
from skd_lightning.studies.sweep.file import read_sweep


def read_calibration(file: Path) -> None:
    """Read it as reports do, which note the message instead of stopping."""
    try:
        Calibration.read(RunFolder(file.parent))
    except (OSError, ValueError) as error:
        raise UserError(f"{file}: {error}") from None


READERS: dict[str, Callable[[Path], Any]] = {
    "suite.yaml": read_suite,
    "sweep.yaml": read_sweep,
    "teachers.yaml": lambda file: TeacherSet.named(str(file)).pool("en"),
    "config.yaml": lambda file: read_settings(RunFolder(file.parent)),
    "results.json": lambda file: Results.read_or_refuse(RunFolder(file.parent)),
    "provenance.json": lambda file: provenance.changed(RunFolder(file.parent), {}),
    "calibration.json": read_calibration,
    "vectors.bin": BinaryVectors,
    "vectors.vec": TextVectors,
    "pieces.safetensors": read_table,
    "best.ckpt": skd_lightning.load,
}
CONTENTS = {
    "a bool that is none": b"data: !!bool foo",
    "no digits": b'data: !!int ""',
    "a time that is none": b"data: !!timestamp x",
    "empty": b"",
    "every byte": bytes(range(256)),
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "Latin-1": '{"é": 1}'.encode("latin-1"),
    "a list": b"[1, 2]",
    "a list of lists": b"[[1, 2], [3]]",
    "a number": b"7",
    "a word": b'"x"',
    "null": b"null",
    "no keys": b"{}",
    "a cut": b'{"schema": 1, "task": "mi',
    "lists 100,000 deep": b"[" * 100_000,
    "keys 100,000 deep": b'{"a":' * 100_000,
    "10,000 digits": b'{"schema": ' + b"9" * 10_000 + b"}",
    "NaN": b'{"schema": NaN, "languages": NaN, "data": NaN}',
    "other types": b'{"title": [1], "tasks": 7, "languages": 7, "data": [1], "schema": 1, "variants": "x"}',
    "a surrogate": b'{"\\ud800": ["\\ud800"], "data": "\\ud800"}',
    "a circle": b"&a {data: *a, title: *a}",
    "aliases that multiply": b"a0: &a0 [x, x]\n"
    + b"".join(b"a%d: &a%d [%s]\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 12)),
    "a python tag": b'data: !!python/object/apply:os.system ["touch run-by-yaml"]',
    "zeros": bytes(1000),
    "no such day": b"data: 2024-13-45",
}
HARMLESS = {
    ("config.yaml", "no keys"),
    ("provenance.json", "no keys"),
    *(("teachers.yaml", content) for content in ("NaN", "other types")),  # other languages
}
"""Contents that a reader may take, since nothing in them is wrong for it."""

SUITE = "{title: t, tasks: {demo: {}}, variants: {topk: {}}"
SWEEP = (
    "program: skd\nmethod: random\nmetric: {name: dev/average, goal: maximize}\n"
    "command: [skd, distill, '${args}']\nparameters: {a: {value: 1}, b: "
)
KEYS = [
    ("suite.yaml", SUITE + ", seeds: [1, x]}", "seeds.1: "),
    ("suite.yaml", SUITE + ", seeds: [-1]}", "seeds.0: "),
    ("suite.yaml", SUITE + ", seeds: 3}", "seeds: "),
    ("suite.yaml", SUITE + ", seeds: [.nan]}", "seeds.0: "),
    ("suite.yaml", SUITE + ", runs: 7}", "runs: "),
    ("suite.yaml", SUITE + ", options: [1]}", "options: Input should be a valid dictionary"),
    ("suite.yaml", SUITE + ", options: {1: 2}}", "options: "),
    ("suite.yaml", SUITE + ", options: {a: 2024-01-01}}", "options: a: "),
    ("suite.yaml", SUITE + ", teachers: {a: !!binary aGk=}}", "teachers: a: "),
    ("suite.yaml", SUITE + ", recipe: [1]}", "recipe is '[1]'"),
    ("suite.yaml", "{title: [1], tasks: {demo: {}}, variants: {topk: {}}}", "title: "),
    ("suite.yaml", "{title: t, tasks: [demo], variants: {topk: {}}}", "tasks: "),
    ("suite.yaml", "{title: t, tasks: {7: {}}, variants: {topk: {}}}", "tasks: 7"),
    ("suite.yaml", "{title: t, tasks: {demo: {languages: en}}, variants: {topk: {}}}", "languages: "),
    ("suite.yaml", "{title: t, tasks: {demo: {zeroshot: 7}}, variants: {topk: {}}}", "zeroshot: "),
    ("suite.yaml", "{title: t, tasks: {demo: {languages: [no]}}, variants: {topk: {}}}", "write Norwegian"),
    ("suite.yaml", "{title: t, tasks: {demo: x}, variants: {topk: {}}}", "task demo: expected settings"),
    ("suite.yaml", "{title: t, tasks: {demo: {}}, variants: {topk: [1]}}", "variant topk: "),
    ("suite.yaml", "{title: t, tasks: {demo: {}}, variants: {x: {loss: [1]}}}", "variant x: loss is"),
    ("suite.yaml", "{title: t, tasks: {demo: {}}, variants: {topk: {a: 2024-01-01}}}", "variant topk: a: "),
    ("sweep.yaml", SWEEP.replace("random", "[1]") + "{value: 1}}", "method: "),
    ("sweep.yaml", SWEEP.replace("{name: dev/average, goal: maximize}", "x") + "{value: 1}}", "metric: "),
    ("sweep.yaml", SWEEP.replace("name: dev/average, ", "") + "{value: 1}}", "metric.name: "),
    ("sweep.yaml", SWEEP.replace("[skd,", "[[1],") + "{value: 1}}", "command.0: "),
    ("sweep.yaml", SWEEP.replace("program: skd", "program: [1]") + "{value: 1}}", "program: "),
    ("sweep.yaml", SWEEP + "{value: 1}}\nrun_cap: -1", "run_cap: "),
    ("sweep.yaml", SWEEP + "{value: 1}}\nrun_cap: many", "run_cap: "),
    ("sweep.yaml", SWEEP + "{value: 1}, 7: {value: 1}}", "parameters.7"),
    ("sweep.yaml", SWEEP + "7}", "parameter b: expected value"),
    ("sweep.yaml", SWEEP + "{values: 7}}", "parameter b: values is 7"),
    ("sweep.yaml", SWEEP + "{values: [1, 2], probabilities: 1}}", "parameter b: probabilities: "),
    ("sweep.yaml", SWEEP + "{values: [1, 2], probabilities: [a, b]}}", "parameter b: probabilities: 0: "),
    ("sweep.yaml", SWEEP + "{values: [1, 2], probabilities: [2, -1]}}", "parameter b: probabilities: 1: "),
    ("sweep.yaml", SWEEP + "{values: [1, 2], probabilities: [.nan, 1]}}", "parameter b: probabilities"),
    ("sweep.yaml", SWEEP + "{min: .nan, max: 1}}", "parameter b: nan is not a number"),
    ("sweep.yaml", SWEEP + "{min: 0, max: .inf}}", "parameter b: inf is not a number"),
    ("sweep.yaml", SWEEP + "{min: 0, max: 1" + "0" * 4000 + "}}", "is not a number that can be tried"),
    ("sweep.yaml", SWEEP + "{min: 0, max: 100000000000}}", "take uniform"),
    ("sweep.yaml", SWEEP + "{distribution: q_uniform, min: 0, max: 9.5, q: 0}}", "q must be above 0"),
    ("sweep.yaml", SWEEP + "{distribution: q_uniform, min: 0, max: 9.5, q: -1}}", "q must be above 0"),
    ("sweep.yaml", SWEEP + "{distribution: normal, mu: 0, sigma: -1}}", "sigma not below"),
    ("sweep.yaml", SWEEP + "{distribution: log_uniform, min: 0, max: 1000}}", "natural logarithms"),
    ("sweep.yaml", SWEEP + "{distribution: [1]}}", "distribution '[1]' is not known"),
    ("config.yaml", "data: {text_only: en}", "data.text_only: "),
    ("config.yaml", "data: {text_only: [1]}", "data.text_only.0: "),
    ("config.yaml", "data: []", "data: "),
    ("provenance.json", '{"torch": 2.1}', "torch: "),
    ("provenance.json", '{"torch": ["2"]}', "torch: "),
    ("teachers.yaml", "{en: 7}", "the teachers of 'en' are 7"),
    ("teachers.yaml", "{en: en}", "its own"),
    ("teachers.yaml", "{en: {mixture: 7}}", "expected a folder"),
    ("teachers.yaml", "{en: x, tags: {PER: 1}}", "'tags' must map"),
    (
        "results.json",
        '{"schema": 1, "task": "t", "role": "teacher", "loss": "none", "seed": 1, "metric": "f1", "average": 0.5, '
        '"languages": {"en": {"accuracy": 0.5, "sentences": 1, "words": 1}}, "peak_memory_mib": 1, "command": "x", '
        '"versions": {}, "tags": [], "epochs": 1, "steps": 1, '
        '"seconds": {"fit": 1, "teacher_predictions": 0}, "parameters": 1}',
        "languages.en.f1: missing",
    ),
    ("calibration.json", '{"languages": {"en": {"log_loss": NaN}}}', "languages.en.log_loss: "),
    ("calibration.json", '{"languages": {"en": {"log_loss": -1}}}', "languages.en.log_loss: "),
    ("vectors.vec", "1 0\na\n", "line 1"),
    ("vectors.vec", "1 -3\na 1\n", "line 1"),
    ("vectors.vec", "1 1000000000000\na 1\n", "line 1"),
    ("vectors.vec", "1 " + "9" * 10_000 + "\n", "line 1"),
]  # fmt: skip

GZIP = gzip.compress(b"Anna\tB-PER\n\n" * 200, mtime=0)
CORPORA: dict[str, tuple[str, bytes, str]] = {
    "no tag": ("train.tsv", b"Anna\tB-PER\nsings\n", "train.tsv:2: expected at least 2 columns"),
    "an empty tag": ("train.tsv", b"Anna\tB-PER\nsings\t\n", "train.tsv:2: the tag is empty"),
    "an empty word": ("train.tsv", b"Anna\tB-PER\n\tO\n", "train.tsv:2: the word is empty"),
    "a foreign tag": ("train.tsv", b"Anna\tB-PER\nsings\tX-PER\n", "train.tsv:2: tag 'X-PER' belongs to no"),
    "Latin-1": ("train.tsv", "Zo\u00eb\tB-PER\n".encode("latin-1"), "train.tsv:1: byte 0xeb is not utf-8"),
    "UTF-16": ("train.tsv", "Anna\tB-PER\n".encode("utf-16"), "train.tsv:1: byte 0xff is not utf-8"),
    "every byte": ("train.tsv", bytes(range(256)), "train.tsv"),
    "nothing": ("train.tsv", b"", "train.tsv: no sentence in it"),
    "comments alone": ("train.conllu", b"# text = a\n\n", "train.conllu: no sentence in it"),
    "few columns": ("train.conllu", b"1\tAnna\tAnna\n\n", "train.conllu:1: expected at least 4 columns"),
    "spaces for tabs": ("train.conllu", b"1 Anna Anna PROPN\n\n", "train.conllu:1: expected at least"),
    "one column": ("train.iob2", b"1\n\n", "train.iob2:1: expected at least 3 columns"),
    "no gzip": ("train.tsv.gz", b"Anna\tB-PER\n", "train.tsv.gz: cannot be read"),
    "a cut gzip": ("train.tsv.gz", GZIP[: len(GZIP) // 2], "train.tsv.gz: cannot be read"),
    "a flipped gzip": ("train.tsv.gz", GZIP[:-8] + bytes(8), "train.tsv.gz: cannot be read"),
    "a cut XML": ("train.xml", b"<Reviews><sentence><text>a", "train.xml:1: not well-formed XML"),
    "no sentence": ("train.xml", b"<Reviews/>", "train.xml: no <sentence> in it"),
    "no offsets": (
        "train.xml",
        b'<a><sentence><text>Good</text><Opinions><Opinion target="Good"/></Opinions></sentence></a>',
        "lacks its offsets",
    ),
    "a target elsewhere": (
        "train.xml",
        b'<a><sentence><text>Good</text><Opinions><Opinion target="x" from="70" to="71"/></Opinions></sentence></a>',
        "is not in the text",
    ),
    "a foreign entity": (
        "train.xml",
        b"<!DOCTYPE a [<!ENTITY x SYSTEM '/etc/passwd'>]><a>&x;</a>",
        "train.xml",
    ),
}
"""Training files that no command takes: name, content, and the words of the message."""
