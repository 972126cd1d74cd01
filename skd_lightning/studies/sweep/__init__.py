"""Sweeps in Weights & Biases' format: ``space`` knows parameters, ``file`` reads a sweep and renders its trials,
``check`` parses them all, ``local`` runs them without an account."""
