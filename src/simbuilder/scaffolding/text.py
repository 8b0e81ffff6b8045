"""Texts of others: what they mean, and how they are shown or written down. Pure."""


def printable(text: str, kept: str = "") -> str:
    """Return a text without what would command a terminal: escaped, but for the characters `kept`.

    So are bytes in a file's name that are no characters (PEP 383).
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in kept else repr(c)[1:-1] for c in text)


def bolt_product(agent: str) -> tuple[str, str]:
    """Return (product, version) from a Bolt server's agent string.

    ArcadeDB 26.10 calls itself `Neo4j/5.26.0 compatible (ArcadeDB 26.10.2)`, because drivers insist
    on the prefix; Neo4j calls itself `Neo4j/5.26.0`.
    """
    _, compatible, inner = agent.partition("compatible (")
    if compatible:
        product, _, version = inner.rstrip(")").partition(" ")
    else:
        product, _, version = agent.partition("/")
    return product, version
