"""Local servers that are held still, when something comes in between."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from simbuilder.runtimes.local.copies import LocalCopies
from simbuilder.scaffolding import freeze, process
from simbuilder.scaffolding.exceptions import NotHeldError
from simbuilder.sessions.model import Session
from simbuilder.sessions.runtime import Data
from tests.acceptance import clients
from tests.contract.test_runtime import Case, local_case, start

SERVICES = ("nats", "azurite")

HOLDER = """
import os, pickle, sys
from pathlib import Path
from simbuilder.runtimes.local.copies import LocalCopies
with LocalCopies(Path(sys.argv[1])).held(pickle.load(sys.stdin.buffer), ("nats", "azurite")):
    print("held", flush=True)
    os.kill(os.getpid(), int(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def case(local_servers: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    made = local_case(tmp_path_factory.mktemp("copies") / "local", local_servers)
    yield made
    for one in made.made:
        made.runtime.remove(one.id)


@pytest.fixture(scope="module")
def one(case: Case) -> Session:
    made = case.session()
    start(case, made, SERVICES)
    return made


def servers(one: Session) -> dict[str, psutil.Process]:
    marks = [item for item in process.marked() if item.mark.startswith(one.id)]
    found = {item.mark.split(":")[1]: item for item in marks if item.pid != item.group}
    return {service: psutil.Process(item.pid) for service, item in found.items()}


def stopped(one: Session) -> set[str]:
    status = psutil.STATUS_STOPPED
    return {service for service, server in servers(one).items() if server.status() == status}


def copies(case: Case) -> LocalCopies:
    assert isinstance(case.runtime.copies, LocalCopies)
    return case.runtime.copies


def serves(case: Case, one: Session) -> None:
    health = case.runtime.probe(one, SERVICES, 2)
    assert all(found.ready for found in health.values()), health
    assert stopped(one) == set()


def test_all_of_them_stand_still_and_go_on(case: Case, one: Session) -> None:
    with copies(case).held(one, SERVICES):
        assert stopped(one) == set(SERVICES)
        health = case.runtime.probe(one, SERVICES, 0.3)
        assert not any(found.ready for found in health.values())
    serves(case, one)


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_whoever_holds_them_and_dies_lets_them_go(case: Case, one: Session, sign: int) -> None:
    root = str(copies(case)._root)
    argv = [sys.executable, "-c", HOLDER, root, str(int(sign))]
    done = subprocess.run(argv, input=pickle.dumps(one), capture_output=True, timeout=60)
    assert (done.stdout, done.returncode) == (b"held\n", -sign), done.stderr
    ended = time.monotonic()
    while stopped(one):
        assert time.monotonic() - ended < 1
        time.sleep(0.01)
    serves(case, one)


@pytest.mark.parametrize("service", SERVICES)
def test_one_that_somebody_lets_go_on_is_noticed(case: Case, one: Session, service: str) -> None:
    with pytest.raises(NotHeldError, match="go on"), copies(case).held(one, SERVICES):
        servers(one)[service].resume()
    serves(case, one)


def test_one_that_dies_meanwhile_has_written_all_it_will(case: Case) -> None:
    one = case.session()
    start(case, one, ("nats",))
    with copies(case).held(one, ("nats",)):
        case.kill(one, "nats")
        time.sleep(0.1)
    assert servers(one) == {}


def test_azurite_that_is_only_starting_is_waited_for(case: Case) -> None:
    """The signal would end it before it listens."""
    one = case.session()
    start(case, one, ("azurite",))
    case.runtime.stop(one.id, ("azurite",))
    runtime = case.runtime
    launched = runtime._launch(one, "azurite")  # type: ignore[attr-defined]
    while not servers(one):  # so far it is the shell that will start it
        time.sleep(0.001)
    with copies(case).held(one, ("azurite",)):
        assert stopped(one) == {"azurite"}
    assert not launched.server.ended()


def test_what_was_acknowledged_last_is_in_the_files(
    case: Case, one: Session, tmp_path: Path
) -> None:
    from simbuilder.sessions import envfile
    from simbuilder.sessions.runtime import Data

    env = dict(envfile.variables(one))
    clients.blob_write(env, "written just now")
    with copies(case).held(one, SERVICES):
        copies(case).pack(Data(one), SERVICES, tmp_path, print)
    text = (tmp_path / "azurite" / "__azurite_db_blob__.json").read_text()
    assert "written just now" in text


def test_a_seal_breaks_with_any_file_that_is_gone_new_or_shorter(
    case: Case, one: Session, tmp_path_factory: pytest.TempPathFactory
) -> None:
    kept = Data(one, "kept")
    with copies(case).held(one, SERVICES):
        copies(case).copy(Data(one), kept, SERVICES, print)
    whole = copies(case).seal(kept, SERVICES)
    (nats,) = (p for p in tmp_path_factory.getbasetemp().rglob("kept/nats") if one.id in p.parts)
    folder = nats.parent
    largest = max((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    content = largest.read_bytes()
    largest.write_bytes(content[:-1])
    assert copies(case).seal(kept, SERVICES) != whole
    largest.unlink()
    assert copies(case).seal(kept, SERVICES) != whole
    largest.write_bytes(content)
    assert copies(case).seal(kept, SERVICES) == whole
    (folder / "nats" / "more").touch()
    assert copies(case).seal(kept, SERVICES) != whole
    shutil.rmtree(folder / "nats")
    assert copies(case).seal(kept, SERVICES) != whole
    copies(case).drop(kept)


def test_ctrl_z_does_nothing_while_something_is_held() -> None:
    before = signal.getsignal(signal.SIGTSTP)
    with freeze.unsuspended():
        os.kill(os.getpid(), signal.SIGTSTP)
    assert signal.getsignal(signal.SIGTSTP) is before
