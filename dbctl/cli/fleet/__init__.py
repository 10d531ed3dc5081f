"""One command on several profiles.

`members` are they, `running` does it, `gathering` puts the results together, `journal` notes who is done.
"""
