// A bot's page: its figures, its tables kept fresh from the server's own page, and the dialog that stops it.

import { guard } from "./confirm.js";
import { show } from "./figures.js";
import { fetched, renewer } from "./parts.js";

const dialog = document.querySelector("dialog");
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

document.querySelector("[data-dialog]")?.addEventListener("click", async (event) => {
  event.preventDefault();
  const opener = event.currentTarget;
  try {
    const page = await fetched(opener.href);
    dialog.replaceChildren(page.querySelector("[data-stop]"));
  } catch {
    location.assign(opener.href);
    return;
  }
  guard(dialog.querySelector("form"));
  dialog.querySelector("[data-close]").addEventListener("click", (click) => {
    click.preventDefault();
    dialog.close();
  });
  dialog.showModal();
  dialog.querySelector("[name=word]").focus();
});
