/* The request builder of a sandbox: sends a form's request to the same host and shows the answer. The credential is in a
   variable of this page only; it is never stored, and never sent to another host. */
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
    offerCopy(frame);
    return frame;
  };

  const parsed = (text) => {
    try {
      return JSON.parse(text);
    } catch {
      return undefined;
    }
  };

  /* Formats JSON token by token, so that numbers stay as they were sent: 24.00 does not become 24. */
  const pretty = (text) => {
    let depth = 0;
    let written = "";
    const line = () => `\n${"  ".repeat(depth)}`;
    for (const [token] of text.matchAll(/"(?:[^"\\]+|\\.)*"|[[{]\s*[\]}]|[[\]{},:]|[^\s[\]{},:"]+/g)) {
      if (token === "{" || token === "[") {
        depth += 1;
        written += token + line();
      } else if (token === "}" || token === "]") {
        depth -= 1;
        written += line() + token;
      } else if (token === ",") {
        written += token + line();
      } else if (token === ":") {
        written += ": ";
      } else {
        written += /^[[{]/.test(token) ? token.replace(/\s/g, "") : token;
      }
    }
    return written;
  };

  /* Replaces example ids with those of the last answers on this page, in forms that the reader has not changed. */
  const same = { customerStoreProductId: "productId" };
  const names = [
    "productId", "customerStoreProductId", "orderId", "orderDetailId", "orderReference", "paymentId", "depositId",
  ];
  const seen = {};

  const remember = (value) => {
    if (Array.isArray(value)) {
      remember(value[0]);
    } else if (value && typeof value === "object") {
      for (const [name, inner] of Object.entries(value)) {
        if (typeof inner !== "string") remember(inner);
        else if (names.includes(name)) seen[same[name] || name] = inner;
      }
    }
  };

  const refill = (input, text) => {
    if (input.value !== input.defaultValue) return;
    input.defaultValue = text;
    input.value = text;
  };

  const fill = (operation) => {
    const argument = operation.querySelector("[data-argument]");
    const area = operation.querySelector("[data-body]");
    if (argument && seen[argument.dataset.argument]) refill(argument, seen[argument.dataset.argument]);
    if (!area) return;
    let text = area.value;
    for (const name of names) {
      const id = seen[same[name] || name];
      const taken = name === "orderReference" && operation.dataset.path.endsWith("/Create");
      const member = new RegExp(`("${name}"\\s*:\\s*)"[^"]*"`, "g");
      if (id && !taken) text = text.replace(member, (_, head) => head + JSON.stringify(id));
    }
    refill(area, text);
  };

  const headersFor = (operation, body) => {
    const headers = {};
    const { scheme } = operation.dataset;
    for (const input of operation.querySelectorAll("[data-header]")) {
      if (input.value.trim()) headers[input.dataset.header] = input.value.trim();
    }
    const credential = field.value.trim();
    if (scheme === "bearer" && credential) headers.Authorization = `Bearer ${credential}`;
    if (scheme === "apikey" && credential) headers.ApiKey = credential;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    return headers;
  };

  const show = (operation, output, answer, text) => {
    const envelope = parsed(text);
    const parts = [element("p", `${answer.status} ${answer.statusText}`.trim(), `status ${answer.ok ? "good" : "bad"}`)];
    const lines = shown.filter((name) => answer.headers.has(name)).map((name) => `${name}: ${answer.headers.get(name)}`);
    if (lines.length) parts.push(framed(lines.join("\n")));
    parts.push(framed(envelope === undefined ? text : pretty(text)));
    if (envelope && Number.isInteger(envelope.code)) {
      const link = element("a", `What ${envelope.code} means`);
      link.href = `/documentation/errors/${envelope.code}`;
      const line = document.createElement("p");
      line.append(link);
      parts.push(line);
    }
    if (envelope && envelope.success === true) {
      if (envelope.data && typeof envelope.data.token === "string") {
        field.value = envelope.data.token;
        parts.push(element("p", "The other requests on this page use this bearer token now.", "soft"));
      }
      if ("ends" in operation.dataset) {
        field.value = "";
        parts.push(element("p", "This bearer token has ended. The field above is empty again.", "soft"));
      }
      remember(envelope.data);
      document.querySelectorAll(".try").forEach(fill);
    }
    output.replaceChildren(...parts);
  };

  const send = async (operation) => {
    const { method, path } = operation.dataset;
    const argument = operation.querySelector("[data-argument]");
    const area = operation.querySelector("[data-body]");
    const output = operation.querySelector("output");
    const button = operation.querySelector("button[type=submit]");
    const body = area ? area.value : undefined;
    button.disabled = true;
    output.replaceChildren(element("p", "Sending …", "soft"));
    try {
      const answer = await fetch(path + (argument ? encodeURIComponent(argument.value.trim()) : ""), {
        method, body, headers: headersFor(operation, body),
        mode: "same-origin", credentials: "omit", cache: "no-store", redirect: "error", referrerPolicy: "no-referrer",
      });
      show(operation, output, answer, await answer.text());
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
