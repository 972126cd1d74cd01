"""The teachers of a student: who speaks on which language, alone or as a pool."""

from skd_lightning.distillation.teachers.pools import Pool
from skd_lightning.distillation.teachers.sets import TeacherSet

__all__ = ["Pool", "TeacherSet"]
