import json
import logging

import pytest

from simbuilder.scaffolding import LoggingMixin, get_settings, setup_logging
from simbuilder.scaffolding.exceptions import ConfigurationError


class Service(LoggingMixin):
    def work(self) -> None:
        url = "nats://user:s3cr3t@127.0.0.1:1"
        self.logger.info("worked", items=3, api_key="s3cr3t", cfg={"password": "s3cr3t"}, url=url)


def test_production_logs_json_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("INFO", "production")
    Service().work()
    logging.getLogger("library").warning("from %s", "stdlib")
    out, err = capsys.readouterr()
    assert out == ""
    first, second = (json.loads(line) for line in err.splitlines())
    assert first["event"] == "worked"
    assert first["logger"] == "Service"
    assert first["items"] == 3
    assert first["level"] == "info"
    assert second["event"] == "from stdlib"


def test_secrets_are_masked(capsys: pytest.CaptureFixture[str]) -> None:
    for environment in ("production", "development"):
        setup_logging("INFO", environment)
        Service().work()
    err = capsys.readouterr().err
    assert "s3cr3t" not in err
    assert err.count("***") == 6


def test_development_logs_lines_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("INFO", "development")
    Service().work()
    err = capsys.readouterr().err
    assert "worked" in err
    assert not err.startswith("{")


def test_a_traceback_shows_no_local_variables(capsys: pytest.CaptureFixture[str]) -> None:
    for environment in ("production", "development"):
        setup_logging("INFO", environment)
        try:
            password = "s3" + "cr3t"
            raise RuntimeError(len(password))
        except RuntimeError:
            Service().logger.exception("failed")
    err = capsys.readouterr().err
    assert "RuntimeError" in err
    assert "s3cr3t" not in err


def test_the_level_comes_from_the_settings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOG_LEVEL", "error")
    assert get_settings().log_level == "ERROR"
    setup_logging()
    Service().work()
    assert capsys.readouterr().err == ""
    with pytest.raises(ValueError, match="unknown log level"):
        setup_logging("loud", "production")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    with pytest.raises(ConfigurationError):
        setup_logging()
