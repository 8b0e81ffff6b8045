"use strict";

const MOST_NEIGHBOURS = 50;

/** What is known of the chosen node, and the path step by step. */
class Panel {
  constructor(place, view) {
    this.place = place;
    this.view = view;
  }

  draw() {
    const { chosen, ends } = this.view;
    const path = ends.from || ends.to ? [this.path()] : [];
    const details = chosen ? [this.details(chosen)] : [];
    this.place.replaceChildren(...path, ...details);
    this.place.hidden = !this.place.hasChildNodes();
    this.place.scrollTop = 0;
  }

  path() {
    const { view } = this;
    const { from, to } = view.ends;
    const clear = button("Clear", () => view.clear(), { title: "or press Esc" });
    const tick = element("input", { type: "checkbox", checked: view.attackOnly });
    tick.onchange = () => view.findPath({ attackOnly: tick.checked });
    return element("section", { id: "path" },
      heading("Path", clear),
      this.end("From", from),
      this.end("To", to),
      element("label", {}, tick, "attack relationships only"),
      from && to ? this.steps() : null,
    );
  }

  end(word, node) {
    const link = node ? nodeLink(this.view, node) : [element("em", {}, "choose a node")];
    return element("p", { className: "end" }, span("", word), ...link);
  }

  steps() {
    const { steps } = this.view;
    if (!steps) return element("p", { className: "none" }, "No path leads there in what is shown.");
    const items = steps.map(({ node, by }, place) => {
      const kind = span("kind", node.kind);
      const item = element("li", {}, ...nodeLink(this.view, node), kind);
      const led = () => (by ? way(by, by.to === node ? "↓" : "↑") : span("way", "not related"));
      if (place) item.prepend(led());
      return item;
    });
    return element("ol", {}, ...items);
  }

  details(node) {
    const { view } = this;
    const close = button("×", () => view.choose(null), { "aria-label": "Close" });
    return element("section", { id: "details" },
      heading(node.name, close),
      element("p", { className: "what" },
        dot(view, node.family, node.plane),
        [node.kind, node.family, node.plane].join(" · "),
      ),
      element("p", { className: "uid" }, node.uid),
      element("div", { className: "actions" },
        button("Path from here", () => view.findPath({ from: node })),
        button("Path to here", () => view.findPath({ to: node })),
      ),
      element("h3", {}, "Properties"),
      facts(node.properties),
      element("h3", {}, "Relationships ", count(node.relationships.length)),
      ...this.neighbours(node),
    );
  }

  /** A list of them, and what shows the rest where there are many. */
  neighbours(node) {
    const items = node.relationships
      .toSorted((a, b) => a.kind.localeCompare(b.kind))
      .map((relationship) => this.neighbour(node, relationship));
    const list = element("ul", {}, ...items.slice(0, MOST_NEIGHBOURS));
    const rest = items.slice(MOST_NEIGHBOURS);
    if (!rest.length) return [list];
    const more = button(`Show ${grouped(rest.length)} more`, () => {
      list.append(...rest);
      more.remove();
    });
    return [list, more];
  }

  neighbour(node, relationship) {
    const out = relationship.from === node;
    const other = out ? relationship.to : relationship.from;
    const led = way(relationship, out ? "→" : "←");
    const item = element("li", {}, led, ...nodeLink(this.view, other));
    if (Object.keys(relationship.properties).length) item.append(facts(relationship.properties));
    return item;
  }
}

function heading(text, action) {
  return element("div", { className: "heading" }, element("h2", {}, text), action);
}

function way({ kind, attack }, arrow) {
  return span(attack ? "way attack" : "way", `${arrow} ${kind}`);
}

function facts(properties) {
  const rows = Object.entries(properties).flatMap(([name, value]) => [
    element("dt", {}, name),
    element("dd", {}, readable(value)),
  ]);
  return element("dl", {}, ...rows);
}

function readable(value) {
  if (typeof value === "string") return value;
  return Array.isArray(value) ? value.map(readable).join("\n") : JSON.stringify(value, null, 1);
}
