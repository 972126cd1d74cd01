"""Is the Hugging Face hub within reach? Asked once, so that nobody waits for the retries of its libraries."""

from __future__ import annotations

import os
import socket
import sys
from functools import cache
from urllib.parse import urlsplit
from urllib.request import getproxies

HUB = "hf:"
"""Before the name of a model on the hub, where a name without it would be a path."""
PATIENCE = 5
"""Seconds until a hub that does not answer counts as unreachable."""
SWITCHES = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")
"""Variables with which a user says that there is no hub; the libraries believe them at once."""


@cache
def outage() -> str | None:
    """Return why the hub cannot be reached, None where it answers.

    Where it does not answer, the libraries are told that there is no hub. They then serve what they have in their
    caches, and refuse the rest at once. Behind a proxy, and where the user has set a switch, nothing is tried.
    """
    if any(os.environ.get(switch) for switch in SWITCHES):
        return None
    place = urlsplit(os.environ.get("HF_ENDPOINT") or "https://huggingface.co")
    if getproxies().get(place.scheme) or not place.hostname:
        return None
    try:
        socket.create_connection((place.hostname, place.port or 443), timeout=PATIENCE).close()
    except (OSError, ValueError) as error:
        os.environ[SWITCHES[0]] = "1"
        for library in (
            "huggingface_hub.constants",
            "datasets.config",
        ):  # read the variable when they are imported
            if library in sys.modules:
                setattr(sys.modules[library], SWITCHES[0], True)
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return f"{place.hostname} does not answer: {reason}"
    return None
