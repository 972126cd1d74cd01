"""Many runs: suites, sweeps, transfer to languages without training data."""
