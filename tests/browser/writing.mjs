// Writing and reading: texts that survive the end of the session, right-to-left texts, and tables wider than a phone.

import assert from "node:assert/strict";

import { SIZES } from "./browser.mjs";

async function logIn(page, { email, password }) {
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
}

const HEBREW = "שלום עולם!";

async function aTextOutlivesItsSession({ blog, browser }) {
  for (const script of [true, false]) {
    const author = await blog.author(`Olga ${script ? "with" : "without"} script`);
    const post = await author.publish("Before", "Before");
    for (const [path, send, said] of [["/posts/new", "Publish", "Your post has been published."], [`/posts/${post.id}/edit`, "Save", "Your post has been saved."]]) {
      const page = await browser.somebody({ script, size: SIZES.phone });
      await page.goto(`${blog.url}/login?next=${path}`);
      await logIn(page, author);
      await page.waitForURL(`**${path}`);
      await page.getByLabel("Title").fill(HEBREW);
      await page.getByLabel("Text", { exact: true }).fill("An hour of work\n</textarea>");
      // The session ends without the page's knowledge.
      await page.context().clearCookies();
      await page.getByRole("button", { name: send, exact: true }).click();
      await page.getByRole("alert").getByText("You are logged out.").waitFor();
      await browser.inspect(page);
      await browser.shoot(page, `logged-out-${send}`);
      assert.equal(await page.getByLabel("Title").inputValue(), HEBREW);
      assert.equal(await page.getByLabel("Text", { exact: true }).inputValue(), "An hour of work\n</textarea>");
      const [tab] = await Promise.all([page.context().waitForEvent("page"), page.getByRole("link", { name: "Log in in another tab" }).click()]);
      await logIn(tab, author);
      await tab.waitForURL((url) => url.pathname !== "/login");
      await tab.close();
      await page.getByRole("button", { name: send, exact: true }).click();
      await page.locator(".notice").getByText(said).waitFor();
      await page.getByRole("heading", { name: HEBREW }).waitFor();
      await page.getByText("An hour of work").waitFor();
    }
  }
}

async function rightToLeft({ blog, browser }) {
  const author = await blog.author("דוד המלך!");
  const text = `${HEBREW}\n\nEnglish.\n\n- ${HEBREW}\n- English\n\n1. ${HEBREW}\n\n   ${HEBREW}\n\n2. ${HEBREW}\n\n> ${HEBREW}\n\n# ${HEBREW}\n\n|${HEBREW}|b|\n|-|-|\n|c|${HEBREW}|\n\n    code();`;
  const post = await author.publish(HEBREW, text);
  const page = await browser.somebody({ size: SIZES.phone });
  for (const path of [`/posts/${post.id}`, `/users/${author.id}/posts`]) {
    await page.goto(blog.url + path);
    const directions = await page.evaluate(() =>
      [...document.querySelectorAll(".prose :is(p, li, blockquote, h2, h3, table, th, td, pre)")].map((block) => [block.textContent.trim(), getComputedStyle(block).direction]),
    );
    assert.ok(directions.length >= 15, `${directions.length} blocks`);
    for (const [words, direction] of directions) {
      assert.equal(direction, /^[\u0590-\u05ff]/.test(words) ? "rtl" : "ltr", `${words} at ${path}`);
    }
    // There is room for the marker on the side where an item starts.
    const room = await page.evaluate(() =>
      [...document.querySelectorAll(".prose li")].map((item) => {
        const [own, list] = [item.getBoundingClientRect(), item.parentElement.getBoundingClientRect()];
        return { left: own.left - list.left, right: list.right - own.right, direction: getComputedStyle(item).direction };
      }),
    );
    for (const { left, right, direction } of room) {
      const [begins, ends] = direction === "rtl" ? [right, left] : [left, right];
      assert.ok(begins > 16 && Math.abs(ends) < 1, `${direction}: ${left} and ${right}`);
    }
    const quote = await page.locator(".prose blockquote").evaluate((block) => getComputedStyle(block).borderRightWidth);
    assert.notEqual(quote, "0px");
    const title = page.getByRole("heading", { name: HEBREW }).first();
    assert.equal(await title.evaluate((heading) => getComputedStyle(heading).direction), "rtl");
    assert.equal(await page.locator(".byline bdi").first().textContent(), author.name);
    await browser.inspect(page);
    await browser.shoot(page, `right-to-left-${path.includes("users") ? "list" : "post"}`);
  }
  await page.goto(`${blog.url}/login?next=/posts/${post.id}/edit`);
  await logIn(page, author);
  await page.waitForURL("**/edit");
  for (const label of ["Title", "Text"]) {
    const field = page.getByLabel(label, { exact: true });
    const direction = () => field.evaluate((input) => getComputedStyle(input).direction);
    assert.equal(await direction(), "rtl");
    await field.fill("English");
    assert.equal(await direction(), "ltr");
  }
}

async function wideTablesScrollByThemselves({ blog, browser }) {
  const author = await blog.author("Tabea who likes tables");
  const cells = (cell) => `|${Array.from({ length: 12 }, (_, n) => ` ${cell} ${n} `).join("|")}|`;
  const text = `${cells("A heading")}\n${cells("-").replace(/- \d+/g, "---")}\n${cells("antidisestablishmentarianism")}\n\n| ${"z".repeat(300)} |\n|---|\n\n\`\`\`\n${"code ".repeat(100)}${"c".repeat(300)}\n\`\`\`\n\n${"w".repeat(500)}\n\n![${"i".repeat(300)}](https://example.org/i.png)`;
  const post = await author.publish("Wide", text);
  const page = await browser.somebody({ size: SIZES.phone });
  for (const path of [`/posts/${post.id}`, `/users/${author.id}/posts`]) {
    await page.goto(blog.url + path);
    await browser.inspect(page);
    await browser.shoot(page, `wide-${path.includes("users") ? "list" : "post"}`);
    for (const box of await page.getByRole("group", { name: "Table" }).all()) {
      const scrolled = () => box.evaluate((section) => section.scrollLeft);
      const { inner, outer } = await box.evaluate((section) => ({ inner: section.scrollWidth, outer: section.clientWidth }));
      assert.ok(inner > outer && outer <= SIZES.phone.width, `${inner} in ${outer}`);
      // By keyboard, too.
      await box.focus();
      await page.keyboard.press("ArrowRight");
      await page.waitForFunction((section) => section.scrollLeft > 0, await box.elementHandle());
      assert.ok((await scrolled()) > 0);
      assert.equal(await page.evaluate(() => scrollX), 0);
    }
    // Narrow columns do not break words into letters.
    const word = page.getByRole("cell", { name: "antidisestablishmentarianism 0" });
    if (path.startsWith("/posts")) assert.ok((await word.boundingBox()).height < 100);
  }
}

export const tests = [
  ["a_text_outlives_its_session", aTextOutlivesItsSession],
  ["texts_from_right_to_left_are_shown_so", rightToLeft],
  ["wide_tables_scroll_by_themselves", wideTablesScrollByThemselves],
].map(([name, test]) => ({ name, test }));
