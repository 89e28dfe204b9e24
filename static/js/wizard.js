// The new grid's form: as fields change, the server works the truth card out; one formula rules, here is none.

const PAUSE_MS = 150;
const form = document.querySelector("[data-wizard]");
const truth = document.querySelector("[data-truth]");
const touched = new Set();
let timer = 0, asked = 0;

const tellErrors = (card) => {
  const told = new Map();
  for (const { dataset, textContent } of card.querySelectorAll("[data-errors] li")) {
    told.set(dataset.field, [...(told.get(dataset.field) ?? []), textContent]);
  }
  for (const place of form.querySelectorAll("[data-error]")) {
    const name = place.dataset.error, input = form.elements[name];
    const empty = input.value === "" && !touched.has(name); // not reached yet
    place.textContent = empty ? "" : (told.get(name) ?? []).join(" ");
    input.setAttribute("aria-invalid", String(place.textContent !== ""));
  }
};

const ask = async () => {
  const mine = (asked += 1);
  const body = new FormData(form);
  body.set("step", "card");
  truth.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(form.action || location.pathname, { method: "POST", body });
    if (!answer.ok || answer.redirected) throw new Error(`status ${answer.status}`);
    const text = await answer.text();
    if (mine !== asked) return; // a newer question is on its way
    const open = [...truth.querySelectorAll("details")].map((part) => part.open);
    truth.innerHTML = text;
    truth.querySelectorAll("details").forEach((part, i) => { part.open = open[i] ?? false; });
    tellErrors(truth);
  } catch {
    if (mine === asked) truth.querySelector("h2").textContent = "What this grid is: no answer from the server";
  } finally {
    if (mine === asked) truth.removeAttribute("aria-busy");
  }
};

const soon = () => {
  clearTimeout(timer);
  timer = setTimeout(ask, PAUSE_MS);
};

// A pair names its bot until somebody names it otherwise.
const nameIt = () => {
  const [, base, quote] = /^([A-Z0-9]{1,28}?)(USDT|USDC|EUR|BTC|ETH)$/.exec(form.elements.symbol.value) ?? [];
  if (!base) return;
  if (!touched.has("name")) form.elements.name.value = `${base}/${quote}`;
  if (!touched.has("slug")) form.elements.slug.value = `${base}-${quote}`.toLowerCase();
};

form.addEventListener("input", ({ target }) => {
  touched.add(target.name);
  if (target.name === "symbol") nameIt();
  soon();
});
if (form.elements.symbol?.value) ask(); // an edit has no pair to choose
