"""Saved taggers from and to the Hugging Face hub."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from skd_lightning.errors import UserError, first_line
from skd_lightning.hub_access import HUB, PATIENCE, outage
from skd_lightning.serving.folder import CARD, CONFIG, NETWORK, TRANSFORMER, WEIGHTS


def on_disk(name: str | Path) -> Path:
    """Return a path, or the folder into which a tagger of the hub has been fetched.

    ``hf:owner/name`` is of the hub; so is ``owner/name`` unless there is a folder ``owner``.

    Args:
        name: a path, or a name on the hub.

    Raises:
        UserError: the hub cannot be reached, or has no such tagger.
    """
    text = str(name)
    named = text.removeprefix(HUB)
    hub_name = re.fullmatch(r"[\w.-]+/[\w.-]+", named, re.ASCII) is not None and ".." not in named
    if text.startswith(HUB) and not hub_name:
        raise UserError(f"{text}: expected hf:owner/name")
    if not text.startswith(HUB) and (not hub_name or Path(text).exists() or Path(text).parent.exists()):
        return Path(text)
    hub, out = _library(), outage()
    try:
        return Path(
            hub.snapshot_download(
                named,
                allow_patterns=[CONFIG, WEIGHTS, NETWORK, TRANSFORMER, CARD],
                etag_timeout=PATIENCE,
                max_workers=1,
            )
        )
    except Exception as error:  # of the hub, of its transport, of the disk: all mean that there is no tagger
        raise UserError(
            f"{text}: no such folder here, and not to be had from the hub ({out or _reason(error)})"
        ) from None


def push(folder: Path, name: str, private: bool = False) -> str:
    """Upload a saved tagger, and return the address of its page.

    Args:
        folder: that holds it.
        name: ``owner/name``; made where it is missing.
        private: make it visible to its owner alone.

    Raises:
        UserError: the hub cannot be reached or refuses.
    """
    hub, out = _library(), outage()
    try:
        api = hub.HfApi()
        api.create_repo(name, private=private, exist_ok=True)
        api.upload_folder(repo_id=name, folder_path=folder, commit_message="A tagger of skd_lightning")
    except Exception as error:
        raise UserError(
            f"{name}: not uploaded ({out or _reason(error)}); log in with: hf auth login"
        ) from None
    return f"https://huggingface.co/{name}"


def _reason(error: Exception) -> str:
    """Return the first line of the innermost cause."""
    while error.__cause__ is not None and isinstance(error.__cause__, Exception):
        error = error.__cause__
    return first_line(error)


def _library() -> Any:
    try:
        import huggingface_hub
    except ImportError:
        raise UserError("taggers of the hub need its library: pip install 'skd-lightning[hub]'") from None
    return huggingface_hub
