"use strict";

const TICKS = 120;

/**
 * Places for all nodes, the same on every visit: what is related is near, families keep together.
 *
 * Families pull from places around an ellipse, as screens are wider than high.
 */
function arrange(model) {
  const nodes = [...model.nodes.values()];
  const index = new Map(nodes.map((node, place) => [node, place]));
  const bodies = nodes.map((node) => ({
    angle: (2 * Math.PI * model.families.indexOf(node.family)) / model.families.length,
    pull: node.relationships.length ? 0.07 : 0.15, // or what is alone drifts far off
  }));
  const links = model.relationships.map(({ from, to }) => ({
    source: index.get(from),
    target: index.get(to),
  }));
  const reach = 18 * Math.sqrt(bodies.length);
  const x = d3.forceX(({ angle }) => 1.4 * reach * Math.cos(angle));
  const y = d3.forceY(({ angle }) => reach * Math.sin(angle));
  d3.forceSimulation(bodies)
    .stop()
    .alphaDecay(1 - 0.001 ** (1 / TICKS)) // all but still after that many
    .force("link", d3.forceLink(links).distance(50))
    .force("charge", d3.forceManyBody().strength(-200).theta(1.2))
    .force("x", x.strength(({ pull }) => pull / 1.4))
    .force("y", y.strength(({ pull }) => pull))
    .tick(TICKS);
  return bodies;
}
