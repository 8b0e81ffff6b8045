"""The page of the graph view: names stay data, nothing is loaded, and whose its libraries are."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from simbuilder.graph.view import page as view
from simbuilder.graph.view.page import page

VENDOR = view.HERE / "vendor"
HOSTILE = "</script><img src=x onerror=alert(1)> & <!--\u2028\u2029 é"


def node(uid: str, **more: object) -> dict[str, object]:
    known = {"uid": uid, "kind": "EntraUser", "family": "Identity", "name": uid.title()}
    return {**known, "plane": "observed", "properties": {}, **more}


def data(text: str) -> Any:
    found = re.search(r'<script type="application/json" id="graph">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_whatever_a_name_holds_it_stays_data() -> None:
    hostile = node(HOSTILE, name=HOSTILE, kind=HOSTILE, properties={HOSTILE: [HOSTILE]})
    text = page(HOSTILE, [hostile], [], [HOSTILE], HOSTILE)
    assert data(text) == {"nodes": [hostile], "relationships": [], "highlight": [HOSTILE]}
    assert "<img" not in text
    assert text.count("</script>") == text.count("<script") == len(view.SCRIPTS) + 1
    assert "\u2028" not in text.partition('id="graph">')[2]


def test_dollars_are_no_places_to_fill() -> None:
    assert data(page("$data", [node("$css")], []))["nodes"] == [node("$css")]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_browsers_cannot_read_are_shown_as_text(value: float) -> None:
    (shown,) = data(page("x", [node("a", properties={"size": value})], []))["nodes"]
    assert isinstance(shown["properties"]["size"], str)


def test_what_json_has_no_word_for_is_shown_as_text() -> None:
    (shown,) = data(page("x", [node("a", properties={"folder": Path("/x")})], []))["nodes"]
    assert shown["properties"] == {"folder": "/x"}


def test_a_page_can_have_no_nodes() -> None:
    assert data(page("Empty", [], [])) == {"nodes": [], "relationships": [], "highlight": []}


def test_the_page_loads_nothing() -> None:
    text = page("x", [node("a")], [])
    assert re.findall(r'<[^>]*\s(?:src|href)="([^"]*)"', text) == ["data:,"]
    for name in ("page.html", "view.css", *(s for s in view.SCRIPTS if "vendor" not in s)):
        ours = (view.HERE / name).read_text("utf-8")
        assert not re.search(r"://|@import|url\(|\bimport\b|fetch\(|XMLHttp|innerHTML|eval", ours)


def test_only_the_scripts_of_the_page_may_run() -> None:
    text = page("x", [node("a")], [])
    policy = re.search(r'http-equiv="Content-Security-Policy" content="(.*?)"', text)
    assert policy
    rules = dict(rule.split(maxsplit=1) for rule in policy[1].split("; "))
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in rules["script-src"]
    assert len(rules["script-src"].split()) == len(view.SCRIPTS)


def test_the_libraries_are_those_we_name() -> None:
    rows = re.findall(
        r"^\| `(\S+)` .* `(\w{64})` \|$", (VENDOR / "README.md").read_text(), re.MULTILINE
    )
    sums = {name: hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() for name, _ in rows}
    assert sums == dict(rows)
    assert {f"vendor/{name}" for name in sums} == {s for s in view.SCRIPTS if "vendor" in s}


@pytest.mark.parametrize("name", view.SCRIPTS)
def test_no_script_ends_its_own_element(name: str) -> None:
    script = (view.HERE / name).read_bytes()
    assert not re.search(rb"</script|<!--|\r", script, re.IGNORECASE)
