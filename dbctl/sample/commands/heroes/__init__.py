"""Add, list, show, change and remove heroes."""

PLACE = 1
PAGE = "sample"
