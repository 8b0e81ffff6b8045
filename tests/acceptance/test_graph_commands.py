"""The commands of a graph, on one real session that all these tests share."""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.acceptance.conftest import COMMAND, Answer, Cli
from tests.support import PORT_RANGE

TENANT = "11111111-2222-3333-4444-555555555555"
Lines = list[dict[str, Any]]


class Lab(Cli):
    """Runs commands in the folder of the session, and keeps all that they said."""

    said = ""
    """The password must not be anywhere in it."""

    def __call__(self, *args: str, env: dict[str, str] | None = None) -> Answer:
        answer = super().__call__(*args, env=env)
        self.said += answer.out + answer.err
        return answer

    def told(self, *args: str, status: int = 0) -> Any:
        """The envelope of `graph ... --json`, held against its schema."""
        answer = self("graph", *args, "--json")
        assert answer.status == status, answer.err + answer.out
        return answer.envelope()

    def data(self, *args: str, status: int = 0) -> Any:
        return self.told(*args, status=status)["data"]

    def refused(self, *args: str, status: int = 2) -> dict[str, str]:
        envelope = self.told(*args, status=status)
        assert envelope["data"] == {}
        (problem,) = envelope["problems"]
        assert problem["hint"]
        return dict(problem)

    def totals(self) -> tuple[int, int]:
        counts = self.data("stats")
        return sum(counts["nodes"].values()), sum(counts["relationships"].values())

    def write(self, name: str, lines: Lines) -> str:
        text = "".join(json.dumps(line) + "\n" for line in lines)
        path = self.folder / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return name


@pytest.fixture(scope="module")
def shared(
    local_servers: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Lab]:
    base = tmp_path_factory.mktemp("graph")
    home, folder = base / "home", base / "project"
    home.mkdir()
    (folder / ".git").mkdir(parents=True)
    lab = Lab(home, folder, request.config.getoption("--terminal"))
    for name in [n for n in lab.env if n.startswith(("SIMBUILDER_", "NEO4J_", "NATS_", "AZUR"))]:
        del lab.env[name]
    lab.env |= {
        "SIMBUILDER_RUNTIME": "local",
        "SIMBUILDER_CACHE_DIR": str(local_servers),
        "SIMBUILDER_PORT_RANGE_START": str(PORT_RANGE[0]),
        "SIMBUILDER_PORT_RANGE_END": str(PORT_RANGE[1]),
    }
    made = lab("session", "create", "--start-containers", "--services", "neo4j", "--name", "lab")
    assert made.status == 0, made.err
    password = lab.variables()["NEO4J_PASSWORD"]
    yield lab
    for server in lab.servers():
        os.kill(server.pid, signal.SIGKILL)
    assert password not in lab.said


@pytest.fixture
def lab(shared: Lab) -> Lab:
    """The session with an empty graph, and nothing but its env file in the folder."""
    assert shared("graph", "wipe", "--yes").status == 0
    for path in shared.folder.iterdir():
        if path.is_file() and path.name != ".env.session":
            path.unlink()
    return shared


def node(kind: str, uid: str, **properties: Any) -> dict[str, Any]:
    body = {"kind": kind, "uid": uid, "tenant": TENANT, "properties": properties}
    return {"node": body}


def tie(kind: str, start: str, end: str, **properties: Any) -> dict[str, Any]:
    body = {"kind": kind, "from": start, "to": end, "tenant": TENANT, "properties": properties}
    return {"relationship": body}


def listing(collection: str, received: int, expected: int | None) -> dict[str, Any]:
    body = {"tenant": TENANT, "collection": collection, "received": received}
    return {"listing": body if expected is None else {**body, "expected": expected}}


PEOPLE = [
    node("EntraUser", "u1", name="Ann", upn="ann@example.test", mail="ann@example.test"),
    node("EntraUser", "u2", name="Bob", upn="bob@example.test"),
    node("EntraUser", "u3", name="Bob", upn="rob@example.test"),
    node("EntraGroup", "g1", name="Operators"),
    node("EntraApplication", "a1", name="payroll"),
]
TIES = [
    tie("MEMBER_OF", "u1", "g1"),
    tie("OWNS", "g1", "a1"),
    tie("CAN_ADD_SECRET", "u2", "a1"),
]


def bundle(*records: dict[str, Any]) -> Lines:
    kinds = [next(iter(record)) for record in records]
    end = {"nodes": kinds.count("node"), "relationships": kinds.count("relationship")}
    return [{"format": "simbuilder-graph", "version": 1}, *records, {"end": end}]


def outcomes(data: Any, number: int = 0) -> dict[str, int]:
    found: dict[str, int] = {}
    for counts in data["passes"][number]["kinds"].values():
        for name, count in counts.items():
            found[name] = found.get(name, 0) + count
    return found


def test_init_can_be_repeated(shared: Lab) -> None:
    first = shared.data("init")
    assert shared.data("init") == first
    assert first["database"].startswith("ArcadeDB ")
    assert first["schema_version"] == 1


def test_a_bundle_is_loaded_once_however_often(lab: Lab) -> None:
    name = lab.write("tenant.jsonl.gz", bundle(*PEOPLE, *TIES))
    dry = lab.data("load", name, "--dry-run")
    assert outcomes(dry) == {"read": 8}
    assert (dry["session"], dry["passes"][0]["number"], lab.totals()) == (None, None, (0, 0))
    first = lab.data("load", name)
    assert outcomes(first) == {"created": 8}
    assert first["passes"][0]["kinds"]["EntraUser"] == {"created": 3}
    again = lab.data("load", name)
    assert outcomes(again) == {"unchanged": 8}
    assert lab.data("diff", "0")["counts"] == {"added": 8, "removed": 0, "changed": 0}
    number = str(first["passes"][0]["number"])
    assert lab.data("diff", number)["counts"] == {"added": 0, "removed": 0, "changed": 0}
    stats = lab.data("stats")
    assert stats["nodes"] == {"EntraApplication": 1, "EntraGroup": 1, "EntraUser": 3}
    assert stats["planes"] == {"observed": {"nodes": 5, "relationships": 3}}
    assert stats["tenants"] == {TENANT: {"nodes": 5, "relationships": 3}}
    assert [one["name"] for one in stats["snapshots"]] == [name, name]


def test_what_changed_is_remembered_and_compared(lab: Lab) -> None:
    before = lab.data("load", lab.write("a.jsonl", bundle(*PEOPLE, *TIES)))["passes"][0]["number"]
    moved = node("EntraUser", "U1", name="Ann B", upn="ann@example.test")
    after = lab.data("load", lab.write("b.jsonl", bundle(moved)))["passes"][0]["number"]
    (change,) = lab.data("diff", str(before), str(after))["changes"]
    assert (change["what"], change["key"]) == ("changed", "u1")
    assert change["before"] == {"mail": "ann@example.test", "name": "Ann"}
    assert change["after"] == {"name": "Ann B"}
    states = lab.data("history", "ann@example.test")["states"]
    assert [(s["since"], s["until"]) for s in states] == [(before, after), (after, None)]
    assert states[0]["properties"]["name"] == "Ann"
    some = lab.data("diff", "0", str(before), "--limit", "2")
    assert (len(some["changes"]), some["counts"]["added"], some["complete"]) == (2, 8, False)
    shown = lab("graph", "history", "u1").out
    assert "name: Ann -> Ann B" in shown
    assert f"snapshot {after} to now" in shown


def test_what_is_left_out_is_reported(lab: Lab) -> None:
    odd = [node("Unicorn", "x1"), tie("MEMBER_OF", "u1", "nobody"), node("EntraUser", " ")]
    name = lab.write("odd.jsonl", bundle(*PEOPLE, *odd))
    envelope = lab.told("load", name, "--report", "remarks.jsonl", status=3)
    assert envelope["status"] == "partial"
    codes = {problem["code"] for problem in envelope["problems"]}
    assert codes == {"unknown-kind", "bad-record", "dangling"}
    done = envelope["data"]["passes"][0]
    assert outcomes(envelope["data"]) == {"created": 5, "refused": 2, "dangling": 1}
    assert done["remarks"]["unknown-kind"]["examples"][0]["at"] == "odd.jsonl:7"
    report = [json.loads(line) for line in (lab.folder / "remarks.jsonl").read_text().splitlines()]
    assert sorted(line["code"] for line in report) == sorted(codes)
    people = lab("graph", "load", name, "--report", "remarks.jsonl", "--force")
    assert people.status == 3
    assert "odd.jsonl:8: MEMBER_OF from u1 to nobody" in people.out
    assert "error: odd.jsonl: 1 relationship(s) were left out" in people.err


def test_only_what_proves_complete_is_pruned(lab: Lab) -> None:
    lab.data("load", lab.write("all.jsonl", bundle(*PEOPLE, *TIES)))
    fewer = [PEOPLE[0], *PEOPLE[3:], *TIES[:2]]
    unproved = lab.write("unproved.jsonl", bundle(*fewer, listing("users", 1, 3)))
    envelope = lab.told("load", unproved, "--prune", status=3)
    assert [problem["code"] for problem in envelope["problems"]] == ["incomplete-pass"]
    assert envelope["data"]["passes"][0]["lacking"][0]["expected"] == 3
    assert lab.totals() == (5, 3)
    assert lab.told("load", lab.write("none.jsonl", bundle(*fewer)), "--prune", status=3)
    proved = lab.write("proved.jsonl", bundle(*fewer, listing("users", 1, 1)))
    done = lab.data("load", proved, "--prune")["passes"][0]
    assert done["deleted"] == {"CAN_ADD_SECRET": 1, "EntraUser": 2}
    assert lab.totals() == (3, 2)
    assert lab.data("history", "u2")["states"][0]["until"] == done["number"]


def test_files_that_cannot_be_read_change_nothing(lab: Lab) -> None:
    whole = lab.write("whole.jsonl", bundle(*PEOPLE))
    lab.write("cut.jsonl", bundle(*PEOPLE)[:-1])
    packed = (lab.folder / lab.write("packed.jsonl.gz", bundle(*PEOPLE, *TIES))).read_bytes()
    (lab.folder / "packed.jsonl.gz").write_bytes(packed[:-30])
    (lab.folder / "notes.txt").write_text("dear diary")
    (lab.folder / "folder").mkdir(exist_ok=True)
    for name in ("cut.jsonl", "packed.jsonl.gz", "notes.txt", "nowhere.json", "folder"):
        problem = lab.refused("load", name)
        assert problem["code"] == "graph-input"
        assert name in problem["message"]
    assert lab.refused("load", whole, "nowhere.json")["code"] == "graph-input"
    assert lab.totals() == (0, 0)
    envelope = lab.told("load", "cut.jsonl", whole, status=3)
    assert [problem["code"] for problem in envelope["problems"]] == ["graph-input"]
    assert lab.totals() == (5, 0), "what could be read is there"


def test_planes_hold_the_same_objects_apart(lab: Lab) -> None:
    name = lab.write("tenant.jsonl", bundle(*PEOPLE, *TIES))
    lab.data("load", name)
    lab.data("load", lab.write("plan.jsonl", bundle(*PEOPLE, *TIES[:1])), "--plane", "planned")
    assert lab.data("stats")["planes"]["planned"] == {"nodes": 5, "relationships": 1}
    compared = lab.data("diff", "planned", "observed")
    assert compared["counts"] == {"added": 2, "removed": 0, "changed": 0}
    assert compared["kinds"]["OWNS"]["added"] == 1
    assert lab.data("show", "Ann")["uid"] == "u1", "what is observed goes first"
    assert lab.data("show", "planned:u1")["plane"] == "planned"


def test_statements_read_and_write_only_when_told_to(lab: Lab) -> None:
    lab.data("load", lab.write("tenant.jsonl", bundle(*PEOPLE)))
    asked = "MATCH (u:AZUser {name: $name}) RETURN u.uid AS uid, $n + 1 AS n, $o AS o ORDER BY uid"
    params = ("--param", "name=Bob", "--param", "n=2", "--param", 'o={"a": [1, null]}')
    answer = lab.data("query", asked, *params)
    assert answer["columns"] == ["uid", "n", "o"]
    assert answer["rows"] == [["u2", 3, {"a": [1, None]}], ["u3", 3, {"a": [1, None]}]]
    writing = "MATCH (u:EntraUser) SET u.marked = true"
    assert "--write" in lab.refused("query", writing)["hint"]
    assert lab.data("query", writing, "--write")["changed"] == {"properties_set": 3}
    assert lab.refused("query", "MATCH (n RETURN n")["code"] == "graph-query"
    whole = "MATCH (u:EntraUser {uid: 'u2'}) RETURN u"
    shell = lab("session", "shell", "neo4j", "-c", whole, "--json").data()
    assert lab.data("query", whole)["rows"] == shell["rows"]
    done = subprocess.run(
        [COMMAND, "graph", "query", "-"],
        cwd=lab.folder,
        env=lab.env,
        input="MATCH (u:EntraUser)\nRETURN count(u) AS n;\n",
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "n\n3\n")


def test_a_node_is_shown_by_uid_or_by_a_name_that_is_its_own(lab: Lab) -> None:
    lab.data("load", lab.write("tenant.jsonl", bundle(*PEOPLE, *TIES)))
    shown = lab.data("show", "ANN@example.test")
    assert (shown["uid"], shown["kind"], shown["name"]) == ("u1", "EntraUser", "Ann")
    assert {"Entity", "EntraUser", "AZUser", "AZBase"} <= set(shown["labels"])
    assert shown["properties"]["mail"] == "ann@example.test"
    assert [one["uid"] for one in shown["neighbours"]] == ["g1"]
    assert shown["relationships"] == [
        {"kind": "MEMBER_OF", "start": "u1", "end": "g1", "properties": {}}
    ]
    far = lab.data("show", "u1", "--depth", "3")
    assert {one["uid"] for one in far["neighbours"]} == {"g1", "a1", "u2"}
    few = lab.data("show", "u1", "--depth", "3", "--limit", "1")
    assert (len(few["relationships"]), few["complete"]) == (1, False)
    several = lab.refused("show", "Bob", status=4)
    assert several["code"] == "no-such-node"
    assert "u2 (EntraUser), u3 (EntraUser)" in several["hint"]
    assert "-MEMBER_OF-> (1)\n  Operators (EntraGroup)" in lab("graph", "show", "u1").out


def test_paths_lead_from_one_node_to_another_or_there_is_none(lab: Lab) -> None:
    lab.data("load", lab.write("tenant.jsonl", bundle(*PEOPLE, *TIES)))
    (path,) = lab.data("path", "ann@example.test", "payroll")["paths"]
    assert [node["uid"] for node in path["nodes"]] == ["u1", "g1", "a1"]
    assert [step["kind"] for step in path["steps"]] == ["MEMBER_OF", "OWNS"]
    assert "Ann -MEMBER_OF-> Operators -OWNS-> payroll" in lab("graph", "path", "u1", "a1").out
    assert len(lab.data("path", "u1", "a1", "--all")["paths"]) == 1
    assert len(lab.data("path", "u1", "a1", "--k", "3")["paths"]) == 1
    for more in (("--max-length", "1"), ("--family", "MEMBER_OF")):
        none = lab.told("path", "u1", "a1", *more)
        assert (none["data"]["paths"], none["problems"][0]["code"]) == ([], "no-path")
    assert lab.data("path", "a1", "u1")["paths"] == []


def test_an_export_loads_to_the_same_graph(lab: Lab) -> None:
    made = lab.data("generate", "--users", "10", "--seed", "3")
    assert lab.totals() == (made["nodes"], made["relationships"])
    written = lab.data("export", "-o", "one.jsonl")
    assert (written["nodes"], written["relationships"]) == lab.totals()
    file = lab.folder / "one.jsonl"
    assert (written["bytes"], file.stat().st_mode & 0o777) == (file.stat().st_size, 0o600)
    assert lab.data("export", "-o", "theirs.json")["format"] == "bloodhound"
    assert lab.data("export", "-o", "drawn.graphml")["format"] == "graphml"
    lab.data("wipe", "--yes")
    lab.data("load", "theirs.json")
    again = lab("graph", "export")
    assert (again.status, again.out) == (0, file.read_text())
    assert set(outcomes(lab.data("load", "one.jsonl"))) == {"unchanged"}
    tree = ElementTree.parse(lab.folder / "drawn.graphml").getroot()
    space = "{http://graphml.graphdrawing.org/xmlns}"
    assert len(list(tree.iter(f"{space}node"))) == made["nodes"]
    assert "exists already" in lab.refused("export", "-o", "one.jsonl")["message"]
    lab.data("export", "-o", "one.jsonl", "--force")


def test_a_page_draws_what_matters(lab: Lab) -> None:
    lab.data("load", lab.write("tenant.jsonl", bundle(*PEOPLE, *TIES)))
    drawn = lab.told("view")
    assert (drawn["data"]["nodes"], drawn["data"]["relationships"]) == (5, 3)
    assert drawn["problems"] == []
    text = (lab.folder / "graph.html").read_text()
    assert text.startswith("<!doctype html>")
    assert "Graph of session lab" in text
    few = lab.told("view", "-o", "few.html", "--limit", "3")
    assert (few["data"]["nodes"], few["data"]["of_nodes"]) == (3, 5)
    assert [problem["code"] for problem in few["problems"]] == ["part"]
    assert "3 of 5 nodes" in (lab.folder / "few.html").read_text()
    path = lab.data("view", "-o", "path.html", "--path", "u1", "payroll", "--limit", "1")
    assert path["highlight"] == ["u1", "g1", "a1"]
    assert path["nodes"] == 3, "a path is drawn whatever the limit"
    near = lab.data("view", "-o", "near.html", "--around", "Ann", "--depth", "1")
    assert (near["nodes"], near["of_nodes"]) == (2, 2)
    users = lab.data("view", "-o", "users.html", "--kind", "AZUser", "--plane", "observed")
    assert (users["nodes"], users["relationships"]) == (3, 0)
    shown = lab("graph", "view", "--force")
    assert shown.out == f"{lab.folder / 'graph.html'}\n"


def test_wipe_asks_and_leaves_what_is_not_ours(lab: Lab) -> None:
    lab.data("load", lab.write("tenant.jsonl", bundle(*PEOPLE, *TIES)))
    lab.data("query", "CREATE (:Note {text: 'mine'})", "--write")
    assert "--yes" in lab.refused("wipe")["hint"]
    assert lab.totals() == (5, 3)
    assert lab.data("wipe", "--yes")["deleted"] == {"nodes": 5, "relationships": 3}
    assert lab.data("stats")["snapshots"] == []
    assert lab.data("query", "MATCH (n:Note) RETURN n.text")["rows"] == [["mine"]]
    assert lab.refused("history", "u1", status=4)["code"] == "no-such-node"


def test_a_tenant_is_made_up_without_a_session(cli: Cli) -> None:
    arguments = ("graph", "generate", "--users", "10", "--json", "-o")
    made = cli(*arguments, "one.jsonl.gz").data()
    assert (made["session"], made["passes"], made["users"]) == (None, [], 10)
    cli(*arguments, "two.jsonl.gz")
    one, two = ((cli.folder / f"{name}.jsonl.gz").read_bytes() for name in ("one", "two"))
    assert one == two
    end = json.loads(gzip.decompress(one).splitlines()[-1])
    assert end == {"end": {"nodes": made["nodes"], "relationships": made["relationships"]}}
    dry = cli("graph", "load", "one.jsonl.gz", "--dry-run", "--json").data()
    assert outcomes(dry) == {"read": made["nodes"] + made["relationships"]}
    assert not cli.state.exists()
    nobody = cli("graph", "stats", "--json").envelope()
    assert nobody["problems"][0]["code"] == "session-not-found"


BAD = {
    "an unknown kind": (("view", "--kind", "Unicorn"), 2, "graph-query"),
    "an unknown plane": (("load", "x.jsonl", "--plane", "astral"), 2, "usage"),
    "an unknown plane to draw": (("view", "--plane", "astral"), 2, "usage"),
    "an unknown family": (("path", "u1", "a1", "--family", "Unicorns"), 2, "graph-query"),
    "an unknown node": (("show", "nobody"), 4, "no-such-node"),
    "a path to nobody": (("path", "u1", "nobody"), 4, "no-such-node"),
    "a path to itself": (("path", "u1", "u1"), 2, "graph-query"),
    "too long a path": (("path", "u1", "a1", "--max-length", "99"), 2, "usage"),
    "a snapshot and a plane": (("diff", "2", "planned"), 2, "usage"),
    "no snapshot": (("diff", "99999"), 2, "usage"),
    "one plane": (("diff", "observed"), 2, "usage"),
    "no users": (("generate", "--users", "0"), 2, "usage"),
    "too many users": (("generate", "--users", "100001"), 2, "usage"),
    "two places": (("generate", "--users", "1", "-o", "x", "--session", "lab"), 2, "usage"),
    "no format": (("export", "-o", "graph.pdf"), 2, "usage"),
    "an unknown format": (("export", "-o", "graph.json", "--format", "pdf"), 2, "usage"),
    "two things on stdout": (("export",), 2, "usage"),
    "no folder": (("export", "-o", "nowhere/graph.json"), 2, "usage"),
    "no parameter": (("query", "RETURN 1", "--param", "1"), 2, "usage"),
    "too large a number": (("query", "RETURN $n", "--param", f"n={2**64}"), 2, "usage"),
    "no statement": (("query", " ; "), 2, "usage"),
    "a parameter that lacks": (("query", "RETURN $n"), 2, "graph-query"),
    "an unknown session": (("stats", "--session", "nobody"), 4, "session-not-found"),
}


def test_what_cannot_be_meant_is_refused(lab: Lab) -> None:
    lab.data("load", lab.write("tenant.jsonl", bundle(*PEOPLE, *TIES)))
    for what, (arguments, status, code) in BAD.items():
        assert lab.refused(*arguments, status=status)["code"] == code, what
    assert lab.totals() == (5, 3)


def test_ctrl_c_ends_a_load_and_says_how_it_goes_on(lab: Lab) -> None:
    assert lab("graph", "generate", "--users", "3000", "-o", "large.jsonl").status == 0
    loading = lab.popen("graph", "load", "large.jsonl")
    assert loading.stderr is not None
    said = ""
    while "records written" not in said:
        said += loading.stderr.readline()
    loading.send_signal(signal.SIGINT)
    began = time.monotonic()
    _, rest = loading.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert loading.returncode == 130
    assert "Traceback" not in rest
    assert "run the same command again" in rest
    assert lab.data("stats")["snapshots"][0]["state"] == "open"


def test_servers_that_do_not_run_and_sessions_without_a_graph(shared: Lab) -> None:
    made = shared("session", "create", "--services", "nats", "--name", "bus", "--json").data()
    assert made["session"]["name"] == "bus"
    assert "has no neo4j" in shared.refused("stats", "--session", "bus")["message"]
    short = shared("session", "status", "lab", "--json").data()["session"]["short"]
    assert shared("session", "stop", "lab").status == 0
    answer = shared("graph", "stats", "--session", "lab", "--json")
    assert answer.status == 3
    (problem,) = answer.envelope()["problems"]
    assert problem["code"] == "graph-connection"
    assert f"simbuilder session start {short}" in problem["hint"]
    assert shared("session", "start", "lab").status == 0
    assert shared("graph", "stats", "--session", "lab").status == 0
    assert shared("session", "use", "lab").status == 0


HELP = """\
import sys
from simbuilder.cli.app import app
from simbuilder.cli.graph import PLACES
for name in ("", *PLACES):
    app(["graph", *name.split(), "--help"], standalone_mode=False)
heavy = {"neo4j", "orjson", "rich", "asyncio", "pydantic", "simbuilder.graph"} & set(sys.modules)
print("loaded:", sorted(heavy))
"""


def test_no_help_loads_a_driver() -> None:
    argv = [sys.executable, "-c", HELP]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("loaded: []\n")


@pytest.mark.parametrize("kind", ["load", "generate", "query", "path", "view", "wipe"])
def test_every_help_has_an_example(kind: str) -> None:
    argv = [COMMAND, "graph", kind, "--help"]
    shown = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert re.search(rf"Examples:\s+simbuilder\s+graph\s+{kind}", shown)
