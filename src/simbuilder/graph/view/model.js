"use strict";

const order = new Intl.Collator("en", { numeric: true });

/** What is in the graph, what of it is shown, and the ways through that. */
class Model {
  constructor({ nodes, relationships }) {
    this.nodes = new Map();
    for (const node of nodes) {
      this.nodes.set(node.uid, { ...node, name: node.name || node.uid, relationships: [] });
    }
    this.relationships = relationships
      .map((one) => ({ ...one, from: this.nodes.get(one.from), to: this.nodes.get(one.to) }))
      .filter(({ from, to }) => from && to);
    for (const relationship of this.relationships) {
      const ends = new Set([relationship.from, relationship.to]); // one, where it leads to itself
      for (const node of ends) node.relationships.push(relationship);
    }
    this.families = [...new Set(nodes.map((node) => node.family))].sort();
    this.hidden = { kind: new Set(), plane: new Set(), relationship: new Set() };
  }

  shows(node) {
    return !this.hidden.kind.has(node.kind) && !this.hidden.plane.has(node.plane);
  }

  showsRelationship({ kind, from, to }) {
    return !this.hidden.relationship.has(kind) && this.shows(from) && this.shows(to);
  }

  /** Those that show and match, the best first: names before ids before kinds. */
  search(text) {
    const wanted = text.trim().toLowerCase();
    if (!wanted) return [];
    const rank = ({ name, uid, kind }) => {
      const places = [name, uid, kind].map((value) => value.toLowerCase().indexOf(wanted));
      const field = places.findIndex((place) => place >= 0);
      return field < 0 ? Infinity : 2 * field + (places[field] > 0);
    };
    return [...this.nodes.values()]
      .filter((node) => this.shows(node))
      .map((node) => ({ node, rank: rank(node) }))
      .filter((match) => match.rank < Infinity)
      .sort((a, b) => a.rank - b.rank || order.compare(a.node.name, b.node.name))
      .map((match) => match.node);
  }

  /** A shortest way along the directions of what shows, as steps; null where there is none. */
  path(from, to, attackOnly) {
    if (!this.shows(from) || !this.shows(to)) return null;
    const cameBy = new Map([[from, null]]);
    const queue = [from];
    for (const node of queue) { // which grows as it is walked
      if (node === to) break;
      for (const relationship of node.relationships) {
        if (relationship.from !== node || cameBy.has(relationship.to)) continue;
        if (!this.showsRelationship(relationship) || (attackOnly && !relationship.attack)) continue;
        cameBy.set(relationship.to, relationship);
        queue.push(relationship.to);
      }
    }
    if (!cameBy.has(to)) return null;
    const steps = [];
    for (let by = cameBy.get(to); by; by = cameBy.get(by.from)) {
      steps.unshift({ node: by.to, by });
    }
    return [{ node: from, by: null }, ...steps];
  }

  /** The same for a given way: `by` is null where nothing joins two of its nodes. */
  along(uids) {
    const nodes = uids.map((uid) => this.nodes.get(uid)).filter(Boolean);
    return nodes.map((node, place) => ({ node, by: place ? joins(nodes[place - 1], node) : null }));
  }
}

/** What leads from one node to the next, or else back; attacks first. */
function joins(one, other) {
  const between = (from, to) =>
    from.relationships
      .filter((relationship) => relationship.from === from && relationship.to === to)
      .sort((a, b) => Boolean(b.attack) - Boolean(a.attack))[0];
  return between(one, other) ?? between(other, one) ?? null;
}

/** How often each value occurs, by value in alphabetical order. */
function counts(items, key) {
  const found = new Map();
  for (const item of items) found.set(item[key], (found.get(item[key]) ?? 0) + 1);
  return [...found].sort(([a], [b]) => a.localeCompare(b));
}
