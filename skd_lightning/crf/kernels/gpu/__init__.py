"""The kernels of NVIDIA GPUs: Triton programs, one for every sentence and direction."""
