"""One run: its plan, its files, its execution, and how it goes on after a stop."""
