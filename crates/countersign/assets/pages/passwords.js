// Lets a password be seen, and says of a new one how hard it is to guess. It never leaves the page for that.

function score(password) {
  const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z\d]/].filter((kind) => kind.test(password)).length;
  const different = new Set(password.toLowerCase()).size;
  const worth = Math.min(password.length, different * 2) + (kinds - 1) * 2;
  if (password.length < 8 || worth < 12) return 1;
  return worth < 18 ? 2 : 3;
}

for (const input of document.querySelectorAll("input[type=password]")) {
  const { show, hide } = input.dataset;
  if (show && hide) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = show;
    button.setAttribute("aria-controls", input.id);
    button.addEventListener("click", () => {
      const hidden = input.type === "password";
      input.type = hidden ? "text" : "password";
      button.textContent = hidden ? hide : show;
      input.focus();
    });
    input.after(button);
    // Browsers keep what was typed into text fields.
    input.form?.addEventListener("submit", () => { input.type = "password"; });
  }
  const hint = document.getElementById(`${input.id}-strength`);
  if (hint) {
    input.addEventListener("input", () => {
      const found = input.value ? score(input.value) : 0;
      hint.dataset.score = found;
      hint.textContent = found ? hint.dataset[`score${found}`] : "";
    });
  }
}
