// Opens pages, and holds each to what all have to be: valid, accessible, quiet, and no wider than the screen.

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
    // How the source is laid out is nobody's business.
    "no-trailing-whitespace": "off",
    "attr-quotes": "off",
    "doctype-style": ["error", { style: "lowercase" }],
    "long-title": "off",
    // A form's only button sends it; that is what the default is for.
    "no-implicit-button-type": "off",
    // Names go with more than one kind of account page.
    "valid-autocomplete": "error",
  },
});

/** A name that leads to this machine and that browsers take for one of a network. */
export const NETWORK_NAME = "nas.test";

export const SIZES = { phone: PHONE, desk: DESK };

/** What a promise comes to, or nothing if that takes too long. */
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

  /** Somebody with an own session; what the console says of `refusals` is expected. */
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
      // What moved is reported after the frame in which it did, so the one that is being drawn has to end first.
      globalThis.forgetShifts = async () => {
        for (let frame = 0; frame < 2; frame += 1) await new Promise(requestAnimationFrame);
        observer.takeRecords();
        globalThis.shifted = 0;
      };
    });
    const page = await context.newPage();
    // What looks for faults is a script, too, and waits for ever where none may run.
    page.runsScript = script;
    page.setDefaultTimeout(10_000);
    const complain = (text) => this.complaints.push(`${page.url()}: ${text}`);
    page.on("dialog", (dialog) => {
      complain(`a dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    page.on("pageerror", (error) => complain(`an error of a script: ${error.message}`));
    page.on("console", (message) => {
      // A mail runs no script in its frame, not even the one of these tests that looks for movement.
      const expected = /status of 4\d\d|Blocked script execution in '[^']*\/dev\/mail\/[^']*' because the document's frame is sandboxed/;
      const isExpected = expected.test(message.text()) || refusals?.test(message.text());
      if (message.type() === "error" && !isExpected) complain(`the console: ${message.text()}`);
      // What the browser says of the markup: ids that are there twice, passwords whose account has no name, and the like. The page for
      // another password has a name only if its token was sent to somebody.
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
    // A browser may never say what it no longer has of a page that was left.
    const html = await soon(response.text().catch(() => undefined), 10_000);
    if (html === undefined) return;
    if (this.validated.has(html)) return;
    this.validated.add(html);
    // To the validator, buttons that share a name are one choice only if each says that it sends.
    const report = await validator.validateString(html.replace(/<button(?![^>]*\stype=)/g, '<button type="submit"'));
    for (const { messages } of report.results) {
      for (const { line, message, ruleId } of messages) {
        this.complaints.push(`${response.url()} is no valid HTML: line ${line}: ${message} (${ruleId}): ${html.split("\n")[line - 1]?.slice(0, 160)}`);
      }
    }
  }

  /** What every page has to be, in light and in dark. */
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

  /** Pictures of a page in every size and both colours, if somebody wants them. */
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

  /** Fails if any page was not what it has to be. */
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
