// Starts the blog with `dev`, as a new user would, and reads the captured mails.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

const READY_MAX = 60_000;
const MAIL_MAX = 15_000;

function freePort() {
  return new Promise((done, failed) => {
    const server = createServer();
    server.once("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

export class Blog {
  static async start(program, settings = {}) {
    const blog = new Blog();
    blog.folder = await mkdtemp(join(tmpdir(), "blog-browser-"));
    const port = await freePort();
    blog.url = `http://127.0.0.1:${port}`;
    blog.log = "";
    blog.process = spawn(resolve(program), ["dev"], {
      cwd: blog.folder,
      // Cheap hashes, because the tests log in often. Everything else has its default.
      env: {
        PATH: process.env.PATH,
        HOME: blog.folder,
        PORT: String(port),
        FRONTEND_URL: blog.url,
        ARGON2_MEMORY_KIB: "19456",
        ARGON2_ITERATIONS: "2",
        ARGON2_LANES: "1",
        ...settings,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [blog.process.stdout, blog.process.stderr]) {
      stream.on("data", (text) => { blog.log = (blog.log + text).slice(-20_000); });
    }
    const until = Date.now() + READY_MAX;
    while (Date.now() < until && blog.process.exitCode === null) {
      try {
        if ((await fetch(`${blog.url}/ready`)).ok) return blog;
      } catch {
        // Not ready yet.
      }
      await wait(100);
    }
    await blog.end();
    throw new Error(`the blog did not become ready; its log:\n${blog.log}`);
  }

  async end() {
    if (this.process.exitCode === null) {
      const ended = new Promise((done) => this.process.once("exit", done));
      this.process.kill("SIGTERM");
      await ended;
    }
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Waits for the newest mail to an address whose subject contains a text; returns its page and its links. */
  async mail(address, subject) {
    const until = Date.now() + MAIL_MAX;
    while (Date.now() < until) {
      const list = await (await fetch(`${this.url}/dev/mail`)).text();
      for (const [, path, row] of list.matchAll(/<a href="(\/dev\/mail\/[^"]+)">(.*?)<\/a>/gs)) {
        if (row.includes(subject) && row.includes(address)) {
          const text = await (await fetch(this.url + path)).text();
          const plain = text.replaceAll("&amp;", "&");
          const links = [...plain.matchAll(/https?:\/\/[^\s<"]+/g)].map(([link]) => link);
          return { path, link: links.find((link) => link.includes("token=")), code: /\b\d{6}\b/.exec(text.replace(/<[^>]*>/g, " "))?.[0] };
        }
      }
      await wait(150);
    }
    throw new Error(`no mail to ${address} with “${subject}”`);
  }

  /** Registers a user through the API and returns functions to write posts as that user. */
  async author(name) {
    const email = `${name.toLowerCase().replace(/[^a-z0-9]/g, "").slice(0, 20)}${Math.random().toString(36).slice(2, 8)}@example.com`;
    const password = "three words together";
    const send = (path, body, headers = {}) =>
      fetch(this.url + path, { method: "POST", headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) });
    const registered = await send("/api/users", { username: name, email, password });
    if (!registered.ok) throw new Error(`cannot register ${name}: ${await registered.text()}`);
    const { id } = await registered.json();
    const form = new URLSearchParams({ username: email, password });
    const { access_token: token } = await (await fetch(`${this.url}/api/users/token`, { method: "POST", body: form })).json();
    const publish = async (title, content) => {
      const answer = await send("/api/posts", { title, content }, { authorization: `Bearer ${token}` });
      if (!answer.ok) throw new Error(`cannot publish: ${await answer.text()}`);
      return answer.json();
    };
    return { id, name, email, password, publish };
  }
}
