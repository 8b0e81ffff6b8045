"use strict";

const CLOSEST = 2.5;

/** The drawing: it knows how to let something stand out, not why that is asked for. */
class Canvas {
  constructor(container, model, onTap) {
    const colour = (family, index) => [family, familyColour(family, index)];
    this.colours = new Map(model.families.map(colour));
    this.ids = new Map();
    [...model.nodes.values()].forEach((node, index) => this.ids.set(node, `n${index}`));
    model.relationships.forEach((relationship, index) => this.ids.set(relationship, `r${index}`));
    this.cy = cytoscape({
      container,
      elements: [...this.nodes(model), ...this.edges(model)],
      style: looks(this.colours),
      layout: { name: "preset", fit: false },
      minZoom: 0.02,
      maxZoom: CLOSEST,
      boxSelectionEnabled: false,
      autounselectify: true, // what is chosen is for the view to say
      textureOnViewport: model.relationships.length > 1000,
    });
    this.marked = this.cy.collection();
    this.listen(container, onTap);
  }

  listen(container, onTap) {
    this.cy.on("tap", ({ target }) => {
      if (target === this.cy) onTap(null);
      else if (target.isNode()) onTap(target.scratch("node"));
    });
    this.cy.on("mouseover", "node", ({ target }) => (container.title = target.data("name")));
    this.cy.on("mouseout", "node", () => (container.title = ""));
    this.cy.on("zoom", () => this.keepReadable());
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => this.cy.style(looks(this.colours)));
  }

  nodes(model) {
    const places = arrange(model);
    return [...model.nodes.values()].map((node, index) => ({
      group: "nodes",
      data: {
        id: this.ids.get(node),
        name: node.name,
        family: node.family,
        plane: node.plane,
        size: Math.min(16 + 5 * Math.sqrt(node.relationships.length), 90),
      },
      scratch: { node },
      position: { x: places[index].x, y: places[index].y },
    }));
  }

  edges(model) {
    return model.relationships.map((relationship) => ({
      group: "edges",
      data: {
        id: this.ids.get(relationship),
        source: this.ids.get(relationship.from),
        target: this.ids.get(relationship.to),
        attack: Boolean(relationship.attack),
      },
      scratch: { relationship },
    }));
  }

  /** What is drawn for these nodes and relationships. */
  of(things) {
    const drawn = Array.from(things, (thing) => this.cy.getElementById(this.ids.get(thing)));
    return this.cy.collection(drawn);
  }

  /** Hide what the model does not show; return how many nodes are left. */
  show(model) {
    this.cy.batch(() => {
      this.cy.nodes().forEach((drawn) => {
        drawn.toggleClass("hidden", !model.shows(drawn.scratch("node")));
      });
      this.cy.edges().forEach((drawn) => {
        drawn.toggleClass("hidden", !model.showsRelationship(drawn.scratch("relationship")));
      });
    });
    return this.cy.nodes().not(".hidden").length;
  }

  /** Let these groups stand out and the rest step back; without any, nothing does. */
  mark(groups) {
    this.cy.batch(() => {
      this.cy.elements().removeClass("dim");
      this.marked.removeClass("chosen around named path").removeStyle();
      this.marked = this.of(new Set(Object.values(groups).flat()));
      for (const [name, things] of Object.entries(groups)) this.of(things).addClass(name);
      if (this.marked.nonempty()) this.cy.elements().not(this.marked).addClass("dim");
    });
    this.keepReadable();
  }

  /** What is marked has the same size on the screen, however small the graph is drawn. */
  keepReadable() {
    const scale = 1 / this.cy.zoom();
    this.cy.batch(() => {
      this.marked.filter("node.named").style(lettering(scale));
      this.marked.filter("node.chosen, node.path").style("outline-width", 3 * scale);
      this.marked.filter("edge.path").style("width", 3.5 * scale);
    });
  }

  centre(node) {
    this.cy.stop().resize(); // the panel beside it may just have come or gone
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const zoom = Math.max(this.cy.zoom(), 0.7);
    this.cy.animate({ center: { eles: this.of([node]) }, zoom, duration: still ? 0 : 250 });
  }

  /** Show all of these, or all there is. */
  fit(things = null) {
    this.cy.stop().resize().maxZoom(1.2); // a few nodes need not fill the screen
    this.cy.fit(things ? this.of(things) : this.cy.nodes().not(".hidden"), 60).maxZoom(CLOSEST);
  }

  zoomBy(factor) {
    const middle = { x: this.cy.width() / 2, y: this.cy.height() / 2 };
    this.cy.zoom({ level: this.cy.zoom() * factor, renderedPosition: middle });
  }
}
