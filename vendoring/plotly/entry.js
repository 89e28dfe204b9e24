// The traces that our figures use, and no others: scatter (in the core), bar, heatmap, histogram, candlestick.
const Plotly = require("plotly.js/lib/core");
Plotly.register([
  require("plotly.js/lib/bar"),
  require("plotly.js/lib/heatmap"),
  require("plotly.js/lib/histogram"),
  require("plotly.js/lib/candlestick"),
]);
module.exports = Plotly;
