"""Look at the connection profiles, and keep the file that they are in."""

PANEL = "Profiles"
PLACE = 30
PAGE = "profiles"
