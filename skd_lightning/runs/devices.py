"""GPUs and cores of this machine, and how the processes on it share them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import torch

from skd_lightning.errors import UserError


def visible_devices() -> list[str]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for name in named.split(",") if name]
    return [str(number) for number in range(torch.cuda.device_count())]


def device_shares(at_once: int, each: int, visible: Sequence[str]) -> list[str | None]:
    """Return CUDA_VISIBLE_DEVICES of each of the processes that run at a time; None leaves it as it is.

    Args:
        at_once: how many processes; a single one has all devices.
        each: devices of one of them.
        visible: the devices there are.

    Raises:
        UserError: one process wants more devices than there are.
    """
    if not visible or at_once == 1:
        return [None] * at_once
    if each > len(visible):
        raise UserError(f"a run wants {each} GPUs, {len(visible)} can be used; lower --trainer.devices")
    firsts = [slot * each % (len(visible) // each * each) for slot in range(at_once)]
    return [",".join(visible[first : first + each]) for first in firsts]


def default_threads(processes: int = 1) -> int:
    """Return the threads that serve small batches best: $OMP_NUM_THREADS where it is set, else at most 2.

    A batch of 1000 words gives a matrix product too little work for more; measured by ``make bench``.

    Args:
        processes: of this machine that compute at the same time, and share its cores.
    """
    if os.environ.get("OMP_NUM_THREADS", "").isdigit():
        return max(1, int(os.environ["OMP_NUM_THREADS"]))
    return max(1, min(2, cores() // max(1, processes)))


def cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def refuse_half_precision_without_support(precision: Any, accelerator: Any) -> None:
    """Refuse float16 on a processor, and bfloat16 on one whose LSTM cannot compute in it, before anything is trained.

    Args:
        precision: value of ``--trainer.precision``.
        accelerator: value of ``--trainer.accelerator``.

    Raises:
        UserError: training runs on the CPU, which lacks the instructions.
    """
    if accelerator != "cpu" and visible_devices():
        return
    if precision == "16-true":
        raise UserError("--trainer.precision is 16-true: a processor cannot train in float16; leave it out")
    if not str(precision).startswith("bf16"):
        return
    lstm, words = torch.nn.LSTM(1, 1), torch.zeros(1, 1, 1)
    try:
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            lstm(words)
    except RuntimeError:
        raise UserError(
            f"--trainer.precision {precision}: this processor cannot run an LSTM in bfloat16; leave it out"
        ) from None


def device_count(devices: Any) -> int | None:
    """Return ``--trainer.devices`` as a number, None where it is another kind of value, such as "auto".

    >>> device_count("2"), device_count(2), device_count("auto"), device_count([0, 1])
    (2, 2, None, None)
    """
    return int(devices) if str(devices).isdecimal() else None


def refuse_devices(devices: Any) -> None:
    """Refuse a number of devices below 1.

    Args:
        devices: value of ``--trainer.devices``; -1 stands for all GPUs.

    Raises:
        UserError: there would be no device.
    """
    below = str(devices).removeprefix("-").isdecimal() and int(devices) < 1 and int(devices) != -1
    if below or devices in ([], "[]", ""):
        raise UserError(f"--trainer.devices is {devices}, it must be at least 1, or auto")


def refuse_too_many(devices: Any, accelerator: Any) -> None:
    """Refuse more devices than the machine has, each of which would be a process.

    Args:
        devices: value of ``--trainer.devices``; only a number is looked at.
        accelerator: value of ``--trainer.accelerator``.

    Raises:
        UserError: more GPUs than can be used or, without GPUs, more processes than cores.
    """
    wanted = device_count(devices)
    if wanted is None:
        return
    gpus = 0 if accelerator == "cpu" else len(visible_devices())
    most, kind = (gpus, "GPUs") if gpus else (cores(), "cores")
    if wanted > most:
        raise UserError(
            f"--trainer.devices is {devices}, this machine has {most} {kind}; give at most {most}"
        )
