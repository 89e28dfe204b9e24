// Forms that want a word typed: the button stays off until it is there, and one confirm sends one request.

export const guard = (form) => {
  const word = form.elements.word, button = form.querySelector("[data-go]");
  const judge = () => {
    button.disabled = word.value.trim() !== form.dataset.confirm;
  };
  word.addEventListener("input", judge);
  form.addEventListener("submit", (event) => {
    if (button.disabled || form.dataset.sent) event.preventDefault();
    else form.dataset.sent = "yes";
  });
  judge();
};

for (const form of document.querySelectorAll("form[data-confirm]")) guard(form);
