"""The common tagger: encoder, head, likelihood, evaluation, prediction."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassConfusionMatrix

from skd_lightning.crf import LinearChainCRF
from skd_lightning.data.batches import Batch, SentenceDataset
from skd_lightning.data.sampling import EvaluationBatches
from skd_lightning.data.sentence import Sentence
from skd_lightning.encoders import Encoder
from skd_lightning.encoders.description import describe
from skd_lightning.errors import UserError
from skd_lightning.metrics import COLUMNS, TaggingScores
from skd_lightning.ragged import cells
from skd_lightning.storage import add_weights
from skd_lightning.taggers.belonging import refuse_other
from skd_lightning.taggers.head import ChainHead, Decoder
from skd_lightning.taggers.lazy_adamw import clip_norm
from skd_lightning.taggers.optimization import MONITOR, Optimization
from skd_lightning.tags import Scheme, TagSet

PREDICTION_TOKENS = 4000
"""Words a batch when nothing is trained."""


class Prediction(NamedTuple):
    """A sentence's tags.

    Attributes:
        tags: one a word, the most probable sequence.
        confidences: posterior probability of each of these tags, p(y_i | x).
        probability: of the sequence as a whole, p(y | x).
    """

    tags: tuple[str, ...]
    confidences: tuple[float, ...]
    probability: float


class Tagger(pl.LightningModule):
    """A sequence tagger that learns from gold tags alone: L_NLL = −log p(y*|x), eq. 2 of Wang et al. 2020.

    Args:
        tags: names of the tags; given by the data.
        scheme: what the tags mean: ``bioes``, ``iob2`` or ``none``; given by the data.
        languages: the languages it is trained and evaluated on; given by the data.
        encoder: words to vectors.
        decoder: ``crf`` or ``softmax``.
        constrain: never predict what the tag scheme forbids.
        optimization: how it is trained.
    """

    curves: tuple[str, ...] = ("train/loss",)
    """What is logged of each epoch's training batches."""

    def __init__(
        self,
        tags: list[str],
        scheme: Scheme,
        languages: list[str],
        encoder: Encoder,
        decoder: Decoder = "crf",
        constrain: bool = True,
        optimization: Optimization = Optimization(),  # noqa: B008 - frozen
    ) -> None:
        super().__init__()
        self.tag_set = TagSet(tuple(tags), scheme)
        self.languages = list(languages)
        encoder.use_languages(self.languages)
        self.encoder = encoder
        self.decoder, self.constrain = decoder, constrain
        self.optimization = optimization
        self.head = ChainHead(encoder.output_size, self.tag_set, decoder, constrain)
        self.dev_scores = TaggingScores(self.tag_set, self.languages)
        self.test_scores = TaggingScores(self.tag_set, self.languages)
        self.means = torch.nn.ModuleDict(
            {name.replace("/", "_"): MeanMetric(nan_strategy="disable") for name in self.curves}
        )
        # Counts of words, summed over processes; a word with the gold tag -1 does not count.
        self.test_confusion = MulticlassConfusionMatrix(len(tags), ignore_index=-1, validate_args=False)
        self.results: dict[str, Any] = {}
        """What the last test found: the output of :meth:`TaggingScores.compute`."""
        self.sentence_counts = torch.zeros(0, len(COLUMNS), dtype=torch.int64)
        """(sentences, 9) what the last test counted in each sentence of the test dataset, see ``metrics.COLUMNS``."""
        self.confusion = torch.zeros(len(tags), len(tags), dtype=torch.int64)
        """(tags, tags) words of the last test, ``[gold, predicted]``."""

    @property
    def learns_from_unlabelled(self) -> bool:
        """Whether sentences without gold tags teach it anything."""
        return False

    # -- learning -----------------------------------------------------------------------------------------

    def forward(self, batch: Batch) -> LinearChainCRF:
        """The distributions over the tag sequences of a batch."""
        return self.head(self.encoder(batch.inputs, batch.lengths), batch.lengths)  # type: ignore[no-any-return]

    def losses(self, crf: LinearChainCRF, batch: Batch) -> Tensor:
        """(batch,) what is minimised, in nats a sentence; 0 for sentences without gold tags."""
        return torch.where(batch.labelled, -crf.log_prob(batch.tags), 0.0)

    def on_fit_start(self) -> None:
        """Remember the seed; refuse what several GPUs cannot do."""
        self._seed = torch.initial_seed()
        sparse = any(getattr(module, "sparse", False) for module in self.encoder.modules())
        if sparse and self.trainer.world_size > 1 and self.device.type == "cuda":
            raise UserError(
                "NCCL cannot add up sparse gradients: give --model.encoder.sparse false, or one GPU"
            )

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Let all that is random in a step depend on the seed, the step and the process alone.

        A training that goes on in the middle of an epoch then draws what it would have drawn, and processes differ.
        """
        step = (self._seed, self.current_epoch, batch_idx, self.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(step).generate_state(1, np.uint64)[0]))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Mean loss a sentence."""
        loss = self.losses(self(batch), batch).mean()
        self.log_mean("train/loss", loss, len(batch), prog_bar=True)
        return loss

    def log_mean(self, name: str, value: Tensor, weight: float | Tensor, prog_bar: bool = False) -> None:
        """Log the weighted mean of a value over the epoch's batches, those of all processes.

        Lightning's own mean rounds the number of sentences down where processes are averaged.
        """
        mean: Any = self.means[name.replace("/", "_")]
        mean.update(value.detach(), weight)
        self.log(name, mean, on_step=False, on_epoch=True, prog_bar=prog_bar)

    def configure_optimizers(self) -> Any:
        """One parameter group for each part (encoder, head, transitions; pretrained weights where there are any)."""
        pretrained = self.encoder.pretrained_parameters()
        known = {id(parameter) for parameter in pretrained}
        transitions = [self.head.transitions, self.head.start, self.head.end]
        parts = {
            "encoder": [weight for weight in self.encoder.parameters() if id(weight) not in known],
            "head": list(self.head.emissions.parameters()),
            "transitions": transitions,
            "pretrained": pretrained,
        }
        steps = self.trainer.estimated_stepping_batches if self.optimization.schedule == "linear" else 0
        return self.optimization.configure(parts, int(steps))

    def configure_gradient_clipping(
        self,
        optimizer: Any,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """As Lightning does it; it knows no sparse gradients, which embedding tables may have."""
        if any(weight.grad is not None and weight.grad.is_sparse for weight in self.parameters()):
            if gradient_clip_algorithm not in (None, "norm"):
                raise UserError(
                    "--trainer.gradient_clip_algorithm value does not go with sparse gradients: take norm"
                )
            if gradient_clip_val:
                clip_norm(self.parameters(), gradient_clip_val)
        else:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    # -- evaluation ---------------------------------------------------------------------------------------

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Count what the best path gets right."""
        self.dev_scores.update(self(batch).viterbi(), batch.tags, _labelled_lengths(batch), batch.languages)

    def on_test_epoch_start(self) -> None:
        """Room for what is counted in each sentence."""
        sentences = len(self.trainer.test_dataloaders.dataset)  # type: ignore[union-attr]
        self.sentence_counts = torch.zeros(sentences, len(COLUMNS), dtype=torch.int64, device=self.device)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Count what the best path gets right, by sentence too: significance tests draw sentences."""
        paths, lengths = self(batch).viterbi(), _labelled_lengths(batch)
        self.test_scores.update(paths, batch.tags, lengths, batch.languages)
        counts = self.test_scores.count(paths, batch.tags, lengths)
        words = torch.arange(paths.shape[1], device=self.device) < lengths.unsqueeze(1)
        self.test_confusion.update(paths, batch.tags.masked_fill(~words, -1))
        there = batch.indices >= 0
        self.sentence_counts[batch.indices[there]] = counts[there]

    def on_validation_epoch_end(self) -> None:
        """Log the dev scores; their macro mean selects the model."""
        self._log_scores("dev", self.dev_scores)

    def on_test_epoch_end(self) -> None:
        """Log and keep the test scores."""
        self.results = self._log_scores("test", self.test_scores)
        self.confusion = self.test_confusion.compute().cpu()
        self.test_confusion.reset()
        # Every process counted its share and has 0 elsewhere.
        self.sentence_counts = self.trainer.strategy.reduce(self.sentence_counts, reduce_op="sum").cpu()

    def _log_scores(self, split: str, scores: TaggingScores) -> dict[str, Any]:
        found: dict[str, Any] = scores.compute()
        scores.reset()
        for language, row in found["languages"].items():
            if row["sentences"]:
                self.log(f"{split}/{language}/{found['metric']}", row[found["metric"]], sync_dist=True)
        self.log(f"{split}/average", found["average"], prog_bar=True, sync_dist=True)
        return found

    # -- prediction ---------------------------------------------------------------------------------------

    def _chains(self, sentences: Sequence[Sequence[str]]) -> Iterator[tuple[list[int], LinearChainCRF]]:
        """Positions and distributions of the sentences, batch by batch."""
        was_training = self.training
        self.eval()
        nameless = [Sentence(tuple(words)) for words in sentences]
        dataset = SentenceDataset(nameless, self.encoder.featurizer, [""])
        try:
            with torch.inference_mode():
                for indices in EvaluationBatches(dataset.lengths, PREDICTION_TOKENS):
                    batch = dataset.__getitems__(indices)
                    yield indices, self(self.transfer_batch_to_device(batch, self.device, 0))
        finally:
            self.train(was_training)

    def distribution(self, sentences: Sequence[Sequence[str]]) -> LinearChainCRF:
        """The distributions over the tag sequences of sentences that are given as lists of words, in their order.

        All of them are one batch on the CPU, which has the memory of as many of the longest.
        """
        lengths = torch.tensor([len(words) for words in sentences], dtype=torch.long)
        emissions = torch.zeros(len(sentences), max(lengths.tolist(), default=0), len(self.tag_set))
        for indices, crf in self._chains(sentences):
            emissions[indices, : crf.emissions.shape[1]] = crf.emissions.float().cpu()
        transitions, start, end = (scores.detach().cpu() for scores in self.head.scores())
        return LinearChainCRF(emissions, transitions, lengths, start, end)

    def predict(self, sentences: Sequence[Sequence[str]]) -> list[Prediction]:
        """Tags of sentences that are given as lists of words, with true posterior confidences."""
        predictions: dict[int, Prediction] = {}
        for indices, crf in self._chains(sentences):
            paths = crf.viterbi()
            confidences = crf.marginals.gather(2, paths.unsqueeze(-1)).squeeze(-1).tolist()
            probabilities = crf.log_prob(paths).exp().tolist()
            for row, i in enumerate(indices):
                length = len(sentences[i])
                tags = self.tag_set.decode(paths[row, :length].tolist())
                predictions[i] = Prediction(tags, tuple(confidences[row][:length]), probabilities[row])
        return [predictions[i] for i in range(len(sentences))]

    def predict_emissions(
        self, sentences: Sequence[Sequence[str]], advance: Callable[[int], object] = lambda _: None
    ) -> np.ndarray:
        """(words of all sentences, tags) float32 emissions in nats, in the order of the sentences.

        Args:
            sentences: lists of words.
            advance: told the number of sentences done, for a progress bar.
        """
        lengths = np.array([len(words) for words in sentences], dtype=np.int64)
        starts = np.cumsum(lengths) - lengths
        emissions = np.zeros((lengths.sum(), len(self.tag_set)), dtype=np.float32)
        for indices, crf in self._chains(sentences):
            row, word = cells(lengths[indices])
            emissions[starts[indices][row] + word] = crf.emissions.float().cpu().numpy()[row, word]
            advance(len(indices))
        return emissions

    # -- checkpoints --------------------------------------------------------------------------------------

    def description(self) -> dict[str, Any]:
        """What a checkpoint says about the tagger beside its weights; plain values only."""
        return {
            "schema": 1,
            "tags": list(self.tag_set.names),
            "scheme": self.tag_set.scheme,
            "languages": self.languages,
            "encoder": describe(self.encoder),
            "decoder": self.decoder,
            "constrain": self.constrain,
            "optimization": dataclasses.asdict(self.optimization),
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Describe the tagger, so that the checkpoint alone is enough to load it."""
        checkpoint["tagger"] = self.description()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse weights of another tagger."""
        refuse_other(checkpoint, self.description(), self.state_dict())

    def fingerprint(self) -> str:
        """Hash of all that its predictions depend on: description and weights."""
        description = {name: value for name, value in self.description().items() if name != "optimization"}
        digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
        digest.update(self.encoder.identity().encode())
        add_weights(digest, self)
        return digest.hexdigest()


def _labelled_lengths(batch: Batch) -> Tensor:
    """(batch,) words of each sentence, 0 where nobody annotated it: it does not count."""
    return torch.where(batch.labelled, batch.lengths, 0)


__all__ = ["MONITOR", "Prediction", "Tagger"]
