"""Tagged sentences as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from skd_lightning.serving.text.tagging import Tagged, iob2

_ENCODER = json.JSONEncoder(ensure_ascii=False, check_circular=False)


def json_lines(tagged: Iterable[Tagged], threshold: float = 0.0) -> Iterator[str]:
    """Yield an object a sentence, each on a line.

    Args:
        tagged: sentences with their predictions.
        threshold: least probability of the entities that are listed; the tags stay as they are.
    """
    for one in tagged:
        found = record(one, threshold)
        line = _ENCODER.encode(found)
        yield (line if _encodes(line) else json.dumps(found)) + "\n"


def record(one: Tagged, threshold: float) -> dict[str, Any]:
    """Return what a line says about a sentence."""
    sentence, prediction = one
    entities = [one.found(entity) for entity in one.entities(threshold)]
    found: dict[str, Any] = {
        "document": sentence.document,
        "language": sentence.language,
        "start": sentence.start,
        "end": sentence.offsets[-1][1],
        "text": sentence.text,
        "words": sentence.words,
        "offsets": sentence.offsets,
        "tags": one.tags,
        "confidences": [round(number, 4) for number in prediction.confidences],
        "entities": [{**entity, "score": round(entity["score"], 4)} for entity in entities],
        "probability": _significant(prediction.probability),
    }
    if prediction.alternatives:
        found["alternatives"] = [
            {"tags": iob2(tags), "probability": _significant(probability)}
            for tags, probability in prediction.alternatives
        ]
    return found


def _significant(probability: float) -> float:
    return float(f"{probability:.4g}")


def _encodes(line: str) -> bool:
    """Return False for halves of surrogate pairs, which UTF-8 cannot hold and an escape can."""
    try:
        line.encode()
    except UnicodeEncodeError:
        return False
    return True
