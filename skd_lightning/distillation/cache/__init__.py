"""The cache of what teachers say: keyed by content, memory-mapped, checked, written atomically, never pickled."""
