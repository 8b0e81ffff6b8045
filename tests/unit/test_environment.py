from pathlib import Path

import pytest

from simbuilder.scaffolding.config import (
    env_template,
    get_azure_settings,
    get_openai_settings,
    get_settings,
    known_settings,
)
from simbuilder.scaffolding.environment import core_settings, read_environment
from simbuilder.scaffolding.exceptions import ConfigurationError
from simbuilder.sessions import envfile
from tests.support import session

ROOT = Path(__file__).parents[2]


def test_the_real_environment_beats_env_which_beats_env_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env.session").write_text("A=session\nB=session\nC=session\n")
    (tmp_path / ".env").write_text("A=user\nB=user\n")
    monkeypatch.setenv("A", "real")
    found = read_environment(tmp_path)
    assert [(found.get(n).text, found.get(n).source) for n in "ABCD"] == [
        ("real", "environment"),
        ("user", ".env"),
        ("session", ".env.session"),
        ("", "default"),
    ]


def test_files_are_found_from_below_and_paths_in_them_start_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".env").write_text("SIMBUILDER_STATE_DIR=kept here\n")
    for folder in (tmp_path, below):
        assert core_settings(read_environment(folder)).state_dir == tmp_path / "kept here"
    monkeypatch.setenv("SIMBUILDER_STATE_DIR", "x")
    assert core_settings(read_environment(below)).state_dir == below / "x"
    (below / ".git").mkdir()
    (tmp_path / ".env").write_text("LOG_LEVEL=ERROR\n")
    assert core_settings(read_environment(below)).log_level == "INFO"


def test_an_empty_variable_counts_as_not_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("LOG_LEVEL=ERROR\n")
    monkeypatch.setenv("LOG_LEVEL", "")
    assert core_settings(read_environment(tmp_path)).log_level == "ERROR"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("LOG_LEVEL=loud", ["LOG_LEVEL='loud'", "(from .env)", "DEBUG, INFO"]),
        ("ENVIRONMENT=moon", ["ENVIRONMENT='moon'", "development, production"]),
        ("SIMBUILDER_RUNTIME=podman", ["SIMBUILDER_RUNTIME='podman'", "auto, local, docker"]),
        ("SIMBUILDER_STATE_DIR='a\tb'", ["SIMBUILDER_STATE_DIR", "not a folder"]),
    ],
)
def test_an_invalid_value_is_named_with_its_source(
    tmp_path: Path, line: str, words: list[str]
) -> None:
    (tmp_path / ".env").write_text(line + "\n")
    for read in (lambda: core_settings(read_environment(tmp_path)), lambda: get_settings(tmp_path)):
        with pytest.raises(ConfigurationError) as caught:
            read()
        assert all(word in caught.value.message for word in words), caught.value.message
        assert ".env" in caught.value.hint


@pytest.mark.parametrize(
    ("start", "end", "word"),
    [
        ("40000", "30000", "reversed"),
        ("80", "40000", "outside 1024-65535"),
        ("30000", "70000", "outside"),
        ("30000", "30008", "fewer than 10"),
        ("x", "40000", "not a port number"),
    ],
)
def test_a_bad_port_range_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str, end: str, word: str
) -> None:
    monkeypatch.setenv("SIMBUILDER_PORT_RANGE_START", start)
    monkeypatch.setenv("SIMBUILDER_PORT_RANGE_END", end)
    with pytest.raises(ConfigurationError, match=word):
        core_settings(read_environment(tmp_path))


def test_a_line_that_is_not_a_setting_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\nnonsense\n")
    with pytest.raises(ConfigurationError, match="line 2 is not KEY=value"):
        read_environment(tmp_path)


def test_an_env_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"A=\xff\xfe")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        read_environment(tmp_path)
    (tmp_path / ".env").unlink()
    (tmp_path / ".env").mkdir()
    with pytest.raises(ConfigurationError, match="not a regular file"):
        read_environment(tmp_path)


def test_a_damaged_session_file_does_not_stop_anything(tmp_path: Path) -> None:
    (tmp_path / ".env.session").write_text("NEO4J_USER=neo4j\n%%%\n")
    assert read_environment(tmp_path).get("NEO4J_USER").text == "neo4j"


def test_both_readers_agree(tmp_path: Path) -> None:
    core = core_settings(read_environment(tmp_path))
    settings = get_settings(tmp_path)
    assert settings.state_dir == core.state_dir
    assert settings.cache_dir == core.cache_dir
    assert settings.runtime == core.runtime == "auto"
    assert (settings.port_range_start, settings.port_range_end) == (core.port_start, core.port_end)
    assert (settings.log_level, settings.environment) == ("INFO", "development")


def test_settings_of_a_session_are_typed_and_secrets_hidden(tmp_path: Path) -> None:
    one = session()
    (tmp_path / ".env.session").write_text(envfile.render(one))
    settings = get_settings(tmp_path)
    assert settings.session_id == one.id
    assert settings.neo4j_port == 31000
    assert settings.neo4j_password is not None
    assert settings.neo4j_password.get_secret_value() == "graph-secret"
    assert "secret" not in repr(settings)
    storage = settings.azure_storage_connection_string
    assert storage is not None
    assert storage.get_secret_value() == envfile.storage_connection_string(one)


def test_a_bad_port_of_a_session_is_named_and_a_bad_secret_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("NEO4J_PORT=seven\n")
    with pytest.raises(ConfigurationError, match=r"NEO4J_PORT='seven' \(from .env\)"):
        get_settings(tmp_path)


def test_azure_and_openai_are_optional_and_apart(tmp_path: Path) -> None:
    assert get_azure_settings(tmp_path).tenant_id is None
    assert get_openai_settings(tmp_path).endpoint is None
    (tmp_path / ".env").write_text("AZURE_TENANT_ID=t\nAZURE_CLIENT_SECRET=s3cr3t\n")
    settings = get_azure_settings(tmp_path)
    assert settings.tenant_id == "t"
    assert "s3cr3t" not in repr(settings)


def test_the_template_holds_every_setting() -> None:
    text = (ROOT / ".env.template").read_text()
    assert text == env_template()
    for name, _ in known_settings():
        assert f"\n# {name}=" in text
    assert set(envfile.variables(session())) <= {name for name, _ in known_settings()}
