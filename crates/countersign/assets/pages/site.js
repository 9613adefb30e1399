// What every page gets: each part is fetched only where the page has a use for it. Without script all of it works, too.
import "./theme.js";

const parts = [
  ["form", "./forms.js"],
  ["[data-challenge]", "./challenge.js"],
  ["input[type=password]", "./passwords.js"],
  ["[data-more]", "./more.js"],
  ["[data-picture]", "./picture.js"],
];

for (const [selector, file] of parts) {
  if (document.querySelector(selector)) import(file);
}

// Whoever is told what was wrong, is told first.
document.getElementById("problems")?.focus();
