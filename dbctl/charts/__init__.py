"""Charts as data, drawn as SVG, as a page, or by the command line in a terminal; and what a live screen shows."""
