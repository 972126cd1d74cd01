"""Arrays of a safetensors file, mapped into memory: read when they are needed, and only what is needed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from skd_lightning.errors import UserError

DTYPES = {
    "BOOL": np.dtype("?"),
    "U8": np.dtype("u1"),
    "I8": np.dtype("i1"),
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "I32": np.dtype("<i4"),
    "I64": np.dtype("<i8"),
    "U64": np.dtype("<u8"),
}
"""The types of arrays that saved taggers have."""
LONGEST_HEADER = 2**24
"""Bytes; a file that claims more is damaged."""


def mapped_arrays(file: Path) -> Mapping[str, np.ndarray]:
    """Return the arrays of a safetensors file by name, read-only.

    The library reads a file as a whole; a tagger that starts in a blink touches a few rows of its tables.

    Raises:
        UserError: the file is missing, or is no whole safetensors file.
    """
    try:
        size = file.stat().st_size
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            if not 2 <= length <= min(LONGEST_HEADER, size - 8):
                raise ValueError("no header")
            header = json.loads(opened.read(length))
        content = np.memmap(file, dtype=np.uint8, mode="r") if size > 8 + length else np.zeros(0, np.uint8)
        header.pop("__metadata__", None)
        return {name: _array(content, 8 + length, entry) for name, entry in header.items()}
    except OSError as error:
        raise UserError(f"{file}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UserError(f"{file}: damaged or no safetensors file; save the tagger again") from None


def _array(content: np.ndarray, start: int, entry: Mapping[str, Any]) -> np.ndarray:
    """Return one array of the file.

    Raises:
        ValueError, KeyError, TypeError: the entry of the header is not one that fits the file.
    """
    dtype, shape = DTYPES[entry["dtype"]], tuple(entry["shape"])
    first, last = entry["data_offsets"]
    if any(type(number) is not int or number < 0 for number in (first, last, *shape)):
        raise ValueError("not a number")
    if last - first != prod(shape) * dtype.itemsize or start + last > len(content) > 0:
        raise ValueError("not its size")
    return np.asarray(content[start + first : start + last]).view(dtype).reshape(shape)
