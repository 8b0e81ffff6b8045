"""The page of the graph view in a real browser, used as somebody would: typing and clicking."""

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simbuilder.graph.view.page import page
from tests.browser import Browser

HOSTILE = "</script><img src=x onerror=alert(1)>"
USABLE_WITHIN_S = 15
"""Some 2 s on two idle cores; the other lanes of the suite take their share of these."""

Things = list[dict[str, Any]]


@pytest.fixture
def tab(browser: str, tmp_path: Path) -> Iterator[Browser]:
    """A tab that, at the end, has loaded nothing but its file and complained about nothing."""
    with Browser(browser, tmp_path / "profile") as opened:
        yield opened
        opened.evaluate("0")  # what happened before has been reported now
        events = [(event["method"], event["params"]) for event in opened.events]
    loaded = [
        what["request"]["url"] for name, what in events if name == "Network.requestWillBeSent"
    ]
    assert loaded
    assert all(url.startswith(("file:", "data:")) for url in loaded)
    complaints = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
    assert [event for event in events if event[0] in complaints] == []


def node(
    uid: str, kind: str = "EntraUser", family: str = "Identity", **more: Any
) -> dict[str, Any]:
    known = {"uid": uid, "kind": kind, "family": family, "name": uid, "plane": "observed"}
    return {**known, "properties": {"mail": f"{uid}@example.test"}, **more}


def leads(start: str, kind: str, end: str, attack: bool = False) -> dict[str, Any]:
    return {"kind": kind, "from": start, "to": end, "attack": attack, "properties": {}}


def village() -> tuple[Things, Things]:
    """Two ways from ann to the vault: a short one, and a longer one by attacks alone."""
    nodes = [node(uid) for uid in ("ann", "bob", "cyd")]
    nodes += [node("staff", "EntraGroup", "Directory"), node("vault", "KeyVault", "Platform")]
    nodes += [node(HOSTILE, plane="planned", properties={HOSTILE: HOSTILE})]
    return nodes, [
        leads("ann", "MEMBER_OF", "staff"),
        leads("staff", "CAN_READ", "vault"),
        leads("ann", "CAN_RESET", "bob", attack=True),
        leads("bob", "CAN_RESET", "cyd", attack=True),
        leads("cyd", "CAN_STEAL", "vault", attack=True),
        leads(HOSTILE, "MEMBER_OF", "staff"),
    ]


def city(nodes: int, relationships: int) -> tuple[Things, Things]:
    chance = random.Random(1)
    kinds = (("EntraUser", "Identity"), ("EntraGroup", "Directory"), ("KeyVault", "Platform"))
    made = [node(f"node-{i:04d}", *kinds[i % len(kinds)]) for i in range(nodes)]
    hubs = [int(nodes * chance.random() ** 3) for _ in range(relationships)]
    ends = [(chance.randrange(nodes), hub) for hub in hubs]
    return made, [leads(f"node-{a:04d}", "MEMBER_OF", f"node-{b:04d}") for a, b in ends]


def show(tab: Browser, folder: Path, *graph: Any) -> None:
    file = folder / "graph.html"
    file.write_text(page("Contoso", *graph), "utf-8")
    tab.open(file)
    tab.until("window.simbuilder?.readyMs", USABLE_WITHIN_S)


def search(tab: Browser, text: str) -> None:
    tab.evaluate("document.getElementById('query').select()")
    tab.type(text)
    tab.press("Enter")


def push(tab: Browser, script: str) -> None:
    """Click in the middle of an element."""
    tab.evaluate(f"({script}).scrollIntoView({{ block: 'nearest' }})")
    x, y = tab.evaluate(
        f"(({{ x, y, width, height }}) => [x + width / 2, y + height / 2])"
        f"(({script}).getBoundingClientRect())"
    )
    tab.click(x, y)


def button(text: str) -> str:
    return f"[...document.querySelectorAll('button')].find((one) => one.textContent === {text!r})"


def box(value: str) -> str:
    return f"document.querySelector('input[data-value={value}]')"


def details(tab: Browser) -> str:
    return str(tab.evaluate("document.getElementById('details')?.innerText ?? ''"))


def steps(tab: Browser) -> list[str]:
    """The path as the panel tells it, and as it is drawn."""
    told: list[str] = tab.evaluate(
        "[...document.querySelectorAll('#path li :is(.way, .node)')].map((one) => one.textContent)"
    )
    names = [text for text in told if "_" not in text]
    marked = tab.evaluate("simbuilder.cy.nodes('.path').map((one) => one.data('name'))")
    assert sorted(marked) == sorted(names)
    assert tab.evaluate("simbuilder.cy.edges('.path').length") == max(0, len(names) - 1)
    return told


def drawn(tab: Browser, parts: str) -> int:
    """How many are visible, which is decided for each frame anew."""
    count: int = tab.evaluate(
        "new Promise(requestAnimationFrame)"
        f".then(() => simbuilder.cy.{parts}().filter((one) => one.visible()).length)"
    )
    return count


def visible(tab: Browser) -> int:
    return drawn(tab, "nodes")


def test_two_thousand_nodes_are_soon_usable(tab: Browser, tmp_path: Path) -> None:
    begin = time.monotonic()
    show(tab, tmp_path, *city(2000, 6000))
    search(tab, "node-1234")
    assert "node-1234@example.test" in details(tab)
    assert time.monotonic() - begin < USABLE_WITHIN_S
    assert tab.evaluate("simbuilder.cy.edges().length") == 6000
    push(tab, box("EntraUser"))
    assert visible(tab) == 2000 - 667
    assert tab.evaluate("document.getElementById('shown').textContent") == (
        "1,333 of 2,000 nodes shown"
    )


def test_search_finds_names_uids_and_kinds(tab: Browser, tmp_path: Path) -> None:
    show(tab, tmp_path, *village())
    for text, found in (("BOB", "bob"), ("staf", "staff"), ("keyv", "vault")):
        search(tab, text)
        assert f"{found}@example.test" in details(tab)
    search(tab, "no such thing")
    assert "vault@example.test" in details(tab)


def test_filters_hide_kinds_planes_and_relationships(tab: Browser, tmp_path: Path) -> None:
    show(tab, tmp_path, *village())
    push(tab, box("EntraUser"))
    assert visible(tab) == 2
    push(tab, box("EntraUser"))
    push(tab, box("planned"))
    assert visible(tab) == 5
    push(tab, box("CAN_RESET"))
    assert drawn(tab, "edges") == 3
    push(tab, button("none"))
    assert visible(tab) == 0
    assert "hide every node" in tab.evaluate("document.querySelector('main').innerText")
    push(tab, button("all"))
    assert visible(tab) == 5


def test_a_click_on_a_node_shows_it_and_its_neighbours(tab: Browser, tmp_path: Path) -> None:
    show(tab, tmp_path, *village())
    x, y = tab.evaluate(
        "(({ x, y }, at) => [x + at.x, y + at.y])"
        "(document.getElementById('canvas').getBoundingClientRect(),"
        " simbuilder.cy.nodes().filter((one) => one.data('name') === 'cyd')[0].renderedPosition())"
    )
    tab.click(x, y)
    tab.until("document.getElementById('details') !== null")
    shown = details(tab)
    assert "cyd@example.test" in shown
    assert "EntraUser · Identity · observed" in shown
    assert "→ CAN_STEAL" in shown
    assert "← CAN_RESET" in shown
    push(tab, button("vault"))
    assert "vault@example.test" in details(tab)


def test_paths_are_drawn_and_told_in_order(tab: Browser, tmp_path: Path) -> None:
    show(tab, tmp_path, *village())
    search(tab, "ann")
    push(tab, button("Path from here"))
    search(tab, "vault")
    push(tab, button("Path to here"))
    assert steps(tab) == ["ann", "↓ MEMBER_OF", "staff", "↓ CAN_READ", "vault"]
    push(tab, "document.querySelector('#path input')")
    names = ["ann", "bob", "cyd", "vault"]
    assert steps(tab)[::2] == names
    assert steps(tab)[1::2] == ["↓ CAN_RESET", "↓ CAN_RESET", "↓ CAN_STEAL"]
    push(tab, box("CAN_STEAL"))
    assert steps(tab) == []
    push(tab, box("CAN_STEAL"))
    assert steps(tab)[::2] == names
    search(tab, "cyd")
    push(tab, button("Path from here"))
    search(tab, "bob")
    push(tab, button("Path to here"))  # which is against the direction
    assert steps(tab) == []
    assert "No path" in tab.evaluate("document.getElementById('path').innerText")
    tab.press("Escape")
    assert tab.evaluate("document.getElementById('panel').hidden")
    assert tab.evaluate("simbuilder.cy.elements('.dim').length") == 0


def test_a_path_can_be_marked_from_the_start(tab: Browser, tmp_path: Path) -> None:
    show(tab, tmp_path, *village(), ["ann", "bob", "cyd"])
    assert steps(tab) == ["ann", "↓ CAN_RESET", "bob", "↓ CAN_RESET", "cyd"]


def test_a_marked_path_is_told_as_it_is(tab: Browser, tmp_path: Path) -> None:
    show(tab, tmp_path, *village(), ["cyd", "bob", "vault"])
    told = tab.evaluate("document.querySelector('#path ol').innerText").split("\n")
    assert "↑ CAN_RESET" in told
    assert "not related" in told


def test_hostile_names_stay_text(tab: Browser, tmp_path: Path) -> None:
    show(tab, tmp_path, *village(), [HOSTILE, "staff"])
    search(tab, HOSTILE)
    assert details(tab).count(HOSTILE) == 4  # its name, its uid, a property and its value
    search(tab, "staff")
    assert HOSTILE in details(tab)
    assert tab.evaluate("document.images.length") == 0


def test_an_empty_graph_says_so(tab: Browser, tmp_path: Path) -> None:
    show(tab, tmp_path, [], [])
    assert "no nodes" in tab.evaluate("document.querySelector('main').innerText")


def test_everything_can_be_reached_without_a_mouse(tab: Browser, tmp_path: Path) -> None:
    show(tab, tmp_path, *village())
    unnamed = tab.evaluate(
        "[...document.querySelectorAll('button, input')].filter((one) => !one.ariaLabel"
        " && !one.textContent.trim() && !one.labels?.[0]?.textContent.trim()).length"
    )
    assert unnamed == 0
    tab.press("/")
    tab.type("entrauser")
    names = []
    for _ in range(2):
        tab.press("ArrowDown")
        names.append(tab.evaluate("document.querySelector('[aria-selected=true]').innerText"))
    assert [name.split()[0] for name in names] == ["ann", "bob"]
    tab.press("Enter")
    assert "bob@example.test" in details(tab)
