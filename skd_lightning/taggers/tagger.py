"""The common tagger: encoder, head, likelihood, evaluation; and the door to its predictions."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor
from torchmetrics import MeanMetric

from skd_lightning.crf import LinearChainCRF
from skd_lightning.data.batches import Batch
from skd_lightning.distillation.cache.entry import Potentials
from skd_lightning.encoders import BiLSTM, Context, Embedder, Encoder, Featurizer, JoinedFeaturizer
from skd_lightning.entity_spans import HIGHEST, checked_threshold, threshold_of
from skd_lightning.errors import UserError
from skd_lightning.metrics import TaggingScores
from skd_lightning.predictions import Languages, Prediction
from skd_lightning.serving.tables import Compression
from skd_lightning.serving.text import tag
from skd_lightning.storage import add_weights
from skd_lightning.taggers import experts, prediction, saving
from skd_lightning.taggers.compatibility import SCHEMA, refuse_other
from skd_lightning.taggers.decoding import Decoding, chosen_decoding, decode_entities
from skd_lightning.taggers.finite import EVERY, not_finite, refuse_loss
from skd_lightning.taggers.head import ChainHead, Decoder
from skd_lightning.taggers.lazy_adamw import clip_norm
from skd_lightning.taggers.opinion_pool import PoolScores
from skd_lightning.taggers.optimization import Optimization, parameter_parts
from skd_lightning.taggers.tested import TestedSentences, labelled_lengths
from skd_lightning.taggers.wide import Wide, WidePath
from skd_lightning.taggers.wide_start import fit_to_data
from skd_lightning.tags import Scheme, TagSet


class Tagger(pl.LightningModule):
    """A sequence tagger that learns from gold tags alone: L_NLL = −log p(y*|x), eq. 2 of Wang et al. 2020.

    Args:
        tags: names of the tags; given by the data.
        scheme: what the tags mean: ``bioes``, ``iob2`` or ``none``; given by the data.
        languages: the languages it is trained and evaluated on; given by the data.
        embedder: words to vectors.
        context: the network that puts the vectors into context.
        wide: a CRF of sparse features beside the network; None for the network alone.
        decoder: ``crf`` or ``softmax``.
        constrain: never predict what the tag scheme forbids.
        optimization: how it is trained.
        decoding: ``viterbi``, the most probable sequence; ``marginals``, each word's most probable tag, for tags that
            mark no entities; or ``entities``, all entities that are more probable than a threshold, for a ``crf`` whose
            tags mark entities. None stands for ``entities`` where it is possible, and else for ``viterbi``.

    Raises:
        UserError: the decoding does not go with the tags (``marginals`` could leave entities without a beginning), or
            there is neither a vector nor a feature.
    """

    curves: tuple[str, ...] = ("train/loss",)
    """Names of the values that are logged of each epoch's training batches."""
    speaks: ClassVar[type[Potentials]] = Potentials
    """The kind of its answers as a teacher."""
    complete: ClassVar[bool] = True
    """As a teacher, it speaks on every sentence."""

    def __init__(
        self,
        tags: list[str],
        scheme: Scheme,
        languages: list[str],
        embedder: Embedder,
        context: Context = BiLSTM(),  # noqa: B008 - frozen
        wide: Wide | None = None,
        decoder: Decoder = "crf",
        constrain: bool = True,
        optimization: Optimization = Optimization(),  # noqa: B008 - frozen
        decoding: Decoding | None = None,
    ) -> None:
        super().__init__()
        self.tag_set = TagSet(tuple(tags), scheme)
        self.languages = list(languages)
        self.encoder = Encoder(embedder, context)
        self.encoder.use_languages(self.languages)
        self.decoder, self.constrain = decoder, constrain
        if self._sparse and optimization.optimizer == "sgd" and optimization.weight_decay:
            raise UserError(
                "sgd cannot decay weights with sparse gradients: give --model.optimization.weight_decay 0, or "
                "--model.embedder.sparse false"
            )
        self.optimization = optimization
        self.head = ChainHead(self.encoder.output_size, self.tag_set, decoder, constrain)
        self.decoding = chosen_decoding(decoding, self.tag_set, self.head.well_formed)
        self.threshold = HIGHEST
        if not self.encoder.output_size and wide is None:
            raise UserError(
                "a tagger without word vectors and without sparse features reads no word: give one of both"
            )
        self.wide = WidePath(wide, self.tag_set, decoder, constrain) if wide else None
        self.dev_scores = TaggingScores(self.tag_set, self.languages)
        both = self.wide is not None and self.encoder.output_size
        self.pool_scores = PoolScores(self.tag_set, self.languages) if both else None
        self.tested = TestedSentences(self.tag_set, self.languages, self.head.well_formed)
        self.means = torch.nn.ModuleDict(
            {name.replace("/", "_"): MeanMetric(nan_strategy="disable") for name in self.curves}
        )
        self.fit_cache: Path | None = None
        """Folder of fits of wide paths that the same code has made; None to fit anew."""

    @property
    def threshold(self) -> float:
        """Probability above which ``entities`` predicts: half of the dev F1 of the most probable sequences."""
        return self._threshold

    @threshold.setter
    def threshold(self, threshold: float) -> None:
        self._threshold = checked_threshold(threshold)

    @property
    def learns_from_unlabelled(self) -> bool:
        """Say if sentences without gold tags teach it anything."""
        return False

    def fits_text(self, text_only: Sequence[str]) -> bool:
        """Say if its features are fitted to what teachers say about unlabelled text.

        Args:
            text_only: languages that have nothing but text, from which gold tags could teach no feature.
        """
        if self.wide is None or not self.learns_from_unlabelled:
            return False
        chosen = self.wide.settings.of_text
        return bool(text_only) if chosen is None else chosen

    @property
    def featurizer(self) -> Featurizer:
        """Return what makes the inputs of a prediction: those of the network and of the wide path."""
        return experts.featurizer(self)

    @property
    def training_featurizer(self) -> Featurizer:
        """Return what makes the inputs of a training step, which moves the network alone."""
        return JoinedFeaturizer([self.encoder.featurizer])

    @property
    def _sparse(self) -> bool:
        """True if a table has sparse gradients."""
        return any(getattr(module, "sparse", False) for module in self.encoder.modules())

    def learn_vocabulary(self, sentences: Sequence[Sequence[str]], languages: Sequence[str]) -> None:
        """Take in the words of the annotated training data, before training.

        Args:
            sentences: lists of words.
            languages: of each sentence.
        """
        if self.wide is not None:
            self.wide.learn_features(sentences, languages)

    # -- learning -----------------------------------------------------------------------------------------

    def forward(self, batch: Batch) -> LinearChainCRF:
        """Return the distributions over the tag sequences of a batch."""
        return experts.chain(self, batch)

    def scores(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return transitions (tags, tags) ``[from, to]``, start (tags,), end (tags,) in nats, -inf where forbidden."""
        return experts.scores(self)

    def decode(self, crf: LinearChainCRF) -> Tensor:
        """Return (batch, words) int64 the tags that it chooses; 0 at padding."""
        if self.decoding == "entities":
            return decode_entities(crf, self.tag_set, self.threshold)
        return crf.decode_marginals() if self.decoding == "marginals" else crf.viterbi()

    def losses(self, crf: LinearChainCRF, batch: Batch) -> Tensor:
        """Return (batch,) the loss of each sentence in nats; 0 for sentences without gold tags."""
        return torch.where(batch.labelled, -crf.log_prob(batch.tags), 0.0)

    def on_fit_start(self) -> None:
        """Remember the seed; refuse what several GPUs cannot do; fit the wide path of a training that begins."""
        self._seed = torch.initial_seed()
        if self._sparse and self.trainer.world_size > 1 and self.device.type == "cuda":
            raise UserError(
                "NCCL cannot add up sparse gradients: give --model.embedder.sparse false, or one GPU"
            )
        if self.wide is not None and self.trainer.ckpt_path is None:
            if self.trainer.is_global_zero:
                fit_to_data(self.wide, self)
            if self.trainer.world_size > 1:
                for weight in (self.wide.weight, *self.wide.learned):
                    weight.data.copy_(self.trainer.strategy.broadcast(weight.data))

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Let all that is random in a step depend on the seed, the step and the process alone.

        A training that goes on in the middle of an epoch then draws what it would have drawn, and processes differ.
        """
        step = (self._seed, self.current_epoch, batch_idx, self.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(step).generate_state(1, np.uint64)[0]))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the mean loss of a sentence under the network, in nats."""
        loss = self.losses(experts.network(self, batch), batch).mean()
        self.log_mean("train/loss", loss, len(batch), prog_bar=True)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """End a training whose loss is not finite."""
        if self.device.type == "cpu" or (batch_idx + 1) % EVERY == 0:
            refuse_loss(outputs["loss"], self.global_step, self.trainer.optimizers[0].param_groups, self)

    def on_train_epoch_end(self) -> None:
        """End a training whose weights are not finite, before they are saved as the best."""
        if broken := not_finite(self):
            raise UserError(
                f"weights are not finite after epoch {self.current_epoch + 1}: {broken}; give smaller learning rates"
            )

    def log_mean(self, name: str, value: Tensor, weight: float | Tensor, prog_bar: bool = False) -> None:
        """Log the weighted mean of a value over the epoch's batches, those of all processes.

        Lightning's own mean rounds the number of sentences down where processes are averaged.
        """
        mean: Any = self.means[name.replace("/", "_")]
        mean.update(value.detach(), weight)
        self.log(name, mean, on_step=False, on_epoch=True, prog_bar=prog_bar)

    def configure_optimizers(self) -> Any:
        """Make one parameter group for each part."""
        steps = self.trainer.estimated_stepping_batches if self.optimization.schedule == "linear" else 0
        return self.optimization.configure(parameter_parts(self.encoder, self.head), int(steps))

    def configure_gradient_clipping(
        self,
        optimizer: Any,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip as Lightning does, and also sparse gradients, which it does not know."""
        if any(weight.grad is not None and weight.grad.is_sparse for weight in self.parameters()):
            if gradient_clip_algorithm not in (None, "norm"):
                raise UserError(
                    "--trainer.gradient_clip_algorithm value does not go with sparse gradients: take norm"
                )
            if gradient_clip_val:
                clip_norm([*self.encoder.parameters_as_made(), *self.head.parameters()], gradient_clip_val)
        else:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    # -- evaluation ---------------------------------------------------------------------------------------

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Count what the chosen tags get right; in a training, under each weight of two experts."""
        counted = (batch.tags, labelled_lengths(batch), batch.languages)
        if self.pool_scores is None or not self._in_training():
            self.dev_scores.update(self._dev_paths(self(batch)), *counted)
        else:
            both = (experts.network(self, batch), experts.features(self, batch))
            self.pool_scores.update(
                lambda share: self._dev_paths(experts.pooled(self, *both, share)), *counted
            )

    def _dev_paths(self, crf: LinearChainCRF) -> Tensor:
        """Return the tags that are scored; in a training, the most probable ones give entities their threshold."""
        return crf.viterbi() if self.decoding == "entities" and self._in_training() else self.decode(crf)

    def _in_training(self) -> bool:
        return self.trainer.state.fn == TrainerFn.FITTING

    def on_test_epoch_start(self) -> None:
        """Make room for the counts and the tags of each sentence."""
        self.tested.begin(self.trainer.test_dataloaders.dataset.lengths, self.device)  # type: ignore[union-attr]

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Count as in validation, and in each sentence."""
        crf = self(batch)
        self.tested.update(crf, self.decode(crf), batch)

    def on_validation_epoch_end(self) -> None:
        """Log the dev scores, whose macro mean selects the model; in a training, give two experts the best weights."""
        if self.pool_scores is None or not self._in_training():
            found = self.dev_scores.compute()
            self.dev_scores.reset()
        else:
            assert self.wide is not None
            share, scores = self.pool_scores.best()
            self.wide.share.fill_(share)
            self._log_score("dev/wide_share", share)
            found = scores.compute()
            self.pool_scores.reset()
        self._log_scores("dev", found)
        if self._in_training():
            self.threshold = threshold_of(found["average"])

    def on_test_epoch_end(self) -> None:
        """Log the test scores; what was counted stays in ``tested``."""
        self._log_scores("test", self.tested.finish(self.trainer.strategy.reduce))

    def _log_scores(self, split: str, found: dict[str, Any]) -> None:
        for language, row in found["languages"].items():
            if row["sentences"]:
                self._log_score(f"{split}/{language}/{found['metric']}", row[found["metric"]])
        self._log_score(f"{split}/average", found["average"], prog_bar=True)

    def _log_score(self, name: str, score: float, prog_bar: bool = False) -> None:
        """Log a score that all processes know: their largest is exact, where their mean in float32 is not."""
        self.log(name, score, prog_bar=prog_bar, sync_dist=True, reduce_fx="max")

    # -- prediction ---------------------------------------------------------------------------------------

    def distribution(self, sentences: Sequence[Sequence[str]], language: Languages = None) -> LinearChainCRF:
        """Return the distributions over the tag sequences of sentences that are given as lists of words, in order.

        All of them are one batch on the CPU, which has the memory of as many of the longest.

        Args:
            sentences: lists of words.
            language: code of the sentences' language, or of each; "" where it is unknown. None stands for the tagger's
                language if it has one, else for unknown. It matters to taggers with features of languages.

        Raises:
            UserError: something is no list of words.
        """
        return prediction.distribution(self, sentences, language)

    def predict(
        self, sentences: Sequence[Sequence[str]], language: Languages = None, k: int = 0
    ) -> list[Prediction]:
        """Return the best tags of sentences that are given as lists of words, with true posterior confidences.

        Several threads may ask a tagger that is in evaluation mode.

        Args:
            sentences: lists of words.
            language: code of the sentences' language, or of each; "" where it is unknown. None stands for the tagger's
                language if it has one, else for unknown. It matters to taggers with features of languages.
            k: number of the most probable tag sequences that each prediction holds besides.

        Raises:
            UserError: something is no list of words, or no tag sequence has a probability.
        """
        return prediction.predict(self, sentences, language, k)

    def tag(self, text: str, language: str | None = None, threshold: float = 0.0) -> list[dict[str, Any]]:
        """Return the entities of a text, or the tags of its words; see :func:`skd_lightning.serving.text.tag`.

        Args:
            text: any; sentences and words are found by the rules of its language.
            language: its code. None stands for the tagger's language if it has one, else for unknown.
            threshold: least probability of an entity that is returned.

        Raises:
            UserError: the text is none, or the threshold is no probability.
        """
        return tag(self, text, language, threshold)

    def predict_emissions(
        self,
        sentences: Sequence[Sequence[str]],
        advance: Callable[[int], object] = lambda _: None,
        language: Languages = None,
    ) -> np.ndarray:
        """Return (words of all sentences, tags) float32 emissions in nats, in the order of the sentences.

        Args:
            sentences: lists of words.
            advance: told the number of sentences done, for a progress bar.
            language: of the sentences, see :meth:`predict`.

        Raises:
            UserError: something is no list of words.
        """
        return prediction.predict_emissions(self, sentences, advance, language)

    def save(self, folder: str | Path, tables: Compression = "float32", least_weight: float = 0.0) -> None:
        """Write a folder that :func:`skd_lightning.load` and :class:`skd_lightning.serving.Runtime` read.

        Args:
            folder: to write; what it held is replaced, if that was a saved tagger.
            tables: numbers in which the tables of word vectors and features are written: ``float32``, ``float16``,
                ``int8`` or ``pq`` (product quantisation).
            least_weight: sparse features none of whose weights is this large are left out, in nats.

        Raises:
            UserError: the folder holds something else, or a weight is not finite.
        """
        saving.save(self, folder, tables, least_weight)

    def push_to_hub(
        self, name: str, tables: Compression = "float32", least_weight: float = 0.0, private: bool = False
    ) -> str:
        """Save it and upload the folder to the Hugging Face hub; return the address of its page.

        Args:
            name: ``owner/name``; made where it is missing.
            tables: see :meth:`save`.
            least_weight: see :meth:`save`.
            private: make it visible to its owner alone.

        Raises:
            UserError: the hub cannot be reached or refuses, or a weight is not finite.
        """
        return saving.push_to_hub(self, name, tables, least_weight, private)

    def speak(
        self, sentences: Sequence[Sequence[str]], advance: Callable[[int], object], language: str
    ) -> Potentials:
        """Return its potentials on sentences in one language, as a teacher's."""
        return Potentials.of(self.predict_emissions(sentences, advance, language), self)

    # -- checkpoints --------------------------------------------------------------------------------------

    def description(self) -> dict[str, Any]:
        """Return all that a checkpoint holds beside the weights to make the tagger again; plain values only."""
        return {
            "schema": SCHEMA,
            "tags": list(self.tag_set.names),
            "scheme": self.tag_set.scheme,
            "languages": self.languages,
            "encoder": self.encoder.description(),
            "wide": None if self.wide is None else self.wide.description(),
            "decoder": self.decoder,
            "constrain": self.constrain,
            "decoding": self.decoding,
            "threshold": self.threshold,
            "optimization": dataclasses.asdict(self.optimization),
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Describe the tagger, so that the checkpoint alone is enough to load it."""
        checkpoint["tagger"] = self.description()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take over the checkpoint's vocabulary, which its weights belong to; refuse weights of another tagger.

        Raises:
            UserError: tags or network are others.
        """
        theirs = checkpoint.get("tagger", {}).get("encoder", {}).get("vocabulary")
        if theirs is not None and theirs != self.encoder.vocabulary:
            self.encoder.use_vocabulary(theirs)
        if self.wide is not None and "wide.keys" in checkpoint["state_dict"]:
            self.wide.use_features(checkpoint["state_dict"]["wide.keys"].to(self.wide.weight.device))
        refuse_other(checkpoint, self.description(), self.state_dict())
        self.threshold = checkpoint.get("tagger", {}).get("threshold", self.threshold)

    def fingerprint(self) -> str:
        """Return a hash of all that its predictions depend on: description, external inputs and weights."""
        idle = {"optimization"} | (set() if self.decoding == "entities" else {"threshold"})
        description = {name: value for name, value in self.description().items() if name not in idle}
        digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
        digest.update(self.encoder.identity().encode())
        add_weights(digest, self)
        return digest.hexdigest()
