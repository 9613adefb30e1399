// Responses that a browser could lose, because they arrive before it has sent the whole request.

import assert from "node:assert/strict";

/** A picture from a phone: more than the socket buffers between a browser and a server that does not read. */
const PICTURE = Buffer.alloc(4 * 1024 * 1024, "x");

async function aPictureAfterTheSessionEnded({ blog, browser, rounds }) {
  const author = await blog.author("Vera whose session ends");
  for (const script of [true, false]) {
    const page = await browser.somebody({ script });
    let answered = 0;
    for (let round = 0; round < rounds; round += 1) {
      await page.goto(`${blog.url}/login?next=/account`);
      await page.getByLabel("E-mail address").fill(author.email);
      await page.getByLabel("Password", { exact: true }).fill(author.password);
      await page.getByRole("button", { name: "Log in" }).click();
      await page.waitForURL("**/account");
      // The session ends without the page's knowledge.
      await page.context().clearCookies();
      await page.getByLabel("Choose a picture").setInputFiles({ name: "a.png", mimeType: "image/png", buffer: PICTURE });
      await page.getByRole("button", { name: "Use this picture" }).click();
      // The browser's own error page has another URL.
      answered += await page.waitForURL("**/login?next=**", { timeout: 30_000 }).then(() => 1, () => 0);
    }
    console.log(`    ${script ? "with" : "without"} script: ${answered} of ${rounds} answers came`);
    assert.equal(answered, rounds);
  }
}

export const tests = [["a_picture_after_the_session_ended_leads_to_the_login", aPictureAfterTheSessionEnded]].map(([name, test]) => ({ name, test }));
