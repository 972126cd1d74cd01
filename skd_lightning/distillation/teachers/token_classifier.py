"""A pretrained token classifier as a teacher: any ``AutoModelForTokenClassification``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from skd_lightning.distillation.cache.entry import Potentials
from skd_lightning.distillation.label_reading import read_labels
from skd_lightning.encoders.pieces import PieceFeaturizer
from skd_lightning.encoders.pretrained_transformer import (
    PIECES,
    architecture,
    described,
    load_pretrained,
    means_of_pieces,
)
from skd_lightning.errors import UserError
from skd_lightning.features.windows import PieceWindows, Pooling
from skd_lightning.hub_access import HUB
from skd_lightning.ragged import cut_by_budget
from skd_lightning.storage import add_weights
from skd_lightning.tags import Scheme


class TokenClassifier:
    """A tagger that scores every word by itself, as a chain: transitions are 0, or forbidden by its labels' scheme.

    A word's log-probabilities are those of its first piece, or the mean over its pieces. Sentences that the model
    cannot read at once are read in windows. Only safetensors are loaded, and no code that comes with a model is run.

    Args:
        name: ``hf:owner/name``, or a folder made by ``save_pretrained``.
        scheme: of the student.
        device: of the student.
        pieces: ``first`` or ``mean``.
        names: {label: the student's tag} for labels that name no scheme.

    Raises:
        UserError: there is no such model, it has no labels of its own, or they make no sense together.
    """

    speaks: ClassVar[type[Potentials]] = Potentials
    complete: ClassVar[bool] = True
    languages: ClassVar[list[str]] = []

    def __init__(
        self,
        name: str,
        scheme: Scheme,
        device: torch.device,
        pieces: Pooling = "first",
        names: Mapping[str, str] | None = None,
    ) -> None:
        from transformers import AutoModelForTokenClassification  # seconds to import

        model, self._tokenizer = load_pretrained(
            name.removeprefix(HUB), AutoModelForTokenClassification, f"teacher {name}", use_safetensors=True
        )
        made = list(model.config.architectures or [])
        if not any(kind.endswith("ForTokenClassification") for kind in made):  # its last layer would be noise
            raise UserError(
                f"teacher {name}: it is {', '.join(made) or 'of no known kind'}, not a token classifier; "
                "fine-tune it first, and save it with save_pretrained"
            )
        self._model = model.eval().requires_grad_(False).to(device)
        labels = model.config.id2label
        self.reading = read_labels([str(labels[place]) for place in sorted(labels)], scheme, name, names)
        self.tag_set = self.reading.tag_set
        self._featurizer = PieceFeaturizer(PieceWindows(**self._tokenizer, pooling=pieces))
        if self._featurizer.windows.window < 1:
            raise UserError(f"teacher {name}: it reads {self._tokenizer['readable']} pieces at once, too few")

    def fingerprint(self) -> str:
        """Return a hash of weights, configuration, tokenizer, labels and the pieces that count."""
        read: list[Any] = [
            described(architecture(self._model)),
            self._tokenizer,
            self._featurizer.windows.pooling,
            self._featurizer.windows.window,
            self.reading.labels,
            self.tag_set.names,
        ]
        digest = hashlib.sha256(json.dumps(read).encode())
        add_weights(digest, self._model)
        return digest.hexdigest()

    @torch.inference_mode()
    def speak(
        self, sentences: Sequence[Sequence[str]], advance: Callable[[int], object], language: str
    ) -> Potentials:
        """Return its potentials on sentences, in batches of similar length; the language does not matter."""
        items = self._featurizer.index(sentences)
        labels = len(self.reading.labels)
        found = [np.zeros((len(words), labels), dtype=np.float32) for words in sentences]
        sizes = np.array([len(item) for item in items], dtype=np.int64)
        for places in cut_by_budget(np.argsort(sizes, kind="stable").tolist(), sizes, PIECES):
            words = max(len(sentences[i]) for i in places)
            inputs = self._featurizer.collate([items[i] for i in places], words)
            inputs = {name: tensor.to(self._model.device) for name, tensor in inputs.items()}
            if len(inputs["pieces"]):
                logits = self._model(input_ids=inputs["pieces"], attention_mask=inputs["mask"]).logits
                by_word = means_of_pieces(logits.float().log_softmax(-1), inputs).cpu().numpy()
                for i, row in zip(places, by_word, strict=True):
                    found[i][:] = row[: len(sentences[i])]
            advance(len(places))
        return self.reading.potentials(np.concatenate([np.zeros((0, labels), np.float32), *found]))


def is_model_folder(path: Path) -> bool:
    """Return True for a folder made by ``save_pretrained``."""
    weights = ("model.safetensors", "model.safetensors.index.json")
    return (path / "config.json").is_file() and any((path / name).is_file() for name in weights)
