"""Back up a database, list its backups, and prove that they are some."""

PANEL = "Backups"
PLACE = 70
PAGE = "backup"
