"""A Python prompt on a profile: one session, whose transaction is counted, watched while idle, and never kept unasked.

`opened` has the session for a block; `names` finds the models, `scripts` runs code, `prompt` and `ipython` ask for it.
"""
