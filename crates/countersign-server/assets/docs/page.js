// Starts Swagger UI on this server's own OpenAPI document. A file of its own, so that the page's
// Content-Security-Policy can forbid every inline script.
"use strict";

// Swagger UI has a dark sheet, but leaves switching it on to the page.
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const followScheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
followScheme();
dark.addEventListener("change", followScheme);

window.addEventListener("DOMContentLoaded", () => {
  const ui = SwaggerUIBundle({
    url: "openapi.json",
    dom_id: "#operations",
    layout: "BaseLayout",
    deepLinking: true,
    displayRequestDuration: true,
    defaultModelsExpandDepth: 0,
    tryItOutEnabled: true,
    // A token in localStorage would outlive the visit and be readable by every script of this origin.
    persistAuthorization: false,
    // The default sends the document's address to a validator elsewhere.
    validatorUrl: null,
    onComplete: () => {
      const title = ui.specSelectors.info().get("title");
      if (title) {
        document.title = `${title}: API documentation`;
      }
    },
  });
});
