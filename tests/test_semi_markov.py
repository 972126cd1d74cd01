"""Independently scored spans and weighted sequences, against sums over all segmentations and sequences."""

import itertools
import math

import numpy as np
import pytest
import torch

from skd_lightning.crf.semi_markov import SemiMarkovCRF
from skd_lightning.crf.weighted_paths import WeightedPaths
from skd_lightning.tags import TagSet, entities

TYPES = ("LOC", "PER")
Span = tuple[int, int, int]


def segmentations(words: int, spans: dict[Span, float]) -> list[list[Span]]:
    """Every choice of spans that do not overlap, as the definition has it."""
    chosen = []
    for size in range(len(spans) + 1):
        for some in itertools.combinations(sorted(spans), size):
            covered = [word for first, last, _ in some for word in range(first, last + 1)]
            if len(covered) == len(set(covered)):
                chosen.append(list(some))
    assert all(last < words for first, last, _ in spans)
    return chosen


def tags_of(words: int, some: list[Span], scheme: str) -> list[str]:
    written = ["O"] * words
    for first, last, kind in some:
        for word in range(first, last + 1):
            written[word] = f"{'B' if word == first else 'I'}-{TYPES[kind]}"
        if scheme == "bioes":
            written[last] = f"{'S' if first == last else 'E'}-{TYPES[kind]}"
    return written


def random_spans(words: int, seed: int) -> dict[Span, float]:
    generator = np.random.default_rng(seed)
    every = [(i, j, r) for i in range(words) for j in range(i, words) for r in range(2)]
    kept = [span for span in every if generator.random() < min(1.0, 9 / max(len(every), 1))]
    return {span: float(3 * generator.normal()) for span in kept}


def coding(scheme: str) -> tuple[TagSet, torch.Tensor]:
    tag_set = TagSet.of([f"B-{kind}" for kind in TYPES], scheme)
    prefixes = "SBIE" if scheme == "bioes" else "BBII"
    return tag_set, torch.tensor([[tag_set.index(f"{p}-{kind}") for p in prefixes] for kind in TYPES])


@pytest.mark.parametrize("scheme", ["bioes", "iob2"])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("seed", range(4))
def test_a_semi_markov_chain_sums_over_all_segmentations(scheme: str, temperature: float, seed: int) -> None:
    tag_set, codes = coding(scheme)
    lengths = [5, 0, 1, 3, 6]
    given = [random_spans(words, 10 * seed + row) for row, words in enumerate(lengths)]
    rows = [(row, *span) for row, spans in enumerate(given) for span in spans]
    scores = torch.tensor([score for spans in given for score in spans.values()], dtype=torch.double)
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    crf = SemiMarkovCRF(
        *(torch.tensor(rows)[order], scores[order], torch.tensor(lengths), codes),
        *(tag_set.index("O"), len(tag_set)),
    ).tempered(temperature)
    best = crf.kbest(5)
    by_span = dict(zip([rows[i] for i in order], crf.span_marginals.tolist(), strict=True))
    for row, (words, spans) in enumerate(zip(lengths, given, strict=True)):
        every = segmentations(words, spans)
        weights = [math.exp(sum(spans[span] for span in some) / temperature) for some in every]
        total = math.fsum(weights)
        assert float(crf.log_partition[row]) == pytest.approx(math.log(total), abs=1e-9)
        marginals = np.zeros((max(lengths), len(tag_set)))
        counts = np.zeros((len(tag_set), len(tag_set)))
        for some, weight in zip(every, weights, strict=True):
            written = tags_of(words, some, scheme)
            assert [(TYPES[kind], first, last + 1) for first, last, kind in sorted(some)] == entities(written)
            numbers = tag_set.encode(written)
            marginals[np.arange(words), numbers] += weight / total
            for a, b in itertools.pairwise(numbers):
                counts[a, b] += weight / total
        ranked = sorted(zip(weights, every, strict=True), key=lambda pair: -pair[0])[:5]
        for rank in range(5):
            if rank < len(ranked):
                weight, some = ranked[rank]
                assert float(best.scores[row, rank]) == pytest.approx(math.log(weight), abs=1e-9)
                assert best.paths[row, rank, :words].tolist() == tag_set.encode(tags_of(words, some, scheme))
            else:
                assert best.scores[row, rank] == -math.inf
        np.testing.assert_allclose(crf.marginals[row], marginals, atol=1e-6)
        np.testing.assert_allclose(crf.transition_counts[row], counts, atol=1e-6)
        for span in spans:
            own = math.fsum(w for some, w in zip(every, weights, strict=True) if span in some) / total
            assert by_span[row, *span] == pytest.approx(own, abs=1e-9)


def test_large_scores_and_no_spans_are_exact() -> None:
    tag_set, codes = coding("bioes")
    spans = torch.tensor([[0, 0, 1, 1], [0, 1, 2, 0]])
    crf = SemiMarkovCRF(spans, torch.tensor([2000.0, -2000.0]), torch.tensor([3, 2]), codes, 0, len(tag_set))
    found = [tag_set.names[tag] for tag in crf.marginals[0].argmax(1)]
    assert found == ["B-PER", "E-PER", "O"]
    torch.testing.assert_close(crf.marginals.sum(2), torch.tensor([[1.0, 1, 1], [1, 1, 0]]))
    assert crf.transition_counts[1, 0, 0] == 1
    none = SemiMarkovCRF(
        torch.zeros(0, 4, dtype=torch.long), torch.zeros(0), torch.tensor([2]), codes, 0, len(tag_set)
    )
    assert none.log_partition.tolist() == [0.0]
    assert none.marginals[0, :, 0].tolist() == [1.0, 1.0]


TAGS = 3
PATHS = [
    {(0, 1, 2, 0): 3.0, (0, 1, 1, 1): 1.0, (2, 2, 2, 2): 0.5},
    {},
    {(): 2.0},
    {(2,): 1.0, (0,): 1.5},
]
LENGTHS = torch.tensor([4, 2, 0, 1])


def weighted() -> WeightedPaths:
    paths = torch.full((4, 3, 4), 1)  # anything at padding
    log_weights = torch.full((4, 3), -math.inf)
    for row, own in enumerate(PATHS):
        for number, (path, weight) in enumerate(own.items()):
            paths[row, number, : len(path)] = torch.tensor(path, dtype=torch.long)
            log_weights[row, number] = math.log(weight)
    return WeightedPaths(paths, log_weights, LENGTHS, TAGS)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_weighted_paths_are_a_mixture_of_point_masses(temperature: float) -> None:
    found = weighted().tempered(temperature)
    for row, own in enumerate(PATHS):
        powers = {path: weight ** (1 / temperature) for path, weight in own.items()}
        total = sum(powers.values())
        marginals, pairs = torch.zeros(4, TAGS), torch.zeros(3, TAGS, TAGS)
        for path, weight in powers.items():
            for i, tag in enumerate(path):
                marginals[i, tag] += weight / total
            for i, (a, b) in enumerate(itertools.pairwise(path)):
                pairs[i, a, b] += weight / total
        torch.testing.assert_close(found.marginals[row], marginals)
        torch.testing.assert_close(found.pair_marginals[row], pairs)
        torch.testing.assert_close(found.transition_counts[row], pairs.sum(0))
        best = found.kbest(5)
        ranked = sorted(powers, key=powers.__getitem__, reverse=True)
        for rank in range(5):
            if rank < len(ranked):
                path = ranked[rank]
                assert tuple(best.paths[row, rank, : len(path)].tolist()) == path
                assert float(best.scores[row, rank].exp()) == pytest.approx(powers[path] / total)
            else:  # a sentence without any has one, so that no loss is infinite
                assert best.scores[row, rank] == (0.0 if rank == 0 else -math.inf)
    assert found.viterbi()[0].tolist() == [0, 1, 2, 0]
    asked = torch.tensor([[[0, 1, 1, 1], [1, 1, 1, 1]]] * 4)
    probability = 1.0 / (1 + 3 ** (1 / temperature) + 0.5 ** (1 / temperature))
    torch.testing.assert_close(found.log_prob(asked)[0].exp(), torch.tensor([probability, 0.0]))


@pytest.mark.parametrize(("batch", "paths"), [(0, 3), (2, 0), (0, 0)])
def test_weighted_paths_may_be_none(batch: int, paths: int) -> None:
    lengths = torch.full((batch,), 4)
    found = WeightedPaths(
        torch.zeros(batch, paths, 4, dtype=torch.long), torch.zeros(batch, paths), lengths, TAGS
    )
    assert found.pair_marginals.shape == (batch, 3, TAGS, TAGS)
    assert found.kbest(2).paths.shape == (batch, 2, 4)
    asked = found.log_prob(torch.zeros(batch, 1, 4, dtype=torch.long))
    assert asked.shape == (batch, 1)
    assert asked.isneginf().all() or paths
