"""The fit of a tagger's wide path at the start of its training, to the training's own sentences."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console

from skd_lightning.taggers.wide import WidePath
from skd_lightning.taggers.wide_cache import find_or_fit
from skd_lightning.taggers.wide_fit import fit_wide

if TYPE_CHECKING:
    from skd_lightning.taggers.tagger import Tagger


def fit_to_data(wide: WidePath, tagger: Tagger) -> None:
    """Fit it to the annotated sentences, or to text as well with what the teachers say about it.

    Args:
        wide: the tagger's, which knows the features; gets the weights.
        tagger: in a training that begins.
    """
    began = time.perf_counter()
    data = tagger.trainer.datamodule  # type: ignore[attr-defined]
    sentences, teachers = data.train_sentences, None
    if tagger.fits_text(data.text_only):
        places, everything = data.places_of_features, data.train_dataset
        teachers = everything.targets.expectations().about(places)
        sentences = [everything.sentences[place] for place in places]
    show = bool(tagger.trainer.progress_bar_callback)
    fit = partial(fit_wide, wide, sentences, tagger.tag_set, show, teachers)
    if tagger.fit_cache is None:
        fit()
        there = False
    else:
        there = find_or_fit(tagger.fit_cache, wide, sentences, tagger.tag_set, fit, teachers)
    done = "read from the cache" if there else "fitted"
    taken = f"{time.perf_counter() - began:.0f} s"
    Console().print(f"{len(wide.keys):,} features {done} in {taken}", highlight=False)
