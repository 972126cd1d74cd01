"""Networks in ONNX, run by onnxruntime: a file of anybody computes numbers from numbers, or is refused."""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skd_lightning.errors import UserError, first_line

ELSEWHERE = b"location"
"""The key with which an ONNX file names another file that holds its weights; what this package writes has none."""


class Session:
    """A network of a saved tagger.

    Args:
        file: its ONNX file.
        threads: of onnxruntime.

    Raises:
        UserError: the file is missing or damaged, or names another file.
    """

    def __init__(self, file: Path, threads: int) -> None:
        import onnxruntime  # here: what reads texts alone does not need it

        if not file.is_file():
            raise UserError(
                f"{file.name} is missing: this tagger runs with PyTorch alone (skd_lightning.load)"
            )
        if _holds(file, ELSEWHERE):
            raise UserError(f"{file.name}: its weights are said to lie in another file, which is not read")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        options.log_severity_level = 4  # what goes wrong is raised, and said in one line
        self._name = file.name
        try:
            self._session = onnxruntime.InferenceSession(
                str(file), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime has a class for each of its error codes, and no common one
            raise UserError(f"{file.name}: not readable by onnxruntime ({first_line(error)})") from None

    def run(self, inputs: Mapping[str, np.ndarray], shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Return the one output.

        Args:
            inputs: by name.
            shape: that the output has to have.

        Raises:
            UserError: the network cannot read the inputs, or returns something else.
        """
        try:
            found: Any = self._session.run(None, dict(inputs))
        except Exception as error:
            raise UserError(f"{self._name}: does not fit this tagger ({first_line(error)})") from None
        if len(found) != 1 or getattr(found[0], "shape", None) != shape or found[0].dtype != np.float32:
            raise UserError(f"{self._name}: does not return {'x'.join(map(str, shape))} numbers of float32")
        numbers: NDArray[np.float32] = found[0]
        return numbers


def _holds(file: Path, word: bytes) -> bool:
    """Return True if the word stands anywhere in a file, which is mapped and not read into memory."""
    if not file.stat().st_size:
        return False
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(word) >= 0
