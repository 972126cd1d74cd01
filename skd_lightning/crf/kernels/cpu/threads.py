"""A batch's sentences shared out among threads.

The threads are Python's, not numba's. Parallel loops of numba take twice as long to compile; its thread-safe libraries
are further packages, one of them dies after a fork, and the one that is always there may serve one caller at a time
only. Here the compiled function releases the GIL, so plain threads do, anywhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

WORTH_A_THREAD = 100_000
"""Pairs of tags at neighbouring words, 50 to 100 microseconds of work: waking a thread takes 20."""
SHARES = 4
"""Shares of the work for each thread: a thread whose core is taken, say by a waiting thread of torch, does fewer."""


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_name_prefix="crf")


if hasattr(os, "register_at_fork"):  # a forked loader worker inherits the pool, but not its threads
    os.register_at_fork(after_in_child=_pool.cache_clear)


def in_parallel(kernel: Callable[..., None], lengths: NDArray[np.int64], tags: int, *arguments: Any) -> None:
    """Call ``kernel(begin, end, *arguments)`` on shares of consecutive sentences, with about as many words each.

    At most as many threads as torch uses in this process; fewer where there is little to do.
    """
    batch = len(lengths)
    if batch == 0:
        return
    threads = min(torch.get_num_threads(), batch)
    if threads > 1:
        words = np.cumsum(lengths)
        threads = min(threads, int(words[-1]) * tags**2 // WORTH_A_THREAD + 1)
    if threads <= 1:
        kernel(0, batch, *arguments)
        return
    shares = threads * SHARES
    borders = [0, *np.searchsorted(words, words[-1] * np.arange(1, shares) / shares).tolist(), batch]
    todo = iter([(begin, end) for begin, end in pairwise(borders) if begin < end])

    def work() -> None:
        for begin, end in todo:  # all threads take from the one list
            kernel(begin, end, *arguments)

    others = [_pool().submit(work) for _ in range(threads - 1)]
    work()
    for other in others:
        other.result()
