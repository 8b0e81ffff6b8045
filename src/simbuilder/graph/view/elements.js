"use strict";

/** An element with properties or attributes and children; strings become text, never markup. */
function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

function span(className, text) {
  return element("span", { className }, text);
}

function count(value) {
  return span("count", grouped(value));
}

function button(text, onclick, properties = {}) {
  return element("button", { type: "button", onclick, ...properties }, text);
}

/** The mark of a family, or without one of a plane. */
function dot(view, family, plane = "observed") {
  const made = element("span", { className: `dot ${plane}`, "aria-hidden": "true" });
  made.style.setProperty("--colour", view.canvas.colours.get(family) ?? "var(--quiet)");
  return made;
}

/** A node's mark and its name, which leads to it. */
function nodeLink(view, node) {
  const shown = view.model.shows(node);
  const name = button(node.name, () => view.choose(node), {
    className: "node",
    disabled: !shown,
    title: shown ? node.uid : "hidden by the filters",
  });
  return [dot(view, node.family, node.plane), name];
}

function grouped(value) {
  return value.toLocaleString("en");
}
