// A live page: keeps one state, fed by the live connection, and writes it into the nodes the template made.

import { listen, offer } from "./actions.js";
import "./copy.js";
import { useZone, write } from "./format.js";
import { watch } from "./freshness.js";
import "./keys.js";
import { draw, restingText } from "./ladder.js";
import { connect } from "./live.js";
import { look } from "./look.js";

const FILLS_SHOWN = 12;

const state = { bots: {}, fills: [] };
const changed = { bots: new Set(), fills: false, scheduled: false, quiet: true };
const nodes = [...document.querySelectorAll("[data-live]")].map((node) => ({ node, path: node.dataset.live.split(".") }));
const fillsBody = document.querySelector("[data-fills]");
const freshness = watch(document.querySelector("#connection"));

const tickOf = (slug) => state.bots[slug]?.tick ?? "";
const isKnown = ([root, slug]) => (root === "bots" ? slug in state.bots : root in state);
const find = (path) => path.reduce((value, part) => value?.[part], state);

// A number that moved is tinted for a moment; prices move all the time and are not.
const flash = (node) => {
  if (changed.quiet || node.dataset.format === "price" || node.localName === "time") return;
  node.classList.add("flash");
  node.addEventListener("animationend", () => node.classList.remove("flash"), { once: true });
};

const showCard = (card) => {
  for (const form of document.querySelectorAll(`form[data-action][data-slug="${card.slug}"]`)) offer(form, card);
  for (const glyph of document.querySelectorAll(`[data-glyph="${card.slug}"] use`)) glyph.setAttribute("href", `#state-${card.state}`);
  const article = document.querySelector(`[data-bot="${card.slug}"]`);
  if (!article) return; // the page has no card of it
  article.dataset.state = card.state;
  article.querySelector("[data-resting]").textContent = restingText(card);
  draw(article.querySelector("[data-ladder]"), card);
  showCells(card);
};

const newRow = (template) => document.querySelector(template).content.firstElementChild.cloneNode(true);

const writeRow = (row, values, tick) => {
  for (const node of row.querySelectorAll("[data-field]")) write(node, values[node.dataset.field], tick);
  return row;
};

// The ladder's table while it is open, highest cell first; rows are made anew only when their number changes.
const showCells = ({ slug, cells, tick }) => {
  const body = document.querySelector(`[data-cells="${slug}"]`);
  if (!body.closest("details").open) return;
  if (body.children.length !== cells.length) body.replaceChildren(...cells.map(() => newRow("#cell-row")));
  cells.forEach((cell, i) => writeRow(body.children[cells.length - 1 - i], cell, tick ?? ""));
  document.querySelector(`[data-no-cells="${slug}"]`).hidden = cells.length > 0;
};

for (const body of document.querySelectorAll("[data-cells]"))
  body.closest("details").addEventListener("toggle", () => state.bots[body.dataset.cells] && showCells(state.bots[body.dataset.cells]));

const rowOf = (fill, known) => {
  const row = writeRow(known ?? newRow("#fill-row"), fill, tickOf(fill.bot));
  row.dataset.id = fill.id;
  return row;
};

const showFills = () => {
  if (!fillsBody) return; // not on this page
  const known = new Map([...fillsBody.children].map((row) => [row.dataset.id, row]));
  fillsBody.replaceChildren(...state.fills.map((fill) => rowOf(fill, known.get(fill.id))));
  document.querySelector("[data-no-fills]").hidden = state.fills.length > 0;
  document.querySelector("[data-some-fills]").hidden = state.fills.length === 0;
};

const showLevel = (note, level) => {
  note.dataset.level = level;
  note.querySelector("use").setAttribute("href", level === "ok" ? "#level-ok" : "#level-alert");
};

const paint = () => {
  changed.scheduled = false;
  for (const { node, path } of nodes) if (isKnown(path) && write(node, find(path), tickOf(path[1]))) flash(node);
  for (const slug of changed.bots) showCard(state.bots[slug]);
  if (changed.fills) showFills();
  const sentence = document.querySelector("#sentence");
  if (state.sentence && sentence) showLevel(sentence, state.sentence.level);
  changed.bots.clear();
  changed.fills = changed.quiet = false;
};

const schedule = () => {
  if (changed.scheduled) return;
  changed.scheduled = true;
  requestAnimationFrame(paint);
};

// How old the newest price among these cards is tells how fresh the page is.
const judgeAge = (cards) => {
  const ages = cards.map((card) => card.price?.age_s).filter((age) => age !== null && age !== undefined);
  if (ages.length) freshness.heard(Math.max(0, Math.min(...ages.map(Number))));
};

const adoptCard = (card) => {
  state.bots[card.slug] = card;
  changed.bots.add(card.slug);
};

const takers = {
  snapshot(data) {
    Object.assign(state, data, { bots: {} });
    data.bots.forEach(adoptCard);
    changed.fills = true;
    judgeAge(data.bots);
  },
  tick({ bot, last, time }) {
    const card = state.bots[bot];
    if (!card) return;
    card.price = { ...card.price, last, time, age_s: 0 };
    changed.bots.add(bot);
    freshness.heard(0);
  },
  bot(card) {
    adoptCard(card);
    judgeAge([card]);
  },
  totals(data) {
    Object.assign(state, data);
  },
  fill(fill) {
    const others = state.fills.filter(({ id }) => id !== fill.id); // a fill comes again when its profit is known
    state.fills = [fill, ...others].sort((a, b) => b.time.localeCompare(a.time)).slice(0, FILLS_SHOWN);
    changed.fills = true;
  },
};

const receive = ({ type, data }) => {
  if (!takers[type]) return;
  takers[type](data);
  schedule();
  document.dispatchEvent(new CustomEvent("frame", { detail: { type, data } })); // for what only one page has
};

listen((slug) => state.bots[slug]?.state ?? document.querySelector(`[data-slug="${slug}"]`).dataset.state, (card) => {
  if (card?.slug && card.cells) receive({ type: "bot", data: card });
});
connect("/ws/live/", receive, freshness.report);

if (look("zone") === "browser") {
  useZone("browser");
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
  document.querySelector("[data-zone]").textContent = `Times in ${name}`;
  for (const head of document.querySelectorAll("th")) head.textContent = head.textContent.replace(", UTC", `, ${name}`);
}

// Charts and what changes slowly come last: numbers and controls work before them.
const later = document.querySelectorAll("[data-later]");
const slow = ["slow", "figures", "parts", "dialog", "confirm"]; // asked for at once, not one after the other
const bring = () => Promise.all(slow.map((name) => import(`./${name}.js`))).then(([{ begin }]) => begin(later));
if (later.length) addEventListener("load", () => setTimeout(bring)); // the load is over only when its listeners are
