"""THE unit of work, sync and async: begun, and then committed whole or rolled back whole.

Retries, advisory locks, deadlines, cancellation by a signal, and what became of a COMMIT without an answer.
"""
