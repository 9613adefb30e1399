// Opens the blog in a real browser and acts like users: with and without JavaScript, by keyboard, on a phone and on a
// desktop, in light and in dark.
//
// usage: node tests/browser/run.mjs --program target/debug/blog [--screenshots FOLDER] [--chromium PATH]
//   [--rounds N] [NAME …]
//
// The program is started with `dev` in a temporary folder; the example that a test uses lies next to it. With NAMEs, only
// tests whose name contains one of them are run; tests that could pass by chance are repeated N times. The last line has the
// format of Rust's tests, so that scripts/test can count it.

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

import { Blog } from "./blog.mjs";
import { Browser } from "./browser.mjs";
import { tests as frontend } from "./frontend.mjs";
import { tests as life } from "./life.mjs";
import { tests as logins } from "./logins.mjs";
import { tests as looks } from "./looks.mjs";
import { tests as harm } from "./harm.mjs";
import { tests as lost } from "./lost.mjs";
import { tests as neighbours } from "./neighbours.mjs";
import { tests as origins } from "./origins.mjs";
import { tests as work } from "./work.mjs";
import { tests as writing } from "./writing.mjs";

function options(words) {
  const found = { program: undefined, screenshots: undefined, chromium: undefined, rounds: "5", names: [] };
  for (let at = 0; at < words.length; at += 1) {
    const name = words[at].startsWith("--") ? words[at].slice(2) : undefined;
    if (name === undefined) found.names.push(words[at]);
    else if (name in found && name !== "names" && at + 1 < words.length) found[name] = words[(at += 1)];
    else throw new Error(`unknown or incomplete: ${words[at]}`);
  }
  if (!found.program) throw new Error("--program is missing: the blog's binary, such as target/debug/blog");
  return found;
}

/** Finds the browser of this machine; scripts/find-tool reports what is missing. */
function findChromium() {
  const finder = fileURLToPath(new URL("../../scripts/find-tool", import.meta.url));
  return execFileSync(finder, ["chromium"], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }).trim();
}

/** Fails after a timeout. */
function within(milliseconds, promise) {
  let timer;
  const late = new Promise((_, failed) => {
    timer = setTimeout(() => failed(new Error(`not done within ${milliseconds / 1000} s`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

const given = options(process.argv.slice(2));
const chromium = given.chromium ?? findChromium();
const rounds = Number(given.rounds);
const TEST_MAX = 120_000 + rounds * 5_000;
const blog = await Blog.start(given.program);
// A blog whose forms require a proof of work.
const busyBlog = await Blog.start(given.program, { CHALLENGE: "always" });
const browser = await Browser.start(chromium, given.screenshots);
let passed = 0;
const failures = [];
try {
  for (const { name, test } of [...life, ...logins, ...looks, ...harm, ...work, ...neighbours, ...lost, ...origins, ...frontend, ...writing]) {
    if (given.names.length && !given.names.some((part) => name.includes(part))) continue;
    const began = Date.now();
    try {
      await within(TEST_MAX, test({ blog, busyBlog, browser, rounds, program: given.program }));
      browser.demandQuiet();
      passed += 1;
      console.log(`test ${name} ... ok (${((Date.now() - began) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failures.push(name);
      console.log(`test ${name} ... FAILED\n${error.stack.slice(0, 6_000)}`);
    } finally {
      await browser.forget();
    }
  }
} finally {
  await browser.end();
  await blog.end();
  await busyBlog.end();
}
console.log(`\ntest result: ${failures.length ? "FAILED" : "ok"}. ${passed} passed; ${failures.length} failed; 0 ignored`);
process.exitCode = failures.length ? 1 : 0;
