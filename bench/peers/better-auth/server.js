// Better Auth with e-mail and password, and its defaults for everything else.

import { createServer } from "node:http";

import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import Database from "better-sqlite3";

const port = Number(process.env.PORT);
const path = process.env.DATABASE_URL.replace(/^sqlite:(\/\/)?/, "");

const database = new Database(path);
database.pragma("busy_timeout = 5000");
database.pragma("journal_mode = WAL");
database.pragma("synchronous = NORMAL");
database.pragma("foreign_keys = ON");

const auth = betterAuth({
  baseURL: `http://127.0.0.1:${port}`,
  secret: process.env.SECRET_KEY,
  database,
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
});

const { runMigrations } = await getMigrations(auth.options);
await runMigrations();

const handleAuth = toNodeHandler(auth);
const isAlive = database.prepare("SELECT 1");

const server = createServer((request, response) => {
  if (request.url.startsWith("/api/auth/")) {
    return handleAuth(request, response);
  }
  const healthy = request.method === "GET" && request.url === "/health";
  if (healthy) {
    isAlive.get();
  }
  response.writeHead(healthy ? 200 : 404, { "content-type": "application/json" });
  response.end(JSON.stringify(healthy ? { status: "healthy" } : { detail: "Not Found" }));
});
server.listen(port, "127.0.0.1");

process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
  setTimeout(() => process.exit(0), 3000).unref();
});
