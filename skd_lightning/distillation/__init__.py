"""Teaching by structure: objectives, annealing, the teachers' cached predictions, and the callback."""

from skd_lightning.distillation.annealing import Annealing
from skd_lightning.distillation.callback import DistillationCallback
from skd_lightning.distillation.objectives import Loss, Objective, TeacherTargets, make_objective

__all__ = ["Annealing", "DistillationCallback", "Loss", "Objective", "TeacherTargets", "make_objective"]
