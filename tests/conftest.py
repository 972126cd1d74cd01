"""Before any test module is imported."""

import os

# Test files run side by side: threads that spin would wait for cores that others hold.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

if not torch.cuda.is_available():
    os.environ.setdefault(
        "TRITON_INTERPRET", "1"
    )  # read when triton is imported, which torch may do at any time
