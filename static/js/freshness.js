// The connection chip: it tells the age of the data, not whether a socket is open.

const DELAYED_S = 3, STALE_S = 15, LOOK_MS = 500;

const judge = (link, age) => {
  if (!link.open && link.tries) return ["bad", "reconnecting", "Reconnecting", `try ${link.tries}`];
  if (age === null) return ["", "waiting", link.open ? "No prices yet" : "Connecting", ""];
  if (age < DELAYED_S) return ["ok", "live", "Live", ""];
  const seconds = `${Math.floor(age)} s`;
  return age < STALE_S ? ["warn", "delayed", "Delayed", seconds] : ["bad", "stale", "Stale", seconds];
};

// Keeps the chip true. `heard(age)` says that data came which was `age` seconds old.
export const watch = (chip) => {
  const word = chip.querySelector("[data-word]"), detail = chip.querySelector("[data-detail]");
  let link = { open: false, tries: 0 }, born = null;

  const look = () => {
    const age = born === null ? null : (performance.now() - born) / 1000;
    const [tone, fresh, text, more] = judge(link, age);
    if (word.textContent !== text) {
      document.body.dataset.fresh = fresh;
      chip.className = `chip ${tone}`;
      word.textContent = text; // announced, so it is written only when it changes
    }
    if (detail.textContent !== more) detail.textContent = more;
  };

  setInterval(look, LOOK_MS);
  return {
    heard(age) {
      born = Math.max(born ?? -Infinity, performance.now() - age * 1000);
      look();
    },
    report(now) {
      link = now;
      look();
    },
  };
};
