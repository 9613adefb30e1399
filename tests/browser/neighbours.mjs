// Cookies of other applications on the same host, because cookies ignore ports: users can still log in and stay logged in.

import assert from "node:assert/strict";
import { createServer } from "node:http";

const MUCH = "x".repeat(4_000);

/** Cookies that a neighbour sets: in header lines, whose characters are bytes, and from scripts. */
const KINDS = [
  { kind: "UTF-8", script: ["city=München", "größe=☕", "名前=値"] },
  { kind: "Latin-1", headers: ["stadt=M\u00fcnchen; Path=/", "\u00fc=\u00ff; Path=/"] },
  { kind: "no name or no value", headers: ["=x; Path=/", "y; Path=/", "z=; Path=/"], script: ["no-name-and-no-sign", "empty="] },
  { kind: "quotes", script: ['a="b, c=d"', 'e="', 'f=\\"g\\"', "h={\"i\":[1,2]}"] },
  { kind: "very long ones", script: [..."abcde"].map((name) => `${name}=${MUCH}`) },
  { kind: "very many", script: [...Array(120).keys()].map((n) => `many-${n}=${n}`) },
  { kind: "the session's name", script: ["session=x; path=/account", "session=; path=/login", "session=ü; path=/posts"] },
  { kind: "the device's name", script: ["device=x; path=/login", "device=ü; path=/account"] },
  { kind: "the names of choices", script: ["language=ü; path=/account", "theme=x; path=/account", "done=x; path=/account"] },
  { kind: "names like ours", script: ["Session=x", "session2=x", "xsession=x", "__Host-session=x", "__host-session=x"] },
  { kind: "blanks", script: [" a = b ", "\tc\t=\td\t", "e e=f f"] },
  { kind: "old style", script: ['$Version="1"', '$Path="/"'] },
];

/** Another application, on another port. */
function neighbour(headers) {
  return new Promise((done) => {
    const server = createServer((_, answer) => {
      answer.setHeader("Content-Type", "text/html");
      if (headers) answer.setHeader("Set-Cookie", headers);
      // With an inline icon, because the browser would otherwise request one at any time.
      answer.end('<!doctype html><title>Next door</title><link rel="icon" href="data:,">');
    });
    server.listen(0, "127.0.0.1", () => done(server));
  });
}

async function neighboursKeepNobodyOut({ blog, browser }) {
  for (const { kind, headers, script = [] } of KINDS) {
    const author = await blog.author(`Neighbour ${kind}`);
    const page = await browser.somebody();
    const server = await neighbour(headers);
    try {
      await page.goto(`http://127.0.0.1:${server.address().port}/`);
      await page.evaluate((cookies) => cookies.forEach((cookie) => { document.cookie = cookie; }), script);
    } finally {
      server.closeAllConnections();
      server.close();
    }
    assert.ok((await page.context().cookies()).length > 0, `${kind}: the browser keeps none of them`);
    await page.goto(`${blog.url}/login?next=/account`);
    await page.getByLabel("E-mail address").fill(author.email);
    await page.getByLabel("Password", { exact: true }).fill(author.password);
    await page.getByRole("button", { name: "Log in" }).click();
    await page.waitForURL("**/account");
    for (const path of ["/", "/posts/new", "/account"]) {
      await page.goto(blog.url + path);
      assert.equal(page.url(), blog.url + path, `${kind}: logged out at ${path}`);
    }
    assert.equal(await page.getByLabel("Username").inputValue(), author.name, kind);
    await page.getByRole("button", { name: "Deutsch" }).click();
    await page.locator("html[lang=de]").waitFor();
    await page.goto(`${blog.url}/account`);
    assert.equal(await page.locator("html").getAttribute("lang"), "de", kind);
  }
}

export const tests = [["cookies_of_neighbours_keep_nobody_out", neighboursKeepNobodyOut]].map(([name, test]) => ({ name, test }));
