// A bot's page: its figures, and its tables kept fresh from the server's own page.

import "./dialog.js";
import { show } from "./figures.js";
import { renewer } from "./parts.js";

const slug = document.querySelector(".state-chip").dataset.of;

const figures = show(document.querySelectorAll("[data-figure]"));
const soon = renewer(() => figures.refresh());

for (const link of document.querySelectorAll("[data-hours]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    for (const other of document.querySelectorAll("[data-hours]")) other.toggleAttribute("aria-current", other === link);
    link.setAttribute("aria-current", "true");
    history.replaceState(null, "", link.href);
    figures.refresh();
  });
}

document.addEventListener("frame", ({ detail: { type, data } }) => {
  if (type === "tick" && data.bot === slug) figures.price(data.last, data.time);
  const mine = (type === "bot" && data.slug === slug) || (type === "fill" && data.bot === slug);
  if (mine) {
    document.querySelector(".state-chip").dataset.state = data.state ?? document.querySelector(".state-chip").dataset.state;
    soon();
  }
});
