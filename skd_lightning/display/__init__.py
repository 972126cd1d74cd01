"""How numbers look: formats, tables, plots."""
