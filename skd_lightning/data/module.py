"""The LightningDataModule: corpora in, token-budget batches of interleaved languages out."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

import numpy as np
import pytorch_lightning as pl
from rich.console import Console
from torch.utils.data import DataLoader

from skd_lightning import tags
from skd_lightning.data.batch_sampling import EvaluationBatches, TrainingBatches
from skd_lightning.data.batches import Batch, SentenceDataset, SentenceFeaturizer, as_is
from skd_lightning.data.corpora import ONE_COLUMN, Corpora, load_corpora
from skd_lightning.data.folds import Fold
from skd_lightning.data.generated import RATES, Generation
from skd_lightning.data.readers import has_one_column
from skd_lightning.data.readers.encodings import refuse_unknown_encodings
from skd_lightning.data.schemes import in_scheme, schemes_of
from skd_lightning.data.sentence import Sentence
from skd_lightning.data.split_names import SPLITS
from skd_lightning.data.training_loader import TrainingLoader
from skd_lightning.data.unlabelled import sample_of_text
from skd_lightning.errors import UserError


class TaggingData(pl.LightningDataModule):
    """Train, dev and test sentences of several languages, under one tag set.

    The sentences can be looked at right away. Batches need the encoder's featurizer: after its vocabulary has been
    learnt, and before a trainer is given the data, ``connect`` hands it over.

    Args:
        task: ``demo`` (generated), another task of ``data/tasks`` (``upos``, ``wikiann`` …), or the name of your own
            folder below ``data``.
        data: folder with ``<task>/<language>/`` or ``<language>/`` below it; ``folders.find_folder`` says which one
            None means.
        languages: codes of the languages; all that have training data if None.
        tokens: budget of a training batch in words, padding included. The paper's is 2000.
        eval_tokens: the same for evaluation.
        exponent: languages are drawn with p ∝ n^exponent; 1 shows every sentence once an epoch.
        batches: ``mixed`` languages in a batch, or a ``single`` one.
        scheme: entity tags are converted to ``bioes`` or ``iob2``, whatever scheme the files are in.
        max_train_sentences: a sample (always the same) of so many training sentences a language; all if None.
        held_back: of the training sentences left over then, so many a language are kept without their tags, as
            unlabelled text on which only teachers speak.
        unlabelled: folder with more such text, ``<language>.txt`` (words between white space) or any format of the
            corpora; files called ``unlabelled.*`` beside a language's ``train.*`` are found by themselves.
        text_only: languages whose training sentences are taken without their tags, as those of a language that nobody
            annotated; their dev sentences do not count either. Only teachers speak on them.
        generated: unlabelled sentences that each language shall have; what it lacks is generated from its annotated
            ones, the same in every run, and only teachers speak on it.
        generated_kinds: how they are made, {kind: rate} with ``splice``, ``replace`` and ``pseudo``; see
            ``generated.RATES``, which None means.
        generated_tags: take them as annotated sentences instead, with the tags they are built with; the control of
            ``generated``, which needs no teacher.
        unlabelled_ratio: unlabelled sentences in an epoch, for each labelled one; as many as there are if None.
        max_dev_sentences: a sample (always the same) of so many dev sentences a language, where scoring them all
            after every epoch would take longer than the epoch; all if None. Test sentences are never sampled.
        remove_duplicates: take evaluation sentences that also stand in the training data out of their split, and
            unlabelled sentences that are evaluated on out of the text.
        without_fold: leave a fold of the training sentences out, such as 2/5 for the second of five: a teacher that can
            speak on these sentences as on new text. Their words alone decide which fold sentences are in.
        word_column: of column files, from 0.
        tag_column: of column files, from 0; negative counts from the end.
        encoding: of all files, or one by language with ``other`` for the rest, such as {"es": "latin-1"};
            ``readers.read`` says which one None means.
        sample: draw so many different sentences of each language from all its splits and cut them 8:1:1 into train,
            dev and test, the paper's way with WikiAnn; a number for all languages, or one by language with ``other``
            for the rest, such as {"en": 10000, "other": 5000}.
        revision: branch, tag or commit of the data sets on the hub, where no folder has the task.
        workers: loader processes; 0 loads in the training process, which costs least for small models.
        seed: of the order of the batches.
    """

    def __init__(
        self,
        task: str = "demo",
        data: str | None = None,
        languages: list[str] | None = None,
        tokens: int = 1000,
        eval_tokens: int = 4000,
        exponent: float = 1.0,
        batches: Literal["mixed", "single"] = "mixed",
        scheme: Literal["bioes", "iob2"] = "bioes",
        max_train_sentences: int | None = None,
        held_back: int = 0,
        unlabelled: str | None = None,
        text_only: list[str] | None = None,
        generated: int = 0,
        generated_kinds: dict[str, float] | None = None,
        generated_tags: bool = False,
        unlabelled_ratio: float | None = None,
        max_dev_sentences: int | None = None,
        remove_duplicates: bool = False,
        without_fold: str | None = None,
        word_column: int | None = None,
        tag_column: int | None = None,
        encoding: dict[str, str] | str | None = None,
        sample: dict[str, int] | int | None = None,
        revision: str | None = None,
        workers: int = 0,
        seed: int = 1,
    ) -> None:
        super().__init__()
        if tokens < 1 or eval_tokens < 1:
            raise UserError("--data.tokens and --data.eval_tokens must be at least 1")
        if languages is not None and (not languages or len(set(languages)) < len(languages)):
            raise UserError(
                f"--data.languages is {languages}, it must name each language once; leave it out for all"
            )
        refuse_unknown_encodings(encoding)
        if seed < 0:
            raise UserError(f"--data.seed is {seed}, it must be at least 0")
        if held_back and max_train_sentences is None:
            raise UserError("--data.held_back takes what --data.max_train_sentences leaves over: give both")
        if unlabelled_ratio is not None and unlabelled_ratio < 0:
            raise UserError(f"--data.unlabelled_ratio is {unlabelled_ratio}, it must be at least 0")
        if not generated and (generated_tags or generated_kinds is not None):
            raise UserError(
                "--data.generated_tags and --data.generated_kinds are of text that --data.generated makes: give its "
                "number too"
            )
        if without_fold is not None:
            Fold.named(without_fold)
        kinds = RATES if generated_kinds is None else generated_kinds
        self.generation = Generation(generated, kinds, generated_tags) if generated else None
        self.task, self.data = task, data
        self.wanted = languages
        self.tokens, self.eval_tokens = tokens, eval_tokens
        self.exponent, self.batches, self.scheme = exponent, batches, scheme
        self.max_train_sentences, self.remove_duplicates = max_train_sentences, remove_duplicates
        self.held_back, self.unlabelled, self.unlabelled_ratio = held_back, unlabelled, unlabelled_ratio
        self.text_only = tuple(text_only or ())
        self.max_dev_sentences, self.without_fold = max_dev_sentences, without_fold
        self.sample, self.revision = sample, revision
        self.reading = {"word_column": word_column, "tag_column": tag_column, "encoding": encoding}
        self.workers, self.seed = workers, seed
        self._featurizers: tuple[SentenceFeaturizer, SentenceFeaturizer] | None = None
        self._taught: tuple[str, ...] = ("train",)
        self.train_dataset: SentenceDataset
        self.training_batches: TrainingBatches
        self.dev_dataset: SentenceDataset
        self.test_dataset: SentenceDataset

    # -- what the corpora are -----------------------------------------------------------------------------

    @cached_property
    def corpora(self) -> Corpora:
        """The sentences as the files have them, read when they are first asked for."""
        return load_corpora(
            self.task,
            self.data,
            self.wanted,
            max_train_sentences=self.max_train_sentences,
            held_back=self.held_back,
            unlabelled=self.unlabelled,
            text_only=self.text_only,
            max_dev_sentences=self.max_dev_sentences,
            remove_duplicates=self.remove_duplicates,
            without_fold=self.without_fold,
            generation=self.generation,
            sample=self.sample,
            revision=self.revision,
            **self.reading,
        )

    @cached_property
    def schemes(self) -> dict[str, tags.SchemeReport]:
        """The tag scheme that each language's files were found to be in."""
        return schemes_of(self.corpora.languages, self.task)

    @cached_property
    def sentences(self) -> dict[str, dict[str, list[Sentence]]]:
        """{split: {language: sentences}}, tags converted to the one scheme."""
        entity = any(report.scheme != "none" for report in self.schemes.values())
        return {
            split: {
                language: in_scheme(splits.get(split, []), self.scheme) if entity else splits.get(split, [])
                for language, splits in self.corpora.languages.items()
            }
            for split in SPLITS
        }

    @cached_property
    def tag_set(self) -> tags.TagSet:
        """One tag set for all languages."""
        scheme: Any = (
            "none" if all(r.scheme == "none" for r in self.schemes.values() if r.sentences) else self.scheme
        )
        names = {
            tag for language in self.corpora.languages for s in self._all(language) for tag in s.tags or ()
        }
        if not names:
            read = [
                own[split] for own in self.corpora.languages.values() for split in ("train", "dev", "test")
            ]
            bare = next(
                (s.file for group in read for s in group if s.file and has_one_column(s.file, [s])), ""
            )
            raise UserError(
                f"task {self.task}: no sentence carries tags, there is nothing to learn"
                + (f"; {bare}: {ONE_COLUMN}" if bare else "")
            )
        return tags.TagSet.of(names, scheme)

    @property
    def tag_names(self) -> list[str]:
        """Names of the tags, in the order of their numbers."""
        return list(self.tag_set.names)

    @property
    def tag_scheme(self) -> tags.Scheme:
        """Scheme of the tags, after normalisation."""
        return self.tag_set.scheme

    @property
    def all_languages(self) -> list[str]:
        """All languages, also those that are only evaluated on."""
        return list(self.corpora.languages)

    @property
    def train_languages(self) -> list[str]:
        """Languages with training sentences."""
        return [language for language in self.all_languages if self.sentences["train"][language]]

    @property
    def taught_languages(self) -> list[str]:
        """Languages with text to learn from: annotated, or unlabelled where the tagger learns from that."""
        return [
            language
            for language in self.all_languages
            if any(self.sentences[split][language] for split in self._taught)
        ]

    @property
    def train_sentences(self) -> list[Sentence]:
        """Annotated training sentences of all languages."""
        return self._split("train")

    @property
    def unlabelled_sentences(self) -> list[Sentence]:
        """Training sentences of all languages that nobody annotated."""
        return self._split("unlabelled")

    @property
    def places_of_features(self) -> list[int]:
        """Places, in annotated and then unlabelled sentences, of those that features of text are fitted to."""
        annotated = {language: len(sentences) for language, sentences in self.sentences["train"].items()}
        text = sample_of_text(self.sentences["unlabelled"], annotated, self.unlabelled_ratio)
        first = sum(annotated.values())
        return [*range(first), *(first + number for number in text)]

    def _all(self, language: str) -> list[Sentence]:
        return [sentence for split in self.corpora.languages[language].values() for sentence in split]

    def _split(self, split: str) -> list[Sentence]:
        return [sentence for group in self.sentences[split].values() for sentence in group]

    # -- batches, as Lightning asks for them --------------------------------------------------------------

    def connect(
        self, featurizer: SentenceFeaturizer, training: SentenceFeaturizer, unlabelled: bool = False
    ) -> None:
        """Take the featurizers of the tagger that is to read the sentences, after it has learnt its vocabulary.

        Args:
            featurizer: ``model.featurizer``.
            training: ``model.training_featurizer``, for training sentences.
            unlabelled: put text without tags among the training sentences. It would only dilute the batches of a
                tagger that no teacher teaches: give ``model.learns_from_unlabelled``.
        """
        self._featurizers = featurizer, training
        self._taught = ("train", "unlabelled") if unlabelled else ("train",)

    def setup(self, stage: str) -> None:
        """Featurise the splits that the stage needs.

        Raises:
            UserError: there are no training sentences, or :meth:`connect` was not called.
        """
        assert self.trainer is not None
        if self._featurizers is None:
            raise UserError(
                "the data do not know the tagger: call data.connect(model.featurizer, model.training_featurizer) "
                "before the trainer"
            )
        featurizer, training = self._featurizers

        def dataset(reader: SentenceFeaturizer, *splits: str) -> SentenceDataset:
            sentences = [sentence for split in splits for sentence in self._split(split)]
            return SentenceDataset(sentences, reader, self.all_languages, self.tag_set, keep=True)

        if stage == "fit":
            if not self.train_languages:
                raise UserError(f"task {self.task}: no training sentences in {', '.join(self.all_languages)}")
            self.train_dataset = dataset(training, *self._taught)
            self.training_batches = self._training_batches(
                self.train_dataset.lengths,
                self.train_dataset.languages,
                self.train_dataset.labelled,
                *self._shard(),
                self.trainer.accumulate_grad_batches,
            )
            if self.trainer.is_global_zero:
                count = len(self.training_batches)
                padding = f"{self.training_batches.padding():.1%} of it padding"
                Console().print(
                    f"{count} {'batch' if count == 1 else 'batches'} of up to {self.tokens} words, {padding}",
                    highlight=False,
                )
        if stage in ("fit", "validate"):
            self.dev_dataset = dataset(featurizer, "dev")
        if stage in ("test", "predict"):
            self.test_dataset = dataset(featurizer, "test")

    def train_dataloader(self) -> TrainingLoader:
        """Return batches of all languages, drawn anew each epoch."""
        return TrainingLoader(self.train_dataset, self.training_batches, self.workers)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return batches of the dev sentences, each sentence once."""
        return self._evaluation_loader(self.dev_dataset)

    def test_dataloader(self) -> DataLoader[Batch]:
        """Return batches of the test sentences, each sentence once."""
        return self._evaluation_loader(self.test_dataset)

    def predict_dataloader(self) -> DataLoader[Batch]:
        """Return batches of the test sentences, each sentence once."""
        return self.test_dataloader()

    def batches_in_epoch(self, world: int, accumulate: int, unlabelled: bool = False) -> int:
        """Return the batches of an epoch in each process, before anything is featurised.

        Args:
            world: number of processes.
            accumulate: batches of an optimiser step.
            unlabelled: text without tags is among the training sentences, as :meth:`connect` will say.
        """
        sentences = self.train_sentences + (self.unlabelled_sentences if unlabelled else [])
        place = {language: i for i, language in enumerate(self.all_languages)}
        batches = self._training_batches(
            np.array([len(sentence.words) for sentence in sentences]),
            np.array([place[sentence.language] for sentence in sentences]),
            np.array([sentence.tags is not None for sentence in sentences]),
            *(0, world, accumulate),
        )
        return len(batches)

    def _training_batches(
        self,
        lengths: np.ndarray,
        languages: np.ndarray,
        labelled: np.ndarray,
        rank: int,
        world: int,
        accumulate: int,
    ) -> TrainingBatches:
        return TrainingBatches(
            lengths,
            languages,
            self.tokens,
            self.exponent,
            self.batches,
            self.seed,
            rank,
            world,
            accumulate,
            labelled,
            self.unlabelled_ratio,
        )

    def _shard(self) -> tuple[int, int]:
        """Return rank and world size: our samplers shard by themselves."""
        assert self.trainer is not None
        return self.trainer.global_rank, self.trainer.world_size

    def _evaluation_loader(self, dataset: SentenceDataset) -> DataLoader[Batch]:
        return DataLoader(
            dataset,
            batch_sampler=EvaluationBatches(dataset.lengths, self.eval_tokens, *self._shard()),
            collate_fn=as_is,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
        )
