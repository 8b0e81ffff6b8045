"""What proves that sessions are isolated: facts in, verdicts out. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePath

from simbuilder.sessions.model import Footprint, Session

Tokens = Mapping[str, frozenset[str]]
"""Kind of canary -> the tokens that were found."""


class Outcome(StrEnum):
    """What became of a proof.

    `unproved` means that a server did not answer, `none` that there was nothing to prove.
    """

    OK = "ok"
    BREACH = "breach"
    UNPROVED = "unproved"
    NONE = "none"


@dataclass(frozen=True)
class Verdict:
    """The outcome of one proof for one session, and why."""

    proof: str
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True)
class Facts:
    """What was seen of a session that is to be judged, or to be told apart from one.

    `running` are its running services, `ledger` its ports there, `token` is its canary of this
    run, `written` the services that took it, `found` what canaries its services hold, `let_in` the
    labels of sessions whose secrets a service accepted, `advertised` where it sends clients,
    `files` what is wrong with its env files, `unanswered` why a question about a service has no
    answer, `unseen` why nobody can tell what runs, and `unlooked` which neighbours could not be
    looked through at all.
    """

    session: Session
    running: tuple[str, ...]
    footprint: Footprint
    ledger: Mapping[str, int] | None
    token: str
    written: Sequence[str] = ()
    found: Mapping[str, Tokens] = field(default_factory=dict)
    let_in: Mapping[str, Sequence[str]] = field(default_factory=dict)
    advertised: Mapping[str, Sequence[str]] = field(default_factory=dict)
    files: Sequence[str] = ()
    unanswered: Mapping[str, str] = field(default_factory=dict)
    unseen: str = ""
    unlooked: Sequence[str] = ()


def judge(facts: Facts, others: Sequence[Facts]) -> tuple[Verdict, ...]:
    """Return the verdict of every proof, in the order of `PROOFS`."""
    return tuple(_verdict(name, facts, others) for name in PROOFS)


def _verdict(name: str, facts: Facts, others: Sequence[Facts]) -> Verdict:
    live = name != "env files"
    if live and facts.unseen:
        return Verdict(name, Outcome.UNPROVED, f"what runs is unknown: {facts.unseen}")
    if live and not facts.running:
        return Verdict(name, Outcome.NONE, "it does not run")
    breaches = PROOFS[name](facts, others)
    if breaches:
        return Verdict(name, Outcome.BREACH, "; ".join(breaches))
    if silent := _silent(name, facts, others):
        return Verdict(name, Outcome.UNPROVED, "; ".join(dict.fromkeys(silent)))
    down = [s for s in facts.session.services if s not in facts.running]
    if live and down:
        return Verdict(name, Outcome.UNPROVED, f"{', '.join(down)} does not run")
    if name == "neighbours" and not any(other.running for other in others):
        return Verdict(name, Outcome.NONE, "no other session runs")
    return Verdict(name, Outcome.OK)


def _silent(name: str, facts: Facts, others: Sequence[Facts]) -> list[str]:
    """Return why servers were not asked that the proof depends on."""
    silent = list(facts.unanswered.values()) if name in _ASKED else []
    if name == "neighbours":
        silent += facts.unlooked
        for other in others:
            label = f"session {other.session.label}"
            whys = [*other.unanswered.values(), *filter(None, [other.unseen])]
            silent += [f"{label} was not looked through: {why}" for why in whys]
    return silent


def _canaries(facts: Facts, _others: Sequence[Facts]) -> list[str]:
    """Whatever was written through an endpoint is read back through it."""
    return [
        f"the {kind} that was written to {service} is not there"
        for service, kinds in sorted(facts.found.items())
        for kind, tokens in kinds.items()
        if service in facts.written and facts.token not in tokens
    ]


def _neighbours(facts: Facts, others: Sequence[Facts]) -> list[str]:
    """No canary of another session is here, and none of this one elsewhere."""
    found = [_strays(facts, other, facts) for other in others]
    found += [_strays(facts, other, other) for other in others]
    return [text for texts in found for text in texts]


def _strays(facts: Facts, other: Facts, place: Facts) -> list[str]:
    owner = other if place is facts else facts
    mark = owner.session.id.replace("-", "")
    return [
        f"a {kind} of session {owner.session.label} is in {service} of {place.session.label}"
        for service, kinds in sorted(place.found.items())
        for kind, tokens in kinds.items()
        if any(token.startswith(mark) for token in tokens)
    ]


def _credentials(facts: Facts, others: Sequence[Facts]) -> list[str]:
    """Secrets are shared with none, and each server refuses those of others."""
    mine = facts.session.secrets
    shared = [
        f"its {service} has the secret of session {other.session.label}"
        for other in others
        for service, secret in mine.items()
        if secret in other.session.secrets.values()
    ]
    return shared + [
        f"{service} lets in {' and '.join(labels)}"
        for service, labels in sorted(facts.let_in.items())
        if labels
    ]


def _loopback(facts: Facts, _others: Sequence[Facts]) -> list[str]:
    """Nothing is bound but to loopback, or to the one address that was set for the session."""
    return [
        f"{service} listens on {address}:{port}"
        for service, sockets in sorted(facts.footprint.sockets.items())
        for address, port in sorted(sockets)
        if not (_is_loopback(address) or address == facts.session.published)
    ]


def _is_loopback(address: str) -> bool:
    return address.removeprefix("::ffff:").startswith("127.") or address == "::1"


def _advertised(facts: Facts, _others: Sequence[Facts]) -> list[str]:
    """Servers that tell clients where to go send them to themselves."""
    session = facts.session
    return [
        f"{service} sends clients to {address}"
        for service, addresses in sorted(facts.advertised.items())
        for address in addresses
        if address
        not in {f"{session.host}:{session.port(f'{service}.{e}')}" for e in session.urls(service)}
    ]


def _ports(facts: Facts, others: Sequence[Facts]) -> list[str]:
    """Record, ledger and kernel agree on the ports, and no other session has one of them."""
    session = facts.session
    found = []
    if facts.ledger != session.ports:
        found.append("the ledger does not hold the ports of its record")
    for other in others:
        shared = set(session.ports.values()) & set(other.session.ports.values())
        found += [f"session {other.session.label} has port {p} too" for p in sorted(shared)]
    for service in facts.running:
        wanted = {session.port(f"{service}.{e}") for e in session.urls(service)}
        bound = {port for _, port in facts.footprint.sockets.get(service, ())}
        found += [f"{service} does not listen on {port}" for port in sorted(wanted - bound)]
        found += [f"{service} also listens on {port}" for port in sorted(bound - wanted)]
    return found


def _storage(facts: Facts, others: Sequence[Facts]) -> list[str]:
    """Data folders, volumes and networks are shared with none."""
    import ipaddress

    found = [f"{store}" for store in sorted(facts.footprint.stores) if store.endswith(_DELETED)]
    for other in others:
        found += [
            f"session {other.session.label} uses {mine} too"
            for mine in sorted(facts.footprint.stores)
            if any(_overlap(mine, theirs) for theirs in other.footprint.stores)
        ]
        found += [
            f"session {other.session.label} is in network {name} too"
            for name, subnet in facts.footprint.networks.items()
            for theirs, taken in other.footprint.networks.items()
            if name == theirs or ipaddress.ip_network(subnet).overlaps(ipaddress.ip_network(taken))
        ]
    return found


_DELETED = " (deleted)"


def _overlap(one: str, two: str) -> bool:
    here, there = PurePath(one), PurePath(two)
    return here == there or here in there.parents or there in here.parents


def _env_files(facts: Facts, _others: Sequence[Facts]) -> list[str]:
    return list(facts.files)


PROOFS: Mapping[str, Callable[[Facts, Sequence[Facts]], list[str]]] = {
    "canaries": _canaries,
    "neighbours": _neighbours,
    "credentials": _credentials,
    "loopback": _loopback,
    "advertised": _advertised,
    "ports": _ports,
    "storage": _storage,
    "env files": _env_files,
}
_ASKED = ("canaries", "neighbours", "credentials", "advertised")
"""The proofs for which the servers themselves are asked."""
