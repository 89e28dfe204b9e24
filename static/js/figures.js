// Figures: described by the server, drawn by Plotly, which is only fetched when one comes into view.

const BUNDLE = "/static/vendor/plotly-4.1.1-grid.min.js";
const RULES = "/static/vendor/plotly-style-global.css";
const CONFIG = { displayModeBar: false, responsive: true, staticPlot: false, doubleClick: false };
const PRICE_MS = 1000;
let loading = null;

const plotly = () => {
  loading ??= new Promise((resolve, reject) => {
    const rules = document.createElement("link"); // with these in place Plotly brings no style of its own
    Object.assign(rules, { id: "plotly.js-style-global", rel: "stylesheet", href: RULES });
    document.head.append(rules);
    const script = document.createElement("script");
    script.src = BUNDLE;
    script.onload = () => resolve(globalThis.Plotly);
    script.onerror = () => reject(new Error("the charts could not be loaded"));
    document.head.append(script);
  });
  return loading;
};

// Colours come as names of design tokens and are looked up in the theme that is shown.
const coloured = (value, style) => {
  if (typeof value === "string") return value.startsWith("--") ? style.getPropertyValue(value).trim() : value;
  if (Array.isArray(value)) return value.map((part) => coloured(part, style));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, coloured(part, style)]));
};

const SVG = "http://www.w3.org/2000/svg";
const DASHES = { dot: "2 3", dash: "6 3", longdash: "9 3", dashdot: "6 3 2 3" };

const drawn = ({ color, dash }) => {
  const picture = document.createElementNS(SVG, "svg"), path = document.createElementNS(SVG, "path");
  picture.setAttribute("viewBox", "0 0 18 8");
  const looks = { d: "M0 4H18", stroke: color, "stroke-width": 2, "stroke-dasharray": DASHES[dash] ?? "none" };
  for (const [name, value] of Object.entries(looks)) path.setAttribute(name, value);
  picture.append(path);
  return picture;
};

// What the lines are called. Plotly would measure every word of a legend of its own before the first line is seen.
const named = (box, traces) => {
  const legend = document.createElement("p");
  legend.className = "legend";
  for (const { name, line } of traces) {
    const entry = document.createElement("span");
    entry.append(drawn(line), name);
    legend.append(entry);
  }
  box.querySelector(":scope > .legend")?.remove();
  box.append(legend);
};

// A figure is asked for as the page was, where the page offers a choice for it.
const address = (box) => {
  const place = new URL(box.dataset.figure, location.href), section = box.closest("section");
  for (const [name, value] of new URLSearchParams(location.search)) {
    if (section?.querySelector(`[href*="${name}="]`)) place.searchParams.set(name, value);
  }
  return place;
};

// Links that only choose how figures are drawn do so without a new page.
export const choose = (figures) => {
  for (const link of document.querySelectorAll("[data-asks]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const { asks, value } = link.dataset, place = new URL(location.href);
      place.searchParams.set(asks, value);
      history.replaceState(null, "", place);
      for (const other of document.querySelectorAll(`[data-asks="${asks}"]`)) other.removeAttribute("aria-current");
      link.setAttribute("aria-current", "true");
      figures.refresh(link.closest("section"));
    });
  }
};

const draw = async (box) => {
  const mine = (box.asked = (box.asked ?? 0) + 1);
  const [library, answer] = await Promise.all([plotly(), fetch(address(box))]);
  if (!answer.ok) return;
  const figure = await answer.json();
  if (mine !== box.asked) return; // a newer question is on its way
  box.figure = figure;
  paint(box, library);
};

const paint = (box, library) => {
  const { data, layout, said, empty, told } = box.figure;
  if (empty) {
    const words = document.createElement("p");
    words.className = "empty";
    words.textContent = empty;
    box.replaceChildren(words);
    return;
  }
  const style = getComputedStyle(document.documentElement);
  const isFirst = !box.drawn;
  if (isFirst) box.replaceChildren();
  box.drawn = true;
  box.setAttribute("role", "img");
  box.setAttribute("aria-label", said);
  const header = box.parentElement.querySelector("[data-told]");
  if (header && told) header.textContent = `fill to acknowledgement: ${told}`;
  const traces = coloured(data, style);
  library.react(box, traces, { ...coloured(layout, style), autosize: true }, CONFIG);
  if (box.figure.named) named(box, traces);
  if (isFirst) box.on("plotly_afterplot", () => box.dispatchEvent(new Event("drawn")));
};

// Draws each figure when it comes near; the answer redraws those in use and moves the newest price.
export const show = (boxes) => {
  const seen = new Set();
  let waiting = null, timer = 0;
  const guarded = (box) => draw(box).catch(() => {}); // without charts the page keeps its tables and pictures
  const eye = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting || seen.has(target)) continue;
      seen.add(target);
      guarded(target);
    }
  }, { rootMargin: "120px" });
  for (const box of boxes) eye.observe(box);

  const recolour = () => {
    for (const box of seen) if (box.figure) plotly().then((library) => paint(box, library));
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
  document.addEventListener("theme", recolour);

  const move = () => {
    timer = 0;
    for (const box of seen) {
      if (box.dataset.kind !== "ladder" || !box.drawn) continue;
      const at = [waiting.time.slice(0, 19)];
      globalThis.Plotly.restyle(box, { x: [at], y: [[waiting.last]] }, [3]);
    }
  };
  return {
    refresh: (within = document) => [...seen].filter((box) => within.contains(box)).forEach(guarded),
    price: (last, time) => {
      waiting = { last, time };
      timer ||= setTimeout(move, PRICE_MS);
    },
  };
};
