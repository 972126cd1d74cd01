"""As much of flair as its character language models need, where flair itself cannot be installed.

Flair holds transformers below 5. These modules have the names, the files and the numbers of flair 0.15;
``test_flair.py`` compares both wherever flair is installed.
"""
