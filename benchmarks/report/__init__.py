"""The report on what was measured, from the results and nothing else: at the terminal, as plots, as a page."""
