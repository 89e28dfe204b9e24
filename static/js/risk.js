// The risk page: what guards measure, kept fresh while somebody looks.

import { renewer } from "./parts.js";

const EVERY_MS = 4000;
const soon = renewer();

setInterval(() => {
  if (document.visibilityState === "visible") soon();
}, EVERY_MS);
