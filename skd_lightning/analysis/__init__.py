"""Numbers about runs: loading, comparison, significance, cost, the paper's figures. Nothing here draws or prints."""
