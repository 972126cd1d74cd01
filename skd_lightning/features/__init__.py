"""Features of words: of their characters and forms, by name and as hashes. Nothing here needs PyTorch."""
