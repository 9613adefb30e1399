// Counts the steps of clients written in JavaScript, as the tests of the program are counted.

const [base, secret] = [process.env.OAUTH_BASE, process.env.OAUTH_SECRET];
let passed = 0;
const failures = [];

/** Where the program is, what services ask it with, and who has an account there. */
export const given = { base, secret, username: "ada@example.com", password: "correct-horse-battery-staple" };

/** One thing that a client does. What it answers is left to later steps. */
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

/** What an act fails with; that it does not fail is an error. */
export async function failure(act) {
  try {
    await act();
  } catch (error) {
    return error;
  }
  throw new Error("it succeeded");
}

/** The line that is counted. */
export function end() {
  const result = failures.length ? "FAILED" : "ok";
  console.log(`\ntest result: ${result}. ${passed} passed; ${failures.length} failed; 0 ignored`);
  process.exitCode = failures.length ? 1 : 0;
}
