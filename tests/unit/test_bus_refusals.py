"""What the server's refusals mean."""

import pytest

from simbuilder.bus.errors import BusConflictError, BusFullError
from simbuilder.bus.jetstream.connection import MissingError, PassingError, explained


@pytest.mark.parametrize(
    ("code", "err_code", "said", "kind"),
    [
        (404, 10014, "consumer not found", MissingError),
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
    assert said in str(error) or kind in (BusConflictError, MissingError)


@pytest.mark.parametrize(
    ("err_code", "verb", "message"),
    [
        (10059, "STREAM.INFO.SIM_X", "there is no stream SIM_X"),
        (10059, "CONSUMER.CREATE.SIM_X.planner", "there is no stream SIM_X"),
        (10014, "CONSUMER.INFO.SIM_X.planner", "stream SIM_X has no queue planner"),
        (10037, "STREAM.MSG.GET.SIM_X", "stream SIM_X has no such message"),
    ],
)
def test_what_is_not_there_is_named(err_code: int, verb: str, message: str) -> None:
    error = explained({"code": 404, "err_code": err_code, "description": "not found"}, verb)
    assert error.message == message
    assert error.hint
