// Pause and resume: the button says "Pausing…" until the bot's own state arrives; nothing is assumed.

import { toast } from "./toast.js";

const PATIENCE_MS = 12000; // a pause waits up to 10 s for a buy that is on the wire
const WORDS = {
  pause: { going: "Pausing…", done: "is paused: it buys no more, its sells stay" },
  resume: { going: "Resuming…", done: "runs again" },
};
const waiting = new Map(); // bot slug -> {action, was, timer}

const labelOf = (form) => form.querySelector("[data-label]");

const key = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

const post = async (form) => {
  const answer = await fetch(`/api/${form.dataset.action}`, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      "X-CSRFToken": form.elements.csrfmiddlewaretoken.value,
      "Idempotency-Key": key(),
    },
    body: JSON.stringify({ bot: form.dataset.slug }),
  });
  const body = await answer.json().catch(() => null); // a proxy's error page is no JSON; the status tells
  if (!answer.ok) throw new Error(body?.error?.message ?? `The server answered with status ${answer.status}.`);
  return body;
};

const settle = (form) => {
  clearTimeout(waiting.get(form.dataset.slug)?.timer);
  waiting.delete(form.dataset.slug);
  const submit = form.querySelector("button");
  submit.removeAttribute("aria-disabled");
  labelOf(form).textContent = form.dataset.action === "pause" ? "Pause" : "Resume";
};

const begin = (form, was) => {
  const { action, slug } = form.dataset;
  labelOf(form).textContent = WORDS[action].going;
  form.querySelector("button").setAttribute("aria-disabled", "true");
  const asked = new Date().toISOString().slice(11, 19);
  const timer = setTimeout(() => {
    settle(form);
    toast(`No answer yet for ${form.dataset.name}. The request was sent at ${asked} UTC.`, "bad");
  }, PATIENCE_MS);
  waiting.set(slug, { action, was, timer });
};

// Makes a card's form offer what its state allows; ends the waiting when the state has changed.
export const offer = (form, card) => {
  const pending = waiting.get(card.slug);
  const arrived = pending && card.state !== pending.was;
  if (pending && !arrived) return;
  form.dataset.state = card.state;
  form.dataset.action = card.state === "paused" ? "resume" : "pause";
  form.action = form.dataset[`${form.dataset.action}Url`];
  settle(form);
  if (!arrived) return;
  const undo = pending.action === "pause" && { label: "Undo", act: () => form.requestSubmit() };
  toast(`${card.name} ${WORDS[pending.action].done}.`, "ok", undo);
};

// Turns the page's forms into requests. `stateOf(slug)` is the state shown now; cards of answers go to `receive`.
export const listen = (stateOf, receive) => {
  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-action]");
    if (!form) return;
    event.preventDefault();
    if (waiting.has(form.dataset.slug)) return;
    begin(form, stateOf(form.dataset.slug));
    try {
      receive(await post(form));
    } catch (error) {
      settle(form);
      toast(`${form.dataset.name}: ${error.message}`, "bad");
    }
  });
};
