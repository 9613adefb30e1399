// Switches between light and dark at once; without script the same buttons load the page anew.
for (const form of document.querySelectorAll("form[data-theme-switch]")) {
  const buttons = form.querySelectorAll("button[name=theme]");
  form.addEventListener("submit", (event) => {
    const chosen = event.submitter?.value;
    if (chosen === undefined) return;
    event.preventDefault();
    if (chosen === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = chosen;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.value === chosen));
    // The server keeps the choice, so that the next page comes in it from the beginning.
    fetch(form.action, { method: "POST", body: new URLSearchParams({ theme: chosen }), redirect: "manual" });
  });
}
