// A walk through the shelves for several orders: each scan is counted and sent; what cannot be sent waits in the outbox, and what was picked so
// far is kept in this device, so that neither a cold room nor a closed page loses any of it.
"use strict";
(() => {
  const { ask, say, tell, problem, key, dialog } = self.page;
  const root = document.documentElement;
  const staff = root.dataset.staff || "";
  const choose = document.getElementById("choose");
  const area = document.getElementById("walk");
  /** What this page says, as `data-say-…`. */
  const word = Object.fromEntries(Object.entries(area.dataset).filter(([name]) => name.startsWith("say")).map(([name, text]) => [name[3].toLowerCase() + name.slice(4), text]));
  const field = document.getElementById("scan-field");
  const said = document.getElementById("scanned");
  /** `{ id, staff, totes: [{ tote, order, generation, due, state, troubles, bay, lines: [..] }], stops: [{ department, lines: [..] }] }`. */
  let walk = null;

  const end = (order) => "…" + order.slice(-4);
  const path = (order, action) => "/v1/fulfillments/" + encodeURIComponent(order) + "/" + action;
  const keep = () => self.outbox.keep(walk);
  const amount = (units, unit) => (unit === "gram" ? (units / 1000).toFixed(3) + " kg" : String(units));
  const make = (name, attributes, ...children) => {
    const made = document.createElement(name);
    for (const [attribute, value] of Object.entries(attributes || {})) {
      if (attribute === "click") made.addEventListener("click", value);
      else if (attribute === "submit") made.addEventListener("submit", (event) => { event.preventDefault(); value(made); });
      else if (value !== false && value !== undefined && value !== null) made.setAttribute(attribute, value === true ? "" : value);
    }
    made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
    return made;
  };

  // --- The walk ------------------------------------------------------------------------------------------------------

  const toteOf = (order) => walk.totes.find((tote) => tote.order === order);
  const lineOf = (order, number) => walk.stops.flatMap((stop) => stop.goods).flatMap((goods) => goods.into).find((line) => line.order === order && line.line === number);
  const allLines = (order) => walk.stops.flatMap((stop) => stop.goods).flatMap((goods) => goods.into).filter((line) => line.order === order);
  const isDone = (line) => line.done || line.wanted <= 0;

  /** Fetches the goods of these orders, beside those that are being fetched already. */
  const begin = async (orders) => {
    const wanted = [];
    const parts = [];
    for (const order of orders) {
      const answer = await ask("GET", "/v1/fulfillments/" + encodeURIComponent(order));
      if (!answer.ok) { tell(end(order) + ": " + problem(answer), "bad"); continue; }
      const part = answer.body;
      if (part.picker && part.picker !== staff && !(await dialog(say("picks-already", { who: part.picker, order: end(order) }), [], say("take-over")))) continue;
      wanted.push(order);
      parts.push(part);
    }
    if (!wanted.length) return;
    for (const part of parts.filter((one) => ["offered", "accepted"].includes(one.state))) {
      const answer = await ask("POST", path(part.order, "start-picking"), { staff, generation: part.generation }, { "Idempotency-Key": key() });
      if (!answer.ok) tell(end(part.order) + ": " + problem(answer), "bad");
    }
    const known = walk ? walk.totes.filter((tote) => !tote.staged).map((tote) => tote.order).filter((order) => !wanted.includes(order)) : [];
    const answer = await ask("GET", "/v1/pick-lists?orders=" + encodeURIComponent(wanted.join(",")));
    if (!answer.ok) { tell(problem(answer), "bad"); return; }
    const before = walk;
    walk = { id: "picking", staff, totes: [], stops: [] };
    if (before && known.length) {
      walk.totes = before.totes.filter((tote) => known.includes(tote.order));
      walk.stops = before.stops.map((stop) => ({ ...stop, goods: stop.goods.map((goods) => ({ ...goods, into: goods.into.filter((line) => known.includes(line.order)) })).filter((goods) => goods.into.length) })).filter((stop) => stop.goods.length);
    }
    const numbers = new Map();
    for (const tote of answer.body.totes) {
      numbers.set(tote.tote, tote.order);
      walk.totes.push({ order: tote.order, generation: tote.generation, due: Date.parse(tote.due), troubles: [], staged: false });
    }
    walk.totes.forEach((tote, index) => { tote.tote = index + 1; });
    for (const department of answer.body.departments) {
      const goods = department.lines.map((line) => ({
        sku: line.sku, name: line.name, barcode: line.barcode || "", unit: line.unit, age: line.age_min,
        into: line.into.map((one) => ({ order: numbers.get(one.tote), line: one.line, wanted: one.quantity, most: one.quantity_max, preference: one.preference, counted: 0, done: false, trouble: "" })),
      }));
      const stop = walk.stops.find((one) => one.department === department.department);
      if (stop) stop.goods.push(...goods); else walk.stops.push({ department: department.department, goods });
    }
    await keep();
    history.replaceState(null, "", "/picking");
    if (self.caches) caches.open("stockroom-seen").then(async (cache) => cache.put("/picking", await fetch("/picking", { headers: { Accept: "text/html" } }))).catch(() => {});
    draw();
  };

  const leave = async () => {
    walk = null;
    await self.outbox.forget("picking");
    location.assign("/picking");
  };

  // --- What is done with a line --------------------------------------------------------------------------------------

  const hear = (text, kind) => { tell(text, kind, said); };

  /** Sends a deed, or keeps it; a refusal is taken back and said at the line. */
  const send = async (line, body, undo) => {
    const tote = toteOf(line.order);
    const act = { method: "POST", path: path(line.order, "pick"), body: { staff, generation: tote.generation, ...body }, key: key(), about: end(line.order), order: line.order, line: line.line };
    await keep();
    draw();
    const answer = await self.outbox.send(act);
    if (!answer.kept) await answered(act, answer, undo);
  };

  /** What the node says to a deed, at once or when it was sent at last. */
  const answered = async (act, answer, undo) => {
    const line = walk && lineOf(act.order, act.line);
    if (!line) return;
    const scanned = answer.ok && answer.body.scanned;
    if (!answer.ok) {
      if (undo) undo();
      else if (act.body.scan) { line.counted = Math.max(0, line.counted - 1); line.done = false; }
      else { line.done = false; }
      line.trouble = problem(answer);
      hear(line.trouble, "bad");
    } else {
      line.trouble = "";
      if (scanned && !scanned.done && line.done && !(await self.outbox.waiting()).some((waits) => waits.order === line.order && waits.line === line.line)) {
        // The node has forgotten earlier scans of this line: it is told of the sum.
        await send(line, { lines: [{ line: line.line, quantity: line.counted }] });
        return;
      }
      look(answer.body.fulfillment);
    }
    await keep();
    draw();
  };

  const plain = (code) => code.replace(/^0+/, "");
  const scan = async (code) => {
    let goods = walk.stops.flatMap((stop) => stop.goods).find((one) => one.barcode && plain(one.barcode) === plain(code));
    let units = 1;
    // Goods without a barcode are counted by their number: the node hears of the sum.
    const isNumber = !goods && (goods = walk.stops.flatMap((stop) => stop.goods).find((one) => one.sku === code)) !== undefined;
    if (!goods) {
      let answer = null;
      try { answer = await ask("GET", "/v1/scan/" + encodeURIComponent(code)); } catch (e) { hear(say("off-scan", { code }), "bad"); return; }
      if (!answer.ok) { hear(say("unknown-code", { code }), "bad"); return; }
      goods = walk.stops.flatMap((stop) => stop.goods).find((one) => one.sku === answer.body.sku);
      if (!goods) { hear(say("not-on-list", { name: answer.body.name || answer.body.sku }), "bad"); return; }
      units = answer.body.quantity || 1;
    }
    const line = goods.into.find((one) => !isDone(one) && !toteOf(one.order).staged);
    if (!line) { hear(say("all-there", { name: goods.name }), "warn"); return; }
    if (goods.unit === "gram") {
      if (units <= 1) { const input = document.getElementById("weight-" + line.order + "-" + line.line); if (input) input.focus(); return; }
      if (units > line.most) { hear(say("too-heavy", { most: amount(line.most, "gram") }), "bad"); return; }
      line.counted = units;
      line.done = true;
    } else {
      line.counted += units;
      line.done = line.counted >= line.wanted;
    }
    const tote = toteOf(line.order);
    hear(goods.name + " → " + word.tote + " " + tote.tote + ": " + amount(line.counted, goods.unit) + " " + word.of + " " + amount(line.wanted, goods.unit), "good");
    if (navigator.vibrate) navigator.vibrate(40);
    const by = goods.unit === "gram" ? units : 1;
    if (isNumber && !line.done) { await keep(); draw(); return; }
    await send(line, goods.unit === "gram" || isNumber ? { lines: [{ line: line.line, quantity: line.counted }] } : { scan: code }, () => { line.counted = Math.max(0, line.counted - by); line.done = false; });
  };

  const write = (line, quantity, more) => {
    const before = { counted: line.counted, done: line.done, reason: line.reason };
    Object.assign(line, { counted: quantity, done: true, reason: (more && more.reason) || "", trouble: "" });
    const anew = !line.again;
    line.again = false;
    // Nothing is drawn anew around a field that somebody is in.
    field.focus();
    return send(line, { lines: [{ line: line.line, quantity, ...more }], anew }, () => Object.assign(line, before));
  };

  const stage = async (tote, form) => {
    const [bay, bags] = [form.elements.bay ? form.elements.bay.value.trim() : "", form.elements.bags.value.trim()];
    tote.bay = bay;
    tote.staged = true;
    await keep();
    draw();
    const common = { staff, generation: tote.generation };
    const acts = [];
    if (bags) acts.push(["pack", { ...common, note: bags }]);
    acts.push(["ready", { ...common, note: bay }]);
    for (const [action, body] of acts) {
      const answer = await self.outbox.send({ method: "POST", path: path(tote.order, action), body, key: key(), about: end(tote.order), order: tote.order, stages: true });
      if (!answer.ok) { tote.troubles = [problem(answer)]; tote.staged = false; break; }
    }
    await keep();
    draw();
    if (walk.totes.every((one) => one.staged)) hear(say("walk-over"), "good");
  };

  // --- What the node says differently --------------------------------------------------------------------------------

  /** Takes what the node knows of an order. Work is kept; what differs is said. */
  const look = (part) => {
    const tote = part && toteOf(part.order);
    if (!tote) return;
    const troubles = [];
    if (part.withdrawn || ["cancelled", "stood-down", "refused"].includes(part.state)) troubles.push(say("order-over", { state: part.state }));
    if (part.cancel_asked) troubles.push(say("cancel-asked"));
    if (part.hold) troubles.push(say("on-hold", { why: part.hold }));
    if (part.picker && part.picker !== staff) troubles.push(say("other-picks", { who: part.picker }));
    for (const said of part.lines) {
      const line = lineOf(part.order, said.line);
      if (!line) continue;
      const wanted = said.quantity - said.cancelled;
      if (wanted < line.wanted) { line.cancelled = true; line.wanted = wanted; line.done = line.counted >= wanted; }
      if (said.picked !== undefined && !line.again && !line.done) { line.counted = said.picked; line.done = true; line.reason = said.reason || ""; }
    }
    tote.troubles = troubles;
    tote.bay = part.bay || tote.bay;
    if (["ready", "handed-over"].includes(part.state)) tote.staged = true;
  };
  let looking = false;
  const lookAll = async () => {
    if (!walk || looking) return;
    looking = true;
    try {
      if (!(await self.outbox.waiting()).length) {
        for (const tote of walk.totes) {
          const answer = await ask("GET", "/v1/fulfillments/" + encodeURIComponent(tote.order));
          if (answer.ok) look(answer.body);
        }
        await keep();
        draw();
      }
    } catch (e) { /* Looked at again when the node is back. */ }
    looking = false;
  };

  // --- Drawing -------------------------------------------------------------------------------------------------------

  const busyIn = () => area.contains(document.activeElement) && document.activeElement.matches("#totes input, #stops input, #stops select");

  const drawTote = (tote) => {
    const lines = allLines(tote.order);
    const done = lines.filter(isDone).length;
    const card = make("section", { class: "tote" + (done === lines.length ? " full" : "") },
      make("h2", {}, word.tote + " " + tote.tote + " ", make("span", { class: "order-number" }, end(tote.order)), " ",
        make("span", { class: "countdown" + (tote.due < Date.now() ? " late" : ""), "data-due": tote.due }, (tote.due < Date.now() ? "−" : "") + self.page.seconds(Math.abs(Math.floor((tote.due - Date.now()) / 1000)))), " ",
        make("span", { class: "tag " + (done === lines.length ? "good" : "") }, tote.staged ? word.ready : done + " " + word.of + " " + lines.length)));
    for (const trouble of tote.troubles) card.append(make("p", { class: "said bad" }, trouble));
    if (!tote.staged && done === lines.length) {
      card.append(make("form", { class: "row", submit: (form) => stage(tote, form) },
        area.dataset.noBays !== undefined ? null : make("label", {}, make("span", {}, word.bay), make("input", { name: "bay", required: true, maxlength: 32, autocomplete: "off", value: tote.bay || "" })),
        make("label", { class: "small" }, make("span", {}, word.bags), make("input", { name: "bags", inputmode: "numeric", maxlength: 3, autocomplete: "off", pattern: "[0-9]*" })),
        make("button", { class: "main large" }, word.stage)));
    }
    return card;
  };

  const drawLine = (goods, line) => {
    const tote = toteOf(line.order);
    const id = line.order + "-" + line.line;
    const named = ": " + goods.name + ", " + word.tote + " " + tote.tote;
    const row = make("div", { class: "pick-line" + (isDone(line) ? " done" : "") },
      make("span", { class: "pick-tote" }, String(tote.tote)),
      make("b", { class: "pick-count" }, amount(line.counted, goods.unit) + " " + word.of + " " + amount(line.wanted, goods.unit)));
    if (line.reason) row.append(make("span", { class: "tag bad" }, reasonWord(line.reason)));
    if (line.cancelled) row.append(make("span", { class: "tag bad" }, word.cancelled));
    if (isDone(line)) {
      if (!tote.staged) row.append(make("button", { type: "button", class: "quiet", "aria-label": word.undo + named, click: async () => { Object.assign(line, { done: false, counted: 0, reason: "", again: true }); await keep(); draw(); } }, word.undo));
    } else if (goods.unit === "gram") {
      row.append(make("form", { class: "pick-weigh", submit: (form) => {
        const grams = Math.round(Number(form.elements.kg.value.replace(",", ".")) * 1000);
        if (!(grams > 0)) { hear(word.weigh + ": " + say("not-number"), "bad"); return; }
        if (grams > line.most) { hear(say("too-heavy", { most: amount(line.most, "gram") }), "bad"); return; }
        write(line, grams);
      } }, make("input", { id: "weight-" + id, name: "kg", inputmode: "decimal", required: true, autocomplete: "off", "aria-label": word.weigh + " (kg)" + named }), make("button", { "aria-label": word.enough + named }, word.enough)));
    } else {
      row.append(make("button", { type: "button", "aria-label": word.allFound + named, click: () => write(line, line.wanted) }, word.allFound));
    }
    if (!isDone(line)) row.append(shortage(goods, line, id, named));
    if (line.trouble) row.append(make("p", { class: "said bad" }, line.trouble));
    return row;
  };

  const reasonWord = (reason) => ({ "not-found": word.notFound, "too-few": word.tooFew, damaged: word.damaged, expired: word.expired })[reason] || reason;

  const shortage = (goods, line, id, named) => {
    const reasons = ["not-found", "too-few", "damaged", "expired"].map((value) => make("option", { value }, reasonWord(value)));
    const part = make("details", { id: "short-" + id }, make("summary", { "aria-label": word.short + named }, word.short),
      make("form", { class: "row", submit: (form) => {
        const given = Number(form.elements.quantity.value.replace(",", "."));
        const units = goods.unit === "gram" ? Math.round(given * 1000) : given;
        if (!Number.isInteger(units) || units < 0 || units >= line.wanted) { hear(say("fewer-than", { n: amount(line.wanted, goods.unit) }), "bad"); return; }
        write(line, units, { reason: form.elements.reason.value });
      } },
        make("label", { class: "small" }, make("span", {}, word.quantity), make("input", { name: "quantity", inputmode: "decimal", required: true, autocomplete: "off", value: amount(line.counted, goods.unit).replace(" kg", "") })),
        make("label", {}, make("span", {}, word.why), make("select", { name: "reason" }, ...reasons)),
        make("button", { class: "danger", "aria-label": word.short + " " + word.enough + named }, word.enough)));
    if (["substitute", "ask"].includes(line.preference)) {
      part.append(make("form", { class: "row", submit: (form) => write(line, line.wanted, { reason: "not-found", substitute: { code: form.elements.code.value.trim() } }) },
        make("label", {}, make("span", {}, word.insteadCode), make("input", { name: "code", required: true, autocomplete: "off" })),
        make("button", { "aria-label": word.instead + named }, word.instead)));
    }
    return part;
  };

  const draw = () => {
    choose.hidden = Boolean(walk);
    area.hidden = !walk;
    if (!walk || busyIn()) return;
    const open = [...area.querySelectorAll("details[open]")].map((one) => one.id);
    const focus = document.activeElement && area.contains(document.activeElement) ? document.activeElement.id : "";
    document.getElementById("totes").replaceChildren(...walk.totes.map(drawTote));
    const stops = walk.stops.map((stop) => {
      // What is to be fetched stands first; what is done moves down, so that the next one is always in view.
      const goods = stop.goods.filter((one) => one.into.some((line) => !toteOf(line.order).staged)).sort((a, b) => Number(a.into.every(isDone)) - Number(b.into.every(isDone)));
      return make("section", { class: "stop" }, make("h2", {}, stop.department || word.noDepartment), ...goods.map((one) => make("div", { class: "pick" + (one.into.every(isDone) ? " done" : "") },
        make("p", { class: "pick-name" }, make("b", {}, one.name || one.sku), " ", make("span", { class: "quiet" }, one.barcode || one.sku), " ", one.age ? make("span", { class: "tag warn" }, word.age + " " + one.age + "+") : null),
        ...one.into.filter((line) => !toteOf(line.order).staged || !isDone(line)).map((line) => drawLine(one, line)))));
    });
    document.getElementById("stops").replaceChildren(...stops.filter((stop) => stop.children.length > 1));
    document.getElementById("put-away").className = walk.totes.every((tote) => tote.staged) ? "main large" : "quiet";
    for (const id of open) { const one = document.getElementById(id); if (one) one.open = true; }
    const again = focus && document.getElementById(focus);
    if (again) again.focus();
  };

  document.getElementById("choice").addEventListener("submit", async (event) => {
    event.preventDefault();
    const orders = [...event.target.querySelectorAll("input[name=order]:checked")].map((box) => box.value);
    if (!orders.length) { tell(say("choose-one"), "warn"); return; }
    try { await begin(orders); field.focus(); } catch (e) { tell(say("gone"), "bad"); }
  });
  document.getElementById("scan").addEventListener("submit", async (event) => {
    event.preventDefault();
    const code = field.value.trim();
    field.value = "";
    // Before the answer: weighed goods take the focus to their weight, and whoever weighs must not lose it to an earlier scan.
    field.focus();
    if (code && walk) await scan(code);
  });
  document.getElementById("put-away").addEventListener("click", async () => {
    if (!(await self.outbox.waiting()).length) { leave(); return; }
    hear(say("still-waiting"), "warn");
  });
  document.addEventListener("outbox-sent", async (event) => {
    const { act, answer } = event.detail;
    if (!walk || !act.order) return;
    if (act.stages) {
      const tote = toteOf(act.order);
      if (tote && !answer.ok) { tote.troubles = [problem(answer)]; tote.staged = false; }
      await keep();
      draw();
    } else await answered(act, answer);
    lookAll();
  });
  document.addEventListener("changed", (event) => { if (event.detail.some((topic) => ["orders", "catalog", "all"].includes(topic))) lookAll(); });
  document.addEventListener("node-back", lookAll);

  (async () => {
    const kept = await self.outbox.kept("picking");
    // Somebody else's walk is not shown to whoever is signed in now.
    if (kept && kept.staff === staff) walk = kept;
    else if (kept) await self.outbox.forget("picking");
    const chosen = choose.dataset.chosen.split(",").filter(Boolean).filter((order) => !walk || !toteOf(order));
    draw();
    if (chosen.length) { try { await begin(chosen); } catch (e) { tell(say("gone"), "bad"); } }
    if (walk) { field.focus(); lookAll(); }
  })();
})();
