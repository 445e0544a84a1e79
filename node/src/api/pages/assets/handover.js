// The counter: whatever the customer says or shows leads to the order, and one button hands it over. What this handheld took along it hands over
// by code also while the node cannot be reached; the node hears of it afterwards, in order.
"use strict";
(() => {
  const { ask, say, problem, key, dialog, approve } = self.page;
  const root = document.documentElement;
  const staff = root.dataset.staff || "";
  const form = document.getElementById("counter");
  const field = document.getElementById("counter-field");
  const label = document.getElementById("counter-label");
  const found = document.getElementById("found");
  const line = document.getElementById("counter-said");
  /** Said below the field, which stays where it is. */
  const tell = (text, kind) => self.page.tell(text, kind, line);
  /** What this page says, as `data-say-…`. */
  const word = Object.fromEntries(Object.entries(found.dataset).filter(([name]) => name.startsWith("say")).map(([name, text]) => [name[3].toLowerCase() + name.slice(4), text]));
  /** What is on the counter: the order, and what was shown for it. */
  let now = null;
  /** What this handheld took along: `{ holder, staff, items }`. */
  let along = { id: "along", staff, items: [] };

  const clock = (at) => {
    const how = { hour: "2-digit", minute: "2-digit", hour12: false };
    // A store may have no zone that browsers know: then the device's own.
    try { return new Intl.DateTimeFormat(root.lang, { ...how, timeZone: root.dataset.zone }).format(new Date(at)); } catch (e) { return new Intl.DateTimeFormat(root.lang, how).format(new Date(at)); }
  };
  const end = (order) => "…" + order.slice(-4);
  const path = (order, action) => "/v1/fulfillments/" + encodeURIComponent(order) + "/" + action;
  const isPass = (text) => text.startsWith("SR:") || text.length > 40;

  const make = (name, attributes, ...children) => {
    const made = document.createElement(name);
    for (const [attribute, value] of Object.entries(attributes || {})) {
      if (attribute === "click") made.addEventListener("click", value);
      else if (value !== false && value !== undefined && value !== null) made.setAttribute(attribute, value === true ? "" : value);
    }
    made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
    return made;
  };

  const wrong = (answer) => {
    const body = answer.body || {};
    if (body.type === "/problems/handed-over") return say("handed-before", { at: clock(body.at), store: body.store });
    if (body.type === "/problems/wrong-code") return say(body.type) + " " + say("tries-left", { n: body.tries_left }) + (body.tries_left ? "" : ". " + say("manager-decides"));
    return problem(answer);
  };

  // --- What this handheld took along ---------------------------------------------------------------------------------

  const keep = () => self.outbox.keep(along);
  const load = async () => {
    const kept = await self.outbox.kept("along");
    // Somebody else's orders are not shown to whoever is signed in now.
    if (kept && kept.staff === staff) along = kept;
    else if (kept) await self.outbox.forget("along");
    let holder = await self.outbox.kept("holder");
    if (!holder) { holder = { id: "holder", value: key() + key().slice(0, 8) }; await self.outbox.keep(holder); }
    along.holder = holder.value;
  };
  const held = (order) => along.items.find((item) => item.part.order === order && !item.done);
  const usable = (item) => !item.done && Date.now() < item.until;

  const drawAlong = () => {
    const items = along.items.filter((item) => !item.done);
    const list = document.getElementById("along-list");
    document.getElementById("along").hidden = !items.length;
    list.replaceChildren(...items.map((item) => make("li", {},
      make("b", { class: "order-number" }, end(item.part.order)), " ",
      make("span", { class: "quiet" }, usable(item) ? word.until + " " + clock(item.until) : say("along-over")),
      make("p", { class: "acts" },
        make("button", { type: "button", "aria-label": word.handOver + " " + end(item.part.order), click: () => show(item.part, null) }, word.handOver),
        make("button", { type: "button", "aria-label": word.bring + " " + end(item.part.order), click: () => bring(item) }, word.bring)))));
  };

  const take = async () => {
    const part = now.part;
    const answer = await say_(part.order, "take-along", { generation: part.generation, holder: along.holder });
    if (!answer) return;
    const given = answer.body.along;
    along.items = along.items.filter((item) => item.part.order !== part.order);
    along.items.push({ part: answer.body.fulfillment, check: given.check, tries: given.tries, until: Date.now() + given.hand_over_within_s * 1000 });
    await keep();
    if (self.caches) caches.open("stockroom-seen").then(async (cache) => cache.put("/handover", await fetch("/handover", { headers: { Accept: "text/html" } }))).catch(() => {});
    tell(say("along-taken", { order: end(part.order), at: clock(Date.now() + given.hand_over_within_s * 1000) }), "good");
    clear();
    drawAlong();
  };

  const bring = async (item) => {
    const answer = await self.outbox.send({ method: "POST", path: path(item.part.order, "bring-back"), body: { generation: item.part.generation, holder: along.holder }, key: key(), about: end(item.part.order) });
    if (!answer.ok) { tell(wrong(answer), "bad"); }
    along.items = along.items.filter((other) => other !== item);
    await keep();
    drawAlong();
    if (answer.ok) tell(answer.kept ? say("kept") : say("along-brought", { order: end(item.part.order) }), answer.kept ? "warn" : "good");
  };

  const bytes = (hex) => new Uint8Array(hex.match(/../g).map((two) => parseInt(two, 16)));
  const slow = async (secret, salt, rounds) => {
    const from = await crypto.subtle.importKey("raw", secret, "PBKDF2", false, ["deriveBits"]);
    return new Uint8Array(await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt: bytes(salt), iterations: rounds }, from, 128));
  };
  const fits = async (item, code) => {
    if (!item.check || !crypto.subtle) return false;
    const first = await slow(new TextEncoder().encode(code), item.check.salt, item.check.rounds);
    const second = await slow(first, item.check.salt_after, item.check.rounds_after);
    return Array.from(second, (byte) => byte.toString(16).padStart(2, "0")).join("") === item.check.hash;
  };

  /** The counter where the node cannot be reached: only what was taken along, and only by code. */
  const offLan = async (text) => {
    const items = along.items.filter(usable);
    // What is scanned next takes the place of what was not good.
    field.select();
    if (!items.length) { tell(say("off-lan"), "bad"); return; }
    if (isPass(text)) { tell(say("off-pass"), "bad"); return; }
    if (!/^\d{6}$/.test(text)) {
      const item = items.find((one) => one.part.order === text || one.part.order.endsWith(text));
      if (item) show(item.part, null); else tell(say("off-lan"), "bad");
      return;
    }
    const asked = now && held(now.part.order) ? [held(now.part.order)] : items;
    const open = asked.filter((item) => item.tries > 0 && usable(item));
    if (!open.length) { tell(say("off-tries"), "bad"); return; }
    // Counted before it is tried: closing the page gives no further tries.
    for (const item of open) item.tries -= 1;
    await keep();
    for (const item of open) {
      if (!(await fits(item, text))) continue;
      for (const other of open) other.tries += 1;
      await keep();
      show(item.part, { code: text, checked: true });
      return;
    }
    tell(say("off-wrong", { n: Math.min(...open.map((item) => item.tries)) }), "bad");
  };

  // --- The counter ---------------------------------------------------------------------------------------------------

  const clear = () => {
    now = null;
    found.hidden = true;
    found.replaceChildren();
    field.value = "";
    label.textContent = label.dataset.any;
    field.focus();
  };

  /** Says something of an order to the node; nothing if it was refused. */
  const say_ = async (order, action, body) => {
    try {
      const answer = await ask("POST", path(order, action), { staff, ...body }, { "Idempotency-Key": key() });
      if (answer.ok) return answer;
      if (answer.body && answer.body.type === "/problems/sign-in-needed") { self.page.signInAgain(); return null; }
      tell(wrong(answer), "bad");
    } catch (e) { tell(say("off-lan"), "bad"); }
    return null;
  };

  const checkAge = async (passed, list) => {
    const body = { generation: now.part.generation, document: list.value, passed };
    const item = held(now.part.order);
    const answer = item
      ? await self.outbox.send({ method: "POST", path: path(now.part.order, "check-age"), body: { staff, holder: along.holder, ...body }, key: key(), about: end(now.part.order) })
      : await say_(now.part.order, "check-age", body);
    if (!answer) return;
    if (!answer.ok) { tell(wrong(answer), "bad"); return; }
    const part = answer.kept ? { ...now.part, age_checked: true } : answer.body.fulfillment;
    if (item) { item.part = part; await keep(); }
    show(part, now.proof, now.delegate);
  };

  const handOver = async ({ checked, ...proof }) => {
    const part = now.part;
    const body = { staff, generation: part.generation, ...proof };
    const item = held(part.order);
    let answer = null;
    try {
      if (item) body.holder = along.holder;
      // What waits of this order goes first.
      if (item && (await self.outbox.waiting()).length) throw new Error("in order");
      answer = await ask("POST", path(part.order, "hand-over"), body, { "Idempotency-Key": now.key });
    } catch (e) {
      if (!item) { tell(say("off-lan"), "bad"); return; }
      // The node did not look at the code: this handheld does, before anything is given away.
      if (!checked) { await offLan(proof.code || proof.pass || ""); return; }
      if (!usable(item)) { tell(say("along-over"), "bad"); return; }
      answer = await self.outbox.send({ method: "POST", path: path(part.order, "hand-over"), body, key: now.key, about: end(part.order) });
    }
    if (item && answer.ok) { item.done = true; await keep(); drawAlong(); }
    if (answer.ok) {
      tell(say(answer.kept ? "handed-kept" : "handed-done", { order: end(part.order) }), answer.kept ? "warn" : "good");
      clear();
      return;
    }
    tell(wrong(answer), "bad");
    const kind = answer.body && answer.body.type;
    if (kind === "/problems/wrong-code") { show(part, null); return; }
    if (kind === "/problems/handed-over") clear();
  };

  const byManager = async () => {
    if (staff) {
      const approval = await approve("hand-over");
      if (approval) await handOver({ approval });
      return;
    }
    const given = await dialog(say("approve-title"), [{ name: "approver", label: say("approve-staff") }], say("approve"));
    if (given) await handOver({ approver: given.approver });
  };

  const quantity = (line) => {
    const units = line.picked === undefined ? line.quantity - line.cancelled : line.open + line.handed;
    return line.unit === "gram" ? (units / 1000).toFixed(3) + " kg" : String(units);
  };

  /** Puts an order on the counter. */
  const show = (part, proof, delegate) => {
    const isHeld = Boolean(held(part.order));
    now = { part, proof, delegate, key: key() };
    if (part.handed_at && part.state === "handed-over") { clear(); tell(say("handed-before", { at: clock(part.handed_at), store: part.store }), "bad"); return; }
    const needsAge = part.age_min > 0 && !part.age_checked;
    const list = make("select", {}, ...[["id-card", word.idCard], ["passport", word.passport], ["driving-licence", word.licence]].map(([value, text]) => make("option", { value }, text)));
    const acts = make("p", { class: "acts" });
    let first = null;
    if (needsAge) {
      first = make("button", { class: "main large", type: "button", click: () => checkAge(true, list) }, word.checkAge + " (" + part.age_min + "+)");
      acts.append(make("label", {}, make("span", {}, word.document), list), first, make("button", { type: "button", class: "danger", click: () => checkAge(false, list) }, word.tooYoung));
    } else if (proof) {
      first = make("button", { class: "main large", type: "button", click: (event) => { event.currentTarget.disabled = true; handOver(proof); } }, word.handOver);
      acts.append(first);
    } else {
      acts.append(make("button", { type: "button", click: byManager }, word.manager));
      if (part.state === "ready" && !isHeld && !part.taken_along) acts.append(make("button", { type: "button", click: take }, word.take));
    }
    acts.append(make("button", { type: "button", class: "quiet", click: () => { tell("", ""); clear(); } }, word.other));
    const tag = (text, kind) => make("span", { class: "tag " + (kind || "") }, text);
    found.replaceChildren(
      make("h2", {}, make("span", { class: "order-number" }, end(part.order)), " ",
        part.bay ? tag(word.bay + " " + part.bay, "good") : null, " ", part.bags ? tag(part.bags + " " + word.bags) : null, " ",
        part.age_min > 0 ? tag(word.age + " " + part.age_min + "+", part.age_checked ? "good" : "warn") : null, " ",
        part.taken_along && !isHeld ? tag(part.taken_along.staff + " " + word.until + " " + clock(part.taken_along.until), "warn") : null),
      delegate ? make("p", { class: "said" }, word.expect + " " + delegate) : "",
      make("ul", { class: "list" }, ...part.lines.map((line) => make("li", {}, make("b", {}, quantity(line)), " × " + (line.name || line.sku)))),
      acts);
    found.hidden = false;
    field.value = "";
    label.textContent = proof || needsAge ? label.dataset.any : label.dataset.code;
    if (first) first.focus(); else field.focus();
  };

  const several = (items) => {
    now = null;
    found.replaceChildren(make("h2", {}, say("several-found")), make("ul", { class: "list" }, ...items.map((part) => make("li", {},
      make("button", { type: "button", click: () => show(part, null) }, end(part.order) + " · " + part.lines.map((line) => line.name || line.sku).slice(0, 3).join(", "))))));
    found.hidden = false;
    found.querySelector("button").focus();
  };

  const look = async (text) => {
    tell("", "");
    try {
      if (isPass(text)) {
        const answer = await ask("POST", "/v1/passes/verify", { pass: text }, { "Idempotency-Key": key() });
        if (!answer.ok) { tell(wrong(answer), "bad"); field.select(); return; }
        show(answer.body.fulfillment, { pass: text }, answer.body.delegate);
        return;
      }
      if (now && !now.proof && /^\d{6}$/.test(text)) {
        // The order is known: this is its code, and a wrong one is counted.
        now.key = key();
        if (now.part.age_min > 0 && !now.part.age_checked) { show(now.part, { code: text }); return; }
        await handOver({ code: text });
        return;
      }
      const answer = await ask("POST", "/v1/pickups/find", { text });
      if (!answer.ok) { tell(wrong(answer), "bad"); field.select(); return; }
      const items = answer.body.items;
      if (!items.length) { tell(say(/^\d{6}$/.test(text) ? "code-unknown" : "order-unknown"), "warn"); field.select(); return; }
      if (items.length > 1) { several(items); return; }
      show(items[0], answer.body.by === "code" ? { code: text } : null);
    } catch (e) {
      await offLan(text);
    }
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (!text || form.dataset.busy) return;
    form.dataset.busy = "1";
    try { await look(text); } finally { delete form.dataset.busy; }
  });
  document.addEventListener("outbox-sent", async (event) => {
    const order = decodeURIComponent(event.detail.act.path.split("/")[3] || "");
    const item = along.items.find((one) => one.part.order === order);
    if (!item || !event.detail.act.path.endsWith("/hand-over")) return;
    along.items = along.items.filter((one) => one !== item);
    await keep();
    drawAlong();
    if (event.detail.answer.ok) tell(say("handed-told", { order: end(order) }), "good");
  });

  load().then(() => {
    drawAlong();
    if (form.dataset.order) look(form.dataset.order);
  });
})();
