// A row of the levels' table under the pointer or with the focus: its line and its fills stand out in the chart.

const FILLS = [1, 2]; // traces of buys and sells
const WIDE = 3;

const nearest = (prices, price) =>
  prices.reduce((best, each, i) => (Math.abs(each - price) < Math.abs(prices[best] - price) ? i : best), 0);

const stress = (box, raw) => {
  const { data, layout } = box.figure;
  const prices = layout.shapes.map(({ y0 }) => Number(y0));
  const chosen = layout.shapes.findIndex(({ y0 }) => y0 === raw);
  const lines = {};
  layout.shapes.forEach(({ line, opacity }, i) => {
    lines[`shapes[${i}].line.width`] = i === chosen ? WIDE : line.width;
    lines[`shapes[${i}].opacity`] = i === chosen ? 1 : opacity;
  });
  const points = FILLS.map((trace) => {
    const all = [...data[trace].y.keys()];
    return chosen < 0 ? null : all.filter((i) => nearest(prices, Number(data[trace].y[i])) === chosen);
  });
  globalThis.Plotly.relayout(box, lines);
  globalThis.Plotly.restyle(box, { selectedpoints: points }, FILLS);
};

export const markable = (table, box) => {
  if (!table || !box) return;
  let marked = null;
  const mark = (row) => {
    if (row === marked) return;
    marked?.classList.remove("marked");
    marked = row;
    marked?.classList.add("marked");
    if (box.drawn) stress(box, row?.querySelector('[data-field="price"]').dataset.raw ?? "");
  };
  const rowOf = ({ target }) => target.closest("[data-level-number]");
  for (const name of ["pointerover", "focusin"]) table.addEventListener(name, (event) => mark(rowOf(event)));
  for (const name of ["pointerleave", "focusout"]) table.addEventListener(name, () => mark(null));
};
