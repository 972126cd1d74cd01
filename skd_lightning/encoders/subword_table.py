"""The file of a transformer's subword vectors: made from its embeddings, and read without it.

The file is one safetensors file, which needs no pickle: the tensor ``table`` (pieces, size) float16, and beside it, as
text, ``tokenizer`` (content of a ``tokenizer.json``) and ``unknown`` (a text that always has a piece).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from skd_lightning.encoders.ngram import DEVIATION
from skd_lightning.errors import UserError
from skd_lightning.storage import new_file

TEXTS = ("tokenizer", "unknown")
"""Names of the texts in the file."""


def principal_components(vectors: Tensor, size: int) -> Tensor:
    """Return (rows, size) float32, the projections of the rows on their first principal components.

    All are multiplied by one number, so that the root of the entries' mean square is that of the vectors with which an
    NgramEmbedder starts: smaller ones hardly move an LSTM.

    Args:
        vectors: (rows, columns) of any scale.
        size: number of components, at most that of the columns.

    >>> rows = principal_components(torch.tensor([[1.0, 1.0], [3.0, 3.0], [5.0, 5.0]]), 1)
    >>> [round(abs(value), 1) for value in rows[:, 0].tolist()]
    [2.4, 0.0, 2.4]
    """
    rows = vectors - vectors.mean(0)
    _, axes = torch.linalg.eigh((rows.T @ rows).double())  # the largest eigenvalue comes last
    found: Tensor = rows @ axes.flip(1)[:, :size].to(rows.dtype)
    scale = found.square().mean().sqrt()
    return found * (DEVIATION / scale) if scale else found


def make_table(model: str, size: int, file: Path) -> int:
    """Write the first principal components of a transformer's piece embeddings to a file.

    This is the idea of model2vec (Tulkens and van Dongen 2024), which reads each piece alone through all layers and
    weights it by its frequency. The layers did not raise the dev scores of taggers, nor did an average over contexts
    (``docs/how-to/pretrained.md``); weights by frequency, made for vectors of sentences, are left out untried.

    Args:
        model: name of a model on the hub, or a folder made by ``save_pretrained``.
        size: length of a piece's vector.
        file: written whole or not at all; its name ends in ``.safetensors``.

    Returns:
        The number of pieces.

    Raises:
        UserError: there is no such model, its vectors are shorter than ``size``, or the file has another ending.
    """
    from safetensors.torch import save

    from skd_lightning.encoders.pretrained_transformer import frozen

    if file.suffix != ".safetensors":
        raise UserError(f"{file}: give a name that ends in .safetensors")
    transformer = frozen(model, (0,), "mean")
    vectors: Tensor = transformer.model.get_input_embeddings().weight.cpu()
    if not 1 <= size <= vectors.shape[1]:
        raise UserError(
            f"size is {size}, it must be 1 to {vectors.shape[1]}, the length of the model's own vectors"
        )
    table = principal_components(vectors, size)
    texts = {name: str(transformer.saved["tokenizer"][name]) for name in TEXTS}
    with new_file(file) as opened:
        opened.write(save({"table": table.half().contiguous()}, metadata=texts))
    return len(table)


def read_table(file: Path) -> tuple[Tensor, dict[str, Any]]:
    """Read what :func:`make_table` has written.

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
        if not table.isfinite().all():
            raise ValueError("not finite")
        return table, {**{name: texts[name] for name in TEXTS}, "pieces": pieces, "size": size}
    except (SafetensorError, KeyError, ValueError) as error:
        raise UserError(f"{file}: no file that skd vectors has written; make it again") from error
