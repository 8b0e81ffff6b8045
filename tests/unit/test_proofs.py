"""Every proof of isolation, and what it takes for a breach."""

from dataclasses import replace
from typing import Any

import pytest

from simbuilder.sessions.model import Footprint, Session
from simbuilder.sessions.proofs import PROOFS, Facts, Outcome, judge
from tests.support import session

KINDS = {"neo4j": ("node",), "nats": ("stream message",), "azurite": ("blob", "queue message")}


def facts(number: int, **change: Any) -> Facts:
    base = 31000 + 10 * number
    secrets = {service: f"{service}-{number}" for service in KINDS}
    one = replace(session(number, base=base), secrets=secrets)
    token = one.id.replace("-", "") + "00000000"
    made = Facts(
        session=one,
        running=one.services,
        footprint=Footprint(
            {s: frozenset(("127.0.0.1", p) for p in ports(one, s)) for s in one.services},
            frozenset({f"/state/{number}/nats"}),
            {f"simbuilder-{number}": f"10.0.{number}.0/28"},
        ),
        ledger=one.ports,
        token=token,
        written=one.services,
        found={s: {kind: frozenset({token}) for kind in kinds} for s, kinds in KINDS.items()},
        let_in=dict.fromkeys(KINDS, ()),
        advertised={"neo4j": (f"127.0.0.1:{base}",)},
    )
    return replace(made, **change)


def ports(one: Session, service: str) -> list[int]:
    return [one.port(f"{service}.{endpoint}") for endpoint in one.urls(service)]


def outcomes(one: Facts, *others: Facts) -> dict[str, str]:
    return {v.proof: v.outcome.value for v in judge(one, others) if v.outcome is not Outcome.OK}


def test_isolated_sessions_pass_every_proof() -> None:
    verdicts = judge(facts(1), [facts(2), facts(3)])
    assert {v.proof: (v.outcome, v.detail) for v in verdicts} == dict.fromkeys(
        PROOFS, (Outcome.OK, "")
    )


def test_alone_there_are_no_neighbours() -> None:
    assert outcomes(facts(1)) == {"neighbours": "none"}


def test_a_stopped_session_has_only_its_files_judged() -> None:
    stopped = facts(1, running=(), footprint=Footprint({}, frozenset()), found={})
    assert set(outcomes(stopped, facts(2)).values()) == {"none"}
    assert outcomes(replace(stopped, files=["x"]))["env files"] == "breach"


SOMEBODY = facts(2)
TOKEN_OF_2 = SOMEBODY.token
NODES = facts(1).found["neo4j"]["node"]

BREACHES: list[tuple[str, dict[str, Any], str]] = [
    ("canaries", {"found": {"nats": {"stream message": frozenset()}}}, "stream message"),
    (
        "neighbours",
        {"found": {"neo4j": {"node": NODES | {TOKEN_OF_2}}}},
        "a node of session 00000002",
    ),
    ("credentials", {"let_in": {"nats": ["session 00000002"]}}, "nats lets in session 00000002"),
    (
        "loopback",
        {"footprint": Footprint({"nats": frozenset({("0.0.0.0", 31012)})}, frozenset())},
        "0.0.0.0:31012",
    ),
    ("advertised", {"advertised": {"neo4j": ("127.0.0.1:7687",)}}, "127.0.0.1:7687"),
    ("ports", {"ledger": None}, "ledger"),
    ("ports", {"ledger": {**facts(1).session.ports, "nats.client": 1}}, "ledger"),
    ("ports", {"footprint": Footprint({}, frozenset())}, "nats does not listen on 31012"),
    ("storage", {"footprint": Footprint({}, frozenset({"/state/2/nats"}))}, "/state/2/nats"),
    ("storage", {"footprint": Footprint({}, frozenset({"/state/2"}))}, "/state/2"),
    ("storage", {"footprint": Footprint({}, frozenset({"/state/2/nats/data"}))}, "data"),
    (
        "storage",
        {"footprint": Footprint({}, frozenset(), {"other": "10.0.2.8/29"})},
        "network other",
    ),
    ("env files", {"files": ["/x/.env.session can be used by others (mode 0644)"]}, "mode 0644"),
]


@pytest.mark.parametrize(("proof", "change", "said"), BREACHES)
def test_what_breaches_a_proof(proof: str, change: dict[str, Any], said: str) -> None:
    verdicts = {v.proof: v for v in judge(facts(1, **change), [SOMEBODY])}
    assert verdicts[proof].outcome is Outcome.BREACH
    assert said in verdicts[proof].detail


def test_a_canary_of_ours_elsewhere_is_a_breach_too() -> None:
    one = facts(1)
    other = replace(SOMEBODY, found={"azurite": {"blob": frozenset({TOKEN_OF_2, one.token})}})
    assert outcomes(one, other) == {"neighbours": "breach"}


def test_shared_secrets_and_ports_are_breaches_even_if_nobody_was_asked() -> None:
    one = facts(1)
    twin = replace(SOMEBODY.session, secrets=one.session.secrets, ports=one.session.ports)
    found = outcomes(one, replace(SOMEBODY, session=twin))
    assert found == {"credentials": "breach", "ports": "breach"}


def test_one_more_port_than_there_should_be() -> None:
    sockets = dict(facts(1).footprint.sockets)
    sockets["nats"] |= {("127.0.0.1", 4222)}
    (verdict,) = [
        v
        for v in judge(facts(1, footprint=Footprint(sockets, frozenset())), [SOMEBODY])
        if v.proof == "ports"
    ]
    assert verdict.detail == "nats also listens on 4222"


def test_an_address_that_was_set_is_no_breach() -> None:
    one = facts(1)
    there = replace(one.session, host="127.0.0.2", published="10.1.2.3")
    sockets = {s: frozenset(("10.1.2.3", p) for p in ports(there, s)) for s in there.services}
    changed = replace(
        one,
        session=there,
        footprint=Footprint(sockets, frozenset()),
        advertised={"neo4j": (f"127.0.0.2:{there.port('neo4j.bolt')}",)},
    )
    assert outcomes(changed, SOMEBODY) == {}


def test_silence_is_not_proof() -> None:
    silent = facts(1, unanswered={"nats: look": "it does not answer"})
    asked = {"canaries", "neighbours", "credentials", "advertised"}
    assert outcomes(silent, SOMEBODY) == dict.fromkeys(asked, "unproved")
    assert outcomes(facts(1), replace(SOMEBODY, unanswered={"nats: look": "no"})) == {
        "neighbours": "unproved"
    }
    unknown = outcomes(facts(1, running=(), unseen="the engine is silent"), SOMEBODY)
    assert unknown == dict.fromkeys(set(PROOFS) - {"env files"}, "unproved")


def test_what_could_not_be_written_is_no_breach_of_reading_it() -> None:
    unwritten = facts(1, written=("neo4j",), unanswered={"nats: write canaries": "disk full"})
    emptied = {**unwritten.found, "nats": {"stream message": frozenset()}}
    assert outcomes(replace(unwritten, found=emptied), SOMEBODY)["canaries"] == "unproved"


def test_half_a_session_is_half_a_proof() -> None:
    half = facts(1, running=("neo4j", "nats"))
    assert set(outcomes(half, SOMEBODY).values()) == {"unproved"}
