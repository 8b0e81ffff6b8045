"""What an error said, fit to be kept: short, and without credentials. Pure."""

import re

LONGEST = 1000

_IN_ADDRESS = re.compile(r"(?<=://)[^/\s@]+(?=@)")
_NAMED = re.compile(
    r"((?:(?:password|passwd|secret|token|api_?key|account_?key|authorization|bearer)"
    r"[\"']?\s*[=:]?\s+?"
    r"|(?:password|passwd|secret|token|api_?key|account_?key|authorization|sig)[\"']?\s*[=:]\s*)"
    r"(?:(?:basic|bearer)\s+)?)"  # `Authorization: Bearer ...`: the secret is the word behind both
    r"[\"']?[^\s\"',;&]+",
    re.IGNORECASE,
)


def said(error: BaseException) -> str:
    """Return the class of an error and what it said."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an error that cannot say what it is, is one all the same
        text = "it cannot say what it is"
    return kept(f"{type(error).__name__}: {text}".removesuffix(": "))


def kept(text: str) -> str:
    """Return a text without what looks like a credential, cut off where it gets too long."""
    text = text.encode("utf-8", "replace").decode()  # half of a pair of surrogates cannot be kept
    text = _IN_ADDRESS.sub("***", text)
    text = _NAMED.sub(lambda found: f"{found[1]}***", text)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
