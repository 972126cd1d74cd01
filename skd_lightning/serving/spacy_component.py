"""A saved tagger as a component of a spaCy pipeline."""

# No postponed annotations: spaCy reads the types of a factory's arguments.

import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from spacy.language import Language
from spacy.parts_of_speech import IDS
from spacy.tokens import Doc, Span, SpanGroup, Token
from spacy.util import minibatch

from skd_lightning.errors import UserError
from skd_lightning.predictions import Prediction
from skd_lightning.serving.folder import FILES, is_saved
from skd_lightning.serving.hub import on_disk
from skd_lightning.serving.runtime import Runtime
from skd_lightning.serving.text.languages import known_as
from skd_lightning.storage import new_folder

NAME = "skd_lightning"
"""The component's name, and the key of its entities in ``doc.spans``."""
LONGEST = 300
"""Words that are tagged at once at most, where a document has no boundaries of sentences or very distant ones."""
FINAL = frozenset(".!?…。！？｡؟۔।॥")
"""Words that end sentences."""
SCORE = "score"
"""The attribute ``span._.score`` or ``token._.score``: the name that other components give it."""


class Stretch(NamedTuple):
    """Words of a document that are tagged as one sentence.

    Attributes:
        places: number in the document of each word's token.
        words: the tokens' texts; white space is none.
    """

    places: list[int]
    words: list[str]


@Language.factory(  # type: ignore[untyped-decorator]
    NAME,
    assigns=["doc.ents", "doc.spans", "token.pos", "token.tag"],
    default_config={"language": None, "threshold": 0.0},
)
def make_component(
    nlp: Language, name: str, model: str, language: str | None, threshold: float
) -> "Component":
    """Return the component of a pipeline; spaCy calls this for ``nlp.add_pipe("skd_lightning", config=…)``."""
    return Component(model, language, threshold, nlp.lang or "")


class Component:
    """A tagger that writes into documents.

    A tagger of entities sets ``doc.ents``, beside entities that stand there already; ``span._.score`` is the exact
    probability of an entity. All that it found stand in ``doc.spans["skd_lightning"]``, with their probabilities in its
    ``attrs["scores"]``, as spaCy's ``SpanCategorizer`` writes them. A tagger of universal parts of speech sets
    ``token.pos_``, any other ``token.tag_``; ``token._.score`` is the posterior probability of a word's tag.

    Args:
        model: folder of a saved tagger, or its name on the hub. It is loaded when it is first needed.
        language: of all documents; None for the pipeline's, where the tagger knows it or one treebank of it.
        threshold: probability below which ``doc.ents`` gets no entity and a token no tag.
        pipeline_language: code, such as ``"sv"``.
    """

    def __init__(self, model: str, language: str | None, threshold: float, pipeline_language: str) -> None:
        if not 0 <= threshold <= 1:
            raise UserError(f"the threshold is {threshold}, it must be a probability")
        self.model, self.language, self.threshold = model, language, threshold
        self._pipeline_language = pipeline_language
        self._runtime: Runtime | None = None
        for kind in (Span, Token):
            if not kind.has_extension(SCORE):
                kind.set_extension(SCORE, default=None)

    @property
    def runtime(self) -> Runtime:
        """Return the tagger.

        Raises:
            UserError: the folder is missing or damaged.
        """
        if self._runtime is None:
            self._runtime = Runtime.load(self.model)
        return self._runtime

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what another process loads for itself."""
        return {**self.__dict__, "_runtime": None}

    def __call__(self, doc: Doc) -> Doc:
        """Tag a document."""
        self._tag([doc])
        return doc

    def pipe(self, stream: Iterable[Doc], batch_size: int = 128) -> Iterator[Doc]:
        """Tag documents, ``batch_size`` at a time: ``nlp.pipe`` calls this."""
        for docs in minibatch(stream, size=batch_size):  # type: ignore[no-untyped-call]
            self._tag(docs)
            yield from docs

    def to_disk(self, path: str | Path, *, exclude: Sequence[str] = ()) -> None:
        """Copy the saved tagger, so that a pipeline can be moved: ``nlp.to_disk`` calls this.

        Raises:
            UserError: the folder is missing, or holds no saved tagger.
        """
        source, target = on_disk(self.model), Path(path)
        if source.resolve() == target.resolve():
            return
        if not is_saved(source):
            raise UserError(f"{self.model}: no saved tagger there; save one with skd export")
        with new_folder(target) as unfinished:  # what was there may be mapped into memory
            for name in FILES:
                if (source / name).is_file():
                    shutil.copyfile(source / name, unfinished / name)

    def from_disk(self, path: str | Path, *, exclude: Sequence[str] = ()) -> "Component":
        """Take the tagger of a pipeline's folder: ``spacy.load`` calls this."""
        if is_saved(Path(path)):
            self.model, self._runtime = str(path), None
        return self

    def _tag(self, docs: Sequence[Doc]) -> None:
        runtime = self.runtime
        language = self.language or known_as(self._pipeline_language, runtime.languages)
        found = [stretches(doc) for doc in docs]
        predictions = iter(runtime.predict([own.words for each in found for own in each], language))
        for doc, each in zip(docs, found, strict=True):
            pairs = [(own, next(predictions)) for own in each]
            if runtime.tag_set.scheme == "none":
                self._write_tags(doc, pairs)
            else:
                self._write_entities(doc, pairs)

    def _write_entities(self, doc: Doc, found: Iterable[tuple[Stretch, Prediction]]) -> None:
        spans, scores = [], []
        for passage, prediction in found:
            for first, last, label, probability in prediction.entities:
                spans.append(Span(doc, passage.places[first], passage.places[last] + 1, label=label))
                spans[-1]._.score = probability
                scores.append(probability)
        doc.spans[NAME] = SpanGroup(doc, name=NAME, attrs={"scores": scores}, spans=spans)
        taken = {token.i for entity in doc.ents for token in entity}
        own = [
            span
            for span, score in zip(spans, scores, strict=True)
            if score >= self.threshold and taken.isdisjoint(range(span.start, span.end))
        ]
        doc.set_ents([*doc.ents, *own])

    def _write_tags(self, doc: Doc, found: Iterable[tuple[Stretch, Prediction]]) -> None:
        universal = all(tag in IDS for tag in self.runtime.tag_set.names)
        if universal:
            for token in doc:
                if token.is_space:
                    token.pos_ = "SPACE"
        for passage, prediction in found:
            for place, tag, score in zip(
                passage.places, prediction.tags, prediction.confidences, strict=True
            ):
                token = doc[place]
                token._.score = score
                if score < self.threshold:
                    continue
                if universal:
                    token.pos_ = tag
                else:
                    token.tag_ = tag


def stretches(doc: Doc) -> list[Stretch]:
    """Return what is tagged together: the sentences of a document, or as much as goes at once."""
    spans = doc.sents if doc.has_annotation("SENT_START") else [doc]
    found = []
    for span in spans:
        places = [token.i for token in span if not token.is_space]
        while places:
            cut = _cut(doc, places)
            found.append(Stretch(places[:cut], [doc[place].text for place in places[:cut]]))
            places = places[cut:]
    return found


def _cut(doc: Doc, places: Sequence[int]) -> int:
    """Return the number of words of a first passage: up to the last end of a sentence within reach, if any."""
    if len(places) <= LONGEST:
        return len(places)
    ends = (cut for cut in range(LONGEST, 0, -1) if doc[places[cut - 1]].text in FINAL)
    return next(ends, LONGEST)
