"""The wide path: its features against a plain implementation, its gradient, its fit, its way through a run."""

from __future__ import annotations

import itertools
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from skd_lightning.data.batches import SentenceDataset
from skd_lightning.data.sentence import Sentence
from skd_lightning.distillation.cache.reading import CachedTargets, LanguageAnswers
from skd_lightning.distillation.cache.sparse import SparseRows, sparsified
from skd_lightning.distillation.objective import Needs
from skd_lightning.encoders.bag_sums import bag_sums
from skd_lightning.encoders.feature_table import FeatureTable
from skd_lightning.errors import UserError
from skd_lightning.features.characters import word_shape
from skd_lightning.features.word_hashes import BAGS, REACH, edge_hashes, word_hashes
from skd_lightning.taggers.wide import Wide, WidePath
from skd_lightning.taggers.wide_fit import fit_wide
from skd_lightning.tags import TagSet

TAGS = TagSet.of(["O", "B-LOC", "I-LOC"], "iob2")
WORDS = ["Anna", "anna", "an", "", "McDonald's3", "ΑΣ", "தமிழ்", "\ud800", "𠮷野", "a1-B"]


def own(word: str) -> list[str]:
    small = "".join(c.lower() if len(c.lower()) == 1 else c for c in word)
    marked = f"\2{small}\3"
    return [
        f"word={word}",
        f"lower={small}",
        f"shape={word_shape(word)}",
        *(f"prefix={small[:n]}" for n in range(1, min(4, len(small)) + 1)),
        *(f"suffix={small[-n:]}" for n in range(1, min(4, len(small)) + 1)),
        *(f"gram={marked[i : i + 3]}" for i in range(max(1, len(marked) - 2))),
    ]


def shown(word: str) -> list[str]:
    small = "".join(c.lower() if len(c.lower()) == 1 else c for c in word)
    return [f"lower={small}", f"shape={word_shape(word)}", f"suffix={small[-3:]}"]


def features_of(words: list[str]) -> list[list[tuple[int, str]]]:
    """Return the features of each word of a sentence, read off its neighbours one by one."""
    found = []
    for i in range(len(words)):
        features = [(0, name) for name in own(words[i])]
        for distance in range(-REACH, REACH + 1):
            if distance:
                inside = 0 <= i + distance < len(words)
                features += [
                    (distance, name) for name in (shown(words[i + distance]) if inside else ["edge"])
                ]
        found.append(features)
    return found


def test_two_features_have_one_hash_where_they_are_the_same_and_else_not() -> None:
    hashes, sizes = word_hashes(WORDS)
    assert sizes[:, REACH].tolist() == [len(own(word)) for word in WORDS]
    bag = np.repeat(np.arange(sizes.size), sizes.ravel())
    names = []
    for word in WORDS:
        for place in range(BAGS):
            names += [(place, name) for name in (own(word) if place == REACH else shown(word))]
    # The order within a bag is free: compare which bags share how many features.
    kinds = {name: n for n, name in enumerate(dict.fromkeys(names))}
    expected = np.zeros((sizes.size, len(kinds)), dtype=int)
    np.add.at(expected, (bag, [kinds[name] for name in names]), 1)
    distinct, numbers = np.unique(hashes, return_inverse=True)
    found = np.zeros((sizes.size, len(distinct)), dtype=int)
    np.add.at(found, (bag, numbers), 1)
    assert (found @ found.T == expected @ expected.T).all()
    assert not set(edge_hashes()[0]) & set(hashes)
    assert len(set(word_hashes(["Anna"], [0, 5])[0])) == 2 * len(set(word_hashes(["Anna"])[0]))


def test_a_table_finds_what_it_has_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    keys = np.unique(
        rng.integers(0, 2**63, 500).astype(np.uint64) << np.uint64(40)
    )  # which meet in few slots
    table = FeatureTable(keys)
    asked = np.concatenate([keys[::-1], rng.integers(0, 2**63, 300).astype(np.uint64) | np.uint64(1)])
    sizes = np.array([[len(keys), 0], [0, 300]])
    rows, known = table.rows(asked, sizes)
    assert (keys[rows] == keys[::-1]).all()
    assert known.tolist() == [[len(keys), 0], [0, 0]]


def test_sums_and_their_gradient() -> None:
    table = torch.randn(7, 3, dtype=torch.double, requires_grad=True)
    rows = torch.tensor([0, 6, 6, 2, 5])
    starts = torch.tensor([0, 0, 3, 3, 5])
    expected = torch.stack(
        [0 * table[0], table[[0, 6, 6]].sum(0), 0 * table[0], table[[2, 5]].sum(0), 0 * table[0]]
    )
    assert torch.allclose(bag_sums(table, rows, starts), expected)
    assert torch.autograd.gradcheck(lambda table: bag_sums(table, rows, starts), table)


def path(sentences: list[list[str]], languages: list[str], **settings: object) -> WidePath:
    made = WidePath(Wide(**settings), TAGS)  # type: ignore[arg-type]
    made.learn_features(sentences, languages)
    torch.nn.init.normal_(made.weight, generator=torch.Generator().manual_seed(0))
    return made


def test_scores_are_the_sums_of_the_weights_of_the_features_in_sight() -> None:
    """Features have weights of their own, so that equal sums mean equal features: solve for the weights."""
    sentences = [["Anna", "lives", "in", "Lincoln"], ["in", "in", "Anna"]]
    wide = path(sentences, [""] * 2)
    known = [
        list(words) for n in (1, 2, 3, 4) for words in itertools.product(["Anna", "in", "Lincoln"], repeat=n)
    ]
    fresh = [*known, [], ["Lincoln", "lives", "there"], ["nobody"], ["e", "in", "a", "Boston", "d", "Anna"]]
    rows: list[list[tuple[int, str]]] = []
    scores = []
    for group in (sentences, fresh):
        inputs = wide.featurizer.collate(wide.featurizer.index(group), 6)
        found = wide.emissions(inputs)
        assert found.shape == (len(group), 6, len(TAGS))
        for n, words in enumerate(group):
            rows += features_of(words)
            scores.append(found[n, : len(words)])
    learned = {name for words in sentences for word in features_of(words) for name in word}
    kinds = {name: n for n, name in enumerate(sorted(learned))}
    matrix = np.zeros((len(rows), len(kinds)))
    for n, word in enumerate(rows):
        for name in word:
            if name in kinds:  # others are left out
                matrix[n, kinds[name]] += 1
    wanted = torch.cat(scores).detach().numpy()
    # Most words have to be combinations of others: any scores of independent ones are sums of some weights.
    assert np.linalg.matrix_rank(matrix) < len(rows) // 2
    weights = np.linalg.lstsq(matrix, wanted, rcond=None)[0]
    assert np.abs(matrix @ weights - wanted).max() < 1e-5


def test_a_language_has_weights_of_its_own_beside_the_shared_ones() -> None:
    sentences = [["Anna", "in"], ["Anna", "in"]]
    wide = path(sentences, ["en", "de"], of_languages=True)
    shared = path(sentences, ["en", "de"])
    assert len(wide.keys) == 3 * len(shared.keys) - 2 * (BAGS - 1)  # the edge belongs to nobody

    def scores(language: str) -> torch.Tensor:
        return wide.emissions(
            wide.featurizer.collate(wide.featurizer.index([["Anna", "in"]], languages=[language]), 2)
        )

    english, german, unknown, other = (scores(language) for language in ("en", "de", "", "fr"))
    assert not torch.allclose(english, german)
    assert torch.allclose(unknown, other)  # shared weights alone
    together = wide.featurizer.index([["Anna", "in"], ["Anna"], ["Anna", "in"]], languages=["en", "", "de"])
    mixed = wide.emissions(wide.featurizer.collate(together, 2))
    assert torch.allclose(mixed[0], english[0])
    assert torch.allclose(mixed[2], german[0])
    again = pickle.loads(pickle.dumps(wide.featurizer))
    assert torch.allclose(
        wide.emissions(again.collate(again.index([["Anna", "in"]], languages=["de"]), 2)), german
    )


def test_the_fit_reaches_the_optimum_of_the_regularised_likelihood() -> None:
    """The same loss, with gradients by differences, minimised by another library."""
    sentences = [
        Sentence(("Anna", "in", "Lincoln"), ("O", "O", "B-LOC"), "en"),
        Sentence(("New", "York"), ("B-LOC", "I-LOC"), "en"),
        Sentence(("in", "in"), ("O", "O"), "en"),
        Sentence((), (), "en"),
    ]
    wide = WidePath(Wide(l2=0.3), TAGS)
    wide.learn_features([sentence.words for sentence in sentences], ["en"] * 4)
    losses = fit_wide(wide, sentences, TAGS)
    assert not wide.weight.requires_grad
    batch = SentenceDataset(sentences, wide.featurizer, ["en"], TAGS).__getitems__([0, 1, 2, 3])
    head = wide.head
    weights = [wide.weight, head.emissions.bias, head.transitions, head.start, head.end]

    def loss(numbers: np.ndarray) -> float:
        with torch.no_grad():
            at = 0
            for weight in weights:
                weight.copy_(torch.from_numpy(numbers[at : at + weight.numel()]).view_as(weight))
                at += weight.numel()
            crf = head.chain(wide.emissions(batch.inputs).double(), batch.lengths)
            return float(-crf.log_prob(batch.tags).sum()) + 0.3 * float((numbers**2).sum())

    found = np.concatenate([weight.detach().double().numpy().ravel() for weight in weights])
    start = loss(found)
    assert losses[-1] == pytest.approx(start, abs=1e-4)
    rng = np.random.default_rng(0)
    for _ in range(200):  # a convex loss: no step in any direction goes down
        assert loss(found + 1e-2 * rng.normal(size=len(found))) > start
    lower = minimize(loss, found, method="CG", options={"maxiter": 2})
    assert start - float(lower.fun) < 1e-4


def test_a_certain_teacher_is_as_good_as_annotation() -> None:
    """And one that says nothing certain leaves other weights."""
    annotated = [
        Sentence(("Anna", "in", "Lincoln"), ("O", "O", "B-LOC"), "en"),
        Sentence(("New", "York"), ("B-LOC", "I-LOC"), "en"),
        Sentence(("a",), ("O",), "en"),
    ]
    text = [annotated[0], *(Sentence(sentence.words, None, "en") for sentence in annotated[1:])]

    def said(sureness: float, heard: bool = True) -> CachedTargets:
        """A teacher of the last two sentences; the first is nobody's."""
        marginals, counts = np.zeros((3, len(TAGS)), np.float32), np.zeros((2, len(TAGS) ** 2), np.float32)
        marginals[[0, 1, 2], [TAGS.index(tag) for tag in ("B-LOC", "I-LOC", "O")]] = sureness
        marginals[:, TAGS.index("O")] += 1 - sureness
        counts[0, TAGS.index("B-LOC") * len(TAGS) + TAGS.index("I-LOC")] = sureness
        counts[0, TAGS.index("O") * len(TAGS) + TAGS.index("O")] = 1 - sureness
        words = LanguageAnswers(np.array([2, 1]), np.arange(len(TAGS)), taught=np.array([heard, True]))
        words.marginals, words.transition_counts = (
            SparseRows.of(sparsified(rows, np.float32)) for rows in (marginals, counts)
        )
        needs = Needs(marginals=1.0, transition_counts=1.0)
        return CachedTargets([words], np.zeros(3, np.int64), np.array([0, 0, 1]), len(TAGS), needs)

    def fitted(sentences: list[Sentence], teachers: CachedTargets | None = None) -> torch.Tensor:
        wide = WidePath(Wide(l2=0.3), TAGS)
        wide.learn_features([sentence.words for sentence in annotated], ["en"] * 3)
        fit_wide(wide, sentences, TAGS, teachers=teachers)
        return wide.weight.detach()

    gold = fitted(annotated)
    torch.testing.assert_close(fitted(text, said(1.0)), gold, rtol=0, atol=2e-3)
    assert (fitted(text, said(0.5)) - gold).abs().max() > 0.05
    without = fitted([annotated[0], annotated[2]])
    torch.testing.assert_close(fitted(text, said(1.0, heard=False)), without, rtol=0, atol=2e-3)


@pytest.mark.parametrize(
    ("settings", "message"), [({"l2": 0.0}, "l2 is 0.0"), ({"iterations": 0}, "iterations is 0")]
)
def test_settings_that_cannot_be_fitted_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Wide(**settings)  # type: ignore[arg-type]


def test_an_empty_path_scores_nothing(tmp_path: Path) -> None:
    wide = WidePath(Wide(), TAGS)
    assert (wide.emissions(wide.featurizer.collate(wide.featurizer.index([["a"], []]), 1)) == 0).all()
