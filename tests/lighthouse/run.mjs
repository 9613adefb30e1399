// Runs Lighthouse on the blog's pages, for phone and desktop, and prints the scores.
//
// usage: node tests/lighthouse/run.mjs --program target/release/blog --lighthouse FOLDER --chromium PATH [NAME …]
//
// FOLDER is where npm has installed Lighthouse; scripts/lighthouse does that. With NAMEs, only these pages are audited. Exit
// status 1 if a score is too low: below 95 for performance, below 100 for everything else.

import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

import { Blog } from "../browser/blog.mjs";

const LEAST = { performance: 95, accessibility: 100, "best-practices": 100, seo: 100 };

function options(words) {
  const found = { program: undefined, lighthouse: undefined, chromium: undefined, names: [] };
  for (let at = 0; at < words.length; at += 1) {
    const name = words[at].startsWith("--") ? words[at].slice(2) : undefined;
    if (name === undefined) found.names.push(words[at]);
    else if (name in found && name !== "names" && at + 1 < words.length) found[name] = words[(at += 1)];
    else throw new Error(`unknown or incomplete: ${words[at]}`);
  }
  for (const name of ["program", "lighthouse", "chromium"]) if (!found[name]) throw new Error(`--${name} is missing`);
  return found;
}

const given = options(process.argv.slice(2));
const { resolve: find } = createRequire(join(resolve(given.lighthouse), "package.json"));
const load = (name) => import(pathToFileURL(find(name)).href);
const { default: lighthouse, desktopConfig } = await load("lighthouse");
const { launch } = await load("chrome-launcher");

/** Creates an author with posts and returns the pages by path, with their cookies. */
async function pagesOf(blog) {
  const author = await blog.author("Ada Lovelace");
  for (let n = 1; n < 12; n += 1) await author.publish(`Notes of day ${n}`, "With **strong** words.\n\n- one\n- two");
  const post = await author.publish("The first stranger", "Until then the accounts were a table.\n\n> From then on they are a promise.");
  const body = JSON.stringify({ username: author.email, password: author.password });
  const login = await fetch(`${blog.url}/api/users/login`, { method: "POST", headers: { "content-type": "application/json" }, body });
  const cookie = login.headers.getSetCookie().map((text) => text.split(";")[0]).join("; ");
  return [
    ["front", "/"],
    ["post", `/posts/${post.id}`],
    ["login", "/login"],
    ["register", "/register"],
    ["account", "/account", cookie],
  ];
}

/** Returns the scores of a page, and the audits that lowered them. */
async function look(port, url, cookie, device) {
  const flags = { port, logLevel: "error", onlyCategories: Object.keys(LEAST), extraHeaders: cookie ? { Cookie: cookie } : {} };
  const { lhr } = await lighthouse(url, flags, device === "desk" ? desktopConfig : undefined);
  if (lhr.runtimeError) throw new Error(`${url}: ${lhr.runtimeError.message}`);
  if (new URL(lhr.finalDisplayedUrl).pathname !== new URL(url).pathname) throw new Error(`${url} leads to ${lhr.finalDisplayedUrl}`);
  const points = Object.entries(LEAST).map(([name]) => Math.round(lhr.categories[name].score * 100));
  const failed = Object.values(lhr.categories).flatMap(({ id, auditRefs }) =>
    auditRefs
      .map((audit) => ({ ...lhr.audits[audit.id], weight: audit.weight }))
      .filter(({ score, weight }) => weight > 0 && score !== null && score < (id === "performance" ? 0.9 : 1))
      .map(({ title, displayValue, details }) => [id, title, displayValue, details?.items?.[0]?.node?.snippet].filter(Boolean).join(": ")),
  );
  return { points, failed };
}

const blog = await Blog.start(given.program);
const chrome = await launch({ chromePath: given.chromium, chromeFlags: ["--headless=new", "--no-sandbox", "--disable-gpu"] });
let enough = true;
try {
  const row = (words) => console.log(words.map((word, at) => String(word).padEnd(at < 2 ? 10 : 16)).join(""));
  row(["page", "on a", ...Object.keys(LEAST)]);
  for (const [name, path, cookie] of await pagesOf(blog)) {
    if (given.names.length && !given.names.includes(name)) continue;
    for (const device of ["phone", "desk"]) {
      const { points, failed } = await look(chrome.port, blog.url + path, cookie, device);
      row([name, device, ...points]);
      for (const text of failed) console.log(`    ${text}`);
      enough &&= Object.values(LEAST).every((least, at) => points[at] >= least);
    }
  }
} finally {
  await chrome.kill();
  await blog.end();
}
process.exitCode = enough ? 0 : 1;
