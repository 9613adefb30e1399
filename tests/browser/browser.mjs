// Opens pages and checks what all of them must be: valid, accessible, without console messages, and no wider than the
// screen.

import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";

import { HtmlValidate } from "html-validate";
import { chromium } from "playwright-core";

const require = createRequire(import.meta.url);
const PHONE = { width: 360, height: 740 };
const DESK = { width: 1280, height: 800 };

const validator = new HtmlValidate({
  extends: ["html-validate:recommended"],
  rules: {
    // The formatting of the source does not matter.
    "no-trailing-whitespace": "off",
    "attr-quotes": "off",
    "doctype-style": ["error", { style: "lowercase" }],
    "long-title": "off",
    // A form's only button submits it by default.
    "no-implicit-button-type": "off",
    // Account pages combine tokens in more than one way.
    "valid-autocomplete": "error",
  },
});

/** A name that resolves to this machine, but that browsers treat as another host. */
export const NETWORK_NAME = "nas.test";

export const SIZES = { phone: PHONE, desk: DESK };

/** Returns the result of a promise, or undefined after a timeout. */
function soon(promise, milliseconds) {
  let timer;
  const late = new Promise((done) => { timer = setTimeout(done, milliseconds); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export class Browser {
  static async start(executablePath, screenshots) {
    const browser = new Browser();
    browser.chromium = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", `--host-resolver-rules=MAP ${NETWORK_NAME} 127.0.0.1`] });
    browser.axe = await readFile(require.resolve("axe-core/axe.min.js"), "utf8");
    browser.screenshots = screenshots;
    if (screenshots) await mkdir(screenshots, { recursive: true });
    browser.contexts = [];
    browser.complaints = [];
    browser.validated = new Set();
    return browser;
  }

  /** Opens a page in a new session; console messages that match `refusals` are expected. */
  async somebody({ script = true, size = DESK, scheme = "light", language = "en-GB", bytes, refusals } = {}) {
    const context = await this.chromium.newContext({
      javaScriptEnabled: script,
      viewport: size,
      colorScheme: scheme,
      locale: language,
      reducedMotion: "reduce",
    });
    this.contexts.push(context);
    await context.addInitScript(() => {
      globalThis.shifted = 0;
      const observer = new PerformanceObserver((list) => {
        for (const entry of list.getEntries().filter(({ hadRecentInput }) => !hadRecentInput)) {
          globalThis.shifted += entry.value;
          globalThis.moved = entry.sources.map(({ node }) => (node?.outerHTML ?? node?.textContent ?? "").slice(0, 100)).join(", ");
        }
      });
      observer.observe({ type: "layout-shift", buffered: true });
      // Layout shifts are reported after their frame, so wait until the current one has ended.
      globalThis.forgetShifts = async () => {
        for (let frame = 0; frame < 2; frame += 1) await new Promise(requestAnimationFrame);
        observer.takeRecords();
        globalThis.shifted = 0;
      };
    });
    const page = await context.newPage();
    // The accessibility check is a script, too, and would wait for ever on pages without scripts.
    page.runsScript = script;
    page.setDefaultTimeout(10_000);
    const complain = (text) => this.complaints.push(`${page.url()}: ${text}`);
    page.on("dialog", (dialog) => {
      complain(`a dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    page.on("pageerror", (error) => complain(`an error of a script: ${error.message}`));
    page.on("console", (message) => {
      // A mail's sandboxed frame runs no script, not even the layout shift observer of these tests.
      const expected = /status of 4\d\d|Blocked script execution in '[^']*\/dev\/mail\/[^']*' because the document's frame is sandboxed/;
      const isExpected = expected.test(message.text()) || refusals?.test(message.text());
      if (message.type() === "error" && !isExpected) complain(`the console: ${message.text()}`);
      // The browser's warnings about markup, such as duplicate ids or password forms without a username field. The reset page has
      // that field only if its token belongs to an account.
      if (message.text().startsWith("[DOM]") && !page.url().includes("/reset-password?")) complain(`the console: ${message.text()}`);
    });
    page.on("response", async (response) => {
      const type = response.headers()["content-type"] ?? "";
      const own = new URL(response.url()).hostname === "127.0.0.1" && response.request().resourceType() === "document" && type.startsWith("text/html");
      if (!own || response.url().includes("/dev/mail") || (response.status() >= 300 && response.status() < 400)) return;
      this.pending = (this.pending ?? Promise.resolve()).then(() => this.validate(response)).catch(() => {});
    });
    return page;
  }

  async validate(response) {
    // After a navigation, the body of the previous page may never arrive.
    const html = await soon(response.text().catch(() => undefined), 10_000);
    if (html === undefined) return;
    if (this.validated.has(html)) return;
    this.validated.add(html);
    // The validator accepts buttons with the same name only if each has type="submit".
    const report = await validator.validateString(html.replace(/<button(?![^>]*\stype=)/g, '<button type="submit"'));
    for (const { messages } of report.results) {
      for (const { line, message, ruleId } of messages) {
        this.complaints.push(`${response.url()} is no valid HTML: line ${line}: ${message} (${ruleId}): ${html.split("\n")[line - 1]?.slice(0, 160)}`);
      }
    }
  }

  /** Checks the requirements for every page, in light and in dark. */
  async inspect(page) {
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (wide > 0) this.complaints.push(`${page.url()} is ${wide} pixels wider than the screen`);
    if (!page.runsScript) return;
    const shifted = await page.evaluate(() => globalThis.shifted ?? 0);
    if (shifted > 0.001) this.complaints.push(`${page.url()} moves while it is loaded: ${shifted}: ${await page.evaluate(() => globalThis.moved)}`);
    for (const scheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
      await page.evaluate(this.axe);
      const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
      for (const { id, help, nodes } of violations) {
        const where = nodes.slice(0, 3).map((node) => `${node.html.slice(0, 140)} ${node.any[0]?.message ?? ""}`).join("\n    ");
        this.complaints.push(`${page.url()} in ${scheme}: ${id}: ${help}\n    ${where}`);
      }
    }
    await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  }

  /** Takes screenshots of a page in every size and both colour schemes, if requested. */
  async shoot(page, name) {
    if (!this.screenshots) return;
    const before = page.viewportSize();
    for (const [size, viewport] of Object.entries(SIZES)) {
      await page.setViewportSize(viewport);
      for (const scheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
        await page.screenshot({ path: join(this.screenshots, `${name}-${size}-${scheme}.png`), fullPage: true });
      }
    }
    await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
    await page.setViewportSize(before);
  }

  /** Fails if there were any complaints. */
  demandQuiet() {
    const found = this.complaints.splice(0);
    if (found.length) throw new Error(found.join("\n"));
  }

  async forget() {
    await soon(this.pending, 30_000);
    this.pending = undefined;
    this.complaints.length = 0;
    for (const context of this.contexts.splice(0)) await soon(context.close(), 30_000);
  }

  async end() {
    await this.chromium.close();
  }
}
