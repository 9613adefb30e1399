// Malicious posts: no content runs scripts, loads anything or breaks a page.

import assert from "node:assert/strict";

import { SIZES } from "./browser.mjs";

const CORPUS = [
  "<script>alert(1)</script>",
  "\"><script>alert(2)</script>",
  "'><img src=x onerror=alert(3)>",
  "<svg/onload=alert(4)>",
  "</title><script>alert(5)</script>",
  "</textarea><script>alert(6)</script>",
  "javascript:alert(7)",
  "[click](javascript:alert(8))",
  "![x](x\" onerror=\"alert(9))",
  "<a href=\"javascript:alert(10)\">x</a>",
  "<iframe srcdoc=\"<script>alert(11)</script>\"></iframe>",
  "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(12)>",
  "{{ 7 * 7 }}{% raw %}",
  "&lt;script&gt;alert(13)&lt;/script&gt;",
  "<style>body{display:none}</style>",
  "<base href=\"https://evil.example/\">",
  "<meta http-equiv=refresh content=\"0;url=https://evil.example\">",
  "<form action=\"https://evil.example\"><button>x</button></form>",
  "]]><x onclick=alert(14)>",
  "--><script>alert(15)</script><!--",
];

async function nothingIsRun({ blog, browser }) {
  const pages = [];
  for (const [n, text] of CORPUS.entries()) {
    const name = `${[...text].slice(0, 46).join("").replaceAll("@", "")} ${n}`;
    const author = await blog.author(name);
    const post = await author.publish([...text].slice(0, 100).join(""), `${text}\n\n\`${text}\`\n\n# ${text}`);
    pages.push({ author, post, text });
  }
  const page = await browser.somebody();
  const outside = [];
  page.on("request", (request) => {
    if (!request.url().startsWith(blog.url) && !request.url().startsWith("blob:")) outside.push(request.url());
  });
  const injected = () =>
    page.evaluate(() => document.querySelectorAll("main :is(script, iframe, style, base, meta, math), main [onerror], main [onload], main [onclick], main a[href^='javascript' i], main img:not(.face)").length);
  for (const { author, post } of pages) {
    for (const path of [`/posts/${post.id}`, `/users/${author.id}/posts`]) {
      await page.goto(blog.url + path);
      assert.equal(await injected(), 0, path);
    }
    assert.ok((await page.locator("h1").textContent()).includes(author.name));
  }
  for (const path of ["/", "/feed.xml"]) await page.goto(blog.url + path);
  await page.goto(blog.url);
  assert.equal(await injected(), 0);
  await page.setViewportSize(SIZES.phone);
  await browser.inspect(page);
  // The author sees it in forms.
  const { author, post, text } = pages[5];
  await page.goto(`${blog.url}/login?next=/posts/${post.id}/edit`);
  await page.getByLabel("E-mail address").fill(author.email);
  await page.getByLabel("Password", { exact: true }).fill(author.password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.waitForURL("**/edit");
  assert.ok((await page.getByLabel("Text", { exact: true }).inputValue()).startsWith(text));
  await page.goto(`${blog.url}/account`);
  assert.equal(await page.getByLabel("Username").inputValue(), author.name);
  await page.goto(`${blog.url}/account/delete`);
  await page.goto(`${blog.url}/login?next=${encodeURIComponent("\"><script>alert(16)</script>")}`);
  await page.goto(`${blog.url}/reset-password?token=${encodeURIComponent("\"><script>alert(17)</script>")}`);
  await page.goto(`${blog.url}/verify-email?email=${encodeURIComponent("\"><script>alert(18)</script>")}`);
  assert.deepEqual(outside, []);
}

async function longTextsFit({ blog, browser }) {
  const author = await blog.author("W".repeat(50));
  const post = await author.publish("M".repeat(100), `${"x".repeat(3000)}\n\n\`${"y".repeat(500)}\`\n\n| ${"z".repeat(300)} |\n|---|\n| 1 |`);
  const page = await browser.somebody({ size: SIZES.phone });
  await page.goto(`${blog.url}/login`);
  await page.getByLabel("E-mail address").fill(author.email);
  await page.getByLabel("Password", { exact: true }).fill(author.password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.waitForURL(`${blog.url}/`);
  for (const path of ["/", `/posts/${post.id}`, `/users/${author.id}/posts`, "/account", `/posts/${post.id}/edit`]) {
    await page.goto(blog.url + path);
    await browser.inspect(page);
  }
}

async function anotherSiteSendsNoForms({ blog, browser }) {
  const page = await browser.somebody();
  await page.route("http://evil.test/**", (route) =>
    route.fulfill({
      contentType: "text/html",
      body: `<form method="post" action="${blog.url}/login"><input name="username" value="a@example.com"><input name="password" value="b"><button>go</button></form>`,
    }),
  );
  await page.goto("http://evil.test/");
  const [answer] = await Promise.all([page.waitForResponse(`${blog.url}/login`), page.getByRole("button").click()]);
  assert.equal(answer.status(), 403);
}

export const tests = [
  ["nothing_that_people_write_is_run", nothingIsRun],
  ["long_names_and_texts_fit_on_a_phone", longTextsFit],
  ["another_site_sends_no_forms", anotherSiteSendsNoForms],
].map(([name, test]) => ({ name, test }));
