// Copying gives full decimals: where the eye reads 0.0₅416, the clipboard gets 0.00000416.

const holder = (node) => (node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement);

const copied = (selection) => {
  const within = holder(selection.getRangeAt(0).commonAncestorContainer);
  const alone = within.closest(".pretty");
  if (alone) return alone.nextElementSibling.textContent;
  let text = selection.toString();
  for (const eye of document.querySelectorAll(".pretty")) {
    const full = eye.nextElementSibling.textContent;
    if (selection.containsNode(eye, true)) text = text.replace(eye.textContent + full, full);
  }
  return text;
};

document.addEventListener("copy", (event) => {
  const selection = getSelection();
  if (!selection.rangeCount || selection.isCollapsed) return;
  event.clipboardData.setData("text/plain", copied(selection));
  event.preventDefault();
});
