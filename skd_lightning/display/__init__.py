"""How numbers look: formats, tables, plots. Nothing here knows what a run is."""
