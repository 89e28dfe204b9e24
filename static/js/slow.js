// What the dashboard shows of slow things: its chart, targets, guards and fills by hour.

import "./dialog.js";
import { choose, show } from "./figures.js";
import { renewer } from "./parts.js";

const EVERY_MS = 20000;

export const begin = (boxes) => {
  const figures = show(boxes);
  const soon = renewer(() => figures.refresh());
  setInterval(() => {
    if (document.visibilityState === "visible") soon();
  }, EVERY_MS);
  choose(figures);
};
