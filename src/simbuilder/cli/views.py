"""How the data of each command's result looks as text, one function each."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from simbuilder.cli.streams import line, talk


def _show_session(data: Mapping[str, Any]) -> None:
    session = data["session"]
    name = f" ({session['name']})" if session["name"] else ""
    line(f"session {session['short']}{name}: {session['state']}, {session['runtime']} runtime")
    line(f"  id        {session['id']}")
    why = f" ({session['runtime_reason']})" if session["runtime_reason"] else ""
    line(f"  runtime   {session['runtime']}{why}")
    if session["engine"]:
        line(f"  engine    {session['engine']}")
    line(f"  folder    {session['folder']}{_gone(session)}")
    line(f"  env file  {session['env_file']}")
    if ends := _ends(session):
        line(f"  expires   {ends}")
    rows = []
    for service, facts in session["services"].items():
        state = facts["state"]
        if facts["ready"] is not None and state == "running":
            state = "ready" if facts["ready"] else "running, not ready"
        product = f"{facts['product']} {facts['version']}".strip()
        product += f" ({facts['note']})" if facts["note"] else ""
        for number, (endpoint, where) in enumerate(facts["endpoints"].items()):
            first = number == 0
            rows.append(
                (
                    f"  {service if first else ''}",
                    state if first else "",
                    endpoint,
                    where["url"],
                    product if first else "",
                )
            )
    table(rows)


def _show_created(data: Mapping[str, Any]) -> None:
    _show_session(data)
    session = data["session"]
    line()
    line("use it:     set -a; . ./.env.session; set +a")
    if session["state"] == "stopped":
        line(f"start it:   simbuilder session start {session['short']}")
    else:
        line("look at it: simbuilder check")
    line(f"remove it:  simbuilder session cleanup {session['short']}")


def _ends(session: Mapping[str, Any]) -> str:
    """Return when a session goes by itself; nothing if it stays."""
    at = f"{_minute(session['expires_at'])} UTC" if session["expires_at"] else ""
    pid = (session["bound_to"] or "").partition(":")[0]
    return ", or ".join([word for word in (at, f"with process {pid}" if pid else "") if word])


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")


def _gone(session: Mapping[str, Any]) -> str:
    return " (gone)" if session["orphaned"] else ""


def _show_list(data: Mapping[str, Any]) -> None:
    sessions = data["sessions"]
    if not sessions:
        talk("no sessions; 'simbuilder session create --start-containers' makes one")
        return
    columns = {
        "SESSION": [session["short"] for session in sessions],
        "NAME": [session["name"] or "-" for session in sessions],
        "STATE": [session["state"] for session in sessions],
        "RUNTIME": [session["runtime"] for session in sessions],
        "CREATED": [_minute(session["created_at"]) for session in sessions],
        "EXPIRES": [_ends(session) or "-" for session in sessions],
        "FOLDER": [session["folder"] + _gone(session) for session in sessions],
    }
    if not any(map(_ends, sessions)):
        del columns["EXPIRES"]
    table([tuple(columns), *zip(*columns.values(), strict=True)])


def _show_current(data: Mapping[str, Any]) -> None:
    session = data["session"]
    name = f" ({session['name']})" if session["name"] else ""
    line(f"session {session['short']}{name}")
    line(f"  id        {session['id']}")
    line(f"  folder    {session['folder']}")
    line(f"  env file  {session['env_file']}")


def _show_env(data: Mapping[str, Any]) -> None:
    line(data["text"].removesuffix("\n"))


def _show_pages(data: Mapping[str, Any]) -> None:
    if len(data["pages"]) == 1:
        line(data["pages"][0]["url"])
    else:
        table([(page["service"], page["url"]) for page in data["pages"]])


def _show_cleanup(data: Mapping[str, Any]) -> None:
    for session_id in data.get("orphans", ()):
        line(f"orphan {session_id}")
    for session_id in data["removed"]:
        line(f"removed {session_id[:8]}")


def _show_collected(data: Mapping[str, Any]) -> None:
    for session in data["sessions"]:
        name = f" ({session['name']})" if session["name"] else ""
        done, but = ("kept", f", but {session['kept']}") if session["kept"] else ("removed", "")
        line(f"{done} {session['short']}{name}: {session['cause']}{but}")


def _show_verified(data: Mapping[str, Any]) -> None:
    if not data["sessions"]:
        return
    proofs = [proof["proof"] for proof in data["sessions"][0]["proofs"]]
    rows = [("SESSION", "NAME", "STATE", *(proof.upper() for proof in proofs))]
    shown = {"ok": "ok", "breach": "BREACH", "unproved": "?", "none": "-"}
    for session in data["sessions"]:
        outcomes = [shown[proof["outcome"]] for proof in session["proofs"]]
        rows.append((session["short"], session["name"] or "-", session["state"], *outcomes))
    table(rows)


def _show_checks(data: Mapping[str, Any]) -> None:
    rows = []
    for check in data["checks"]:
        latency = "" if check["latency_ms"] is None else f"{check['latency_ms']:.0f} ms"
        mend = check.get("mend")
        good = "note" if mend else "ok"
        rows.append((good if check["ok"] else "FAIL", check["name"], latency, check["detail"]))
        if mend:
            rows.append(("", "", "", f"mend: {mend}"))
    table(rows)


def _show_info(data: Mapping[str, Any]) -> None:
    table([(s["name"], s["value"] or "-", s["source"]) for s in data["settings"]])


def _show_version(data: Mapping[str, Any]) -> None:
    line(f"simbuilder {data['simbuilder']} (Python {data['python']})")


def _show_forked(data: Mapping[str, Any]) -> None:
    _show_session(data)
    session = data["session"]
    line()
    line(f"a fork of {data['forked_from'][:8]}: {_size(data['bytes'])}{_pause(data)}")
    _say_what_next(session)


def _say_what_next(session: Mapping[str, Any]) -> None:
    line(f"use it:    simbuilder session use {session['short']}")
    line(f"remove it: simbuilder session cleanup {session['short']}")


def _show_restored(data: Mapping[str, Any]) -> None:
    _show_session(data)
    line()
    line(f"back at {data['snapshot']}{_pause(data)}")


def _show_imported(data: Mapping[str, Any]) -> None:
    _show_session(data)
    line()
    line(f"from {data['file']}: {_size(data['bytes'])}")
    _say_what_next(data["session"])


def _show_snapshot(data: Mapping[str, Any]) -> None:
    snapshot = data["snapshot"]
    done = "saved" if "pause_s" in data else "deleted"
    line(f"{done} {snapshot['name']}: {_size(snapshot['bytes'])}{_pause(data)}")


def _show_snapshots(data: Mapping[str, Any]) -> None:
    if not data["snapshots"]:
        talk("no snapshots; 'simbuilder session snapshot save NAME' makes one")
        return
    rows = [("NAME", "CREATED", "SIZE", "SERVICES")]
    for one in data["snapshots"]:
        created = one["created_at"][:16].replace("T", " ")
        rows.append((one["name"], created, _size(one["bytes"]), ",".join(one["services"])))
    table(rows)


def _show_exported(data: Mapping[str, Any]) -> None:
    line(f"wrote {data['file']}: {_size(data['bytes'])}{_pause(data)}")


def _size(number: int) -> str:
    return f"{number / 1e6:,.1f} MB" if number >= 1e5 else f"{number / 1e3:,.1f} kB"


def _pause(data: Mapping[str, Any]) -> str:
    pause_s = data.get("pause_s")
    return f"; it stood still for {pause_s:.2f} s" if pause_s else ""


def table(rows: Sequence[Sequence[str]]) -> None:
    """Write aligned columns; the last is never padded."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        line("  ".join(cells).rstrip())


VIEWS = {
    "session create": _show_created,
    "session start": _show_session,
    "session stop": _show_session,
    "session status": _show_session,
    "session list": _show_list,
    "session env": _show_env,
    "session open": _show_pages,
    "session use": _show_current,
    "session current": _show_current,
    "session cleanup": _show_cleanup,
    "session extend": _show_session,
    "session gc": _show_collected,
    "session verify": _show_verified,
    "session fork": _show_forked,
    "session snapshot save": _show_snapshot,
    "session snapshot list": _show_snapshots,
    "session snapshot restore": _show_restored,
    "session snapshot delete": _show_snapshot,
    "session export": _show_exported,
    "session import": _show_imported,
    "check": _show_checks,
    "info": _show_info,
    "version": _show_version,
}


def view_of(command: str) -> Callable[[Mapping[str, Any]], None]:
    """Return what shows the data of a command's result."""
    if command.startswith("graph "):
        from simbuilder.cli.graph.views import VIEWS as OF_GRAPH

        return OF_GRAPH[command]
    if command.startswith("bus "):
        from simbuilder.cli.bus.views import VIEWS as OF_BUS

        return OF_BUS[command]
    return VIEWS[command]
