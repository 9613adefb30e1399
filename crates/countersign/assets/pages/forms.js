// Says beside a field what is wrong with it before the form is sent, and sends a form only once.

function complaint(input) {
  const { validity, dataset } = input;
  if (validity.valueMissing) return dataset.missing;
  if (validity.tooShort && dataset.short) return dataset.short;
  return dataset.invalid ?? input.validationMessage;
}

function mark(input) {
  const id = `${input.id}-error`;
  let error = document.getElementById(id);
  const others = (input.getAttribute("aria-describedby") ?? "").split(" ").filter((other) => other && other !== id);
  if (input.validity.valid) {
    error?.remove();
    input.removeAttribute("aria-invalid");
  } else {
    if (!error) {
      error = document.createElement("p");
      error.className = "error";
      error.id = id;
      (input.closest(".with-eye") ?? input).before(error);
    }
    error.textContent = complaint(input);
    input.setAttribute("aria-invalid", "true");
    others.push(id);
  }
  if (others.length) input.setAttribute("aria-describedby", others.join(" "));
  else input.removeAttribute("aria-describedby");
}

for (const form of document.querySelectorAll("form[method=post]")) {
  const inputs = [...form.querySelectorAll(".field input, .field textarea")];
  if (inputs.length) form.noValidate = true;
  for (const input of inputs) {
    input.addEventListener("change", () => { if (input.value) mark(input); });
    input.addEventListener("input", () => { if (input.getAttribute("aria-invalid") === "true") mark(input); });
  }
  form.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    inputs.forEach(mark);
    const wrong = inputs.find((input) => !input.validity.valid);
    if (wrong) {
      event.preventDefault();
      wrong.focus();
      return;
    }
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    event.submitter?.setAttribute("aria-busy", "true");
  });
}

// A page that comes back from the browser's memory can be sent again.
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    form.querySelector("[aria-busy]")?.removeAttribute("aria-busy");
  }
});
