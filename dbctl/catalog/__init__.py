"""What there is in a database, for whoever operates it: its tables with rows and sizes, and all parts of one of them.

How each database is asked stands in its backend.
"""
