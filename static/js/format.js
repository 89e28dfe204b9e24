// Numbers, times and words as a person reads them; bots/templatetags/numbers.py writes the very same texts.

const NOTHING = "–", MINUS = "−", GAP = "\u00a0";
const SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉";
const LEADING_ZEROS = 4; // from this many zeros after the point they are counted, not written
const UNITS = [[13, "T"], [10, "B"], [7, "M"]]; // digits before the point from which a unit is used
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const STATUSES = { resting: "Resting", "in flight": "On its way", withheld: "Withheld", none: "No order" };
const TIMES = ["moment", "minute"];

// A decimal text as exact parts: no value on the page ever becomes a binary fraction.
const split = (text) => {
  const [, sign, whole, fraction = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  return { sign, whole: whole.replace(/^0+(?=\d)/, ""), fraction };
};

const isZero = (digits) => !/[1-9]/.test(digits);
const unsigned = (digits) => (isZero(digits) ? digits.replace("-", "") : digits);

// Plain digits with so many decimals, half to even.
export const fixed = (text, places) => {
  const { sign, whole, fraction } = split(text);
  const padded = fraction.padEnd(places, "0");
  let kept = BigInt(whole + padded.slice(0, places));
  const rest = padded.slice(places);
  const half = "5".padEnd(rest.length, "0");
  if (rest > half || (rest === half && rest && kept % 2n === 1n)) kept += 1n;
  const digits = kept.toString().padStart(places + 1, "0");
  const cut = digits.length - places;
  return unsigned(sign + digits.slice(0, cut) + (places ? `.${digits.slice(cut)}` : ""));
};

const bare = (text) => {
  const { sign, whole, fraction } = split(text);
  const kept = fraction.replace(/0+$/, "");
  return unsigned(sign + whole + (kept && `.${kept}`));
};

// Thousands separated, a real minus sign, and counted zeros: 0.00000416 is written 0.0₅416.
const pretty = (digits) => {
  const { sign, whole, fraction } = split(digits);
  const minus = sign && MINUS;
  const significant = fraction.replace(/^0+/, "");
  const zeros = fraction.length - significant.length;
  if (whole === "0" && significant && zeros >= LEADING_ZEROS) {
    const count = [...String(zeros)].map((digit) => SUBSCRIPTS[digit]).join("");
    return `${minus}0.0${count}${significant}`;
  }
  return minus + whole.replace(/\B(?=(\d{3})+$)/g, ",") + (fraction && `.${fraction}`);
};

const toneOf = (digits) => (digits.startsWith("-") ? "down" : isZero(digits) ? "" : "up");
const plus = (digits) => (toneOf(digits) === "up" ? "+" : "");
const placesOf = (tick) => (tick.split(".")[1] ?? "").replace(/0+$/, "").length;

const price = (text, tick) => {
  const digits = isZero(text) ? "0" : tick ? fixed(text, placesOf(tick)) : bare(text);
  const shown = pretty(digits);
  return { text: shown, full: /[₀-₉]/.test(shown) ? digits : "" };
};

const size = (text) => {
  const { sign, whole, fraction } = split(text);
  for (const [from, name] of UNITS) {
    if (whole.length < from) continue;
    const lead = whole.length - from + 1;
    const scaled = `${sign}${whole.slice(0, lead)}.${whole.slice(lead)}${fraction}`;
    return { text: `${pretty(bare(fixed(scaled, 3 - Math.min(3, lead))))}${GAP}${name}`, full: bare(text) };
  }
  return price(text, "");
};

let zone = "utc"; // or "browser": the zone of the machine the page is read on

// Shows every time of the page, now and later, in a zone.
export const useZone = (wanted) => {
  zone = wanted;
  for (const node of document.querySelectorAll("time[data-format]")) node.textContent = time(node.dataset.format, node.dateTime).text;
};

const local = (at, kind) => {
  const minute = `${two(at.getHours())}:${two(at.getMinutes())}`;
  if (kind === "minute") return { text: `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${minute}` };
  return { text: `${at.getDate()}${GAP}${MONTHS[at.getMonth()]} ${minute}:${two(at.getSeconds())}` };
};

const two = (number) => String(number).padStart(2, "0");

const time = (kind, iso) => {
  const at = new Date(iso);
  if (zone === "browser") return local(at, kind);
  const minute = `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
  if (kind === "minute") return { text: `${iso.slice(0, 10)} ${minute} UTC` };
  return { text: `${at.getUTCDate()}${GAP}${MONTHS[at.getUTCMonth()]} ${minute}:${two(at.getUTCSeconds())}` };
};

const WRITERS = {
  price,
  size,
  money: (text) => ({ text: pretty(fixed(text, 2)) }),
  count: (text) => ({ text: pretty(fixed(text, 0)) }),
  signed: (text) => {
    const digits = fixed(text, 2);
    return { text: plus(digits) + pretty(digits), tone: toneOf(digits) };
  },
  percent: (text) => {
    const digits = fixed(text, 2);
    return { text: `${plus(digits)}${pretty(digits)}${GAP}%`, tone: toneOf(digits) };
  },
};

// What a value looks like: {text, full, tone}; `full` is what screen readers and copying get where `text` is short.
export const show = (value, kind, tick = "") => {
  const raw = value ?? "";
  if (raw === "") return { text: kind === "text" ? "" : NOTHING };
  const text = String(raw);
  if (kind === "text") return { text };
  if (kind === "status") return { text: STATUSES[text] ?? text };
  if (kind === "side") return { text, tone: `side-${text.toLowerCase()}` };
  if (TIMES.includes(kind)) return time(kind, text);
  return WRITERS[kind](text, tick);
};

const TONES = ["up", "down", "side-buy", "side-sell"];

const part = (name, text) => {
  const span = document.createElement("span");
  span.className = name;
  span.textContent = text;
  return span;
};

// Shows a value in an element that the template made; says whether it changed.
export const write = (node, value, tick) => {
  const raw = String(value ?? "");
  if (raw === (node.dataset.raw ?? "")) return false;
  const shown = show(value, node.dataset.format, tick);
  node.dataset.raw = raw;
  node.classList.remove(...TONES);
  if (shown.tone) node.classList.add(shown.tone);
  if (node.localName === "time") node.dateTime = raw;
  if (node.dataset.format === "status") node.dataset.status = raw;
  if (!shown.full) {
    node.textContent = shown.text;
    return true;
  }
  const eye = part("pretty", shown.text);
  eye.title = shown.full;
  eye.setAttribute("aria-hidden", "true");
  node.replaceChildren(eye, part("vh", shown.full));
  return true;
};
