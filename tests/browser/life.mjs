// The whole life cycle of an account.

import assert from "node:assert/strict";

import { SIZES } from "./browser.mjs";

const FIRST = "three words together";
const SECOND = "four words in a row";
const THIRD = "and now five words more";

/** Operates a form by pointer, or by keyboard only. */
function hands(page, keyboard) {
  const press = async (locator) => {
    if (!keyboard) return locator.click();
    await locator.focus();
    return page.keyboard.press("Enter");
  };
  return {
    press,
    button: (name) => press(page.getByRole("button", { name, exact: true })),
    link: (name) => press(page.getByRole("link", { name, exact: true }).first()),
    fill: async (label, text) => {
      const field = page.getByLabel(label, { exact: true });
      if (!keyboard) return field.fill(text);
      await field.focus();
      await page.keyboard.press("Control+a");
      return page.keyboard.type(text);
    },
  };
}

async function notice(page, text) {
  await page.locator(".notice").getByText(text).waitFor();
}

async function life({ blog, browser }, { script, size, keyboard = false, name }) {
  const page = await browser.somebody({ script, size });
  const { button, link, fill } = hands(page, keyboard);
  const email = `${name}@example.com`;
  const inspect = () => browser.inspect(page);

  await page.goto(blog.url);
  await link("Register");
  await page.waitForURL("**/register");
  await inspect();
  await fill("Username", name);
  await fill("E-mail address", email);
  await fill("Password", FIRST);
  await button("Create account");
  await notice(page, "Welcome!");
  await inspect();

  const verify = await blog.mail(email, "Confirm your e-mail address");
  await page.goto(blog.url + verify.path);
  await page.goto(verify.link);
  await inspect();
  await button("Confirm");
  await notice(page, "your e-mail address is confirmed");
  assert.equal(await page.getByText("not confirmed yet").count(), 0);
  await inspect();

  await link("Write");
  await page.waitForURL("**/posts/new");
  await fill("Title", `A post by ${name}`);
  await fill("Text", "With **strong** words\nand a second line.");
  await inspect();
  await button("Publish");
  await notice(page, "Your post has been published.");
  assert.match(await page.title(), new RegExp(`^A post by ${name}`));
  assert.equal(await page.locator(".prose strong").textContent(), "strong");
  await inspect();
  const post = page.url();
  await link("Edit");
  await page.waitForURL("**/edit");
  assert.equal(await page.getByLabel("Text", { exact: true }).inputValue(), "With **strong** words\nand a second line.");
  await fill("Title", `Another title by ${name}`);
  await button("Save");
  await notice(page, "Your post has been saved.");
  await page.getByRole("heading", { name: `Another title by ${name}` }).waitFor();
  await link("Delete");
  await page.waitForURL("**/delete");
  await inspect();
  await button("Delete for good");
  await notice(page, "The post has been deleted.");
  assert.equal((await page.request.get(post)).status(), 404);

  await button("Log out");
  await notice(page, "You are logged out.");
  await link("Log in");
  await page.waitForURL("**/login");
  await fill("E-mail address", email);
  await fill("Password", "not the password");
  await button("Log in");
  await page.getByRole("alert").getByText("Incorrect email or password.").waitFor();
  assert.equal(await page.getByLabel("E-mail address").inputValue(), email);
  assert.equal(await page.getByLabel("Password", { exact: true }).inputValue(), "");
  await inspect();
  await link("Forgot your password?");
  await page.waitForURL("**/forgot-password");
  await inspect();
  await fill("E-mail address", email);
  await button("Send link");
  await notice(page, "If an account exists with this email");
  const reset = await blog.mail(email, "Reset Your Password");
  await page.goto(reset.link);
  await inspect();
  await fill("New password", SECOND);
  await button("Set new password");
  await notice(page, "Password reset successfully.");
  await fill("E-mail address", email);
  await fill("Password", SECOND);
  await button("Log in");
  await page.waitForURL(`${blog.url}/`);

  const elsewhere = await browser.somebody({ script, size });
  await elsewhere.goto(`${blog.url}/login?next=/account`);
  await elsewhere.getByLabel("E-mail address").fill(email);
  await elsewhere.getByLabel("Password", { exact: true }).fill(SECOND);
  await elsewhere.getByRole("button", { name: "Log in" }).click();
  await elsewhere.waitForURL("**/account");

  await page.goto(`${blog.url}/account`);
  await fill("Username", `${name} the second`);
  await button("Save");
  await notice(page, "Your profile has been saved.");
  await button("End all others");
  await notice(page, "All other sessions have been ended.");
  await inspect();
  await elsewhere.goto(`${blog.url}/account`);
  await elsewhere.waitForURL(/\/login\?next=\/account$/);

  await fill("Current password", SECOND);
  await fill("New password", THIRD);
  await button("Change password");
  await notice(page, "Your password has been changed.");

  await link("Delete account");
  await page.waitForURL("**/account/delete");
  await inspect();
  await button("Delete for good");
  await notice(page, "Your account has been deleted.");
  await page.goto(`${blog.url}/login`);
  await fill("E-mail address", email);
  await fill("Password", THIRD);
  await button("Log in");
  await page.getByRole("alert").getByText("Incorrect email or password.").waitFor();
}

export const tests = [
  ["the_life_of_a_user_at_a_desk", { script: true, size: SIZES.desk, name: "ada" }],
  ["the_life_of_a_user_at_a_desk_without_script", { script: false, size: SIZES.desk, name: "bea" }],
  ["the_life_of_a_user_on_a_phone", { script: true, size: SIZES.phone, name: "cleo" }],
  ["the_life_of_a_user_on_a_phone_without_script", { script: false, size: SIZES.phone, name: "dora" }],
  ["the_life_of_a_user_by_keyboard", { script: true, size: SIZES.desk, keyboard: true, name: "eve" }],
].map(([name, how]) => ({ name, test: (world) => life(world, how) }));
