"""What the server's refusals mean."""

import pytest

from simbuilder.bus.errors import BusConflictError, BusFullError
from simbuilder.bus.jetstream.connection import MissingError, PassingError, explained


@pytest.mark.parametrize(
    ("code", "err_code", "said", "kind"),
    [
        (404, 10059, "stream not found", MissingError),
        (404, 0, "no message found", MissingError),
        (400, 10071, "wrong last sequence: 7", BusConflictError),
        (503, 10077, "maximum messages exceeded", BusFullError),
        (500, 10047, "insufficient storage resources available", BusFullError),
        (503, 10008, "system temporarily unavailable", PassingError),
        (409, 10158, "duplicate message id is in process", PassingError),
        (429, 10167, "too many requests", PassingError),
    ],
)
def test_a_refusal_is_the_error_that_says_what_to_do(
    code: int, err_code: int, said: str, kind: type[Exception]
) -> None:
    error = explained({"code": code, "err_code": err_code, "description": said}, "it")
    assert type(error) is kind
    assert said in str(error) or kind is BusConflictError
