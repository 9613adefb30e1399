// Makes each request ROUNDS times with Node's `fetch` and counts the responses that arrive.
//
// usage: node tests/clients/node.mjs URL ROUNDS

import { readFile } from "node:fs/promises";

const [base, rounds] = [process.argv[2], Number(process.argv[3])];
const table = await readFile(new URL("requests.tsv", import.meta.url), "utf8");
// As text, and as a form, which is sent in pieces.
const bodies = {
  text: (bytes) => "x".repeat(bytes),
  form: (bytes) => {
    const form = new FormData();
    form.append("file", new Blob(["x".repeat(bytes)]), "a.png");
    return form;
  },
};
for (const line of table.trim().split("\n")) {
  const [status, method, path, type, bytes] = line.split("\t");
  for (const [kind, body] of Object.entries(bodies)) {
    let answered = 0;
    let last = "";
    for (let round = 0; round < rounds; round += 1) {
      try {
        const answer = await fetch(base + path, { method, headers: { "content-type": type }, body: body(Number(bytes)) });
        const text = await answer.text();
        if (answer.status === Number(status) && text.length > 0) answered += 1;
        else last = `status ${answer.status}, ${text.length} bytes`;
      } catch (error) {
        last = String(error.cause ?? error);
      }
    }
    console.log(`${status} ${method}, ${kind} of ${bytes} bytes: ${answered} of ${rounds} ${last}`.trim());
    if (answered < rounds) process.exitCode = 1;
  }
}
