"""The distillation objectives, one module each; the name of a module is the name of its loss.

Equation numbers are those of Wang et al. 2020 (arXiv 2004.03846). Objectives serve without trainer, cache or tagger:

>>> import torch
>>> from skd_lightning.crf import LinearChainCRF
>>> from skd_lightning.distillation.objectives import TopK
>>> from skd_lightning.distillation.targets import TeacherTargets
>>> lengths, transitions = torch.tensor([3]), torch.zeros(2, 2)
>>> teacher = LinearChainCRF(torch.tensor([[[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]]]), transitions, lengths)
>>> student = LinearChainCRF(torch.zeros(1, 3, 2), transitions, lengths)
>>> objective = TopK(k=2)
>>> objective(student, TeacherTargets.of(teacher, objective))  # 8 sequences, all equally likely: log 8
tensor([2.0794])
"""

from __future__ import annotations

from importlib import import_module

from skd_lightning.distillation.names import objective_names
from skd_lightning.distillation.objective import Objective
from skd_lightning.distillation.objectives.emission import Emission
from skd_lightning.distillation.objectives.path_set import PathSet
from skd_lightning.distillation.objectives.pos_topwk import PosTopWK
from skd_lightning.distillation.objectives.posterior import Posterior
from skd_lightning.distillation.objectives.structural import Structural
from skd_lightning.distillation.objectives.token import Token
from skd_lightning.distillation.objectives.topk import TopK
from skd_lightning.distillation.objectives.topwk import TopWK
from skd_lightning.errors import UserError
from skd_lightning.nearest import no_such

__all__ = [
    "Emission",
    "Objective",
    "PathSet",
    "PosTopWK",
    "Posterior",
    "Structural",
    "Token",
    "TopK",
    "TopWK",
    "by_name",
]


def by_name(name: str) -> type[Objective]:
    """Return the class of a loss.

    Args:
        name: of the loss, such as ``topk``.

    Raises:
        UserError: there is no such objective; the line names the nearest one.

    >>> by_name("topk").__name__
    'TopK'
    """
    if name not in _CLASSES:
        raise UserError(f"objective: {no_such(name, objective_names())}")
    return _CLASSES[name]


def _defined_in(module: str) -> type[Objective]:
    """Return the objective that a module of this folder defines."""
    found = [
        value
        for value in vars(import_module(f"{__name__}.{module}")).values()
        if isinstance(value, type) and issubclass(value, Objective) and value.loss_name() == module
    ]
    if len(found) != 1:
        raise ImportError(
            f"distillation/objectives/{module}.py defines {len(found)} objectives; it must define one"
        )
    return found[0]


# The command line knows the subclasses that are imported.
_CLASSES = {name: _defined_in(name) for name in objective_names()}
