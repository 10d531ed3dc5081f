"""Add, list and remove teams."""
