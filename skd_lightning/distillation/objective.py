"""The interface of objectives: a loss between two distributions, its settings, and its needs of the teacher."""

# Annotations are evaluated here: jsonargparse looks up the names in those of a base class among the names of the
# subclass's module, and takes any text for a setting where one of them is missing there.
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torch import Tensor

from skd_lightning.crf import LinearChainCRF
from skd_lightning.distillation.targets import TeacherTargets
from skd_lightning.errors import UserError

Tempering = Literal["marginals", "potentials"]
"""Place at which a temperature applies: the posterior marginals (the paper's code), or to the potentials before
forward-backward."""


@dataclass(frozen=True)
class Needs:
    """Fields of :class:`TeacherTargets` that an objective reads.

    Attributes:
        emissions: the teacher's emissions.
        k: how many of its best tag sequences, with their log-probabilities; 0 for none.
        marginals: its posterior marginals, of potentials that are divided by this temperature; None for none.
        softening: T of q^{1/T}, renormalised, which the marginals are then made to.
        transition_counts: its expected transition counts, of potentials that are divided by this temperature.
        chain: its whole distribution, as potentials.
        path_set: the likely paths that together have this probability; None for none.
    """

    emissions: bool = False
    k: int = 0
    marginals: float | None = None
    softening: float = 1.0
    transition_counts: float | None = None
    chain: bool = False
    path_set: float | None = None


class Objective(ABC):
    """A distillation loss with its settings.

    An objective is a frozen dataclass in a module of its own in ``objectives/``, which is discovered there. The name
    of the module is the name of the loss: ``objectives/topk.py`` holds ``TopK``, which is ``--loss topk`` and
    ``--model.objective TopK``. The fields of the dataclass are its options, such as ``--model.objective.k 5``; it
    refuses values out of range when it is made.

    Attributes:
        decoders: the decoders of students that it goes with.
        teaches_probabilities: the student's entities come to be as probable as the teacher says; by default, they are
            chosen by it.
    """

    decoders: ClassVar[tuple[str, ...]] = ("crf", "softmax")
    teaches_probabilities: ClassVar[bool] = True

    @property
    @abstractmethod
    def needs(self) -> Needs:
        """Fields of the teacher's targets that a call reads."""

    @abstractmethod
    def __call__(self, student: LinearChainCRF, teacher: TeacherTargets) -> Tensor:
        """Return the loss of each sentence, (batch,) nats, summed over its words.

        Args:
            student: the student's distributions on a batch.
            teacher: what the teachers say about the same batch, in the student's tags.

        Raises:
            ValueError: the targets lack a field that the objective needs.
        """

    @classmethod
    def loss_name(cls) -> str:
        """Return the name of the loss, which is that of the class's module."""
        return cls.__module__.rpartition(".")[2]

    def settings(self) -> dict[str, Any]:
        """Return the options with their values, which are plain."""
        return dict(vars(self))


def refuse_unless(valid: bool, option: str, value: object, rule: str) -> None:
    """Refuse the value of a setting.

    Args:
        valid: the value is in range.
        option: name of the setting.
        value: of the setting.
        rule: that it breaks, such as "at least 1".

    Raises:
        UserError: the value is not valid; the line names the option of the command line.
    """
    if not valid:
        raise UserError(f"--model.objective.{option} is {value}, it must be {rule}")


def refuse_temperature(temperature: float, tempering: str = "marginals") -> None:
    """Refuse a temperature that is not a positive number, and a tempering that does not exist.

    Raises:
        UserError: one of them is out of range; the line names the option of the command line.
    """
    refuse_unless(0 < temperature < float("inf"), "temperature", temperature, "above 0, and finite")
    refuse_unless(tempering in ("marginals", "potentials"), "tempering", tempering, "marginals or potentials")
