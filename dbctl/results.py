"""What commands return beside frozen dataclasses."""


class PlainText:
    """Base of result rows that are text to be read, or piped on, as it is, such as SQL."""

    def __str__(self) -> str:
        raise TypeError(f"{type(self).__name__} does not say what its text is")


class Markdown(PlainText):
    """Base of text of dbctl's own that is Markdown: laid out on a terminal, and as it is elsewhere."""
