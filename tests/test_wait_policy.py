"""OpenMP's threads wait briefly before they sleep, in the commands and in what these start."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os, sys
from skd_lightning.cli import main
from skd_lightning.cli.commands import COMMANDS
loaded = "torch" in sys.modules
try:
    main(["--version"])
finally:
    import torch
    shown = os.popen("echo spins:$GOMP_SPINCOUNT policy:$OMP_WAIT_POLICY").read().strip()
    print(loaded, shown, "libgomp" in open("/proc/self/maps").read())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="PyTorch brings libgomp on Linux")
@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, "spins:5000 policy:"),
        ({"GOMP_SPINCOUNT": "7"}, "spins:7 policy:"),
        ({"OMP_WAIT_POLICY": "active"}, "spins: policy:active"),
    ],
)
def test_spinning_is_bounded_before_torch_is_loaded_and_in_children(
    chosen: dict[str, str], expected: str
) -> None:
    ours = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    environment = {name: value for name, value in os.environ.items() if name not in ours} | chosen
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == f"False {expected} True"
