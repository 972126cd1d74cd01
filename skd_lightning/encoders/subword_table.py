"""The file of a transformer's subword vectors: distilled from it, written, and read without it.

The file is one safetensors file, which needs no pickle: the tensor ``table`` (pieces, size) float16, and beside it, as
text, ``tokenizer`` (content of a ``tokenizer.json``) and ``unknown`` (a text that always has a piece).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skd_lightning.errors import UserError
from skd_lightning.storage import new_file

TEXTS = ("tokenizer", "unknown")
"""Names of the texts in the file."""


def principal_components(vectors: np.ndarray, size: int) -> Tensor:
    """Return (rows, size) float32, the projections of the rows on their first principal components.

    All are divided by one number, so that the mean square of the entries is 1: vectors far from that scale slow the
    training of the network that reads them.

    Args:
        vectors: (rows, columns) of any scale.
        size: number of components, at most that of the columns.

    >>> rows = principal_components(np.array([[1.0, 1.0], [3.0, 3.1], [5.0, 4.9]]), 1)
    >>> [round(abs(value), 1) for value in rows[:, 0].tolist()]
    [1.2, 0.0, 1.2]
    """
    rows = torch.from_numpy(vectors)
    rows = rows - rows.mean(0)
    _, axes = torch.linalg.eigh((rows.T @ rows).double())  # the largest eigenvalue comes last
    found: Tensor = rows @ axes.flip(1)[:, :size].to(rows.dtype)
    return found / found.square().mean().sqrt().clamp(min=torch.finfo(found.dtype).tiny)


def distil(model: str, size: int, layer: int, file: Path) -> int:
    """Read each piece of a transformer's vocabulary alone, reduce the vectors, and write them to a file.

    This is model2vec (Tulkens and van Dongen 2024) but for its weights by frequency, which matter for the vector of a
    sentence and change no score of a tagger.

    Args:
        model: name of a model on the hub, or a folder made by ``save_pretrained``.
        size: length of a piece's vector.
        layer: the hidden states that are taken; -1 is the last layer, 0 the embeddings.
        file: written whole or not at all.

    Returns:
        The number of pieces.

    Raises:
        UserError: there is no such model, it has no such layer, or its vectors are shorter than ``size``.
    """
    from safetensors.torch import save

    from skd_lightning.encoders.word_vectors import frozen

    if not file.name.endswith(".safetensors"):  # else the embedder's message would name the wrong mistake
        raise UserError(f"{file}: give a name that ends in .safetensors")
    transformer = frozen(model, (layer,), "mean")
    if not 1 <= size <= transformer.size:
        raise UserError(
            f"size is {size}, it must be 1 to {transformer.size}, the length of the model's own vectors"
        )
    table = principal_components(transformer.piece_vectors(), size)
    texts = {name: str(transformer.saved["tokenizer"][name]) for name in TEXTS}
    with new_file(file) as opened:
        opened.write(save({"table": table.half().contiguous()}, metadata=texts))
    return len(table)


def read_table(file: Path) -> tuple[Tensor, dict[str, Any]]:
    """Read what :func:`distil` has written.

    Returns:
        (pieces, size) float32; ``tokenizer``, ``unknown``, ``pieces`` and ``size``, plain values.

    Raises:
        UserError: the file is missing, or is another one.
    """
    from safetensors import SafetensorError, safe_open

    if not file.is_file():
        raise UserError(f"{file}: no such file; make it with skd vectors")
    try:
        with safe_open(str(file), framework="pt") as opened:
            table, texts = opened.get_tensor("table").float(), dict(opened.metadata() or {})
        pieces, size = table.shape
        return table, {**{name: texts[name] for name in TEXTS}, "pieces": pieces, "size": size}
    except (SafetensorError, KeyError, ValueError) as error:
        raise UserError(f"{file}: no file that skd vectors has written; make it again") from error
