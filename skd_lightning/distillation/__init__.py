"""Teaching by structure: objectives, annealing, the teachers' cached predictions, and the callback that asks them."""
