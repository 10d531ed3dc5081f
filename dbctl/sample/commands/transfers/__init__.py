"""Look at the log of transfers."""

PLACE = 4
PAGE = "sample"
