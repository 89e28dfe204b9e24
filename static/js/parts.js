// Parts of a page made anew by the server, so that one template writes them, at the start and later.

const PACE_MS = 2000;

export const fetched = async (address) => {
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) throw new Error(`the server answered with status ${answer.status}`);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
};

// A part in which somebody works stays as it is.
const isInUse = (part) =>
  part.contains(document.activeElement) || [...part.querySelectorAll("input")].some((input) => input.value !== input.defaultValue);

// Returns soon(): takes the parts that changed from a new copy of the page, then calls after().
export const renewer = (after = () => {}) => {
  let due = 0, busy = false;

  const renew = async () => {
    due = 0;
    busy = true;
    try {
      const fresh = await fetched(location.href);
      for (const part of document.querySelectorAll("[data-part]")) {
        const newer = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
        if (newer && newer.innerHTML !== part.innerHTML && !isInUse(part)) part.replaceWith(newer);
      }
      after();
    } catch {
      // The connection chip tells of an outage; the next call tries again.
    } finally {
      busy = false;
    }
  };

  return () => {
    if (!due && !busy) due = setTimeout(renew, PACE_MS);
  };
};
