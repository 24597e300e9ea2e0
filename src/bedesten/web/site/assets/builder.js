/* The request builder of a sandbox: sends what a form says to this very host and shows the answer. The credential is kept
   in a variable of this page alone; it is never stored, and never sent anywhere else. */
"use strict";

{
  const key = document.querySelector(".key");
  const field = key.querySelector("[data-credential]");
  const shown = ["x-request-id", "retry-after", "www-authenticate", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"];

  const element = (tag, text, className) => {
    const made = document.createElement(tag);
    made.textContent = text;
    if (className) made.className = className;
    return made;
  };

  const framed = (text) => {
    const frame = element("div", "", "code");
    const pre = document.createElement("pre");
    pre.tabIndex = 0;
    pre.append(element("code", text));
    frame.append(pre);
    return frame;
  };

  const pretty = (text) => {
    try {
      return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      return text;
    }
  };

  const headersFor = (scheme, body) => {
    const headers = {};
    const credential = field.value.trim();
    if (scheme === "bearer" && credential) headers.Authorization = `Bearer ${credential}`;
    if (scheme === "apikey" && credential) headers.ApiKey = credential;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    return headers;
  };

  const show = (output, answer, text) => {
    const parts = [element("p", `${answer.status} ${answer.statusText}`.trim(), `status ${answer.ok ? "good" : "bad"}`)];
    const lines = shown.filter((name) => answer.headers.has(name)).map((name) => `${name}: ${answer.headers.get(name)}`);
    if (lines.length) parts.push(framed(lines.join("\n")));
    parts.push(framed(pretty(text)));
    let told;
    try {
      told = JSON.parse(text);
    } catch {
      told = {};
    }
    if (Number.isInteger(told.code)) {
      const link = element("a", `What ${told.code} means`);
      link.href = `/documentation/errors/${told.code}`;
      const line = document.createElement("p");
      line.append(link);
      parts.push(line);
    }
    if (told.success === true && told.data && typeof told.data.token === "string") {
      field.value = told.data.token;
      parts.push(element("p", "The other requests on this page use this bearer token now.", "soft"));
    }
    output.replaceChildren(...parts);
  };

  const send = async (operation) => {
    const { method, path, scheme } = operation.dataset;
    const argument = operation.querySelector("[data-argument]");
    const area = operation.querySelector("[data-body]");
    const output = operation.querySelector("output");
    const button = operation.querySelector("button[type=submit]");
    const body = area ? area.value : undefined;
    button.disabled = true;
    output.replaceChildren(element("p", "Sending …", "soft"));
    try {
      const answer = await fetch(path + (argument ? encodeURIComponent(argument.value.trim()) : ""), {
        method, body, headers: headersFor(scheme, body),
        mode: "same-origin", credentials: "omit", cache: "no-store", redirect: "error", referrerPolicy: "no-referrer",
      });
      show(output, answer, await answer.text());
    } catch (problem) {
      output.replaceChildren(element("p", `Nothing came back: ${problem.message}`, "status bad"));
    } finally {
      button.disabled = false;
    }
  };

  key.hidden = false;
  for (const operation of document.querySelectorAll(".try")) {
    operation.hidden = false;
    operation.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      send(operation);
    });
  }
  window.addEventListener("pagehide", () => { field.value = ""; });
}
