// A row of the levels' table under the pointer or with the focus: its line and its fills stand out in the chart.

const FILLS = [1, 2]; // traces of buys and sells
const WIDE = 3;
const SETTLED_MS = 60; // rows that a pointer only passes do not stand out in the chart

const nearest = (prices, price) =>
  prices.reduce((best, each, i) => (Math.abs(each - price) < Math.abs(prices[best] - price) ? i : best), 0);

// Only what is another way than before is changed, and by one drawing: Plotly's are dear.
const stress = (box, raw) => {
  const { data, layout } = box.figure;
  const prices = layout.shapes.map(({ y0 }) => Number(y0));
  const chosen = layout.shapes.findIndex(({ y0 }) => y0 === raw);
  const lines = {};
  layout.shapes.forEach(({ line, opacity }, i) => {
    const width = i === chosen ? WIDE : line.width;
    if (box.layout.shapes[i]?.line.width === width) return;
    lines[`shapes[${i}].line.width`] = width;
    lines[`shapes[${i}].opacity`] = i === chosen ? 1 : opacity;
  });
  if (Object.keys(lines).length === 0) return;
  const points = FILLS.map((trace) => {
    const all = [...data[trace].y.keys()];
    return chosen < 0 ? null : all.filter((i) => nearest(prices, Number(data[trace].y[i])) === chosen);
  });
  globalThis.Plotly.update(box, { selectedpoints: points }, lines, FILLS);
};

export const markable = (table, box) => {
  if (!table || !box) return;
  let marked = null, timer = 0;
  const draw = () => {
    if (box.drawn) stress(box, marked?.querySelector('[data-field="price"]').dataset.raw ?? "");
  };
  const mark = (row) => {
    if (row === marked) return;
    marked?.classList.remove("marked");
    marked = row;
    marked?.classList.add("marked");
    clearTimeout(timer);
    timer = setTimeout(draw, SETTLED_MS);
  };
  const rowOf = ({ target }) => target.closest("[data-level-number]");
  for (const name of ["pointerover", "focusin"]) table.addEventListener(name, (event) => mark(rowOf(event)));
  for (const name of ["pointerleave", "focusout"]) table.addEventListener(name, () => mark(null));
};
