// Unpacks the Chromium of the package next to this file: unpack.mjs TO

import { createReadStream, createWriteStream } from "node:fs";
import { rename } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress } from "node:zlib";

const packed = new URL("node_modules/@sparticuz/chromium/bin/chromium.br", import.meta.url);
const to = process.argv[2];
await pipeline(createReadStream(packed), createBrotliDecompress(), createWriteStream(`${to}.part`, { mode: 0o755 }));
// Renamed only when it is complete.
await rename(`${to}.part`, to);
