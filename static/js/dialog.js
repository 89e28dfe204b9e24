// Links that ask before they act: their page's question opens in a dialog; without JavaScript it is a page.

import { guard } from "./confirm.js";
import { fetched } from "./parts.js";

const dialog = document.querySelector("dialog");

const open = async (opener) => {
  try {
    const page = await fetched(opener.href);
    dialog.replaceChildren(page.querySelector("[data-dialog-part]"));
  } catch {
    location.assign(opener.href);
    return;
  }
  const form = dialog.querySelector("form");
  if (form.dataset.confirm) guard(form);
  else form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
  dialog.querySelector("[data-close]").addEventListener("click", (click) => {
    click.preventDefault();
    dialog.close();
  });
  dialog.showModal();
  (form.elements.word ?? form.elements.reason ?? dialog.querySelector("[data-go]") ?? dialog.querySelector("[data-close]")).focus();
};

document.addEventListener("click", (event) => {
  const opener = event.target.closest("a[data-dialog]");
  if (!opener || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  open(opener);
});
