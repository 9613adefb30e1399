// Does the work that a form asks for, a little at a time and while the form is being filled in, so that the page can be used
// meanwhile: a number is looked for that makes a hash begin with zero bits. Browsers have no SHA-256 on plain HTTP, so it is
// computed here (FIPS 180-4).

const CONSTANTS = Int32Array.of(
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
);
const START = Int32Array.of(
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
);
/** How long the page is kept waiting at once, in milliseconds: while somebody types, and when they wait for nothing else. */
const SLICE = { typing: 8, waiting: 40 };
/** So long before it runs out a challenge is as good as expired, in seconds. */
const MARGIN = 20;

const words = new Int32Array(64);

/** One block of 64 bytes from `at` on (section 6.2.2): what `state` becomes, in `into`. */
function compress(state, bytes, at, into) {
  for (let i = 0; i < 16; i += 1) {
    const from = at + 4 * i;
    words[i] = (bytes[from] << 24) | (bytes[from + 1] << 16) | (bytes[from + 2] << 8) | bytes[from + 3];
  }
  for (let i = 16; i < 64; i += 1) {
    const x = words[i - 15];
    const y = words[i - 2];
    const small0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const small1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    words[i] = (words[i - 16] + small0 + words[i - 7] + small1) | 0;
  }
  let a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
  for (let i = 0; i < 64; i += 1) {
    const large1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const first = (h + large1 + ((e & f) ^ (~e & g)) + CONSTANTS[i] + words[i]) | 0;
    const large0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const second = (large0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g; g = f; f = e; e = (d + first) | 0; d = c; c = b; b = a; a = (first + second) | 0;
  }
  into[0] = state[0] + a; into[1] = state[1] + b; into[2] = state[2] + c; into[3] = state[3] + d;
  into[4] = state[4] + e; into[5] = state[5] + f; into[6] = state[6] + g; into[7] = state[7] + h;
}

/** Finds a number by which SHA-256 of `<challenge>:<number>` begins with so many zero bits, up to 32; gives both. */
export async function solve(challenge, bits, slice) {
  const head = new TextEncoder().encode(`${challenge}:`);
  // What all numbers share is hashed once.
  const shared = head.length - (head.length % 64);
  const begun = START.slice();
  for (let at = 0; at < shared; at += 64) compress(begun, head, at, begun);
  const block = new Uint8Array(128);
  block.set(head.subarray(shared));
  const left = head.length - shared;
  const state = new Int32Array(8);
  let until = performance.now() + slice();
  for (let number = 0; ; number += 1) {
    const digits = String(number);
    const length = left + digits.length;
    const size = length + 9 <= 64 ? 64 : 128;
    for (let i = 0; i < digits.length; i += 1) block[left + i] = digits.charCodeAt(i);
    block[length] = 0x80;
    block.fill(0, length + 1);
    const inBits = (shared + length) * 8;
    for (let i = 1; i <= 4; i += 1) block[size - i] = inBits >>> (8 * (i - 1));
    compress(begun, block, 0, state);
    if (size > 64) compress(state, block, 64, state);
    if (Math.clz32(state[0]) >= bits) return `${challenge}:${digits}`;
    if (number % 64 === 63 && performance.now() > until) {
      await new Promise((done) => { setTimeout(done); });
      until = performance.now() + slice();
    }
  }
}

function attend(place) {
  const form = place.closest("form");
  const status = place.querySelector("output");
  let waiting = false;
  let passed = false;
  let until; // by when the challenge has to be answered, by the clock of the page
  let work;

  const begin = () => {
    work ??= { done: undefined, solution: undefined };
    const present = work;
    present.done ??= solve(place.dataset.challenge, Number(place.dataset.bits), () => waiting ? SLICE.waiting : SLICE.typing)
      .then((solution) => { present.solution = solution; });
    return present.done;
  };
  const adopt = ({ challenge, bits, expires }, since) => {
    Object.assign(place.dataset, { challenge, bits, expires });
    until = since + (Number(expires) - MARGIN) * 1000;
    work = undefined;
  };
  /** The page has another challenge each time it is asked for. */
  const renew = async () => {
    const since = performance.now();
    const answer = await fetch(form.action, { headers: { accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    adopt(page.querySelector("[data-challenge]").dataset, since);
  };
  const isGood = () => work?.solution !== undefined && performance.now() < until;
  const put = () => {
    let field = form.querySelector("input[name=challenge_solution]");
    if (!field) {
      field = document.createElement("input");
      field.type = "hidden";
      field.name = "challenge_solution";
      form.append(field);
    }
    field.value = work?.solution ?? "";
  };

  adopt(place.dataset, 0);
  form.addEventListener("focusin", begin, { once: true });
  // Before all others: they are to see the form when it is ready to be sent.
  form.addEventListener("submit", async (event) => {
    if (event.defaultPrevented || !form.checkValidity()) return;
    if (passed || isGood()) {
      put();
      return;
    }
    event.preventDefault();
    if (waiting) return;
    waiting = true;
    const { submitter } = event;
    submitter?.setAttribute("aria-busy", "true");
    status.textContent = place.dataset.working;
    try {
      if (performance.now() >= until) await renew();
      await begin();
    } catch {
      // Without a solution the server says what is missing.
    }
    passed = true;
    form.requestSubmit(submitter);
  }, { capture: true });
  // A page that comes back from the browser's memory has a challenge that was used.
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    [waiting, passed, until] = [false, false, 0];
    status.textContent = "";
  });
}

for (const place of document.querySelectorAll("form [data-challenge]")) attend(place);
