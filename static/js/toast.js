// Short messages in the corner: news goes by itself, errors stay until they are closed.

const NEWS_MS = 6000, MOST = 4;

const button = (box) => {
  const close = document.createElement("button");
  close.type = "button";
  close.className = "btn btn-plain";
  close.textContent = "Close";
  close.onclick = () => box.remove();
  return close;
};

export const toast = (text, tone = "") => {
  const place = document.querySelector(".toasts");
  const box = document.createElement("div");
  box.className = `toast ${tone}`;
  box.setAttribute("role", tone === "bad" ? "alert" : "status");
  const words = document.createElement("p");
  words.textContent = text;
  box.append(words, button(box));
  place.append(box);
  while (place.children.length > MOST) place.firstElementChild.remove();
  if (tone !== "bad") setTimeout(() => box.remove(), NEWS_MS);
};
