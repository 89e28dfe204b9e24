// A row of the levels' table under the pointer or with the focus: its line and its fills stand out in the chart.
// By classes on what is drawn already: a drawing of Plotly's takes longer than a hand takes to the next row.

const FILLS = [1, 2]; // traces of buys and sells

const nearest = (prices, price) =>
  prices.reduce((best, each, i) => (Math.abs(each - price) < Math.abs(prices[best] - price) ? i : best), 0);

const stress = (box, raw) => {
  const { data, layout } = box.figure;
  const prices = layout.shapes.map(({ y0 }) => Number(y0));
  const chosen = layout.shapes.findIndex(({ y0 }) => y0 === raw);
  for (const line of box.querySelectorAll(".shapelayer path[data-index]")) {
    line.classList.toggle("chosen", Number(line.dataset.index) === chosen);
  }
  for (const trace of box.querySelectorAll(".scatterlayer .trace")) {
    const { index } = trace.__data__[0].trace; // d3 keeps with each node what it was drawn from
    if (!FILLS.includes(index)) continue;
    for (const point of trace.querySelectorAll(".point")) {
      const isOther = () => nearest(prices, Number(data[index].y[point.__data__.i])) !== chosen;
      point.classList.toggle("faded", chosen >= 0 && isOther());
    }
  }
};

export const markable = (table, box) => {
  if (!table || !box) return;
  let marked = null;
  const show = () => {
    if (box.drawn) stress(box, marked?.querySelector('[data-field="price"]').dataset.raw ?? "");
  };
  const mark = (row) => {
    if (row === marked) return;
    marked?.classList.remove("marked");
    marked = row;
    marked?.classList.add("marked");
    show();
  };
  box.addEventListener("drawn", show); // what is drawn anew stands out anew
  const rowOf = ({ target }) => target.closest("[data-level-number]");
  for (const name of ["pointerover", "focusin"]) table.addEventListener(name, (event) => mark(rowOf(event)));
  for (const name of ["pointerleave", "focusout"]) table.addEventListener(name, () => mark(null));
};
