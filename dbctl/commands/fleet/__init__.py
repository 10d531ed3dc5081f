"""Look at many databases as one."""

PANEL = "Data"
PLACE = 28
PAGE = "fleet"
