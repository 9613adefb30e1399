// Host names and origins: our own forms over plain HTTP, where browsers send fewer headers, and pages of other origins
// that use the API.

import assert from "node:assert/strict";
import { createServer } from "node:http";

import { Blog } from "./blog.mjs";
import { NETWORK_NAME } from "./browser.mjs";

/** The same URL with the name of a machine in a network, which a browser does not trust without TLS. */
function byName(address) {
  const url = new URL(address);
  url.hostname = NETWORK_NAME;
  return url.href;
}

async function formsOverPlainHttp({ blog, browser }) {
  for (const script of [true, false]) {
    const { email } = await blog.author(`Plain ${script ? "with" : "without"} script`);
    const page = await browser.somebody({ script });
    const sent = [];
    page.on("request", (request) => { if (request.method() === "POST") sent.push(request.allHeaders()); });
    await page.goto(byName(`${blog.url}/forgot-password`));
    await page.getByLabel("E-mail address").fill(email);
    await page.getByRole("button", { name: "Send link" }).click();
    await page.waitForURL("**/forgot-password");
    const reset = await blog.mail(email, "Reset Your Password");
    await page.goto(byName(reset.link));
    await page.getByLabel("New password").fill("four other words here");
    await page.getByRole("button", { name: "Set new password" }).click();
    await page.waitForURL("**/login");
    const login = await fetch(`${blog.url}/api/users/token`, {
      method: "POST",
      body: new URLSearchParams({ username: email, password: "four other words here" }),
    });
    assert.equal(login.status, 200, "the new password counts");
    // The browser sends its origin and nothing else, and never the URL with the token.
    const headers = await Promise.all(sent);
    assert.equal(headers.length, 2);
    for (const { origin, referer, "sec-fetch-site": site } of headers) {
      assert.equal(origin, new URL(byName(blog.url)).origin);
      assert.equal(site, undefined);
      assert.ok(!(referer ?? "").includes("token"), referer);
    }
  }
}

async function registrationOverPlainHttp({ blog, browser }) {
  const page = await browser.somebody();
  const email = `plain${Math.random().toString(36).slice(2, 8)}@example.com`;
  await page.goto(byName(`${blog.url}/register`));
  await page.getByLabel("Username").fill(`Plain ${email.slice(5, 11)}`);
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel("Password", { exact: true }).fill("three words together");
  await page.getByRole("button", { name: "Create account" }).click();
  const mail = await blog.mail(email, "Confirm your e-mail address");
  await page.goto(byName(mail.link));
  const answered = page.waitForResponse((response) => response.request().method() === "POST");
  await page.getByRole("button", { name: "Confirm" }).click();
  assert.equal((await answered).status(), 303);
}

/** A page of another origin: the same machine, another port. */
function otherOrigin() {
  return new Promise((done) => {
    const server = createServer((_, answer) => {
      answer.setHeader("Content-Type", "text/html");
      answer.end('<!doctype html><title>An application</title><link rel="icon" href="data:,">');
    });
    server.listen(0, "127.0.0.1", () => done({ server, origin: `http://127.0.0.1:${server.address().port}` }));
  });
}

/** Requests from a script of the page: tokens by a form, an account by a bearer token and by a cookie, an error. */
function useTheApi(page, url, { email, password }) {
  return page.evaluate(async ({ url, email, password }) => {
    const attempt = async (path, options) => {
      try {
        const answer = await fetch(url + path, options);
        return { status: answer.status, id: answer.headers.get("x-request-id"), body: await answer.json() };
      } catch (error) {
        return error.name;
      }
    };
    const login = await attempt("/api/users/token", { method: "POST", body: new URLSearchParams({ username: email, password }) });
    const bearer = { authorization: `Bearer ${login.body?.access_token}` };
    return {
      login,
      me: await attempt("/api/users/me", { headers: bearer }),
      // A preflight, and a body.
      change: await attempt("/api/users/me/email", {
        method: "POST",
        headers: { ...bearer, "content-type": "application/json" },
        body: "{}",
      }),
      cookie: await attempt("/api/users/me", { credentials: "include" }),
      nobody: await attempt("/api/users/me"),
      page: await attempt("/login"),
    };
  }, { url, email, password });
}

async function aPageOfAnotherOrigin({ blog, browser, program }) {
  const { server, origin } = await otherOrigin();
  const shared = await Blog.start(program, { CORS_ORIGINS: origin });
  try {
    for (const [site, isShared] of [[shared, true], [blog, false]]) {
      const author = await site.author("Origin Ada");
      // The console reports the blocked responses, as expected.
      const page = await browser.somebody({ refusals: /blocked by CORS policy|net::ERR_FAILED/ });
      await page.goto(`${site.url}/login`);
      await page.getByLabel("E-mail address").fill(author.email);
      await page.getByLabel("Password", { exact: true }).fill(author.password);
      await page.getByRole("button", { name: "Log in" }).click();
      await page.waitForURL(`${site.url}/`);
      await page.goto(origin);
      const cookiesBefore = await page.context().cookies();
      const found = await useTheApi(page, site.url, author);
      // Neither the browser's session nor a new cookie is involved.
      assert.equal(found.cookie, "TypeError");
      assert.equal(found.page, "TypeError");
      assert.deepEqual(await page.context().cookies(), cookiesBefore);
      if (isShared) {
        assert.equal(found.login.status, 200);
        assert.equal(found.me.body.username, author.name);
        assert.equal(found.change.status, 422);
        assert.deepEqual([found.nobody.status, found.nobody.body.code], [401, "not_authenticated"]);
        assert.match(found.nobody.id, /^[0-9a-f-]{36}$/);
      } else {
        assert.deepEqual([found.login, found.me, found.change, found.nobody], Array(4).fill("TypeError"));
      }
    }
  } finally {
    await shared.end();
    server.closeAllConnections();
    server.close();
  }
}

export const tests = [
  ["forms_that_choose_a_new_password_work_over_plain_http_by_a_name", formsOverPlainHttp],
  ["a_registration_is_confirmed_over_plain_http_by_a_name", registrationOverPlainHttp],
  ["a_page_of_another_origin_uses_the_api_by_tokens_if_the_setting_names_it", aPageOfAnotherOrigin],
].map(([name, test]) => ({ name, test }));
