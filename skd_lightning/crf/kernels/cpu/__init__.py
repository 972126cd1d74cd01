"""The kernels of the CPU: loops that numba compiles, over sentences that threads share."""
