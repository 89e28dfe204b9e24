// A bot's page: its figures, its tables kept fresh from the server's own page, and the dialog that stops it.

import { guard } from "./confirm.js";
import { show } from "./figures.js";

const PACE_MS = 2000;
const dialog = document.querySelector("dialog");
const slug = document.querySelector(".state-chip").dataset.of;
let due = 0, busy = false;

const fetched = async (address) => {
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) throw new Error(`the server answered with status ${answer.status}`);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
};

// Takes the parts of the page that changed from a new copy of it: one template makes them, here and there.
const refresh = async () => {
  due = 0;
  busy = true;
  try {
    const fresh = await fetched(location.href);
    for (const part of document.querySelectorAll("[data-part]")) {
      const newer = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
      if (newer && newer.innerHTML !== part.innerHTML && !part.contains(document.activeElement)) part.replaceWith(newer);
    }
    figures.refresh();
  } catch {
    // The connection chip tells of an outage; the next frame tries again.
  } finally {
    busy = false;
  }
};

const soon = () => {
  if (!due && !busy) due = setTimeout(refresh, PACE_MS);
};

const figures = show(document.querySelectorAll("[data-figure]"));

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
