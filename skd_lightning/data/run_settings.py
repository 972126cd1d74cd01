"""The settings of a run, as far as they are read back from its configuration."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator

from skd_lightning.parsing import checked, read_yaml
from skd_lightning.run_folder import RunFolder


class DataSettings(BaseModel, extra="allow"):
    """The arguments of the run's :class:`TaggingData`.

    Attributes:
        text_only: languages of which the run has seen text without tags alone.
        without_fold: the fold of the training sentences that it has not seen.
    """

    text_only: Annotated[list[str], BeforeValidator(lambda value: [] if value is None else value)] = []
    without_fold: str | None = None


class ModelSettings(BaseModel):
    """The arguments of the run's tagger."""

    init_args: dict[str, Any] = {}


class RunSettings(BaseModel):
    """The settings of a run."""

    data: DataSettings = DataSettings()
    model: ModelSettings = ModelSettings()


def read_settings(folder: RunFolder) -> RunSettings:
    """Return the settings of a run; the defaults where its configuration is not there.

    Raises:
        UserError: the configuration cannot be read.
    """
    if not folder.config.is_file():
        return RunSettings()
    return checked(RunSettings, read_yaml(folder.config), str(folder.config))
