"""Corpora become sentences, and sentences become batches. Import from the modules: this file is light on purpose."""
