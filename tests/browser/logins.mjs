// Logins as browsers and their password managers see them.

import assert from "node:assert/strict";

async function logIn(blog, page, { email, password }) {
  await page.goto(`${blog.url}/login?next=/account`);
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.waitForURL("**/account");
}

async function aLoginThatIsNotKept({ blog, browser }) {
  const author = await blog.author("Gwen at the library");
  for (const script of [true, false]) {
    for (const kept of [true, false]) {
      const page = await browser.somebody({ script });
      await page.goto(`${blog.url}/login`);
      const box = page.getByLabel("Keep me logged in on this device");
      assert.equal(await box.isChecked(), true);
      await page.getByText("Leave this unticked on a shared device").waitFor();
      if (!kept) {
        await page.getByText("Keep me logged in on this device").click();
        // The choice survives a wrong password.
        await page.getByLabel("E-mail address").fill(author.email);
        await page.getByLabel("Password", { exact: true }).fill("not the password");
        await page.getByRole("button", { name: "Log in" }).click();
        await page.getByRole("alert").waitFor();
        assert.equal(await box.isChecked(), false);
      }
      await page.getByLabel("E-mail address").fill(author.email);
      await page.getByLabel("Password", { exact: true }).fill(author.password);
      await page.getByRole("button", { name: "Log in" }).click();
      await page.waitForURL(`${blog.url}/`);
      const cookies = await page.context().cookies();
      const session = cookies.find(({ name }) => name === "session");
      // A cookie without an expiry lasts until the browser closes.
      assert.equal(session.expires === -1, !kept);
      assert.equal(cookies.some(({ name }) => name === "device"), kept);
    }
  }
}

/** Returns the password forms of a page, with the account name before each password. */
function passwordForms(page) {
  return page.evaluate(() =>
    [...document.forms]
      .filter((form) => form.querySelector("[type=password]"))
      .map((form) => {
        const fields = [...form.elements];
        const first = fields.findIndex((field) => field.type === "password");
        const names = fields.slice(0, first).filter((field) => field.autocomplete === "username");
        const { width, height } = names[0]?.getBoundingClientRect() ?? {};
        return { names: names.map((name) => name.value), width, height, tab: names[0]?.tabIndex };
      }),
  );
}

async function formsNameTheAccount({ blog, browser }) {
  const author = await blog.author("Hana with a keeper of passwords");
  const page = await browser.somebody();
  await page.goto(`${blog.url}/forgot-password`);
  await page.getByLabel("E-mail address").fill(author.email);
  await page.getByRole("button", { name: "Send link" }).click();
  const { link } = await blog.mail(author.email, "Reset Your Password");
  await page.goto(link);
  await browser.inspect(page);
  const named = { names: [author.email], width: 1, height: 1, tab: -1 };
  assert.deepEqual(await passwordForms(page), [named]);
  await logIn(blog, page, author);
  assert.deepEqual(await passwordForms(page), [named]);
  await browser.inspect(page);
}

async function theWellKnownAddress({ blog, browser }) {
  const author = await blog.author("Iris who is told to change it");
  const page = await browser.somebody();
  await page.goto(`${blog.url}/.well-known/change-password`);
  await page.waitForURL("**/login?next=/.well-known/change-password");
  await page.getByLabel("E-mail address").fill(author.email);
  await page.getByLabel("Password", { exact: true }).fill(author.password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.waitForURL("**/account#password");
  assert.equal(await page.getByRole("heading", { name: "Password" }).evaluate((heading) => heading.matches(":target")), true);
  const probe = "/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200";
  assert.equal((await page.request.get(blog.url + probe)).status(), 404);
  // An error page shows her login, too.
  await page.goto(`${blog.url}/nothing-here`);
  await page.getByRole("link", { name: author.name }).waitFor();
  await page.getByRole("button", { name: "Log out" }).waitFor();
}

async function namesInBothDirections({ blog, browser }) {
  const author = await blog.author("ليلى (1)");
  const page = await browser.somebody();
  await logIn(blog, page, author);
  // The brackets of her name are on its left, where Arabic text ends.
  const ofName = await page.locator(".bar .name").evaluate((name) => {
    const range = document.createRange();
    const text = name.firstChild;
    const at = (index) => {
      range.setStart(text, index);
      range.setEnd(text, index + 1);
      return range.getBoundingClientRect().left;
    };
    return { first: at(0), last: at(text.length - 1) };
  });
  assert.ok(ofName.last < ofName.first, JSON.stringify(ofName));
  assert.equal(await page.getByLabel("Username").evaluate((field) => field.matches(":dir(rtl)")), true);
}

export const tests = [
  ["a_login_that_is_not_kept_ends_with_the_browser", aLoginThatIsNotKept],
  ["forms_with_a_password_name_the_account", formsNameTheAccount],
  ["the_well_known_address_leads_to_the_change_of_the_password", theWellKnownAddress],
  ["names_are_shown_in_their_own_direction", namesInBothDirections],
].map(([name, test]) => ({ name, test }));
