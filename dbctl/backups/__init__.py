"""Backups of a profile's database: made whole or not at all, listed, kept for a while, verified, restored.

`manifest` is what is known of one, `files` where it lies, `keeping` which of several stay, `running` the tools.
"""
