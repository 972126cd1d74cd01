"""Sparse updates of embedding tables against dense ones."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from skd_lightning.cli import main
from skd_lightning.runs import execution
from skd_lightning.taggers.lazy_adamw import LazyAdamW, clip_norm


def tables(sparse: bool) -> nn.Embedding:
    torch.manual_seed(0)
    return nn.Embedding(7, 3, sparse=sparse).double()


def losses(table: nn.Embedding, rows: list[int], target: torch.Tensor) -> torch.Tensor:
    return ((table(torch.tensor(rows)) - target) ** 2).sum()


def test_rows_that_are_always_used_move_as_by_adamw() -> None:
    """Lazy and plain AdamW are the same if every step has a gradient for every row."""
    lazy, plain = tables(True), tables(False)
    settings = {"lr": 0.1, "weight_decay": 0.01}
    optimizers = (LazyAdamW(lazy.parameters(), **settings), torch.optim.AdamW(plain.parameters(), **settings))
    for step in range(20):
        for table, optimizer in zip((lazy, plain), optimizers, strict=True):
            optimizer.zero_grad()
            losses(table, [0, 1, 2, 3, 4, 5, 6, 3, 3], torch.tensor(float(step))).backward()
            optimizer.step()
    torch.testing.assert_close(lazy.weight, plain.weight, rtol=1e-12, atol=1e-12)


def test_unused_rows_rest_and_others_follow_sparse_adam() -> None:
    lazy, reference = tables(True), tables(True)
    first = lazy.weight.detach().clone()
    ours = LazyAdamW(lazy.parameters(), lr=0.1, weight_decay=0.0)
    theirs = torch.optim.SparseAdam(reference.parameters(), lr=0.1)
    for rows in ([0, 1, 1], [2], [0, 4], [1], [0]):
        for table, optimizer in ((lazy, ours), (reference, theirs)):
            optimizer.zero_grad()
            losses(table, rows, torch.ones(3, dtype=torch.float64)).backward()
            optimizer.step()
    torch.testing.assert_close(lazy.weight, reference.weight, rtol=1e-7, atol=1e-7)
    assert torch.equal(lazy.weight[[3, 5, 6]], first[[3, 5, 6]])


def test_settings_that_rows_would_not_follow_are_refused() -> None:
    for setting in ("maximize", "amsgrad"):
        with pytest.raises(TypeError, match=setting):
            LazyAdamW(tables(True).parameters(), **{setting: True})


def test_dense_weights_move_as_by_adamw_and_the_closure_runs_once() -> None:
    torch.manual_seed(1)
    ours, theirs = nn.Linear(3, 2), nn.Linear(3, 2)
    theirs.load_state_dict(ours.state_dict())
    inputs, calls = torch.randn(5, 3), []
    for layer, kind in ((ours, LazyAdamW), (theirs, torch.optim.AdamW)):
        optimizer = kind(layer.parameters(), lr=0.1)

        def closure(layer=layer, optimizer=optimizer):  # type: ignore[no-untyped-def]
            calls.append(1)
            optimizer.zero_grad()
            loss = layer(inputs).pow(2).sum()
            loss.backward()
            return loss

        assert optimizer.step(closure) > 0
    assert len(calls) == 2
    assert torch.equal(ours.weight, theirs.weight)


@pytest.mark.parametrize("max_norm", [0.5, 1e3])
def test_clipping_agrees_with_torch_on_dense_gradients(max_norm: float) -> None:
    found = []
    for sparse in (True, False):
        table = tables(sparse)
        extra = nn.Parameter(torch.ones(4, dtype=torch.float64))
        (losses(table, [0, 1, 1, 5], torch.zeros(3, dtype=torch.float64)) + extra.sum()).backward()
        if sparse:
            clip_norm([table.weight, extra], max_norm)
            found.append((table.weight.grad.to_dense(), extra.grad))
        else:
            torch.nn.utils.clip_grad_norm_([table.weight, extra], max_norm)
            found.append((table.weight.grad, extra.grad))
    torch.testing.assert_close(found[0], found[1])


def test_a_tagger_learns_with_sparse_tables_and_its_state_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "remove", lambda path: None)  # which clears the last state away
    command = [
        "teachers",
        "--runs",
        str(tmp_path),
        "--langs",
        "en",
        "--data.max_train_sentences",
        "200",
        "--data.tokens",
        "200",
    ]
    command += ["--trainer.enable_progress_bar", "false", "--model.embedder.sparse", "true"]
    main([*command, "--trainer.max_epochs", "2", "--model.embedder.buckets", "40000"])
    folder = tmp_path / "demo/teachers/en"
    assert json.loads((folder / "results.json").read_text())["average"] > 0.4
    state = torch.load(folder / "checkpoints/last.ckpt", weights_only=True)["optimizer_states"][0]["state"]
    assert all({"step", "exp_avg", "exp_avg_sq"} <= set(of_weight) for of_weight in state.values())
