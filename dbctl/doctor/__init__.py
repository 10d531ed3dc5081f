"""Holding a profile against the limits, the clock and the sessions of the database that it leads to.

The backend measures (`Backend.facts`), `rules` judge what was measured by what holds for every database, and
`diagnosis` does the one after the other.
"""
