"""Taggers as LightningModules: one common tagger, the teacher and the student."""

from skd_lightning.predictions import Entity, Prediction
from skd_lightning.taggers.checkpoints import load
from skd_lightning.taggers.head import ChainHead
from skd_lightning.taggers.optimization import Optimization
from skd_lightning.taggers.student import Student
from skd_lightning.taggers.tagger import Tagger
from skd_lightning.taggers.teacher import Teacher
from skd_lightning.taggers.wide import Wide

__all__ = [
    "ChainHead",
    "Entity",
    "Optimization",
    "Prediction",
    "Student",
    "Tagger",
    "Teacher",
    "Wide",
    "load",
]
