// Short messages in the corner: news goes by itself, errors stay until they are closed.

const NEWS_MS = 6000, UNDO_MS = 8000, MOST = 4;

const button = (box, label, act) => {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "btn btn-plain";
  made.textContent = label;
  made.onclick = () => {
    box.remove();
    act?.();
  };
  return made;
};

// `more` is {label, act}: something that can be done about it while the message stands.
export const toast = (text, tone = "", more = null) => {
  const place = document.querySelector(".toasts");
  const box = document.createElement("div");
  box.className = `toast ${tone}`;
  box.setAttribute("role", tone === "bad" ? "alert" : "status");
  const words = document.createElement("p");
  words.textContent = text;
  box.append(words);
  if (more) box.append(button(box, more.label, more.act));
  box.append(button(box, "Close"));
  place.append(box);
  while (place.children.length > MOST) place.firstElementChild.remove();
  if (tone === "bad") return;
  const leave = () => (box.matches(":hover, :focus-within") ? setTimeout(leave, NEWS_MS) : box.remove());
  setTimeout(leave, more ? UNDO_MS : NEWS_MS);
};
