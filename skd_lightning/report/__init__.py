"""The report on all runs of a task: sections of tables and plots, one HTML page, Markdown, CSV and PNG files.

``write`` is the way in. ``sections`` holds one function a section; ``findings`` is what it makes its section from.
"""
