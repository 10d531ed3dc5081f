"""Add and list teams."""
