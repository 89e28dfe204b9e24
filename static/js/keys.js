// Keyboard shortcuts: they lead somewhere or change the look; none of them trades.

import { look, setLook } from "./look.js";

const GO = {
  d: "/", o: "/orders/", n: "/bots/new/", r: "/risk/", b: "/backtests/", m: "/market/", a: "/audit/", h: "/health/",
};
const PATIENCE_MS = 1200;
let awaited = 0;

const isTyping = (target) => target.closest("input, select, textarea, [contenteditable], dialog") !== null;

const flip = () => {
  const isDark = look("theme") ? look("theme") === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  setLook("theme", isDark ? "light" : "dark");
};

const nth = (number) => document.querySelectorAll("[data-bot-link]")[number - 1]?.click();

const kill = () => {
  const opener = document.querySelector("[data-kill]");
  if (opener) opener.click();
  else location.assign("/kill/");
};

const keys = {
  "?": () => location.assign("/help/"),
  t: flip,
  k: kill,
  p: () => document.querySelector("main form.switch button")?.focus(),
  g: () => { awaited = performance.now(); },
};

if (look("keys") !== "off") {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const goes = performance.now() - awaited < PATIENCE_MS && GO[event.key];
    awaited = 0;
    if (goes) location.assign(goes);
    else if (/^[1-4]$/.test(event.key)) nth(Number(event.key));
    else keys[event.key]?.();
  });
}
