"""The same operations on the same potentials, by every library at hand.

Each function takes emissions (batch, words, tags), transitions (tags, tags) ``[from, to]`` and lengths, and gives
callables by the operation's name, from raw potentials to the result. Results have one form for all: log-partitions
(batch,), marginals (batch, words, tags), gradients of emissions, paths (batch, words), scores (batch, k), divergences
(batch,) of a fixed teacher from the given potentials.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from skd_lightning.crf import LinearChainCRF

LOG_PARTITION, MARGINALS, SECOND = "log Z + gradient", "marginals", "gradient through marginals"
VITERBI, FIVE, TEN = "Viterbi", "5 best", "10 best"
KL, RENYI = "KL + gradient", "Rényi + gradient"
OWN = "log Z + gradient, transitions by sentence"
Operations = dict[str, Callable[[], Tensor]]


def direction(emissions: Tensor, lengths: Tensor) -> Tensor:
    """Fixed weights of the marginals, for the gradient of their weighted sum."""
    weights = torch.randn(
        emissions.shape, generator=torch.Generator(emissions.device).manual_seed(1), device=emissions.device
    )
    return weights * mask_of(emissions, lengths).unsqueeze(-1)


def mask_of(emissions: Tensor, lengths: Tensor) -> Tensor:
    """(batch, words) bool."""
    return torch.arange(emissions.shape[1], device=lengths.device) < lengths[:, None]


def teacher(emissions: Tensor, transitions: Tensor) -> tuple[Tensor, Tensor]:
    """Other potentials for the same words, that have no gradient."""
    generator = torch.Generator(emissions.device).manual_seed(2)
    made = (torch.randn(x.shape, generator=generator, device=x.device) for x in (emissions, transitions))
    return 2 * next(made), next(made)


def by_sentence(emissions: Tensor) -> Tensor:
    """(batch, tags, tags) transitions, one matrix for each sentence."""
    batch, _, tags = emissions.shape
    generator = torch.Generator(emissions.device).manual_seed(3)
    return torch.randn(batch, tags, tags, generator=generator, device=emissions.device)


def ours(emissions: Tensor, transitions: Tensor, lengths: Tensor) -> Operations:
    """This package."""
    weights, taught, own = (
        direction(emissions, lengths),
        teacher(emissions, transitions),
        by_sentence(emissions),
    )
    return operations(LinearChainCRF, emissions, transitions, lengths, weights, taught, own)


def operations(
    kind: type[LinearChainCRF],
    emissions: Tensor,
    transitions: Tensor,
    lengths: Tensor,
    weights: Tensor,
    taught: tuple[Tensor, Tensor],
    own: Tensor,
) -> Operations:
    """The operations by a class of this package, with the fixed numbers that the functions above make."""

    def crf(grad: bool = False) -> LinearChainCRF:
        return kind(emissions.requires_grad_(grad), transitions.requires_grad_(grad), lengths)

    def gradient() -> Tensor:
        value = crf(True).log_partition
        torch.autograd.grad(value.sum(), (emissions, transitions))
        return value.detach()

    def second() -> Tensor:
        value = (crf(True).marginals * weights).sum()
        return torch.autograd.grad(value, (emissions, transitions))[0]

    def kl() -> Tensor:
        value = kind(*taught, lengths).kl(crf(True))
        torch.autograd.grad(value.sum(), (emissions, transitions))
        return value.detach()

    def renyi() -> Tensor:
        value = kind(*taught, lengths).renyi(crf(True), 0.5)
        torch.autograd.grad(value.sum(), (emissions, transitions))
        return value.detach()

    def with_own() -> Tensor:
        value = kind(emissions.requires_grad_(), own.requires_grad_(), lengths).log_partition
        torch.autograd.grad(value.sum(), (emissions, own))
        return value.detach()

    return {
        LOG_PARTITION: gradient,
        MARGINALS: lambda: crf().marginals,
        SECOND: second,
        VITERBI: lambda: crf().viterbi(),
        FIVE: lambda: crf().kbest(5).scores,
        TEN: lambda: crf().kbest(10).scores,
        KL: kl,
        RENYI: renyi,
        OWN: with_own,
    }


def pytorch_crf(emissions: Tensor, transitions: Tensor, lengths: Tensor) -> Operations:
    """pytorch-crf; its likelihood is the score of a path minus log Z, both with gradients."""
    from torchcrf import CRF

    batch, words, tags = emissions.shape
    model = CRF(tags, batch_first=True)
    with torch.no_grad():
        model.transitions.copy_(transitions)
        model.start_transitions.zero_()
        model.end_transitions.zero_()
    mask, weights = mask_of(emissions, lengths), direction(emissions, lengths)
    gold = torch.zeros(batch, words, dtype=torch.long)
    gold_score = LinearChainCRF(emissions.detach(), transitions.detach(), lengths).score(gold)
    one_hot = torch.nn.functional.one_hot(gold, tags) * mask.unsqueeze(-1)

    def likelihood() -> Tensor:
        return model(emissions.requires_grad_(), gold, mask, reduction="none")

    def gradient() -> Tensor:
        value = likelihood()
        torch.autograd.grad(value.sum(), (emissions, model.transitions))
        return (gold_score - value).detach()

    def marginals(create_graph: bool = False) -> Tensor:
        return one_hot - torch.autograd.grad(likelihood().sum(), emissions, create_graph=create_graph)[0]

    def second() -> Tensor:
        return torch.autograd.grad((marginals(True) * weights).sum(), (emissions, model.transitions))[0]

    def viterbi() -> Tensor:
        paths = model.decode(emissions.detach(), mask)
        return torch.tensor([path + [0] * (words - len(path)) for path in paths])

    return {LOG_PARTITION: gradient, MARGINALS: marginals, SECOND: second, VITERBI: viterbi}


def torch_struct(emissions: Tensor, transitions: Tensor, lengths: Tensor) -> Operations:
    """torch-struct; its potentials are (batch, words - 1, to, from), the first word's emission in the first pair."""
    from torch_struct import LinearChainCRF as Struct

    weights = direction(emissions, lengths)

    def potentials(emissions: Tensor, transitions: Tensor) -> Tensor:
        to_from = transitions.mT if transitions.dim() == 2 else transitions.mT.unsqueeze(1)
        pairs = to_from + emissions[:, 1:, :, None]
        first = torch.nn.functional.pad(emissions[:, :1, None, :], (0, 0, 0, 0, 0, pairs.shape[1] - 1))
        return pairs + first

    def struct(grad: bool = False) -> Struct:
        given = emissions.requires_grad_(grad), transitions.requires_grad_(grad)
        return Struct(potentials(*given), lengths=lengths)

    def gradient() -> Tensor:
        value = struct(True).partition
        torch.autograd.grad(value.sum(), (emissions, transitions))
        return value.detach()

    def marginals(grad: bool = False) -> Tensor:
        pairs = struct(grad).marginals
        return torch.cat([pairs[:, :1].sum(-2), pairs.sum(-1)], dim=1)

    def second() -> Tensor:
        return torch.autograd.grad((marginals(True) * weights).sum(), (emissions, transitions))[0]

    taught, own = potentials(*teacher(emissions, transitions)), by_sentence(emissions)

    def kl() -> Tensor:
        value = Struct(taught, lengths=lengths).kl(struct(True))
        torch.autograd.grad(value.sum(), (emissions, transitions))
        return value.detach()

    def with_own() -> Tensor:
        given = emissions.requires_grad_(), own.requires_grad_()
        value = Struct(potentials(*given), lengths=lengths).partition
        torch.autograd.grad(value.sum(), given)
        return value.detach()

    def viterbi() -> Tensor:
        pairs = struct().argmax  # (batch, words - 1, to, from), one-hot; 0 at padding
        return torch.cat([pairs[:, :1].sum(-2).argmax(-1), pairs.sum(-1).argmax(-1)], dim=1)

    return {
        LOG_PARTITION: gradient,
        MARGINALS: marginals,
        SECOND: second,
        VITERBI: viterbi,
        FIVE: lambda: struct().kmax(5).t(),
        TEN: lambda: struct().kmax(10).t(),
        KL: kl,
        OWN: with_own,
    }


def supar(emissions: Tensor, transitions: Tensor, lengths: Tensor) -> Operations:
    """supar; start and end scores are a further row and column of the transitions."""
    from supar.structs import LinearChainCRF as Supar

    weights = direction(emissions, lengths)
    matrix = torch.nn.functional.pad(transitions.detach(), (0, 1, 0, 1))

    def crf() -> Supar:
        return Supar(emissions.requires_grad_(), matrix.requires_grad_(), lengths)

    def gradient() -> Tensor:
        value = crf().log_partition
        torch.autograd.grad(value.sum(), (emissions, matrix))
        return value.detach()

    def second() -> Tensor:
        return torch.autograd.grad((crf().marginals * weights).sum(), (emissions, matrix))[0]

    given = teacher(emissions, transitions)
    taught = given[0], torch.nn.functional.pad(given[1], (0, 1, 0, 1))

    def kl() -> Tensor:
        value = Supar(*taught, lengths).kl(crf())
        torch.autograd.grad(value.sum(), (emissions, matrix))
        return value.detach()

    return {
        LOG_PARTITION: gradient,
        MARGINALS: lambda: crf().marginals,
        SECOND: second,
        VITERBI: lambda: crf().argmax,
        FIVE: lambda: crf().kmax(5),
        TEN: lambda: crf().kmax(10),
        KL: kl,
    }


def allennlp(emissions: Tensor, transitions: Tensor, lengths: Tensor) -> Operations:
    """allennlp-light."""
    from allennlp_light.modules.conditional_random_field import ConditionalRandomField

    words, tags = emissions.shape[1:]
    model = ConditionalRandomField(tags, include_start_end_transitions=False)
    with torch.no_grad():
        model.transitions.copy_(transitions)
    mask, weights = mask_of(emissions, lengths), direction(emissions, lengths)

    def log_partition() -> Tensor:
        return model._input_likelihood(emissions.requires_grad_(), model.transitions, mask)

    def gradient() -> Tensor:
        value = log_partition()
        torch.autograd.grad(value.sum(), (emissions, model.transitions))
        return value.detach()

    def marginals(create_graph: bool = False) -> Tensor:
        return torch.autograd.grad(log_partition().sum(), emissions, create_graph=create_graph)[0]

    def second() -> Tensor:
        return torch.autograd.grad((marginals(True) * weights).sum(), (emissions, model.transitions))[0]

    def viterbi() -> Tensor:
        paths = [path for path, _ in model.viterbi_tags(emissions.detach(), mask)]
        return torch.tensor([path + [0] * (words - len(path)) for path in paths])

    def best(k: int) -> Tensor:
        found = model.viterbi_tags(emissions.detach(), mask, top_k=k)
        return torch.tensor([[float(score) for _, score in sentence] for sentence in found])

    return {
        LOG_PARTITION: gradient,
        MARGINALS: marginals,
        SECOND: second,
        VITERBI: viterbi,
        FIVE: lambda: best(5),
        TEN: lambda: best(10),
    }


OURS = "skd_lightning"
PEERS = {
    OURS: ours,
    "pytorch-crf": pytorch_crf,
    "torch-struct": torch_struct,
    "supar": supar,
    "allennlp-light": allennlp,
}
