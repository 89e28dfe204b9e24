// A pair's page: its candles, drawn anew while the price moves.

import { show } from "./figures.js";

const PACE_MS = 5000;
const figures = show(document.querySelectorAll("[data-figure]"));
let due = 0;

document.addEventListener("frame", ({ detail: { type } }) => {
  if (type !== "tick" || document.hidden) return;
  due ||= setTimeout(() => { due = 0; figures.refresh(); }, PACE_MS);
});
