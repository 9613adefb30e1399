import { html, render, useEffect, useState } from "./htm-preact.js";

/** Calls the API. The browser sends the session's cookie; there is no token here to store or to lose. */
async function call(method, path, body) {
  const headers = body && { "Content-Type": "application/json" };
  const unreachable = () => { throw new Error("The server cannot be reached. Please try again."); };
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) }).catch(unreachable);
  const content = answer.status === 204 || answer.status === 201 ? undefined : await answer.json();
  if (!answer.ok) throw new Problem(answer.status, content);
  return content;
}

/** An error of the API (`application/problem+json`): a sentence, or the errors of each field. */
class Problem extends Error {
  constructor(status, { code, detail, title }) {
    const fields = Array.isArray(detail) ? detail : [];
    super(fields.length ? "" : (detail ?? title));
    this.status = status;
    this.code = code;
    this.fields = Object.fromEntries(fields.map(({ loc, msg }) => [loc.at(-1), msg]));
  }
}

/** A form whose errors stand at their fields. `fields` are [name, label, attributes of the input]. */
function Form({ title, fields, button, send }) {
  const [problem, setProblem] = useState();
  const submit = async (event) => {
    event.preventDefault();
    const form = event.target;
    setProblem();
    try {
      await send(Object.fromEntries(new FormData(form)));
      form.reset();
    } catch (error) {
      setProblem(error);
      const faulty = fields.find(([name]) => error.fields?.[name]);
      if (faulty) form.elements[faulty[0]].focus();
    }
  };
  return html`<form class="card" onSubmit=${submit} aria-label=${title} novalidate>
    <h2>${title}</h2>
    ${fields.map(([name, label, attributes]) => {
      const error = problem?.fields?.[name];
      const id = `${title}-${name}`.replaceAll(" ", "-");
      return html`<label for=${id}>${label}</label>
        <input id=${id} name=${name} ...${attributes} aria-invalid=${error ? "true" : undefined} aria-describedby=${error ? `${id}-error` : undefined} />
        ${error && html`<p class="error" id="${id}-error">${error}</p>`}`;
    })}
    <p class="error" role="alert">${problem?.message}</p>
    <button>${button}</button>
  </form>`;
}

const TOKEN = new URLSearchParams(location.search).get("token");
const EMAIL = { type: "email", autocomplete: "email" };

function Welcome({ enter }) {
  const logIn = async ({ email, password }) => {
    await call("POST", "/api/users/login", { username: email, password });
    await enter();
  };
  const register = async (fields) => {
    await call("POST", "/api/users", fields);
    await logIn(fields);
  };
  return html`
    <${Form} title="Log in" button="Log in" send=${logIn} fields=${[
      ["email", "E-mail address", EMAIL],
      ["password", "Password", { type: "password", autocomplete: "current-password" }],
    ]} />
    <${Form} title="New here" button="Create account" send=${register} fields=${[
      ["username", "Name", { autocomplete: "nickname" }],
      ["email", "E-mail address", EMAIL],
      ["password", "Password", { type: "password", autocomplete: "new-password" }],
    ]} />`;
}

/** The page that the link in a mail leads to. Only the button confirms, because mail scanners open links as well. */
function Confirm({ token }) {
  const [message, setMessage] = useState();
  const confirm = async () => {
    const answer = await call("POST", "/api/users/verify-email", { token });
    history.replaceState(null, "", "/");
    setMessage(answer.message);
  };
  if (message) return html`<p class="card" role="status">${message}</p>`;
  return html`<${Form} title="Your e-mail address" button="Confirm" send=${confirm} fields=${[]} />`;
}

function Todos({ orLogIn, show }) {
  const [todos, setTodos] = useState([]);
  const load = () => call("GET", "/api/todos").then(setTodos);
  useEffect(() => { load().catch(orLogIn).catch(show); }, []);
  const add = (fields) => call("POST", "/api/todos", fields).then(load).catch(orLogIn);
  return html`
    <${Form} title="What is next?" button="Add" send=${add} fields=${[["text", "To-do", { maxlength: 200, autocomplete: "off" }]]} />
    <ul aria-label="To-dos">${todos.map((todo) => html`<li>${todo}</li>`)}</ul>`;
}

function App() {
  // `undefined` until the API has answered, `null` if nobody is logged in.
  const [user, setUser] = useState();
  const [notice, setNotice] = useState();
  const show = ({ message }) => setNotice(message);
  /** A session can end at any time, for example from another device. The page then returns to the login. */
  const orLogIn = (problem) => {
    if (problem.status !== 401) throw problem;
    if (user) setNotice("Your session has ended. Please log in again.");
    setUser(null);
  };
  const begin = (caller) => {
    setNotice();
    setUser(caller);
  };
  const enter = () => call("GET", "/api/users/me").then(begin).catch(orLogIn);
  const leave = () => call("POST", "/api/users/logout").then(() => begin(null)).catch(orLogIn).catch(show);
  useEffect(() => { enter().catch(show); }, []);
  return html`
    <header>
      <h1>${user ? `Hello, ${user.username}` : "To-dos"}</h1>
      ${user && html`<button class="plain" onClick=${leave}>Log out</button>`}
    </header>
    <p class="error" role="alert">${notice}</p>
    ${TOKEN && user !== undefined && html`<${Confirm} token=${TOKEN} />`}
    ${user === null && html`<${Welcome} enter=${enter} />`}
    ${user && html`<${Todos} orLogIn=${orLogIn} show=${show} />`}`;
}

render(html`<${App} />`, document.getElementById("app"));
