"""Showing a command's result: as a table for people, or as JSON, JSON lines, CSV or tab-separated text.

What is drawn from a database is written as it comes, in constant memory.
"""

from dbctl.cli.render.renderer import Renderer

__all__ = ["Renderer"]
