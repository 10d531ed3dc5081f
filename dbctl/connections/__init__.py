"""From a profile to its engine, and what holds for all that is asked of a server through it.

Time limits, the proof of TLS, where a refused value stands, and which transactions an error has ended.
"""
