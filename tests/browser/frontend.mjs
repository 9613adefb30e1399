// The front end of examples/api-only: another framework, over cookies, under a strict content security policy.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

import { SIZES } from "./browser.mjs";

/** Starts the example, which lies next to the blog, and waits for its address. */
async function startExample(blogProgram) {
  const folder = await mkdtemp(join(tmpdir(), "api-only-"));
  const program = spawn(join(dirname(resolve(blogProgram)), "example-api-only"), [], {
    cwd: folder,
    env: { PATH: process.env.PATH, LISTEN: "127.0.0.1:0", SECRET_KEY: randomBytes(32).toString("hex") },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let log = "";
  program.stdout.on("data", (text) => { log += text; });
  const ended = once(program, "exit").then(([status]) => { throw new Error(`the example ended with status ${status}`); });
  ended.catch(() => {}); // at the end of the test
  /** Waits for a text that the program prints, such as a link in a mail. */
  const printed = async (pattern) => {
    while (!pattern.test(log)) await Promise.race([once(program.stdout, "data"), ended]);
    return pattern.exec(log)[0];
  };
  const url = await printed(/http:\/\/127\.0\.0\.1:\d+(?=\s)/);
  const end = async () => {
    program.kill("SIGTERM");
    await ended.catch(() => {});
    await rm(folder, { recursive: true, force: true });
  };
  return { url, printed, end };
}

async function anotherFrameworkOverCookies({ browser, program }) {
  const example = await startExample(program);
  try {
    const page = await browser.somebody({ size: SIZES.phone });
    await page.goto(example.url);
    const login = page.getByRole("form", { name: "Log in" });
    const registration = page.getByRole("form", { name: "New here" });
    await login.waitFor();
    await browser.inspect(page);
    await browser.shoot(page, "api-only-welcome");

    // Errors of the API stand at their fields, and what was typed stays.
    await registration.getByLabel("E-mail address").fill("ada");
    await registration.getByRole("button", { name: "Create account" }).click();
    await registration.locator("#New-here-username-error").waitFor();
    assert.equal(await registration.getByLabel("E-mail address").inputValue(), "ada");
    assert.equal(await registration.locator("input[aria-invalid=true]").count(), 3, "all three fields are wrong");
    await browser.inspect(page);

    await registration.getByLabel("Name").fill("Ada");
    await registration.getByLabel("E-mail address").fill("ada@example.com");
    await registration.getByLabel("Password").fill("three words together");
    await registration.getByRole("button", { name: "Create account" }).click();
    await page.getByRole("heading", { name: "Hello, Ada" }).waitFor();

    await page.goto(await example.printed(/http\S+token=\S+(?=\s)/));
    await page.getByRole("heading", { name: "Hello, Ada" }).waitFor();
    await browser.inspect(page);
    await page.getByRole("button", { name: "Confirm" }).click();
    await page.getByRole("status").getByText("Email verified successfully.").waitFor();
    assert.equal(page.url(), `${example.url}/`, "the token is no longer in the address");

    await page.getByLabel("To-do", { exact: true }).fill("Buy <b>milk</b>");
    await page.getByRole("button", { name: "Add" }).click();
    await page.getByRole("listitem").filter({ hasText: "Buy <b>milk</b>" }).waitFor();
    await browser.inspect(page);
    await browser.shoot(page, "api-only-todos");
    assert.equal(await page.evaluate(() => document.cookie), "", "scripts cannot read the session");
    await page.reload();
    await page.getByRole("listitem").filter({ hasText: "Buy <b>milk</b>" }).waitFor();

    await page.getByRole("button", { name: "Log out" }).click();
    await login.waitFor();
    await login.getByLabel("E-mail address").fill("ada@example.com");
    await login.getByLabel("Password").fill("four other words here");
    await login.getByRole("button", { name: "Log in" }).click();
    await login.getByText("Incorrect email or password").waitFor();
    await login.getByLabel("Password").fill("three words together");
    await login.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("heading", { name: "Hello, Ada" }).waitFor();

    // A session that ends elsewhere, as by a logout in another tab, leads back to the login.
    await page.request.post(`${example.url}/api/users/logout`);
    await page.getByLabel("To-do", { exact: true }).fill("Buy bread");
    await page.getByRole("button", { name: "Add" }).click();
    await page.getByRole("alert").getByText("Your session has ended.").waitFor();
    await login.waitFor();

    // The policy of the page: neither an inline script nor one of another site runs.
    const ran = await page.evaluate(() => {
      const script = document.createElement("script");
      script.textContent = "globalThis.smuggled = true";
      document.body.append(script);
      return globalThis.smuggled === true;
    });
    assert.equal(ran, false, "no inline script runs");
    const refused = browser.complaints.splice(0);
    assert.ok(refused.length === 1 && /content security policy/i.test(refused[0]), refused.join("\n"));
  } finally {
    await example.end();
  }
}

export const tests = [{ name: "another_framework_works_over_cookies", test: anotherFrameworkOverCookies }];
