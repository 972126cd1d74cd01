"""Sweeps in the format of Weights & Biases.

``space`` holds parameters, ``file`` reads a sweep and builds the commands of its trials, ``check`` parses all of them,
``local`` runs them without an account.
"""
