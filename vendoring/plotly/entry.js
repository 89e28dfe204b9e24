// plotly.js with what our figures use and nothing else: lines, marks, bars, candles, shapes, legends, hovering.
// Its own core (plotly.js/lib/core) also holds sliders, menus, images, selections, annotations and more.
const Registry = require("plotly.js/src/registry");
const api = require("plotly.js/src/plot_api/plot_api");
const components = [
  require("plotly.js/src/components/shapes"),
  require("plotly.js/src/components/colorscale"),
  require("plotly.js/src/components/legend"), // after shapes: its defaults look at theirs
  require("plotly.js/src/components/fx"), // after the legend, for the same reason
  require("plotly.js/src/components/modebar"), // never shown, but drawing asks for its defaults
];
const traces = [
  require("plotly.js/src/traces/scatter"),
  require("plotly.js/src/traces/bar"),
  require("plotly.js/src/traces/candlestick"),
];
const words = [require("plotly.js/src/locale-en"), require("plotly.js/src/locale-en-us")];

for (const [name, fn] of Object.entries(api)) Registry.register({ moduleType: "apiMethod", name, fn });
Registry.register([...components, ...traces, ...words]);

const { version } = require("plotly.js/src/version");
const { react, restyle } = api;
module.exports = { version, react, restyle };
