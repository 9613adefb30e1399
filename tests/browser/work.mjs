// Forms that require a proof of work: the script computes it, finishes in time, and reports what it is doing.

import assert from "node:assert/strict";

import { SIZES } from "./browser.mjs";

const PASSWORD = "three words together";

async function fillIn(page, name) {
  await page.getByLabel("Username").fill(name);
  await page.getByLabel("E-mail address").fill(`${name}@example.com`);
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
}

/** Changes an attribute of the challenge on the registration page before any script reads it. */
async function alter(page, name, value) {
  await page.route("**/register", async (route) => {
    if (route.request().resourceType() !== "document" || route.request().method() !== "GET") return route.continue();
    const answer = await route.fetch();
    const html = (await answer.text()).replace(new RegExp(`data-${name}="\\d+"`), `data-${name}="${value}"`);
    return route.fulfill({ response: answer, body: html });
  });
}

/** Records the submitted forms. */
function count(page) {
  const sent = [];
  page.on("request", (request) => { if (request.method() === "POST") sent.push(new URL(request.url()).pathname); });
  return sent;
}

async function registersAndResets({ busyBlog: blog, browser }) {
  const page = await browser.somebody({ size: SIZES.phone });
  const sent = count(page);
  await page.goto(`${blog.url}/register`);
  await browser.inspect(page);
  await fillIn(page, "wanda");
  const began = Date.now();
  await page.getByRole("button", { name: "Create account" }).click();
  await page.locator(".notice").getByText("Welcome!").waitFor();
  console.log(`    from the click to the next page: ${Date.now() - began} ms`);
  assert.deepEqual(sent.splice(0), ["/register"]);
  await page.getByRole("button", { name: "Log out" }).click();
  await page.goto(`${blog.url}/forgot-password`);
  await page.getByLabel("E-mail address").fill("wanda@example.com");
  sent.length = 0;
  await page.getByRole("button", { name: "Send link" }).click();
  await page.locator(".notice").getByText("If an account exists with this email").waitFor();
  assert.deepEqual(sent, ["/forgot-password"]);
  await blog.mail("wanda@example.com", "Reset Your Password");
}

async function saysWhatItIsDoingAndSendsOnce({ busyBlog: blog, browser }) {
  const page = await browser.somebody();
  const sent = count(page);
  // A number of bits that never finishes.
  await alter(page, "bits", 32);
  await page.goto(`${blog.url}/register`);
  await fillIn(page, "xenia");
  const button = page.getByRole("button", { name: "Create account" });
  await button.click();
  const status = page.locator("[data-challenge] output");
  await status.getByText("Just a moment.").waitFor();
  assert.equal(await status.evaluate((output) => output.role ?? output.getAttribute("role") ?? "status"), "status");
  assert.equal(await button.getAttribute("aria-busy"), "true");
  // The page stays usable meanwhile, and a second click changes nothing.
  await button.click();
  await page.getByLabel("Username").fill("xenia the patient");
  assert.equal(await page.getByLabel("Username").inputValue(), "xenia the patient");
  assert.deepEqual(sent, []);
  await browser.inspect(page);
  await browser.shoot(page, "register-working");
}

async function anOldChallengeIsReplacedBeforeItIsTooLate({ busyBlog: blog, browser }) {
  const page = await browser.somebody();
  const sent = count(page);
  await alter(page, "expires", 1);
  await page.goto(`${blog.url}/register`);
  const first = await page.locator("[data-challenge]").getAttribute("data-challenge");
  await fillIn(page, "yara");
  const asked = page.waitForRequest((request) => request.method() === "POST");
  await page.getByRole("button", { name: "Create account" }).click();
  const solution = new URLSearchParams((await asked).postData()).get("challenge_solution");
  assert.notEqual(solution.split(":")[0], first);
  await page.locator(".notice").getByText("Welcome!").waitFor();
  assert.deepEqual(sent, ["/register"]);
}

async function withoutScriptTheFormSaysThatItNeedsOne({ busyBlog: blog, browser }) {
  const page = await browser.somebody({ script: false });
  for (const path of ["/register", "/forgot-password"]) {
    await page.goto(blog.url + path);
    // With scripts disabled by a test, the browser still parses pages as if they were enabled, so the text exists but is hidden.
    assert.match(await page.locator("form noscript").textContent(), /This form needs JavaScript/);
    await browser.inspect(page);
  }
  await page.getByLabel("E-mail address").fill("zoe@example.com");
  await page.getByRole("button", { name: "Send link" }).click();
  await page.getByRole("alert").getByText("The calculation that your browser had to do was missing").waitFor();
  assert.equal(await page.getByLabel("E-mail address").inputValue(), "zoe@example.com");
}

export const tests = [
  ["a_form_does_the_work_that_it_asks_for", registersAndResets],
  ["a_form_says_that_it_is_working_and_is_sent_once", saysWhatItIsDoingAndSendsOnce],
  ["a_form_replaces_a_challenge_that_has_grown_old", anOldChallengeIsReplacedBeforeItIsTooLate],
  ["without_script_a_form_says_that_it_needs_one", withoutScriptTheFormSaysThatItNeedsOne],
].map(([name, test]) => ({ name, test }));
