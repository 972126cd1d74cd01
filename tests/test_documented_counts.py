"""The page about limits and trust says how large its tables of bad input are: these are the sizes."""

import re
from pathlib import Path

from bad_corpora import READ, REFUSED
from bad_files import CONTENTS, CORPORA, KEYS, READERS
from bad_options import cases

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "trust.md").read_text()


def test_the_sizes_of_the_tables(tmp_path: Path) -> None:
    targets = re.findall(
        r"^def test_", "".join(map(Path.read_text, (ROOT / "tests" / "fuzz").glob("test_*.py"))), re.M
    )
    for sentence in (
        f"a table of {len(list(cases(tmp_path)))} commands and configurations",
        f"{len(CONTENTS)} contents for each of {len(READERS)} kinds of files",
        f"{len(KEYS)} wrong keys",
        f"{len(CORPORA)} damaged corpora",
        f"a table of {len(READ) + len(REFUSED)} folders",
        f"holds {len(targets)} targets",
    ):
        assert sentence in PAGE
