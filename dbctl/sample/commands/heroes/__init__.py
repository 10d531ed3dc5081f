"""Add, list, show, change and remove heroes."""
