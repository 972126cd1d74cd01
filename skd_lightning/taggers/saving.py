"""A tagger to a folder, from which it is loaded, served and published."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skd_lightning.encoders import (
    ConcatenatedEmbedder,
    Embedder,
    FineTunedTransformerEmbedder,
    FrozenTransformerEmbedder,
)
from skd_lightning.encoders.description import EMBEDDERS
from skd_lightning.encoders.transformer_onnx import transformer_onnx
from skd_lightning.serving import hub, saving
from skd_lightning.serving.card import card
from skd_lightning.serving.tables import Compression

if TYPE_CHECKING:
    from skd_lightning.taggers.tagger import Tagger


def save(
    tagger: Tagger,
    folder: str | Path,
    tables: Compression = "float32",
    least_weight: float = 0.0,
    results: Mapping[str, Any] | None = None,
    name: str = "",
    text_only: Sequence[str] = (),
) -> None:
    """Write a tagger's folder; see :meth:`Tagger.save`.

    Args:
        tagger: to save.
        folder: to write.
        tables: how large tables are written.
        least_weight: nats below which sparse features are left out.
        results: content of its run's ``results.json``, for the card.
        name: on the card; the folder's own if it is empty.
        text_only: languages of which it has seen text alone, for the card.
    """
    arrays = {key: values.detach().cpu().numpy() for key, values in tagger.state_dict().items()}
    description = tagger.description()
    transformer = _transformer(tagger.encoder.embedder)
    embedder = description["encoder"]["embedder"]
    served = transformer is not None or saving.runs_without_torch(embedder)
    loading = None if served else _loading(embedder)
    page = card(name or Path(folder).name, description, results, text_only, loading)
    saving.save(Path(folder), description, arrays, page, tables, least_weight, transformer)


def push_to_hub(tagger: Tagger, name: str, tables: Compression, least_weight: float, private: bool) -> str:
    """Save a tagger and upload its folder; see :meth:`Tagger.push_to_hub`."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "tagger"
        save(tagger, folder, tables, least_weight, name=name)
        return hub.push(folder, name, private)


def _loading(embedder: Mapping[str, Any]) -> str:
    """Return what ``skd_lightning.load`` has to be told beside the name for an embedder that is described."""
    parts = [*_parts(embedder)]
    foreign = [name for name, _ in parts if name not in EMBEDDERS]
    outside = any(name in EMBEDDERS and EMBEDDERS[name].reads(settings) for name, settings in parts)
    classes = ", ".join(f'"{name}": {name.rpartition(".")[2]}' for name in dict.fromkeys(foreign))
    return ", outside=True" * outside + f", embedders={{{classes}}}" * bool(foreign)


def _parts(embedder: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield name and settings of a described embedder, and of those that it puts side by side."""
    yield embedder["name"], embedder["settings"]
    if embedder["name"] == ConcatenatedEmbedder.__name__:
        for part in embedder["settings"]["embedders"]:
            yield from _parts(part)


def _transformer(embedder: Embedder) -> tuple[dict[str, Any], bytes] | None:
    """Return settings and ONNX of the transformer that an embedder is, if it is one."""
    if not isinstance(embedder, FrozenTransformerEmbedder | FineTunedTransformerEmbedder):
        return None
    own, settings = embedder.transformer, embedder.config()
    rounded = settings.get(
        "precision", "float32"
    )  # vectors of a frozen one were rounded before the tagger saw them
    windows = {**own.saved["tokenizer"], "pooling": own.pooling}
    return {"windows": windows, "size": own.size, "precision": rounded}, transformer_onnx(own)
