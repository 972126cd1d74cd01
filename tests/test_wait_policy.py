"""OpenMP's threads sleep while they wait, in the commands and in what these start."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os, sys
from skd_lightning.cli import main
from skd_lightning.cli.table import COMMANDS
loaded = "torch" in sys.modules
try:
    main(["--version"])
finally:
    import torch
    shown = os.popen("echo $OMP_WAIT_POLICY").read().strip()
    print(loaded, shown, "libgomp" in open("/proc/self/maps").read())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="PyTorch brings libgomp on Linux")
@pytest.mark.parametrize(("chosen", "expected"), [(None, "passive"), ("active", "active")])
def test_the_wait_policy_is_set_before_torch_and_reaches_children(chosen: str | None, expected: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    if chosen:
        environment["OMP_WAIT_POLICY"] = chosen
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == f"False {expected} True"
