"""What errors say is kept without credentials."""

import pytest

from simbuilder.bus.words import LONGEST, kept, said


@pytest.mark.parametrize(
    "text",
    [
        "nats://admin:hunter2@host:4222",
        "password=hunter2",
        'password: "hunter2"',
        "{'token': 'hunter2'}",
        "DefaultEndpointsProtocol=https;AccountKey=hunter2;EndpointSuffix=x",
        "Authorization: Bearer hunter2",
        "authorization:bearer hunter2",
        "Authorization: Basic hunter2",
        "Bearer hunter2",
        "https://host/?sv=1&sig=hunter2&se=2",
        "client_secret=hunter2",
        "api_key hunter2",
    ],
)
def test_a_credential_is_left_out(text: str) -> None:
    assert "hunter2" not in kept(f"before {text} after")
    assert kept(f"before {text} after").startswith("before ")
    assert kept(f"before {text} after").endswith(" after")


def test_other_words_stay() -> None:
    text = "the step add-application was refused: 403 Forbidden at https://host/path?page=2"
    assert kept(text) == text


def test_an_error_is_its_class_and_what_it_said_cut_off_where_it_is_long() -> None:
    assert said(KeyError("x")) == "KeyError: 'x'"
    assert said(ValueError()) == "ValueError"
    assert len(kept("x" * 5000)) == LONGEST
