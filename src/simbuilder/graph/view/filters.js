"use strict";

/** Check boxes for what is shown; those of the kinds are the legend too. */
class Filters {
  constructor(place, view) {
    this.place = place;
    this.view = view;
    const { model } = view;
    const nodes = [...model.nodes.values()];
    const attacks = new Set(model.relationships.filter((one) => one.attack).map((one) => one.kind));
    const families = model.families.map((family) =>
      this.family(family, nodes.filter((node) => node.family === family)));
    const planes = counts(nodes, "plane").map(([plane, total]) =>
      this.row("plane", plane, total, dot(view, null, plane)));
    const relationships = counts(model.relationships, "kind").map(([kind, total]) =>
      this.row("relationship", kind, total, attacks.has(kind) ? span("attack", "attack") : null));
    place.append(
      this.section("Kinds", families),
      this.section("Planes", planes),
      this.section("Relationships", relationships),
    );
  }

  section(title, rows) {
    const heading = element("summary", {}, title);
    const made = element("details", { className: "section", open: true }, heading);
    const choice = (text, checked) =>
      button(text, () => this.setAll(made, checked), { "aria-label": `${title}: ${text}` });
    const choices = element("div", { className: "choices" });
    choices.append(choice("all", true), choice("none", false));
    made.append(choices, ...rows);
    return made;
  }

  /** A family and its kinds; its own box switches all of them. */
  family(family, nodes) {
    const whole = element("input", { type: "checkbox", checked: true, className: "whole" });
    const name = span("", family);
    const head = element("label", {}, whole, dot(this.view, family), name, count(nodes.length));
    const kinds = counts(nodes, "kind").map(([kind, total]) => this.row("kind", kind, total));
    const made = element("div", { className: "family", role: "group", "aria-label": family });
    made.append(head, ...kinds);
    whole.onchange = () => this.setAll(made, whole.checked);
    return made;
  }

  row(what, value, total, mark = null) {
    const box = element("input", { type: "checkbox", checked: true });
    Object.assign(box.dataset, { what, value });
    box.onchange = () => this.changed();
    const name = element("span", { className: "name", title: value }, value);
    return element("label", {}, box, name, mark, count(total));
  }

  setAll(within, checked) {
    for (const box of boxes(within)) box.checked = checked;
    this.changed();
  }

  changed() {
    for (const family of this.place.querySelectorAll(".family")) {
      const kinds = boxes(family);
      const whole = family.querySelector(".whole");
      whole.checked = kinds.every((box) => box.checked);
      whole.indeterminate = !whole.checked && kinds.some((box) => box.checked);
    }
    for (const hidden of Object.values(this.view.model.hidden)) hidden.clear();
    for (const { checked, dataset } of boxes(this.place)) {
      if (!checked) this.view.model.hidden[dataset.what].add(dataset.value);
    }
    this.view.refilter();
  }
}

function boxes(within) {
  return [...within.querySelectorAll("input[data-value]")];
}
