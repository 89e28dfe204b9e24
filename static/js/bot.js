// A bot's page: its figures, and its tables kept fresh from the server's own page.

import "./dialog.js";
import { choose, show } from "./figures.js";
import { markable } from "./levels.js";
import { renewer } from "./parts.js";

const slug = document.querySelector(".state-chip").dataset.of;

const figures = show(document.querySelectorAll("[data-figure]"));
const soon = renewer(() => figures.refresh());

choose(figures);
markable(document.querySelector(".level-table"), document.querySelector('[data-kind="ladder"]'));

document.addEventListener("frame", ({ detail: { type, data } }) => {
  if (type === "tick" && data.bot === slug) figures.price(data.last, data.time);
  const mine = (type === "bot" && data.slug === slug) || (type === "fill" && data.bot === slug);
  if (mine) {
    document.querySelector(".state-chip").dataset.state = data.state ?? document.querySelector(".state-chip").dataset.state;
    soon();
  }
});
