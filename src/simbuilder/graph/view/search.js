"use strict";

const MOST_MATCHES = 30;

/** The search box and its list of matches, for mouse and keyboard. */
class Search {
  constructor(input, list, view) {
    Object.assign(this, { input, list, view, matches: [], at: 0 });
    input.oninput = () => this.look();
    input.onfocus = () => this.look();
    input.onblur = () => this.open(false);
    input.onkeydown = (event) => this.key(event);
    list.onmousedown = (event) => event.preventDefault(); // or the list is gone before the click
    document.addEventListener("keydown", (event) => {
      if (event.key !== "/" || event.target === input) return;
      event.preventDefault();
      input.focus();
    });
  }

  look() {
    const found = this.view.model.search(this.input.value);
    this.matches = found.slice(0, MOST_MATCHES);
    this.list.replaceChildren(...this.matches.map((node, place) => this.option(node, place)));
    const more = found.length - this.matches.length;
    if (more) this.remark(`and ${grouped(more)} more`);
    if (!found.length) this.remark("Nothing that is shown matches.");
    this.open(Boolean(this.input.value.trim()));
    this.point(0);
  }

  option(node, place) {
    const option = element("li", { id: `match-${place}`, role: "option" });
    option.append(dot(this.view, node.family), span("name", node.name), span("kind", node.kind));
    option.onclick = () => this.choose(node);
    return option;
  }

  remark(text) {
    this.list.append(element("li", { className: "remark", role: "presentation" }, text));
  }

  open(yes) {
    this.list.hidden = !yes;
    this.input.setAttribute("aria-expanded", String(yes));
  }

  /** Say which match Enter takes. */
  point(at) {
    this.at = at;
    this.list.querySelectorAll("[role=option]").forEach((option, place) => {
      option.setAttribute("aria-selected", String(place === at));
      if (place === at) option.scrollIntoView({ block: "nearest" });
    });
    this.input.setAttribute("aria-activedescendant", this.matches.length ? `match-${at}` : "");
  }

  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.matches.length) {
      event.preventDefault();
      this.point((this.at + step + this.matches.length) % this.matches.length);
    } else if (event.key === "Enter" && this.matches.length) {
      this.choose(this.matches[this.at]);
    } else if (event.key === "Escape" && !this.list.hidden) {
      event.stopPropagation(); // the next one clears the view
      this.open(false);
    }
  }

  choose(node) {
    this.open(false);
    this.view.choose(node);
  }
}
