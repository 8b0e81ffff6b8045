"""Texts of others, before they are shown or written down. Pure."""


def printable(text: str, kept: str = "") -> str:
    """Return a text without what would command a terminal: escaped, but for the characters `kept`.

    So are bytes in a file's name that are no characters (PEP 383).
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in kept else repr(c)[1:-1] for c in text)
