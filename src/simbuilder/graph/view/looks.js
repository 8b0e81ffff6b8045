"use strict";

/** The drawing's style; all its colours come from the style sheet, for light and dark. */
function looks(colours) {
  const names = ["text", "ground", "line", "attack", "mark"];
  const [text, ground, line, attack, mark] = names.map(themed);
  const family = (drawn) => colours.get(drawn.data("family"));
  const edge = (colour) => ({ "line-color": colour, "target-arrow-color": colour });
  const arrow = { "curve-style": "bezier", "target-arrow-shape": "triangle", opacity: 1 };
  const styles = {
    "node": {
      width: "data(size)",
      height: "data(size)",
      "background-color": family,
      "border-color": family,
      "outline-color": family,
      label: "data(name)",
      color: text,
      "font-family": getComputedStyle(document.body).fontFamily,
      "text-valign": "bottom",
      "text-wrap": "ellipsis",
      "text-outline-color": ground,
      "min-zoomed-font-size": 11,
      ...lettering(1),
    },
    "node[plane = 'deployed']": { "outline-width": 3, "outline-offset": 3 },
    "node[plane = 'planned']": {
      "background-opacity": 0.15,
      "border-width": 3,
      "border-style": "dashed",
    },
    // the only curve that is fast for thousands; it has no arrows
    "edge": { width: 1.5, "curve-style": "haystack", opacity: 0.5, ...edge(line) },
    "edge[?attack]": edge(attack),
    "node.dim": { opacity: 0.12, "text-opacity": 0 },
    "edge.dim": { opacity: 0.06 },
    "edge.around": { ...arrow, width: 2 },
    "node.named": { "min-zoomed-font-size": 0, "z-index": 2 },
    "node.path": { "outline-color": mark, "outline-offset": 2, "z-index": 3 },
    "edge.path": { ...arrow, "z-index": 3 },
    "edge.path[!attack]": edge(mark),
    "node.chosen": {
      "outline-color": mark,
      "outline-offset": 3,
      "font-weight": "bold",
      "z-index": 4,
    },
    ".hidden": { display: "none" },
  };
  return Object.entries(styles).map(([selector, style]) => ({ selector, style }));
}

function lettering(scale) {
  return {
    "font-size": 12 * scale,
    "text-margin-y": 4 * scale,
    "text-max-width": 180 * scale,
    "text-outline-width": 2 * scale,
  };
}

/** The family's own colour, or one of those for families the style sheet does not know. */
function familyColour(family, index) {
  return themed(`family-${family.toLowerCase()}`) || themed(`family-${index % 3}`);
}

function themed(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
