"""The languages of which a run has seen no labels, read from its settings."""

from __future__ import annotations

from pydantic import BaseModel

from skd_lightning.parsing import checked, read_yaml
from skd_lightning.run_folder import RunFolder


class _Data(BaseModel):
    text_only: list[str] | None = None


class _Settings(BaseModel):
    """The part of a run's settings that is read."""

    data: _Data = _Data()


def text_only(folder: RunFolder) -> list[str]:
    """Return the languages of which a run has seen text without tags alone; none where its settings are not there.

    Raises:
        UserError: the settings cannot be read.
    """
    if not folder.config.is_file():
        return []
    return checked(_Settings, read_yaml(folder.config), str(folder.config)).data.text_only or []
