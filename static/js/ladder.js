// The small ladder of a bot's card and the words about its orders, as bots/templatetags/ladder.py draws them.
// Only pixels are computed here, so ordinary numbers will do.

const WIDTH = 260, TOP = 6, BOTTOM = 90, NOW_X = 246;

const levels = (card) => [...card.cells.map((cell) => cell.low), ...card.cells.slice(-1).map((cell) => cell.high)];

const scaleOf = (card) => {
  const onAxis = card.range.spacing === "arithmetic" ? Number : (price) => Math.log(Number(price));
  const prices = [...levels(card), ...card.spark.map(([, price]) => price)];
  if (card.price) prices.push(card.price.last);
  const spots = prices.map(onAxis);
  const low = Math.min(...spots), span = Math.max(...spots) - low || 1;
  return (price) => (BOTTOM - ((BOTTOM - TOP) * (onAxis(price) - low)) / span).toFixed(1);
};

const kindOf = (cell) => {
  if (cell.status === "withheld") return "held";
  return cell.wants && cell.status !== "none" ? cell.wants.toLowerCase() : "";
};

const lines = (card, scale) => {
  const drawn = { bare: "", buy: "", sell: "", held: "" };
  const orders = new Map(card.cells.filter(kindOf).map((cell) => [cell.price, kindOf(cell)]));
  for (const price of levels(card)) drawn[orders.get(price) ?? "bare"] += `M0 ${scale(price)}H${WIDTH}`;
  return drawn;
};

const spark = (points, scale) => {
  if (points.length < 2) return "";
  const step = NOW_X / (points.length - 1);
  return `M${points.map((price, i) => `${(step * i).toFixed(1)} ${scale(price)}`).join("L")}`;
};

// Path data by class name, for every path of the picture.
export const paths = (card) => {
  const scale = scaleOf(card);
  const points = card.spark.map(([, price]) => price);
  if (card.price) points.push(card.price.last);
  const now = card.price ? `M${NOW_X} ${scale(card.price.last)}h0` : "";
  return { ...lines(card, scale), spark: spark(points, scale), halo: now, now };
};

export const draw = (picture, card) => {
  const drawn = paths(card);
  for (const path of picture.children) path.setAttribute("d", drawn[path.getAttribute("class")]);
};

const counted = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

export const restingText = ({ resting }) => {
  const sells = resting.sells && counted(resting.sells, "sell");
  const buys = resting.buys && counted(resting.buys, "buy");
  const sides = [sells, buys].filter(Boolean).join(" and ");
  const parts = [sides ? `${sides} resting` : "No orders resting"];
  if (resting.in_flight) parts.push(`${resting.in_flight} on the way`);
  if (resting.withheld) parts.push(`${resting.withheld} withheld`);
  return parts.join(", ");
};
