// Appearance and weight of pages, with optional screenshots.

import assert from "node:assert/strict";

import { SIZES } from "./browser.mjs";

const FRONT_BYTES_MAX = 30 * 1024;

const TEXTS = [
  "There is a moment in every project when the first stranger signs up. Until then the accounts were a table; from then on they are a **promise**.\n\n- that nobody else gets in\n- that one can leave\n- that a lost password is no lost account",
  "Short notes are posts, too.",
  "What I read this week:\n\n1. [RFC 9106](https://www.rfc-editor.org/rfc/rfc9106), once more\n2. *A Pattern Language*\n3. the log\n\n> Simplicity is prerequisite for reliability.\n\nThe last one is the best.",
  "A small program:\n\n```\nfn main() {\n    println!(\"a line that is much longer than a telephone is wide, so that it has to scroll by itself\");\n}\n```\n\nIt prints one line.",
  "# With a heading\n\nAnd some text below it, long enough to fill more than one line on any screen that people still hold in their hands.\n\n## And a smaller one\n\n| what | how much |\n|---|---|\n| tea | two cups |\n| bread | one slice |",
];

async function write(blog, name) {
  const author = await blog.author(name);
  const posts = [];
  for (let n = 0; n < 12; n += 1) {
    posts.push(await author.publish(n === 9 ? "The first stranger" : `Notes of day ${n + 1}`, n === 9 ? TEXTS[0] : TEXTS[n % TEXTS.length]));
  }
  return { author, posts };
}

async function logIn(blog, page, { email, password }) {
  await page.goto(`${blog.url}/login`);
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.waitForURL(`${blog.url}/`);
}

async function everyPageInEverySize({ blog, browser }) {
  const { author, posts } = await write(blog, "Ada Lovelace");
  const page = await browser.somebody();
  const see = async (path, name) => {
    if (path) await page.goto(blog.url + path);
    for (const size of Object.values(SIZES)) {
      await page.setViewportSize(size);
      await browser.inspect(page);
    }
    await browser.shoot(page, name);
  };
  await see("/", "front");
  await see(`/posts/${posts[9].id}`, "post");
  await see(`/users/${author.id}/posts`, "author");
  await see("/login", "login");
  await page.getByLabel("E-mail address").fill("ada@example.com");
  await page.getByLabel("Password", { exact: true }).fill("wrong password");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("alert").waitFor();
  await see(undefined, "login-error");
  await see("/register", "register");
  await see("/forgot-password", "forgot");
  await see("/reset-password?token=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "reset");
  await see("/verify-email?token=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "verify");
  await see("/verify-email", "verify-code");
  await see("/undo-email-change?token=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "undo");
  await see("/nothing-here", "not-found");
  await logIn(blog, page, author);
  await see("/", "front-logged-in");
  await see("/account", "account");
  await see("/account/delete", "delete-account");
  await see("/posts/new", "write");
  await see(`/posts/${posts[9].id}/edit`, "edit");
  await see(`/posts/${posts[9].id}/delete`, "delete-post");
  const mail = await blog.mail(author.email, "Confirm your e-mail address");
  // The mail's sandboxed frame runs no script, not even the layout shift observer.
  const reader = await browser.somebody({ script: false });
  await reader.goto(blog.url + mail.path);
  await browser.shoot(reader, "mail");
}

async function faultsAreTiedToTheirFields({ blog, browser }) {
  for (const script of [true, false]) {
    const page = await browser.somebody({ script });
    await page.goto(`${blog.url}/register`);
    // Bypasses the browser's own validation.
    const answer = await page.request.post(`${blog.url}/register`, { form: { username: "a@b", email: "ada", password: "short" } });
    assert.equal(answer.status(), 422);
    await page.getByLabel("Username").fill("somebody");
    await page.getByLabel("E-mail address").fill("somebody@example.com");
    await page.getByLabel("Password", { exact: true }).fill("password1");
    await page.getByRole("button", { name: "Create account" }).click();
    const field = page.locator("#password[aria-invalid=true]");
    await field.waitFor();
    const described = await field.getAttribute("aria-describedby");
    const texts = await Promise.all(described.split(" ").map((id) => page.locator(`#${id}`).textContent()));
    assert.match(texts.join(" "), /among the most common/);
    await browser.inspect(page);
    const focused = await page.evaluate(() => document.activeElement.id);
    assert.equal(focused, script ? "problems" : "");
    if (script) await browser.shoot(page, "register-error");
  }
}

async function scriptSaysWhatIsWrongAtOnce({ blog, browser }) {
  const page = await browser.somebody();
  await page.goto(`${blog.url}/register`);
  await page.getByLabel("E-mail address").fill("no address");
  await page.getByLabel("Username").focus();
  await page.locator("#email-error").getByText("Please enter an e-mail address").waitFor();
  await page.getByRole("button", { name: "Create account" }).click();
  assert.match(page.url(), /\/register$/);
  assert.equal(await page.evaluate(() => document.activeElement.id), "username");
  await browser.inspect(page);
  const password = page.getByLabel("Password", { exact: true });
  await password.fill("aaaaaaaa");
  await page.getByText("Easy to guess").waitFor();
  await password.fill("three words together");
  await page.getByText("Hard to guess").waitFor();
  await page.getByRole("button", { name: "Show" }).click();
  assert.equal(await password.getAttribute("type"), "text");
  await page.getByRole("button", { name: "Hide" }).click();
  assert.equal(await password.getAttribute("type"), "password");
}

async function moreAreLoadedInPlace({ blog, browser }) {
  const { author } = await write(blog, "Grace Hopper");
  const path = `/users/${author.id}/posts`;
  const page = await browser.somebody();
  await page.goto(blog.url + path);
  assert.equal(await page.locator("article").count(), 10);
  await page.getByRole("link", { name: "Load More" }).click();
  await page.getByText("2 more posts loaded.").waitFor({ state: "attached" });
  assert.equal(await page.locator("article").count(), 12);
  assert.equal(await page.getByRole("link", { name: "Load More" }).count(), 0);
  assert.equal(page.url(), blog.url + path);
  await browser.inspect(page);

  const plain = await browser.somebody({ script: false });
  await plain.goto(blog.url + path);
  await plain.getByRole("link", { name: "Load More" }).click();
  await plain.getByRole("link", { name: "Back to the newest" }).waitFor();
  assert.equal(await plain.locator("article").count(), 2);
}

async function themeAndLanguageAreKept({ blog, browser }) {
  for (const script of [true, false]) {
    const page = await browser.somebody({ script });
    await page.goto(`${blog.url}/login`);
    const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await paper();
    await page.getByRole("button", { name: "Dark" }).click();
    await page.locator("html[data-theme=dark]").waitFor();
    assert.notEqual(await paper(), light);
    await page.getByRole("button", { name: "Deutsch" }).click();
    await page.getByRole("heading", { name: "Anmelden" }).waitFor();
    await page.goto(`${blog.url}/register`);
    assert.equal(await page.locator("html").getAttribute("lang"), "de");
    assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
    await browser.inspect(page);
    if (!script) continue;
    const stored = await page.evaluate(() => localStorage.length + sessionStorage.length);
    assert.equal(stored, 0);
  }
  const german = await browser.somebody({ language: "de-AT" });
  await german.goto(blog.url);
  await german.getByRole("link", { name: "Registrieren" }).first().waitFor();
  await browser.inspect(german);
}

async function theFrontPageIsLight({ blog, browser }) {
  await write(blog, "Mary Somerville");
  const page = await browser.somebody();
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  let bytes = 0;
  let requests = 0;
  session.on("Network.loadingFinished", ({ encodedDataLength }) => {
    bytes += encodedDataLength;
    requests += 1;
  });
  await page.goto(blog.url, { waitUntil: "networkidle" });
  assert.equal(await page.locator("article").count(), 10);
  console.log(`    the front page with 10 posts: ${bytes} bytes over the wire in ${requests} requests`);
  assert.ok(bytes <= FRONT_BYTES_MAX, `${bytes} bytes`);
  assert.equal(await page.evaluate(() => globalThis.shifted), 0);
}

async function aPictureIsCutAndRemoved({ blog, browser }) {
  for (const script of [true, false]) {
    const author = await blog.author(`Rosa ${script ? "with" : "without"} script`);
    const page = await browser.somebody({ script });
    await logIn(blog, page, author);
    await page.goto(`${blog.url}/account`);
    const buffer = await page.screenshot();
    await browser.inspect(page);
    const file = page.getByLabel("Choose a picture");
    await file.setInputFiles({ name: "\"><img src=x onerror=alert(1)>.png", mimeType: "image/png", buffer });
    if (script) {
      const cut = page.getByLabel("How the picture will be cropped");
      // The crop control appears after the browser has read the file.
      await cut.waitFor();
      await cut.focus();
      // Choosing a file shifts the layout; the browser does not count a file set by a test as user input.
      await page.evaluate(() => globalThis.forgetShifts());
      await page.keyboard.press("ArrowRight");
      await browser.inspect(page);
      await browser.shoot(page, "picture-cut");
    }
    await page.getByRole("button", { name: "Use this picture" }).click();
    await page.locator(".notice").getByText("Your picture has been saved.").waitFor();
    const size = await page.locator("section .face").evaluate((image) => image.naturalWidth);
    assert.equal(size, 300);
    await page.getByRole("button", { name: "Remove picture" }).click();
    await page.locator(".notice").getByText("Your picture has been removed.").waitFor();
    await page.getByLabel("Choose a picture").setInputFiles({ name: "a.png", mimeType: "image/png", buffer: Buffer.from("no picture") });
    await page.getByRole("button", { name: "Use this picture" }).click();
    await page.locator("#picture-file-error").waitFor();
    await browser.inspect(page);
  }
}

export const tests = [
  ["every_page_is_accessible_in_every_size_and_colour", everyPageInEverySize],
  ["faults_are_tied_to_their_fields", faultsAreTiedToTheirFields],
  ["script_says_what_is_wrong_at_once", scriptSaysWhatIsWrongAtOnce],
  ["more_posts_are_loaded_in_place", moreAreLoadedInPlace],
  ["theme_and_language_are_kept", themeAndLanguageAreKept],
  ["a_picture_is_cut_and_removed", aPictureIsCutAndRemoved],
  ["the_front_page_is_light", theFrontPageIsLight],
].map(([name, test]) => ({ name, test }));
