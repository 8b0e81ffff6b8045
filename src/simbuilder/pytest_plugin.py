"""Sessions as pytest fixtures: see docs/pytest.md.

pytest loads this in every run of whoever has SimBuilder installed. So it imports nothing that is
not loaded already, until a test asks for a session.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    ExitStack,
    contextmanager,
)
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient
    from nats.aio.client import Client
    from neo4j import Driver

    from simbuilder import LiveSession


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ours."""
    group = parser.getgroup("simbuilder", "SimBuilder sessions")
    group.addoption(
        "--simbuilder-runtime",
        metavar="auto|local|docker",
        help="how sessions run their servers (default: the setting SIMBUILDER_RUNTIME)",
    )
    group.addoption(
        "--simbuilder-reuse",
        action="store_true",
        help="keep the session of simbuilder_session, and what is in it, for the next run",
    )
    parser.addini("simbuilder_services", "services of sessions (default: all)", type="args")
    parser.addini("simbuilder_timeout", "seconds a session may take to be ready", default="60")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse settings that make no sense before any test runs."""
    _timeout(config)


def pytest_report_header(config: pytest.Config) -> str:
    """Say what kind of sessions tests would get."""
    services = ", ".join(config.getini("simbuilder_services")) or "all services"
    runtime = config.getoption("simbuilder_runtime") or "default"
    reused = f"; reusing {_prefix(config)}*" if config.getoption("simbuilder_reuse") else ""
    return f"simbuilder: {services}; {runtime} runtime{reused}"


# --- fixtures ------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def simbuilder_session(pytestconfig: pytest.Config) -> "Iterator[LiveSession]":
    """One session for the whole run; with pytest-xdist one for each worker.

    With --simbuilder-reuse it is that of the last run, and stays for the next one.
    """
    with _session(pytestconfig, reuse=pytestconfig.getoption("simbuilder_reuse")) as live:
        yield live


@pytest.fixture(scope="session")
def simbuilder_graph(simbuilder_session: "LiveSession") -> "Driver":
    """A neo4j driver for the graph database of `simbuilder_session`."""
    return _with(simbuilder_session, "neo4j").graph()


@pytest.fixture(scope="session")
def simbuilder_blobs(simbuilder_session: "LiveSession") -> "BlobServiceClient":
    """A client for the blobs of `simbuilder_session`."""
    return _with(simbuilder_session, "azurite").blobs()


@pytest.fixture(scope="session")
def simbuilder_nats(
    simbuilder_session: "LiveSession",
) -> "Callable[[], AbstractAsyncContextManager[Client]]":
    """What connects to NATS of `simbuilder_session`: a function without arguments.

    It gives an async context manager, as a connection belongs to the event loop of one test.
    """
    return _with(simbuilder_session, "nats").nats


@pytest.fixture(scope="session")
def simbuilder_template(pytestconfig: pytest.Config) -> "Iterator[LiveSession]":
    """What every `simbuilder_fresh` begins with: nothing, unless a project overrides this.

    An override takes the fixture of the same name, fills that session, and returns it.
    """
    with _session(pytestconfig) as live:
        yield live


@pytest.fixture
def simbuilder_fresh(simbuilder_template: "LiveSession") -> "Iterator[LiveSession]":
    """A session for this test alone: a copy of the `simbuilder_template` of its module."""
    from simbuilder import LiveSession

    if not isinstance(simbuilder_template, LiveSession):
        pytest.fail("simbuilder_template has to return a session", pytrace=False)
    simbuilder_template.stop()  # nobody has to stand still then while it is copied
    with _explained(simbuilder_template.fork()) as live:
        yield live


# --- making sessions -----------------------------------------------------------------------


@contextmanager
def _session(config: pytest.Config, reuse: bool = False) -> "Iterator[LiveSession]":
    """Make a session as the options and settings of the run want it."""
    from simbuilder import api

    wanted = api.session(
        name=_prefix(config) + _worker(config) if reuse else None,
        services=config.getini("simbuilder_services") or None,
        runtime=config.getoption("simbuilder_runtime"),
        reuse=reuse,
        timeout=_timeout(config),
        folder=config.rootpath,
    )
    with api.unwinding_on_sigterm(_end_the_run), _explained(wanted) as live:
        yield live


@contextmanager
def _explained(wanted: "AbstractContextManager[LiveSession]") -> "Iterator[LiveSession]":
    """Fail where a session cannot be had, without a traceback through all of SimBuilder."""
    from simbuilder import SimBuilderError

    said = ""
    with ExitStack() as held:
        try:
            live = held.enter_context(wanted)
        except SimBuilderError as error:
            hint = error.hint.replace("--runtime", "--simbuilder-runtime")
            said = f"{error.message}\nhint: {hint}"
        if said:  # not within the `except`: both would be shown
            pytest.fail(said, pytrace=False)
        yield live


def _with(live: "LiveSession", service: str) -> "LiveSession":
    """Return the session, which has to have a service."""
    if not any(key.startswith(f"{service}.") for key in live.ports):
        pytest.fail(f"the setting simbuilder_services leaves out {service}", pytrace=False)
    return live


def _timeout(config: pytest.Config) -> float:
    text = config.getini("simbuilder_timeout")
    try:
        return float(text)
    except ValueError:
        message = f"simbuilder_timeout is {text!r}: give seconds, such as 60"
        raise pytest.UsageError(message) from None


def _end_the_run(number: int, _frame: object) -> NoReturn:
    """Answer SIGTERM as Ctrl-C is answered; what a test may catch as an `Exception` would not do.

    Once: a group of processes may be told twice, and what goes on then is the taking down.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt(f"signal {number}")


def _prefix(config: pytest.Config) -> str:
    """Return the beginning of the names of reused sessions: the project's own."""
    import zlib

    return f"pytest-{zlib.crc32(bytes(config.rootpath)):08x}-"


def _worker(config: pytest.Config) -> str:
    """Return which worker of pytest-xdist we are."""
    workerinput: dict[str, str] = getattr(config, "workerinput", {})
    return workerinput.get("workerid", "main")
