"""The n-gram encoder: the same vectors in any batch, words hidden in training only, vocabularies."""

import numpy as np
import pytest
import torch

from skd_lightning.encoders import NgramEncoder
from skd_lightning.encoders.features import NgramFeaturizer, character_features, word_shape

SENTENCES = [["Anna", "lives", "in", "Lincoln", "."], ["Hi"], [], ["\u200b", "", "ß", "LINCOLN"]]


def encode(encoder: NgramEncoder, sentences: list[list[str]], words: int) -> torch.Tensor:
    items = encoder.featurizer.index(sentences)
    lengths = torch.tensor([len(sentence) for sentence in sentences])
    return encoder(encoder.featurizer.collate(items, words), lengths)


@pytest.mark.parametrize("layers", [1, 2])
def test_neither_batch_nor_padding_changes_a_vector(layers: int) -> None:
    encoder = NgramEncoder(8, 6, layers, buckets=64, word_embedding_size=3, vocabulary=["lincoln"]).eval()
    together = encode(encoder, SENTENCES, 9)
    assert together.shape == (4, 9, encoder.output_size)
    for row, sentence in enumerate(SENTENCES):
        if sentence:
            alone = encode(encoder, [sentence], len(sentence))[0]
            torch.testing.assert_close(together[row, : len(sentence)], alone, atol=1e-5, rtol=1e-4)


def test_both_directions_are_read() -> None:
    encoder = NgramEncoder(8, 6, buckets=64).eval()
    first = encode(encoder, [["a", "b", "c"]], 3)[0]
    changed_end, changed_start = (
        encode(encoder, [["a", "b", "x"]], 3)[0],
        encode(encoder, [["x", "b", "c"]], 3)[0],
    )
    assert not torch.allclose(first[0], changed_end[0])
    assert not torch.allclose(first[2], changed_start[2])


def test_a_word_is_the_sum_of_its_features() -> None:
    featurizer = NgramFeaturizer(1000, ["b"])
    featurizer.index([["zz", "B", "zz"]])
    inputs = featurizer.collate(featurizer.index([["B", "long-word"], ["B"]]), 2)
    assert inputs["place"].tolist()[0][0] == inputs["place"].tolist()[1][0]
    place = inputs["place"][0, 0]
    ends = [*inputs["offsets"].tolist()[1:], len(inputs["grams"])]
    grams = inputs["grams"][inputs["offsets"][place] : ends[place]]
    assert len(grams) == len(character_features("B"))
    assert inputs["known"][place] == 1


def test_features() -> None:
    assert word_shape("McDonald's3") == "XxXx.xd"
    found = character_features("Lyon")
    assert {"prefix=ly", "suffix=yon", "gram=<ly", "gram=on>", "shape=Xx"} <= set(found)
    assert character_features("") == ["shape=", "gram=<>"]


def test_learning_a_vocabulary_keeps_what_was_indexed() -> None:
    encoder = NgramEncoder(8, 6, buckets=64, word_embedding_size=3, min_count=2)
    (item,) = encoder.featurizer.index([["Der", "der", "rare"]])
    encoder.learn_vocabulary(["Der", "der", "rare"])
    assert encoder.vocabulary == ["der"]
    inputs = encoder.featurizer.collate([item], 3)
    assert inputs["known"][inputs["place"][0]].tolist() == [1, 1, 0]
    again = NgramEncoder(**encoder.config())
    again.load_state_dict(encoder.state_dict())
    plain = NgramEncoder(8, 6, buckets=64)
    plain.learn_vocabulary(["der", "der"])
    assert plain.words is None


def test_training_hides_forms_and_evaluation_does_not() -> None:
    torch.manual_seed(0)
    encoder = NgramEncoder(8, 6, buckets=64, form_dropout=0.5, dropout=0.0)
    sentence = [[f"w{i}" for i in range(20)]]
    assert not torch.allclose(encode(encoder, sentence, 20), encode(encoder, sentence, 20))
    encoder.eval()
    np.testing.assert_array_equal(
        encode(encoder, sentence, 20).detach(), encode(encoder, sentence, 20).detach()
    )
