"""Reads back the files that an offline run of Weights & Biases has written."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import Record

BLOCK = 32768


class OfflineRun:
    """Attributes: ``run`` (its description), ``config``, ``history`` (a dictionary a step), ``summary``, ``x_axes``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config: dict[str, Any] = {}
        self.history: list[dict[str, Any]] = []
        self.summary: dict[str, Any] = {}
        self.x_axes: dict[str, str] = {}
        for content in _records(next(folder.glob("*.wandb")).read_bytes()):
            record = Record.FromString(content)
            if record.HasField("run"):
                self.run = record.run
                self.config |= _items(record.run.config.update)
            self.config |= _items(record.config.update)
            self.summary |= _items(record.summary.update)
            if record.HasField("metric"):
                self.x_axes[record.metric.name or record.metric.glob_name] = record.metric.step_metric
            if record.HasField("history"):
                self.history.append(_items(record.history.item))


def offline_runs(folder: Path) -> list[OfflineRun]:
    """All below a run folder, in the order of time."""
    return [OfflineRun(found) for found in sorted(folder.glob("wandb/offline-run-*"))]


def _items(items: Any) -> dict[str, Any]:
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items}


def _records(content: bytes) -> Iterator[bytes]:
    """LevelDB's log format after a header of seven bytes: blocks of records, which may go on in the next block."""
    place, parts = 7, b""
    while place + 7 <= len(content):
        if BLOCK - place % BLOCK < 7:
            place += BLOCK - place % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", content[place : place + 7])
        parts += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""
