"""Add, list and remove teams."""

PLACE = 2
PAGE = "sample"
