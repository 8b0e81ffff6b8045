"""Secrets of new sessions."""

import base64
import re

from simbuilder.composition import new_secret


def test_no_password_looks_like_an_option_or_needs_quoting() -> None:
    passwords = {new_secret("neo4j") for _ in range(500)}
    assert len(passwords) == 500
    assert all(re.fullmatch("[0-9a-f]{48}", password) for password in passwords)


def test_the_key_of_the_storage_account_is_as_long_as_azures() -> None:
    assert len(base64.b64decode(new_secret("azurite"), validate=True)) == 64
