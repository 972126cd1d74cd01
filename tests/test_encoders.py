"""The n-gram encoder: the same vectors in any batch, words hidden in training only, vocabularies, contexts."""

import pickle

import numpy as np
import pytest
import torch

from skd_lightning.encoders import BiLSTM, Encoder, NgramEmbedder, NoContext
from skd_lightning.encoders.ngram_features import NgramFeaturizer
from skd_lightning.errors import UserError
from skd_lightning.features.characters import character_features, word_shape

SENTENCES = [["Anna", "lives", "in", "Lincoln", "."], ["Hi"], [], ["\u200b", "", "ß", "LINCOLN"]]


def encode(encoder: Encoder, sentences: list[list[str]], words: int) -> torch.Tensor:
    items = encoder.featurizer.index(sentences)
    lengths = torch.tensor([len(sentence) for sentence in sentences])
    return encoder(encoder.featurizer.collate(items, words), lengths)


@pytest.mark.parametrize("context", [BiLSTM(6, 1), BiLSTM(6, 2), NoContext()])
def test_neither_batch_nor_padding_changes_a_vector(context: BiLSTM | NoContext) -> None:
    encoder = Encoder(NgramEmbedder(8, buckets=64, word_embedding_size=3), context).eval()
    encoder.use_vocabulary(["lincoln"])
    together = encode(encoder, SENTENCES, 9)
    assert together.shape == (4, 9, encoder.output_size)
    for row, sentence in enumerate(SENTENCES):
        if sentence:
            alone = encode(encoder, [sentence], len(sentence))[0]
            torch.testing.assert_close(together[row, : len(sentence)], alone, atol=1e-5, rtol=1e-4)


def test_two_threads_give_the_same_gradient_each_time() -> None:
    """A word's gradient is the sum over its places, which threads must not add in the order in which they arrive."""
    sentences = [[f"w{(7 * row + 3 * place) % 50}" for place in range(25)] for row in range(80)]
    encoder = Encoder(NgramEmbedder(64, buckets=1024, word_embedding_size=16), NoContext()).eval()
    encoder.use_vocabulary([f"w{number}" for number in range(50)])
    weighing = torch.randn(80, 25, encoder.output_size, generator=torch.Generator().manual_seed(1))
    found = []
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for _ in range(10):
            encoder.zero_grad()
            (encode(encoder, sentences, 25) * weighing).sum().backward()
            found.append([weight.grad.clone() for weight in encoder.parameters() if weight.grad is not None])
    finally:
        torch.set_num_threads(threads)
    assert len(found[0]) == 3
    for others in found[1:]:
        assert all(torch.equal(one, other) for one, other in zip(found[0], others, strict=True))


def test_both_directions_are_read() -> None:
    encoder = Encoder(NgramEmbedder(8, buckets=64), BiLSTM(6)).eval()
    first = encode(encoder, [["a", "b", "c"]], 3)[0]
    changed_end, changed_start = (
        encode(encoder, [["a", "b", "x"]], 3)[0],
        encode(encoder, [["x", "b", "c"]], 3)[0],
    )
    assert not torch.allclose(first[0], changed_end[0])
    assert not torch.allclose(first[2], changed_start[2])


def test_without_context_the_vectors_are_the_embedders() -> None:
    encoder = Encoder(NgramEmbedder(8, buckets=64), NoContext()).eval()
    inputs = encoder.featurizer.collate(encoder.featurizer.index(SENTENCES), 5)
    lengths = torch.tensor([len(words) for words in SENTENCES])
    torch.testing.assert_close(encoder(inputs, lengths), encoder.embedder(inputs, lengths), rtol=0, atol=0)


def test_a_context_without_units_or_layers_is_refused() -> None:
    with pytest.raises(UserError, match="hidden_size is 0"):
        BiLSTM(hidden_size=0)
    with pytest.raises(UserError, match=r"layers is 0.*NoContext"):
        BiLSTM(layers=0)


def test_a_word_is_the_mean_of_its_features() -> None:
    embedder = NgramEmbedder(8, buckets=1000, word_embedding_size=3).eval()
    embedder.use_vocabulary(["b"])
    featurizer = embedder.featurizer
    featurizer.index([["zz", "B", "zz"]])
    inputs = featurizer.collate(featurizer.index([["B", "long-word"], ["B"]]), 2)
    assert inputs["place"].tolist()[0][0] == inputs["place"].tolist()[1][0]
    place = inputs["place"][0, 0]
    ends = [*inputs["offsets"].tolist()[1:], len(inputs["grams"])]
    grams = inputs["grams"][inputs["offsets"][place] : ends[place]]
    assert len(grams) == len(character_features("B"))
    assert inputs["known"][place] == 1
    parts = (embedder.grams.weight[grams].mean(0), embedder.forms.weight[inputs["forms"][place]].mean(0))
    assert embedder.words is not None
    expected = torch.cat([*parts, embedder.words.weight[1]])
    vectors = embedder(inputs, torch.tensor([2, 1]))
    torch.testing.assert_close(vectors[[0, 1], 0], torch.stack([expected, expected]))


def test_features() -> None:
    assert word_shape("McDonald's3") == "XxXx.xd"
    found = character_features("Lyon")
    assert {"prefix=ly", "suffix=yon", "gram=<ly", "gram=on>", "shape=Xx"} <= set(found)
    assert character_features("") == ["shape=", "gram=<>"]


def test_learning_a_vocabulary_keeps_what_was_indexed() -> None:
    def make(size: int = 3) -> Encoder:
        return Encoder(NgramEmbedder(8, buckets=64, word_embedding_size=size, min_count=2), BiLSTM(6))

    encoder = make()
    (item,) = encoder.featurizer.index([["Der", "der", "rare"]])
    encoder.learn_vocabulary(["Der", "der", "rare"])
    assert encoder.vocabulary == ["der"]
    inputs = encoder.featurizer.collate([item], 3)
    assert inputs["known"][inputs["place"][0]].tolist() == [1, 1, 0]
    again = make()
    again.use_vocabulary(encoder.description()["vocabulary"])
    again.load_state_dict(encoder.state_dict())
    plain = make(0)
    plain.learn_vocabulary(["der", "der"])
    assert plain.vocabulary == []
    assert plain.embedder.words is None


def test_weights_are_drawn_in_their_order() -> None:
    """Same seed, same bits: features, forms, context, and only then words; gradients are summed in this order."""
    torch.manual_seed(3)
    encoder = Encoder(NgramEmbedder(2, 8, word_embedding_size=3), BiLSTM(4))
    encoder.learn_vocabulary(["a", "a"])
    torch.manual_seed(3)
    tables = [torch.nn.EmbeddingBag(8, 2, mode="mean") for _ in range(2)]
    for table in tables:
        torch.nn.init.normal_(table.weight, std=2.0)
    lstm = torch.nn.LSTM(7, 4, batch_first=True)
    torch.nn.LSTM(7, 4, batch_first=True)
    torch.nn.Embedding(1, 3)
    words = torch.nn.Embedding(2, 3)
    made = encoder.parameters_as_made()
    assert len(made) == len(list(encoder.parameters())) == 2 + 8 + 1
    for found, expected in zip(
        (*made[:3], made[-1]),
        (*(table.weight for table in tables), lstm.weight_ih_l0, 2.0 * words.weight),
        strict=True,
    ):
        assert torch.equal(found, expected)


def test_training_hides_forms_and_evaluation_does_not() -> None:
    torch.manual_seed(0)
    encoder = Encoder(NgramEmbedder(8, buckets=64, form_dropout=0.5, dropout=0.0), BiLSTM(6, dropout=0.0))
    sentence = [[f"w{i}" for i in range(20)]]
    assert not torch.allclose(encode(encoder, sentence, 20), encode(encoder, sentence, 20))
    encoder.eval()
    np.testing.assert_array_equal(
        encode(encoder, sentence, 20).detach(), encode(encoder, sentence, 20).detach()
    )


def test_items_of_different_calls_make_one_batch() -> None:
    featurizer = NgramFeaturizer(1000)
    together = featurizer.collate(featurizer.index(SENTENCES, keep=True), 5)
    empty = np.zeros(0, dtype=np.int32)
    parts = [
        featurizer.index([words], keep=bool(n % 2))[0] if words else empty
        for n, words in enumerate(SENTENCES)
    ]
    apart = pickle.loads(pickle.dumps(featurizer)).collate(parts, 5)
    for inputs in (together, apart):
        inputs["sizes"] = torch.diff(inputs["offsets"], append=torch.tensor([len(inputs["grams"])]))
    for cell in np.ndindex(4, 5):
        one, other = (inputs["place"][cell] for inputs in (together, apart))
        assert torch.equal(together["forms"][one], apart["forms"][other])
        grams = (
            inputs["grams"][inputs["offsets"][place] :][: inputs["sizes"][place]]
            for inputs, place in ((together, one), (apart, other))
        )
        assert torch.equal(*grams)
