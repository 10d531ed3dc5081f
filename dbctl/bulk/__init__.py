"""Rows in bulk: out of a database into files, from files into a database, and from one database into another.

The text of each value is the same in all of them: the manual's page `formats` says how each type is written.
"""
