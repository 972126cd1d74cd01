"""The file ``calibration.json`` of a run: how sure its tagger was of the test words, and how often it was right."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, model_validator

from skd_lightning.parsing import first_error
from skd_lightning.run_folder import RunFolder
from skd_lightning.storage import write_text
from skd_lightning.taggers.confidences import BINS


class BinCounts(BaseModel):
    """Decoded words or predicted entities by their confidence, in ``BINS`` bins of equal width over [0, 1].

    Attributes:
        count: how many there are in each bin.
        confidence: sum of their probabilities.
        correct: how many of them are right.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    count: list[NonNegativeInt] = Field(min_length=BINS, max_length=BINS)
    confidence: list[NonNegativeFloat] = Field(min_length=BINS, max_length=BINS)
    correct: list[NonNegativeInt] = Field(min_length=BINS, max_length=BINS)

    @model_validator(mode="after")
    def _refuse_more_than_there_are(self) -> BinCounts:
        for count, confidence, correct in zip(self.count, self.confidence, self.correct, strict=True):
            if correct > count or confidence > count * (1 + 1e-9):
                raise ValueError(f"{correct} right, of a confidence of {confidence:g}, among {count}")
        return self


class LanguageCalibration(BaseModel):
    """The counts of one language.

    Attributes:
        log_loss: mean −log p(y*_i|x) of the gold tags, in nats a word; None where a peer does not say p.
        words: all test words, by the probability of their decoded tag.
        entities: the predicted entities by their exact probability; None where tags mark none.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    log_loss: NonNegativeFloat | None = None
    words: BinCounts
    entities: BinCounts | None = None


class Calibration(BaseModel):
    """The content of the file.

    Attributes:
        languages: the counts of each language that was tested.
    """

    model_config = ConfigDict(frozen=True)

    languages: dict[str, LanguageCalibration]

    def save(self, folder: RunFolder) -> None:
        """Write the file."""
        write_text(folder.calibration, self.model_dump_json(exclude_none=True) + "\n")

    @classmethod
    def read(cls, folder: RunFolder) -> Calibration | None:
        """Return the content of a run's file; None where there is none, as for runs of earlier versions.

        Raises:
            OSError, ValueError: the file is not readable, or does not follow the schema; the message names the first
                key that does not.
        """
        if not folder.calibration.is_file():
            return None
        with first_error():
            return cls.model_validate_json(folder.calibration.read_bytes())
