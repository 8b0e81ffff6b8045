from simbuilder.sessions import plan
from simbuilder.sessions.model import Observed, State
from tests.support import session

RUNNING = Observed(State.RUNNING)
USE = plan.Step("use", "docker runtime", "asked for")


def test_create_as_text() -> None:
    steps = plan.plan_create(USE, ("neo4j", "nats"), True, (30000, 40000), "0badcafe")
    assert str(steps) == (
        "use docker runtime: asked for\n"
        "reserve ports: a block of ten in 30000-40000\n"
        "write record: new session\n"
        "write .env.session: in place of that of 0badcafe\n"
        "start neo4j: new session\n"
        "start nats: new session"
    )


def test_create_without_servers_as_text() -> None:
    steps = plan.plan_create(USE, ("neo4j",), False, (30000, 40000), None)
    assert str(steps).splitlines()[-1] == "write .env.session: no session is current"


def test_start_brings_back_what_is_missing_and_says_why() -> None:
    observed = {"neo4j": Observed(State.STOPPED, 137), "nats": RUNNING}
    assert str(plan.plan_start(session(), observed)) == (
        "start neo4j: ended with status 137\nstart azurite: not running"
    )
    paused = Observed(State.RUNNING, problem="its container is paused")
    assert "start nats: its container is paused" in str(
        plan.plan_start(session(), observed | {"nats": paused})
    )
    everything = dict.fromkeys(("neo4j", "nats", "azurite"), RUNNING)
    assert plan.plan_start(session(), everything).steps == ()


def test_stop_stops_only_what_runs() -> None:
    assert str(plan.plan_stop(session(), {"nats": RUNNING})) == "stop nats: running"


def test_the_record_is_deleted_last() -> None:
    steps = plan.plan_cleanup("demo", ["nats"], ["/x/.env.session"])
    assert str(steps) == (
        "remove demo: running: nats\n"
        "delete /x/.env.session: names this session\n"
        "release ports: nothing of the session is left\n"
        "delete record: last"
    )
