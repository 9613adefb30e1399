// Puts the next page of a list below the present one instead of loading it in its place.
const list = document.querySelector("[data-list]");
const status = document.querySelector("[data-more-status]");

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-more]");
  if (!link || !list || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  if (link.getAttribute("aria-busy") === "true") return;
  link.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(link.href, { headers: { accept: "text/html" } });
    if (!answer.ok) throw new Error(answer.statusText);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = [...(page.querySelector("[data-list]")?.children ?? [])];
    const next = page.querySelector("a[data-more]");
    list.append(...found);
    if (next) link.href = next.href;
    else link.remove();
    link.removeAttribute("aria-busy");
    if (status) status.textContent = status.dataset.text.replace("0", String(found.length));
    found[0]?.querySelector("a")?.focus({ preventScroll: true });
  } catch {
    location.assign(link.href);
  }
});
