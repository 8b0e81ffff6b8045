"use strict";

/** What is chosen and which path is asked for; the other parts show it. */
class View {
  constructor(data) {
    this.model = new Model(data);
    this.chosen = null;
    this.ends = { from: null, to: null };
    this.attackOnly = false;
    this.steps = null;
    this.canvas = new Canvas(part("canvas"), this.model, (node) => this.choose(node, false));
    this.panel = new Panel(part("panel"), this);
    new Filters(part("filters"), this);
    new Search(part("query"), part("matches"), this);
    part("closer").onclick = () => this.canvas.zoomBy(1.5);
    part("farther").onclick = () => this.canvas.zoomBy(1 / 1.5);
    part("whole").onclick = () => this.canvas.fit();
    document.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") this.clear();
    });
    this.refilter();
    this.canvas.fit();
    this.highlight(this.model.along(data.highlight));
  }

  highlight(steps) {
    if (!steps.length) return;
    this.ends = { from: steps[0].node, to: steps.at(-1).node };
    this.follow(steps);
  }

  choose(node, centre = true) {
    this.chosen = node;
    this.draw();
    if (node && centre) this.canvas.centre(node);
  }

  /** Change what is asked for; the path is drawn as soon as both its ends are known. */
  findPath({ from = this.ends.from, to = this.ends.to, attackOnly = this.attackOnly }) {
    this.ends = { from, to };
    this.attackOnly = attackOnly;
    this.follow(from && to ? this.model.path(from, to, attackOnly) : null);
  }

  follow(steps) {
    this.steps = steps;
    this.draw();
    if (steps) this.canvas.fit(steps.map(({ node }) => node));
  }

  refilter() {
    const shown = this.canvas.show(this.model);
    const total = this.model.nodes.size;
    part("shown").textContent = `${grouped(shown)} of ${grouped(total)} nodes shown`;
    part("empty").hidden = shown > 0;
    part("empty").textContent = total
      ? "The filters hide every node."
      : "There is nothing to draw yet: this graph has no nodes.";
    if (this.chosen && !this.model.shows(this.chosen)) this.chosen = null;
    this.findPath({});
  }

  clear() {
    this.chosen = null;
    this.ends = { from: null, to: null };
    this.follow(null);
  }

  draw() {
    this.panel.draw();
    this.canvas.mark(this.steps ? this.alongPath() : this.aroundChosen());
  }

  alongPath() {
    const nodes = this.steps.map(({ node }) => node);
    const ways = this.steps.map(({ by }) => by).filter(Boolean);
    const chosen = this.chosen ? [this.chosen] : [];
    return { path: [...nodes, ...ways], named: [...nodes, ...chosen], chosen };
  }

  aroundChosen() {
    const { chosen } = this;
    if (!chosen) return {};
    const ways = chosen.relationships.filter((one) => this.model.showsRelationship(one));
    const neighbours = ways.map(({ from, to }) => (from === chosen ? to : from));
    const few = neighbours.length <= 25 ? neighbours : []; // more names would cover each other
    return { around: [...neighbours, ...ways], named: [chosen, ...few], chosen: [chosen] };
  }
}

function part(id) {
  return document.getElementById(id);
}

const view = new View(JSON.parse(part("graph").textContent));

/** For tests, and for whoever is curious at the console. */
window.simbuilder = { view, cy: view.canvas.cy, readyMs: null };
requestAnimationFrame(() => requestAnimationFrame(() => {
  window.simbuilder.readyMs = performance.now(); // the first frame has been drawn
}));
