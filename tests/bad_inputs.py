"""Give ``skd`` bad input from outside, each in a process of its own, and count what falls short, by kind.

    python tests/bad_inputs.py                          # all: an hour
    python tests/bad_inputs.py --sample 120 --seed 1    # some of each kind

A command falls short if it does not end with status 2, prints anything but one line of error (without a traceback),
takes more of a core than it may, or writes a file. The inputs are those of the tables that the tests try within one
process.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bad_files import CONTENTS, CORPORA, HARMLESS, KEYS
from bad_options import QUICK, cases, make_home
from test_serving import DAMAGES, KINDS, ONLY_SERVED

ROOT = Path(__file__).parents[1]
PATIENCE = 60
"""Seconds of a core that a command may take; most need one to five."""
LONGEST = 900
"""Seconds by the clock, after which something waits for ever; a busy machine takes its time."""
COMMANDS = {
    "suite.yaml": "suite {file} --data {home} --dry-run",
    "sweep.yaml": "sweep-check {file}",
    "teachers.yaml": "distill --loss topk --task mine --data {home} --runs {home}/runs --teachers {file} "
    + QUICK,
    "best.ckpt": "tag {file} {home}/text.en.txt",
    "vectors.bin": "fit --model Teacher --model.embedder StaticEmbedder --model.embedder.path {file} "
    "--model.embedder.size 2 --data.task mine --data.data {home} --trainer.default_root_dir {home}/out",
}
"""How a damaged file reaches a command; what the package reads back of its own runs is tried within the tests."""


@dataclass(frozen=True)
class Input:
    """One command.

    Attributes:
        kind: of input, for the counts.
        name: of the row in its table.
        words: after ``skd``.
        expected: a part of the line of error.
    """

    kind: str
    name: str
    words: list[str]
    expected: str = ""


def inputs(home: Path) -> Iterator[Input]:
    """Write all files, and yield every command."""
    make_home(home)
    (home / "text.en.txt").write_text("Anna Berg lives in Lincoln.\n")
    for words, expected in cases(home):
        yield Input("options", " ".join(words)[-60:], words, expected)
    for row, (name, content, expected) in CORPORA.items():
        folder = home / "corpora" / row.replace(" ", "_")
        (folder / "de").mkdir(parents=True)
        (folder / "de" / name).write_bytes(content)
        yield Input("corpora", row, ["corpus", "--task", folder.name, "--data", str(folder.parent)], expected)
    files = [(name, row, content, name) for name in COMMANDS for row, content in CONTENTS.items()]
    files += [(name, text[:60], text.encode(), expected) for name, text, expected in KEYS]
    for number, (name, row, content, expected) in enumerate(files):
        if name in COMMANDS and (name, row) not in HARMLESS:
            file = home / "files" / str(number) / name
            file.parent.mkdir(parents=True)
            file.write_bytes(content)
            yield Input(
                "files", f"{name}: {row}", COMMANDS[name].format(file=file, home=home).split(), expected
            )
    KINDS["wide"]().save(home / "sound")
    for row, (damage, _) in {**DAMAGES, **ONLY_SERVED}.items():
        folder = home / "folders" / row.replace(" ", "_") / "saved"
        shutil.copytree(home / "sound", folder)
        damage(folder)
        yield Input("saved folders", row, ["tag", str(folder), str(home / "text.en.txt")], folder.name)


def shortcoming(given: Input) -> str:
    """Run a command; return in what it falls short, or nothing."""
    environment = {name: value for name, value in os.environ.items() if name != "SKD_DATA"}
    environment |= {"HF_HUB_OFFLINE": "1", "WANDB_MODE": "offline", "PYTHONPATH": str(ROOT)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "skd_lightning", *given.words],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LONGEST,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (PATIENCE, PATIENCE)),
        )
    except subprocess.TimeoutExpired:
        return f"still there after {LONGEST} seconds"
    except ValueError as error:  # a NUL, which no command line can hold
        return "" if "null" in str(error) else str(error)
    said = done.stderr.decode(errors="replace")
    lines = said.splitlines()
    if "Traceback" in said or done.returncode != 2:
        return f"status {done.returncode}: {' / '.join(lines[-2:])[:200]}"
    if len(lines) != 1 or not lines[0].startswith("skd: error: "):
        return f"{len(lines)} lines: {' / '.join(lines)[:300]}"
    if given.expected not in lines[0]:
        return f"expected '{given.expected}': {lines[0][:200]}"
    return ""


def files(home: Path) -> set[Path]:
    """Return what lies there, but for locks and links of the cache."""
    return {path for path in home.rglob("*") if "lock" not in path.name}


def main() -> None:
    """Run the commands, print each that falls short, and a line of counts a kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--sample", type=int, help="so many inputs, drawn from each kind alike (default: all)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the draw (default: 1)")
    parser.add_argument("--jobs", type=int, default=1, help="commands at a time (default: 1)")
    options = parser.parse_args()
    tried, short, begin = Counter[str](), Counter[str](), time.monotonic()
    with TemporaryDirectory() as temporary, ThreadPoolExecutor(options.jobs) as pool:
        home, draw = Path(temporary) / "home", random.Random(options.seed)
        chosen = list(inputs(home))
        if options.sample is not None:
            chosen = drawn(chosen, options.sample, draw)
        draw.shuffle(chosen)  # so that the first ones are of all kinds
        before = files(home)
        for given, reason in zip(chosen, pool.map(shortcoming, chosen), strict=True):
            tried[given.kind] += 1
            short[given.kind] += bool(reason)
            if reason or sum(tried.values()) % 10 == 0:
                print(
                    f"{sum(tried.values())}: {given.kind}: {given.name!r}: {reason or 'one line'}", flush=True
                )
        written = sorted(str(path.relative_to(home)) for path in files(home) - before)
    for kind, number in tried.items():
        print(f"{kind}: {short[kind]} of {number} fall short")
    print(f"written: {', '.join(written) or 'nothing'}")
    print(
        f"{sum(short.values())} of {sum(tried.values())} fall short ({time.monotonic() - begin:.0f} seconds)"
    )
    raise SystemExit(bool(written) or bool(sum(short.values())))


def drawn(chosen: list[Input], number: int, draw: random.Random) -> list[Input]:
    """Return so many inputs, a quarter of each of four kinds; of a kind with fewer, all, and more of the others."""
    kinds = Counter(given.kind for given in chosen)
    found: list[Input] = []
    for left, kind in zip(range(len(kinds), 0, -1), sorted(kinds, key=kinds.__getitem__), strict=True):
        own = [given for given in chosen if given.kind == kind]
        found += draw.sample(own, min(len(own), (number - len(found)) // left))
    return found


if __name__ == "__main__":
    main()
