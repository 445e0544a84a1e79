// What every page can do: send its forms to the API as JSON, say in a sentence what came of it, keep its figures fresh, and keep what was typed.
"use strict";
(() => {
  const words = self.words || {};
  const root = document.documentElement;
  const said = document.getElementById("said");
  const say = (key, values) => (words[key] || key).replace(/\{(\w+)\}/g, (_, name) => (values && values[name] !== undefined ? values[name] : ""));

  /** Shows a sentence where everybody sees it. `kind` is good, warn or bad. */
  const tell = (text, kind, where) => {
    const line = where || said;
    line.textContent = text;
    line.className = "said " + (kind || "");
    line.hidden = !text;
    if (text && line === said && line.getBoundingClientRect().top < 0) line.scrollIntoView({ block: "center" });
  };

  const key = () => (crypto.randomUUID ? crypto.randomUUID() : Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join(""));

  /** Asks the node. Gives `{ ok, status, body }`; throws only when the node cannot be reached. */
  const ask = async (method, path, body, headers) => {
    const options = { method, headers: { "Stockroom-Page": "1", Accept: "application/json", ...headers }, cache: "no-store", credentials: "same-origin" };
    if (body !== undefined) {
      options.headers["Content-Type"] = "application/json";
      options.body = JSON.stringify(body);
    }
    const answer = await fetch(path, options);
    const text = await answer.text();
    let parsed = null;
    // Numbers that JavaScript would round are names: they stay texts.
    try { parsed = text ? JSON.parse(text.replace(/"(asked|session)":\s*(\d{16,})/g, '"$1":"$2"')) : null; } catch (e) { parsed = null; }
    return { ok: answer.ok, status: answer.status, body: parsed };
  };

  /** What went wrong, as a sentence: what happened, what to do, and the node's own words. */
  const problem = (answer) => {
    const body = answer.body || {};
    const parts = [words[body.type] || body.title || say("gone")];
    if (body.tries_left !== undefined) parts.push(say("tries-left", { n: body.tries_left }));
    if (body.field && body.detail) parts.push(body.field + ": " + body.detail);
    else if (body.detail) parts.push(body.detail);
    for (const error of (body.errors || []).slice(0, 5)) parts.push((error.line ? error.line + ": " : "") + (error.detail || error.message || ""));
    return parts.join(" ");
  };

  // --- Forms ---------------------------------------------------------------------------------------------------------

  /** Puts a value at a path like `lines[0].quantity`. */
  const put = (target, path, value) => {
    const steps = path.replace(/\[(\d+)\]/g, ".$1").split(".");
    steps.forEach((step, index) => {
      if (index === steps.length - 1) { target[step] = value; return; }
      const next = /^\d+$/.test(steps[index + 1]) ? [] : {};
      target[step] = target[step] === undefined ? next : target[step];
      target = target[step];
    });
  };

  /** Digits and signs as this side reads them: full-width ones of Chinese keyboards too, and the minus of printed words. */
  const western = (text) => text.normalize("NFKC").replace("\u2212", "-").trim();

  /** Minor units of an amount that a person typed. */
  const minor = (text) => {
    const digits = Number(root.dataset.digits || 2);
    const bare = western(text).replace(/[\s¥€$£]/g, "");
    // 1,250.00 and 12,50: a comma stands between thousands, or for the point.
    const clean = /^-?\d{1,3}(,\d{3})+(\.\d+)?$/.test(bare) ? bare.replace(/,/g, "") : bare.replace(/,(\d{1,2})$/, ".$1");
    if (!/^-?\d+(\.\d+)?$/.test(clean)) return NaN;
    const [whole, part = ""] = clean.split(".");
    if (part.length > digits) return NaN;
    const number = Number(whole.replace("-", "") + part.padEnd(digits, "0"));
    return clean.startsWith("-") ? -number : number;
  };

  const typed = (field) => {
    const text = field.value.trim();
    const number = western(text);
    switch (field.dataset.type) {
      case "int": return /^[+-]?\d+$/.test(number) ? Number(number) : NaN;
      case "money": return minor(text);
      case "grams": return /^[+-]?\d+([.,]\d{1,3})?$/.test(number) ? Math.round(Number(number.replace(",", ".")) * 1000) : NaN;
      case "bool": return field.type === "checkbox" ? field.checked : text === "true";
      case "list": return text.split(/[\s,]+/).filter(Boolean);
      case "moment": return text ? new Date(text).toISOString() : "";
      case "json": return JSON.parse(text);
      default: return text;
    }
  };

  /** The body that a form says. Throws the field that cannot be read. */
  const bodyOf = (form, submitter) => {
    const body = {};
    for (const field of form.elements) {
      if (!field.name || field.disabled || field.dataset.path !== undefined) continue;
      if (field.tagName === "BUTTON" && field !== submitter) continue;
      if (field.type === "radio" && !field.checked) continue;
      if (field.type === "checkbox" && field.dataset.type !== "bool") {
        if (field.checked) put(body, field.name, typed(field));
        continue;
      }
      if (field.value.trim() === "" && field.dataset.type !== "bool" && field.dataset.empty === undefined) continue;
      const value = typed(field);
      if (Number.isNaN(value)) throw field;
      put(body, field.name, value);
    }
    const compact = (value) => Array.isArray(value) ? value.filter((item) => item !== undefined && item !== null).map(compact) : value;
    for (const name of Object.keys(body)) body[name] = compact(body[name]);
    return body;
  };

  const pathOf = (form, template) => template.replace(/\{(\w+)\}/g, (_, name) => {
    const field = form.elements[name];
    return encodeURIComponent(field ? field.value.trim() : "");
  });

  const markWrong = (form, name, text) => {
    const field = name && form.elements[name];
    if (!field || !field.classList) return;
    field.classList.add("wrong");
    field.setAttribute("aria-invalid", "true");
    field.focus();
  };

  /** Sends a form. Its key stays the same until it was answered, so that a second try is not a second deed. */
  const send = async (form, submitter, extra) => {
    for (const field of form.querySelectorAll(".wrong")) { field.classList.remove("wrong"); field.removeAttribute("aria-invalid"); }
    let body;
    try {
      body = { ...bodyOf(form, submitter), ...extra };
    } catch (field) {
      const label = field.labels && field.labels[0] ? field.labels[0].innerText.trim().split("\n")[0] : field.name;
      tell(label + ": " + say("not-number"), "bad");
      if (field.classList) markWrong(form, field.name);
      return null;
    }
    const text = JSON.stringify(body);
    if (form.dataset.sent !== text) { form.dataset.sent = text; form.dataset.key = key(); }
    const method = form.dataset.method || "POST";
    const path = pathOf(form, form.dataset.post);
    if (form.dataset.outbox !== undefined && self.outbox) {
      return self.outbox.send({ method, path, body, key: form.dataset.key, about: form.dataset.outbox || form.dataset.post });
    }
    return ask(method, path, body, { "Idempotency-Key": form.dataset.key });
  };

  const fill = (template, values) => template.replace(/\{([\w.]+)\}/g, (_, path) => {
    const value = path.split(".").reduce((at, step) => (at === null || at === undefined ? at : at[step]), values);
    return value === undefined || value === null ? "" : String(value);
  });

  // Whoever went on to another page meanwhile is not brought back by an answer that comes late.
  let left = 0;
  addEventListener("beforeunload", () => { left = Date.now(); });
  const isLeaving = () => Date.now() - left < 5000;

  /** What follows when a form was answered well. */
  const after = (form, answer) => {
    form.dataset.sent = "";
    form.dispatchEvent(new CustomEvent("answered", { bubbles: true, detail: answer.body }));
    if (answer.kept) { tell(say("kept"), "warn"); form.reset(); return; }
    if (form.dataset.post === "/pages/sign-out") forgetKept();
    if (form.dataset.show) draw(form, answer.body);
    const then = form.dataset.then;
    if (form.dataset.done) sessionStorage.setItem("stockroom-said", fill(form.dataset.done, answer.body || {}));
    if (then && isLeaving()) { refresh(); return; }
    if (then && then !== "reload") { location.assign(fill(then, answer.body || {})); return; }
    if (then === "reload") { location.reload(); return; }
    const words = sessionStorage.getItem("stockroom-said");
    sessionStorage.removeItem("stockroom-said");
    tell(words || say("done"), "good");
    if (form.dataset.keep === undefined) form.reset();
    const first = form.querySelector("[autofocus]");
    if (first) first.focus();
    refresh();
  };

  /** Whoever signs out leaves nothing of what she saw on this device; what she did and was not sent yet stays, in her name. */
  const forgetKept = async () => {
    if (!self.indexedDB || !indexedDB.databases || !(await indexedDB.databases()).some((base) => base.name === "stockroom")) return;
    const request = indexedDB.open("stockroom");
    request.onsuccess = () => {
      const base = request.result;
      if (!base.objectStoreNames.contains("kept")) { base.close(); return; }
      const store = base.transaction("kept", "readwrite").objectStore("kept");
      for (const id of ["picking", "along"]) store.delete(id);
      store.transaction.oncomplete = () => base.close();
    };
  };

  /** Shows a picture that the node answered: only pictures that it drew itself. */
  const draw = (form, body) => {
    const picture = body && body[form.dataset.show];
    if (!picture) return;
    const image = document.createElement("img");
    image.alt = fill(form.dataset.done || "QR", body);
    image.src = "data:image/svg+xml;base64," + btoa(unescape(encodeURIComponent(picture)));
    let frame = form.parentElement.querySelector(".qr");
    if (!frame) { frame = document.createElement("div"); frame.className = "qr"; form.after(frame); }
    frame.replaceChildren(image);
  };

  const busy = (form, on) => {
    for (const button of form.querySelectorAll("button")) on ? button.setAttribute("aria-busy", "true") : button.removeAttribute("aria-busy");
  };

  const submit = async (form, submitter, extra) => {
    if (form.dataset.busy) return;
    if (form.dataset.confirm && !extra && !(await confirmed(form.dataset.confirm, submitter))) return;
    form.dataset.busy = "1";
    busy(form, true);
    try {
      const answer = await send(form, submitter, extra);
      if (!answer) return;
      if (answer.ok) { after(form, answer); return; }
      const kind = answer.body && answer.body.type;
      if (kind === "/problems/role-needed" && form.dataset.approve && !(extra && extra.approval)) {
        const approval = await approve(form.dataset.approve);
        if (approval) { delete form.dataset.busy; await submit(form, submitter, { ...extra, approval }); return; }
      }
      if (kind === "/problems/sign-in-needed") { keepTyped(form); signInAgain(); return; }
      tell(problem(answer), "bad");
      if (answer.body && answer.body.field) markWrong(form, answer.body.field);
      form.dispatchEvent(new CustomEvent("refused", { bubbles: true, detail: answer }));
      if (answer.status === 409) refresh();
    } catch (e) {
      tell(say("gone"), "bad");
      gone();
    } finally {
      delete form.dataset.busy;
      busy(form, false);
    }
  };

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.post === undefined) return;
    event.preventDefault();
    submit(form, event.submitter);
  });

  // A form that only asks leads to its page with what was asked; empty fields stay away.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.go === undefined) return;
    event.preventDefault();
    const asked = new URLSearchParams([...new FormData(form)].filter(([, value]) => String(value).trim() !== ""));
    location.assign(form.dataset.go + (String(asked) ? "?" + asked : ""));
  });

  /** A dialog with fields, answered with their values; nothing if it was put away. */
  const dialog = (title, fields, go) => new Promise((resolve) => {
    const box = document.createElement("dialog");
    const form = document.createElement("form");
    form.method = "dialog";
    const heading = document.createElement("h2");
    heading.id = "dialog-" + key();
    heading.textContent = title;
    box.setAttribute("aria-labelledby", heading.id);
    form.append(heading);
    for (const field of fields) {
      const label = document.createElement("label");
      const span = document.createElement("span");
      const input = document.createElement("input");
      span.textContent = field.label;
      Object.assign(input, { name: field.name, type: field.type || "text", required: true, autocomplete: "off" });
      if (field.type === "password") input.inputMode = "numeric";
      label.append(span, input);
      form.append(label);
    }
    const acts = document.createElement("p");
    acts.className = "acts";
    const yes = document.createElement("button");
    yes.className = "main";
    yes.textContent = go;
    const no = document.createElement("button");
    no.type = "button";
    no.textContent = say("cancel");
    acts.append(yes, no);
    form.append(acts);
    box.append(form);
    document.body.append(box);
    // Taken out a moment later: a field that goes within its own key press takes the caret of the next one with it.
    const end = (value) => {
      box.close();
      resolve(value);
      setTimeout(() => { box.remove(); enterAnew(); }, 0);
    };
    no.addEventListener("click", () => end(null));
    box.addEventListener("cancel", () => end(null));
    form.addEventListener("submit", (event) => { event.preventDefault(); end(Object.fromEntries(new FormData(form))); });
    box.showModal();
  });

  const confirmed = (question, submitter) => dialog(question, [], submitter ? submitter.textContent : say("done"));

  /** Asks for a manager's PIN; gives the approval's token. */
  const approve = async (what) => {
    const given = await dialog(say("approve-title"), [{ name: "staff", label: say("approve-staff") }, { name: "pin", label: say("approve-pin"), type: "password" }], say("approve"));
    if (!given) return null;
    const answer = await ask("POST", "/v1/approvals", { ...given, what }, { "Idempotency-Key": key() });
    if (answer.ok) return answer.body.approval;
    tell(problem(answer), "bad");
    return null;
  };

  // --- What was typed stays ------------------------------------------------------------------------------------------

  const place = "stockroom-typed " + location.pathname;
  const keepTyped = (form) => {
    const values = {};
    for (const field of form.elements) if (field.name && field.type !== "password" && field.type !== "hidden") values[field.name] = field.type === "checkbox" ? field.checked : field.value;
    sessionStorage.setItem(place, JSON.stringify({ post: form.dataset.post, values }));
  };
  const bringBack = () => {
    const kept = JSON.parse(sessionStorage.getItem(place) || "null");
    sessionStorage.removeItem(place);
    const form = kept && [...document.forms].find((form) => form.dataset.post === kept.post);
    if (!form) return;
    for (const [name, value] of Object.entries(kept.values)) {
      const field = form.elements[name];
      if (field && field.type === "checkbox") field.checked = value;
      else if (field) field.value = value;
    }
  };
  const signInAgain = () => {
    tell(say("sign-in-again") + " ", "warn");
    const link = document.createElement("a");
    link.className = "button";
    link.href = "/sign-in?then=" + encodeURIComponent(location.pathname + location.search);
    link.textContent = say("sign-in");
    said.append(link);
    link.focus();
  };

  // --- Fresh figures -------------------------------------------------------------------------------------------------

  const seconds = (s) => {
    const chinese = root.lang.startsWith("zh");
    const [sec, min, hour, day] = chinese ? ["秒", "分", "小时", "天"] : [" s", " min", " h", " d"];
    const two = (a, x, b, y) => a + x + (b ? (chinese ? "" : " ") + b + y : "");
    if (s < 60) return s + sec;
    if (s < 3600) return Math.floor(s / 60) + min;
    if (s < 86400) return two(Math.floor(s / 3600), hour, Math.floor((s % 3600) / 60), min);
    return two(Math.floor(s / 86400), day, Math.floor((s % 86400) / 3600), hour);
  };
  const tick = () => {
    const now = Date.now();
    for (const span of document.querySelectorAll("[data-age]")) span.textContent = seconds(Math.max(0, Math.floor((now - Number(span.dataset.age)) / 1000)));
    for (const span of document.querySelectorAll("[data-due]")) {
      const left = Math.floor((Number(span.dataset.due) - now) / 1000);
      span.classList.toggle("late", left < 0);
      span.textContent = (left < 0 ? "−" : "") + seconds(Math.abs(left));
    }
  };
  setInterval(tick, 5000);

  const holdsWork = (part) => {
    if (part.querySelector("dialog[open]")) return true;
    const active = document.activeElement;
    if (part.contains(active) && active.matches("input, select, textarea")) return true;
    return [...part.querySelectorAll("input, textarea")].some((field) => field.type !== "hidden" && (field.type === "checkbox" || field.type === "radio" ? field.checked !== field.defaultChecked : field.value !== field.defaultValue));
  };

  let reading = null;
  /** Reads the page again and puts its live parts in place, but for those that somebody works in. */
  const refresh = () => {
    if (reading) return reading;
    reading = (async () => {
      try {
        const answer = await fetch(location.href, { headers: { "Stockroom-Page": "1", Accept: "text/html" }, cache: "no-store", credentials: "same-origin" });
        if (!answer.ok || answer.redirected) return;
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const part of document.querySelectorAll("[data-live]")) {
          const other = fresh.getElementById(part.id);
          if (!other || other.innerHTML === part.dataset.was) continue;
          if (holdsWork(part)) { part.dataset.stale = "1"; continue; }
          const focused = part.contains(document.activeElement) ? document.activeElement.id : null;
          const open = [...part.querySelectorAll("details[open]")].map((one) => one.id).filter(Boolean);
          part.replaceChildren(...other.childNodes);
          part.dataset.was = other.innerHTML || part.innerHTML;
          for (const id of open) { const one = document.getElementById(id); if (one) one.open = true; }
          if (focused) { const one = document.getElementById(focused); if (one) one.focus(); }
          part.dispatchEvent(new CustomEvent("refreshed", { bubbles: true }));
        }
        tick();
      } catch (e) { gone(); }
    })().finally(() => { reading = null; });
    return reading;
  };

  const showLink = (state) => {
    const bar = document.getElementById("link-state");
    if (!bar) return;
    bar.dataset.state = state.state;
    bar.querySelector("b").textContent = state.words;
    bar.querySelector("span").textContent = state.detail;
  };
  const gone = () => showLink({ state: "gone", words: say("node-gone-short"), detail: "" });

  // What changes by time alone, like the age of a contact, is read again every so many seconds, while somebody looks.
  const often = [...document.querySelectorAll("[data-every]")].map((part) => Number(part.dataset.every));
  if (often.length) setInterval(() => { if (!document.hidden) refresh(); }, 1000 * Math.min(...often));

  let source = null;
  let wait = 1000;
  const follow = () => {
    if (source || document.hidden || document.body.dataset.still !== undefined) return;
    source = new EventSource("/pages/live");
    source.addEventListener("open", () => { if (wait > 1000) refresh(); wait = 1000; document.dispatchEvent(new Event("node-back")); });
    source.addEventListener("link", (event) => showLink(JSON.parse(event.data)));
    source.addEventListener("changed", (event) => {
      const topics = event.data.split(" ");
      const shows = [...document.querySelectorAll("[data-live]")].flatMap((part) => part.dataset.live.split(" "));
      document.dispatchEvent(new CustomEvent("changed", { detail: topics }));
      if (topics.includes("all") || shows.includes("all") || topics.some((topic) => shows.includes(topic))) refresh();
    });
    source.addEventListener("error", () => {
      source.close();
      source = null;
      gone();
      setTimeout(follow, wait);
      wait = Math.min(wait * 2, 15000);
    });
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { if (source) { source.close(); source = null; } return; }
    refresh();
    follow();
  });

  /** Between two keys of a scanner; a person needs longer. */
  const BURST_MS = 80;

  // --- Keys after a dialog -------------------------------------------------------------------------------------------

  /** A field that has the focus again because a dialog went may have no caret: keys would be lost. It has to be entered anew. */
  const enterAnew = () => {
    const active = document.activeElement;
    // Where something stands already, its caret is there as well.
    if (active.matches("input, textarea") && !active.value) { active.blur(); active.focus(); }
  };
  // A scanner types faster than timers run: the first key after a dialog sees to it itself.
  let under = false;
  document.addEventListener("focusin", (event) => { if (event.target.closest("dialog[open]")) under = true; });
  document.addEventListener("keydown", () => {
    const open = document.querySelector("dialog[open]") !== null;
    if (under && !open) enterAnew();
    under = open;
  }, true);

  // --- Scanners ------------------------------------------------------------------------------------------------------

  // A scanner types like a person, only faster: what is typed while nothing has the focus goes to the page's field for codes.
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.key.length !== 1 || document.querySelector("dialog[open]")) return;
    const active = document.activeElement;
    if (active && active.matches("input, select, textarea, button, a, summary, [contenteditable]") && !(active.matches("button, a, summary") && /[0-9]/.test(event.key))) return;
    const field = scanField();
    if (field) field.focus();
  });
  const scanField = () => [...document.querySelectorAll("[data-scan]")].find((field) => !field.disabled && field.checkVisibility());

  // Nobody types six digits within a moment: a code that was scanned into a field for a number, or into one that is marked `data-unscanned`,
  // goes to the field for codes, and the number stays as it was.
  let burst = { field: null, before: "", text: "", at: 0 };
  document.addEventListener("keydown", (event) => {
    const field = event.target;
    const minds = field.matches && field.matches("input[data-type=int], input[data-type=money], input[data-type=grams], input[data-unscanned]");
    if (!minds || field.dataset.scan !== undefined) { burst.field = null; return; }
    if (event.key === "Enter") {
      const code = scanField();
      const scanned = burst.field === field && burst.text.length >= 6 && event.timeStamp - burst.at < BURST_MS && code;
      if (!scanned) { burst.field = null; return; }
      event.preventDefault();
      event.stopImmediatePropagation();
      field.value = burst.before;
      burst.field = null;
      if (!code.dispatchEvent(new CustomEvent("scanned", { bubbles: true, cancelable: true, detail: burst.text }))) return;
      code.value = burst.text;
      code.focus();
      if (code.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true })) && code.form) code.form.requestSubmit();
      return;
    }
    if (!/^\d$/.test(event.key)) { burst.field = null; return; }
    if (burst.field !== field || event.timeStamp - burst.at > BURST_MS) burst = { field, before: field.value, text: "", at: 0 };
    burst.text += event.key;
    burst.at = event.timeStamp;
  }, true);

  self.page = { ask, say, tell, problem, key, refresh, dialog, approve, minor, seconds, signInAgain, submit, follow };

  // A page of which a token stands behind # takes it, and forgets it.
  for (const form of document.querySelectorAll("[data-from-fragment]")) {
    const token = decodeURIComponent(location.hash.slice(1));
    if (token) {
      form.elements[form.dataset.fromFragment].value = token;
      history.replaceState(null, "", location.pathname + location.search);
      submit(form);
    }
  }
  const words_kept = sessionStorage.getItem("stockroom-said");
  if (words_kept) { sessionStorage.removeItem("stockroom-said"); tell(words_kept, "good"); }
  bringBack();
  // On a narrow screen the menu shows where one is.
  const here = document.querySelector(".places [aria-current]");
  const menu = here && here.closest("ul");
  if (menu) menu.scrollLeft = here.offsetLeft - (menu.clientWidth - here.offsetWidth) / 2;
  tick();
  follow();
  if ("serviceWorker" in navigator && self.isSecureContext) {
    navigator.serviceWorker.register("/sw.js").catch(() => { /* Without it the pages work while the node can be reached. */ });
  }
})();
