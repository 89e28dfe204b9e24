// A backtest: its progress while it runs, its figures when it is done.

import { show } from "./figures.js";

const EVERY_MS = 700;
const job = document.querySelector("[data-job]");

const look = async () => {
  try {
    const answer = await fetch(job.dataset.job);
    if (!answer.ok || answer.redirected) throw new Error(`status ${answer.status}`);
    const told = await answer.json();
    if (told.is_over) return location.reload();
    job.querySelector("progress").value = told.percent;
    job.querySelector("[data-job-stage]").textContent = told.stage || "Waiting for the worker";
    job.querySelector("[data-job-eta]").textContent = told.eta_s === null ? "" : `about ${told.eta_s} s left`;
    document.querySelector("[data-job-state]").textContent = told.state_text;
  } catch {
    job.querySelector("[data-job-eta]").textContent = "no answer from the server, trying again";
  }
  setTimeout(look, EVERY_MS);
};

if (job) setTimeout(look, EVERY_MS);
show(document.querySelectorAll("[data-figure]"));
