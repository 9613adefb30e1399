// Counts the steps of the JavaScript clients in the same way as tests.

const [base, secret] = [process.env.OAUTH_BASE, process.env.OAUTH_SECRET];
let passed = 0;
const failures = [];

/** The URL of the program, the introspection secret, and a registered account. */
export const given = { base, secret, username: "ada@example.com", password: "correct-horse-battery-staple" };

/** Runs one step of a client and returns its result for later steps. */
export async function step(name, act) {
  try {
    const result = await act();
    passed += 1;
    console.log(`test ${name} ... ok`);
    return result;
  } catch (error) {
    failures.push(name);
    console.log(`test ${name} ... FAILED\n${error.stack}\n${JSON.stringify(error.cause ?? null)}`);
    return undefined;
  }
}

/** Returns the error of an act that must fail. */
export async function failure(act) {
  try {
    await act();
  } catch (error) {
    return error;
  }
  throw new Error("it succeeded");
}

/** Prints the line that is counted. */
export function end() {
  const result = failures.length ? "FAILED" : "ok";
  console.log(`\ntest result: ${result}. ${passed} passed; ${failures.length} failed; 0 ignored`);
  process.exitCode = failures.length ? 1 : 0;
}
