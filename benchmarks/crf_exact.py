"""The results that every library, this one included, has to have: plain torch in log space, in float64 on the CPU."""

from __future__ import annotations

import torch
from crf_peers import Operations, by_sentence, direction, operations, teacher
from torch import Tensor

from skd_lightning.crf import LinearChainCRF
from skd_lightning.crf.torch_recursions import TorchRecursions


class PlainCRF(LinearChainCRF):
    """A chain that no kernel serves."""

    @property
    def _recursions(self) -> TorchRecursions:
        return self._torch


def exact_results(emissions: Tensor, transitions: Tensor, lengths: Tensor) -> dict[str, Tensor]:
    """The result of each operation on these potentials."""
    # Fixed numbers are drawn where the potentials are: another device draws others.
    weights, taught, own = (
        direction(emissions, lengths),
        teacher(emissions, transitions),
        by_sentence(emissions),
    )
    exact = [values.cpu().double() for values in (emissions, transitions, weights, *taught, own)]
    with torch.device("cpu"):
        found: Operations = operations(
            PlainCRF, exact[0], exact[1], lengths.cpu(), exact[2], (exact[3], exact[4]), exact[5]
        )
        return {operation: result().detach() for operation, result in found.items()}
