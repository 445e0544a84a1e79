// The till's screen: from a scan to a line at once, then the node's price with its reasons. What is on the screen is kept at each change.
"use strict";
(() => {
  const { page, kept, goods } = self;
  const { say } = page;
  const $ = (id) => document.getElementById(id);
  const root = document.documentElement;
  const about = JSON.parse($("till").dataset.about);
  const scan = $("scan");
  const fresh = () => ({ lines: [], member: null, accounts: [], coupons: [], points: 0, age_checked: false, paid: [], seq: null, attempt: null, asked: null });
  const till = { about, basket: fresh(), quote: null, gone: false, chosen: null, ready: false };
  let ids = 1;

  // --- Words ---------------------------------------------------------------------------------------------------------

  const digits = Number(root.dataset.digits || 2);
  const coins = new Intl.NumberFormat("en-US", { style: "currency", currency: root.dataset.currency || "XXX", currencyDisplay: "narrowSymbol", minimumFractionDigits: digits, maximumFractionDigits: digits });
  const money = (minor) => coins.format(minor / 10 ** digits).replace("-", "\u2212");
  const plain = (minor) => (minor / 10 ** digits).toFixed(digits);
  const amount = (quantity, unit) => (unit === "gram" ? (quantity / 1000).toFixed(3) + " kg" : String(quantity));
  const note = (where, text, kind) => page.tell(text || "", kind || "bad", where);

  // --- Reaching the node -------------------------------------------------------------------------------------------------

  /** Asks the node, but not for ever. Throws when it cannot be reached in time. */
  const ask = async (method, path, body, key, wait) => {
    let timer;
    const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error("late")), wait || 5000); });
    try {
      const answer = await Promise.race([page.ask(method, path, body, key ? { "Idempotency-Key": key } : {}), late]);
      isThere(true);
      return answer;
    } catch (e) {
      isThere(false);
      throw e;
    } finally { clearTimeout(timer); }
  };
  const isThere = (there) => {
    if (till.gone === !there) return;
    till.gone = !there;
    document.dispatchEvent(new Event(there ? "till-back" : "till-gone"));
    showState();
    if (there) requote();
    else { till.quote = null; show(); }
  };
  document.addEventListener("node-back", () => isThere(true));
  setInterval(async () => {
    if (!till.gone) return;
    try { if ((await fetch("/healthz", { cache: "no-store" })).ok) isThere(true); } catch (e) { /* Still gone. */ }
  }, 3000);

  const showState = () => {
    const catalogue = goods.about();
    const parts = [];
    if (till.second) parts.push(say("till-second"));
    if (till.gone && catalogue) parts.push(say("till-gone", { when: new Date(catalogue.at).toLocaleString(root.lang, { dateStyle: "medium", timeStyle: "short" }) }));
    if (till.gone && !catalogue) parts.push(say("till-gone-empty"));
    if (till.shared) parts.push(say("till-shared", { till: till.number }));
    if (about.rules.shift_needed && till.shift === null && !till.gone) parts.push(say("till-shift-needed"));
    note($("state"), parts.join(" "), till.second || till.shared ? "bad" : "warn");
    const is = $("catalogue-is");
    is.textContent = catalogue ? say("till-catalogue", { n: goods.count().toLocaleString("en-US"), age: page.seconds(Math.max(0, Math.floor((Date.now() - catalogue.read) / 1000))) }) + (catalogue.cut ? " " + say("till-cut") : "") : say("till-no-catalogue");
    document.body.dataset.gone = till.gone ? "1" : "";
  };
  setInterval(showState, 15000);
  document.addEventListener("catalogue", showState);

  // --- The basket ----------------------------------------------------------------------------------------------------------

  const keep = () => kept.keepBasket(till.basket);
  /** The basket is another than the one that was offered for payment. */
  const changed = () => {
    till.quote = null;
    if (!till.basket.lines.length) till.basket.age_checked = false;
    keep();
    show();
    requote();
  };
  const local = (line) => { const priced = goods.alone(line); return priced ? priced.amount : 0; };
  const total = () => (till.quote ? till.quote.total : till.basket.lines.reduce((sum, line) => sum + local(line), 0));
  const busy = () => Boolean(till.basket.attempt || till.basket.paid.length || till.basket.asked);

  /** Puts goods into the basket. `times` is how often, or the weight in grams. */
  const put = (found, times) => {
    if (busy()) { page.tell(say("till-being-paid"), "warn"); return null; }
    const { row, label } = found;
    const weighed = row.unit === "gram" && label === undefined;
    const quantity = weighed ? (times.grams || found.quantity * times.count) : (label === undefined ? found.quantity : 1) * times.count;
    if (weighed && !quantity) { askWeight(found); return null; }
    let line = till.basket.lines.find((line) => line.sku === row.sku && !weighed && line.label === label && line.code === (label === undefined ? undefined : found.code));
    if (line) line.quantity += quantity;
    else {
      line = { id: ids++, sku: row.sku, name: row.name, unit: row.unit, quantity, price: row.price };
      for (const known of ["age_min", "tax", "stop", "week"]) if (row[known] !== undefined) line[known] = row[known];
      if (label !== undefined) Object.assign(line, { label, code: found.code });
      till.basket.lines.push(line);
    }
    till.chosen = line.id;
    till.change = 0;
    const stops = goods.stops(line);
    if (stops.includes("recall")) page.tell(say("till-stop-recall", { name: line.name }), "bad");
    else page.tell("", "");
    changed();
    return line;
  };

  const set = (line, quantity) => {
    if (busy()) { page.tell(say("till-being-paid"), "warn"); return; }
    if (quantity <= 0) till.basket.lines = till.basket.lines.filter((other) => other !== line);
    else line.quantity = quantity;
    if (quantity > 0) till.chosen = line.id;
    else till.chosen = till.basket.lines.length ? till.basket.lines[till.basket.lines.length - 1].id : null;
    changed();
  };

  const seller = () => kept.who() || (till.shift && till.shift.staff) || "";

  /** What the basket asks for, as the API reads it. */
  const body = (then) => {
    const { basket } = till;
    const lines = basket.lines.map((line) => (line.code ? { code: line.code, quantity: line.quantity } : { sku: line.sku, quantity: line.quantity, unit: line.unit }));
    const asked = { till: till.number || 1, then, lines, age_checked: basket.age_checked, coupons: basket.coupons };
    // Where nobody signs in, whoever has the drawer sells.
    if (then !== "quote" && seller()) asked.cashier = seller();
    if (basket.member) Object.assign(asked, { member: basket.member, accounts: basket.accounts });
    if (then === "quote" && basket.points) asked.points = basket.points;
    return asked;
  };

  // --- The node's price ------------------------------------------------------------------------------------------------------

  let asking = false, again = false;
  /** Asks what the basket costs; of many changes the last one counts. */
  const requote = async () => {
    if (till.gone || !till.basket.lines.length || !till.number) { show(); return; }
    if (asking) { again = true; return; }
    asking = true;
    const of = JSON.stringify(body("quote"));
    try {
      const answer = await ask("POST", "/v1/checkout", JSON.parse(of));
      if (of === JSON.stringify(body("quote"))) priced(answer);
    } catch (e) { /* Gone: the page says so by now. */ }
    asking = false;
    if (again) { again = false; requote(); }
  };
  const priced = (answer) => {
    till.refused = null;
    if (answer.ok) till.quote = answer.body;
    else if (answer.status === 401) page.signInAgain();
    else {
      const at = /^lines\[(\d+)\]/.exec((answer.body || {}).field || "");
      till.refused = { line: at ? Number(at[1]) : null, text: page.problem(answer) };
      if (!at) page.tell(till.refused.text, "bad");
    }
    show();
  };

  // --- What is shown ---------------------------------------------------------------------------------------------------------

  const rows = new Map();
  const element = (tag, about, text) => { const made = Object.assign(document.createElement(tag), about); if (text !== undefined) made.textContent = text; return made; };
  const button = (text, title, click) => { const made = element("button", { type: "button" }, text); if (title) made.setAttribute("aria-label", title); made.addEventListener("click", click); return made; };
  const write = (place, text) => { if (place.textContent !== text) place.textContent = text; };

  const rowOf = (line) => {
    let row = rows.get(line.id);
    if (row) return row;
    const item = element("li", {});
    const name = element("span", { className: "till-name" }), cost = element("b", { className: "till-cost" }), why = element("span", { className: "till-why" });
    const steps = element("span", { className: "till-steps" });
    const many = element("input", { inputMode: "decimal", autocomplete: "off" });
    many.dataset.unscanned = "";
    many.setAttribute("aria-label", say("till-quantity", { name: line.name }));
    const here = () => till.basket.lines.find((other) => other.id === line.id);
    const step = line.unit === "gram" && line.label === undefined ? 0 : 1;
    if (step) steps.append(button("\u2212", say("till-less", { name: line.name }), () => { set(here(), here().quantity - 1); scan.focus(); }));
    steps.append(many);
    if (step) steps.append(button("+", say("till-one-more", { name: line.name }), () => { set(here(), here().quantity + 1); scan.focus(); }));
    steps.append(button("\u2715", say("till-remove", { name: line.name }), () => { set(here(), 0); scan.focus(); }));
    many.addEventListener("change", () => {
      const typed = Number(many.value.replace(",", ".").replace(/\s*kg$/, ""));
      const quantity = step ? typed : Math.round(typed * 1000);
      if (Number.isInteger(quantity) && quantity >= 0 && quantity <= 1000000) set(here(), quantity);
      else page.tell(many.value + " " + say("not-number"), "bad");
      show();
      scan.focus();
    });
    item.append(name, cost, why, steps);
    item.addEventListener("click", (event) => { if (!event.target.closest("button, input")) { till.chosen = line.id; show(); scan.focus(); } });
    row = { item, name, cost, why, many };
    rows.set(line.id, row);
    return row;
  };

  /** Why a line costs what it costs, and what stops it, in the words of this page. */
  const reasons = (line, quoted) => {
    const parts = [];
    const price = quoted ? quoted.unit_price : line.price;
    if (price !== undefined && price !== null) parts.push(amount(quoted ? quoted.quantity : line.quantity, line.unit) + " \u00d7 " + money(price) + (line.unit === "gram" ? "/kg" : ""));
    if (quoted && quoted.price.source === "code") parts.push(say("till-by-label"));
    for (const less of quoted ? quoted.reductions : []) parts.push("\u2212" + money(less.amount) + " " + (less.name || say("till-off")));
    if (quoted && quoted.tax) parts.push(say("till-tax", { rate: quoted.tax.rate_bp / 100, amount: money(quoted.tax.amount) }));
    const stops = (quoted ? quoted.stops : goods.stops(line)).filter((stop) => !(stop === "age" && till.basket.age_checked));
    for (const stop of stops) parts.push(say("till-stop-" + stop, { name: line.name, age: line.age_min || "" }));
    const looked = quoted && quoted.stops.length > stops.length;
    if (quoted && quoted.needs && !stops.length && !looked) parts.push(quoted.needs);
    return { text: parts.join(" \u00b7 "), stopped: stops.length > 0 };
  };

  const show = () => {
    const { basket, quote } = till;
    const list = $("lines");
    const there = new Set(basket.lines.map((line) => line.id));
    for (const [id, row] of rows) if (!there.has(id)) { row.item.remove(); rows.delete(id); }
    basket.lines.forEach((line, index) => {
      const row = rowOf(line), quoted = quote && quote.lines[index];
      const why = till.refused && till.refused.line === index ? { text: till.refused.text, stopped: true } : reasons(line, quoted);
      write(row.name, line.name);
      const priced = quoted ? quoted.amount : local(line);
      write(row.cost, quoted || goods.alone(line) ? money(priced) : "\u2026");
      write(row.why, why.text);
      row.item.className = (why.stopped ? "stopped " : "") + (line.id === till.chosen ? "chosen" : "");
      line.id === till.chosen ? row.item.setAttribute("aria-current", "true") : row.item.removeAttribute("aria-current");
      if (document.activeElement !== row.many) row.many.value = line.unit === "gram" && line.label === undefined ? (line.quantity / 1000).toFixed(3) : line.quantity;
      if (!row.item.isConnected) { list.append(row.item); row.item.scrollIntoView({ block: "nearest" }); }
    });
    $("empty").hidden = basket.lines.length > 0;
    $("change-now").hidden = basket.lines.length > 0 || !till.change;
    if (till.change) write($("change-now").querySelector("b"), money(till.change));
    write($("total"), money(total()));
    $("total").dataset.minor = total();
    $("total").classList.toggle("guess", !quote && !till.gone && basket.lines.length > 0);
    const round = quote ? quote.cash_rounding : 0;
    $("rounded").hidden = !round;
    if (round) write($("rounded"), say("till-rounded", { total: money(total() + round) }));
    $("pay").disabled = !basket.lines.length || till.second;
    $("aside").disabled = !basket.lines.length || till.gone || busy();
    $("clear").disabled = !basket.lines.length;
    benefits();
  };
  const benefits = () => {
    const { basket, quote } = till, list = $("benefits");
    const items = [];
    const item = (text, bad, away) => { const made = element("li", { className: bad ? "bad" : "" }, text); made.append(button("\u2715", say("till-remove", { name: text }), () => { away(); changed(); scan.focus(); })); items.push(made); };
    if (basket.member) item(say("till-member", { name: till.called || basket.member.slice(-4) }) + (quote && quote.points ? " \u00b7 " + say("till-points", { held: quote.points.may_spend, earns: quote.points.earns }) : ""), false, () => { basket.member = null; basket.accounts = []; basket.points = 0; till.called = ""; });
    if (basket.points) item(say("till-points-pay", { n: basket.points, amount: money(quote && quote.points ? quote.points.pays : 0) }), Boolean(quote && quote.points && !quote.points.pays), () => { basket.points = 0; });
    basket.coupons.forEach((code, index) => {
      const said = quote && quote.coupons && quote.coupons[index];
      const bad = said && !said.taken;
      const text = bad ? code + ": " + page.problem({ body: { ...said.refused, detail: undefined } }) : (said && said.name ? said.name + " \u2212" + money(said.worth) : code);
      item(text, bad, () => basket.coupons.splice(index, 1));
    });
    list.replaceChildren(...items);
    list.hidden = !items.length;
  };

  // --- Scanning --------------------------------------------------------------------------------------------------------------

  const parse = (text) => {
    const parts = /^\s*(\d+(?:[.,]\d{1,3})?)\s*[*x\u00d7]\s*(.+)$/i.exec(text);
    if (!parts) return { code: text.trim(), times: { count: 1 } };
    const number = Number(parts[1].replace(",", "."));
    return { code: parts[2].trim(), times: Number.isInteger(number) ? { count: number, grams: 0 } : { count: 1, grams: Math.round(number * 1000), weight: true } };
  };

  /** From Enter to the line: what the catalogue knows at once, the rest by asking. */
  const take = async (text, from) => {
    const { code, times } = parse(text);
    if (!code) return;
    if (/^\d+-\d+-\d+-\d+$/.test(code)) { document.dispatchEvent(new CustomEvent("till-receipt", { detail: code })); return; }
    let found = goods.find(code);
    if (found) found.code = code;
    if (!found) {
      const named = goods.search(code);
      if (named.length && !/^\d{8,}$/.test(code)) { offer(named, times); return; }
      found = await remote(code);
    }
    if (!found) return;
    if (times.weight && found.row.unit !== "gram") { page.tell(say("till-not-weighed", { name: found.row.name }), "bad"); return; }
    if (put(found, times)) mark(from);
  };
  const remote = async (code) => {
    try {
      const answer = await ask("GET", "/v1/scan/" + encodeURIComponent(code));
      if (answer.ok) {
        const { body } = answer;
        const row = { sku: body.sku, name: body.name, unit: body.unit, price: body.unit_price, age_min: body.age_min || undefined, stop: body.recall ? "recall" : undefined };
        return { row, quantity: body.quantity, label: body.label_price, code };
      }
      if (answer.status === 401) page.signInAgain();
      else page.tell(answer.status === 404 || answer.status === 422 ? say("unknown-code", { code }) : page.problem(answer), "bad");
    } catch (e) { page.tell(say("till-unknown-gone", { code }), "bad"); }
    return null;
  };
  /** How long it took until the line was painted: for whoever measures. */
  const mark = (from) => requestAnimationFrame(() => setTimeout(() => { $("lines").dataset.scanMs = (performance.now() - from).toFixed(1); }, 0));

  const offer = (found, times) => {
    const list = $("found");
    list.replaceChildren(...found.map((row) => {
      const item = element("li", {});
      item.append(button(row.name + (row.price === undefined ? "" : " \u00b7 " + money(row.price) + (row.unit === "gram" ? "/kg" : "")), "", () => { hideFound(); scan.value = ""; put({ row, quantity: row.unit === "gram" ? 0 : 1 }, times); scan.focus(); }));
      return item;
    }));
    list.hidden = false;
  };
  const hideFound = () => { $("found").hidden = true; };

  let weighing = null;
  const askWeight = (found) => {
    weighing = found;
    $("weight-title").textContent = found.row.name;
    $("weight").value = "";
    note($("weight-said"), "");
    $("weight-box").showModal();
  };
  $("weight-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const grams = Math.round(Number($("weight").value.replace(",", ".")) * 1000);
    if (!(grams > 0 && grams <= 100000)) { note($("weight-said"), say("till-weight-wrong")); return; }
    $("weight-box").close();
    put(weighing, { count: 1, grams });
  });

  /** Codes that were scanned before the basket was back from where it is kept. */
  const early = [];

  $("scan-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const from = performance.now();
    const text = scan.value;
    scan.value = "";
    const first = $("found").hidden ? null : $("found").querySelector("button");
    if (first && first.dataset.of === text) { first.click(); return; }
    hideFound();
    if (till.ready) take(text, from); else early.push(text);
  });
  scan.addEventListener("input", () => {
    const { code, times } = parse(scan.value);
    if (code.length < 2 || /^\d+$/.test(code)) { hideFound(); return; }
    const found = goods.search(code);
    found.length ? offer(found, times) : hideFound();
  });

  // --- Keys ------------------------------------------------------------------------------------------------------------------

  const chosen = () => till.basket.lines.find((line) => line.id === till.chosen);
  const choose = (by) => {
    const at = till.basket.lines.findIndex((line) => line.id === till.chosen);
    const next = till.basket.lines[Math.min(Math.max(at + by, 0), till.basket.lines.length - 1)];
    if (next) { till.chosen = next.id; show(); rows.get(next.id).item.scrollIntoView({ block: "nearest" }); }
  };
  scan.addEventListener("keydown", (event) => {
    const options = $("found").hidden ? [] : [...$("found").querySelectorAll("button")];
    if (event.key === "ArrowDown" && options.length) { options[0].focus(); event.preventDefault(); return; }
    if (scan.value !== "") return;
    const line = chosen();
    const weighed = line && line.unit === "gram" && line.label === undefined;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") choose(event.key === "ArrowDown" ? 1 : -1);
    else if (event.key === "+" && line && !weighed) set(line, line.quantity + 1);
    else if (event.key === "-" && line && !weighed) set(line, line.quantity - 1);
    else if (event.key === "Delete" && line) set(line, 0);
    else return;
    event.preventDefault();
  });
  $("found").addEventListener("keydown", (event) => {
    const options = [...$("found").querySelectorAll("button")];
    const at = options.indexOf(document.activeElement);
    if (event.key === "ArrowDown") (options[at + 1] || options[at]).focus();
    else if (event.key === "ArrowUp") (options[at - 1] || scan).focus();
    else return;
    event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !document.querySelector("dialog[open]")) { hideFound(); scan.focus(); return; }
    if (!/^F\d+$/.test(event.key) || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "F2") { const open = document.querySelector("dialog[open]"); if (open) open.close(); scan.focus(); scan.select(); event.preventDefault(); return; }
    const pressed = document.querySelector(`[data-key="${event.key}"]`);
    if (!pressed) return;
    event.preventDefault();
    if (!document.querySelector("dialog[open]") && !pressed.disabled) pressed.click();
  });
  for (const opener of document.querySelectorAll("[data-opens]")) opener.addEventListener("click", () => open(opener.dataset.opens));
  for (const closer of document.querySelectorAll("[data-closes]")) closer.addEventListener("click", () => closer.closest("dialog").close());
  for (const box of document.querySelectorAll(".till-box")) box.addEventListener("close", () => setTimeout(back, 0));
  /** The scan field takes the next keys. It may look so already while its caret went with a dialog: then it has to be entered anew. */
  const back = () => {
    if (document.querySelector("dialog[open]")) return;
    // A scanner may have begun already: leaving the field would take its first digits for a whole code.
    if (!scan.value) scan.blur();
    scan.focus();
  };
  const open = (id) => { const box = $(id); if (!box.open) box.showModal(); box.dispatchEvent(new Event("opened")); };

  $("clear").addEventListener("click", async () => {
    if (busy()) { page.tell(say("till-being-paid"), "warn"); return; }
    if (await page.dialog(say("till-clear-sure"), [], $("clear").textContent)) { reset(); page.tell("", ""); }
    scan.focus();
  });
  const reset = () => { till.basket = fresh(); till.called = ""; till.quote = null; till.refused = null; changed(); };

  /** A manager says yes to one thing: signed in here, by her PIN, or by her name where nobody has one. Gives what is sent along. */
  const approve = async (what, why) => {
    const own = root.dataset.staff;
    // Who is alone in her shop is asked whether, not who.
    if (about.manager || about.solo) return (await page.dialog(why, [], say("approve"))) ? { approver: own || "owner" } : null;
    const fields = [{ name: "staff", label: say("approve-staff") }];
    if (about.bound) fields.push({ name: "pin", label: say("approve-pin"), type: "password" });
    const given = await page.dialog(why, fields, say("approve"));
    if (!given) return null;
    if (!about.bound) return { approver: given.staff };
    const answer = await ask("POST", "/v1/approvals", { ...given, what }, page.key()).catch(() => null);
    if (answer && answer.ok) return { approval: answer.body.approval };
    page.tell(answer ? page.problem(answer) : say("gone"), "bad");
    return null;
  };

  // --- Begin -----------------------------------------------------------------------------------------------------------------

  Object.assign(till, { $, ask, seller, money, plain, note, put, body, total, local, changed, keep, show, showState, requote, reset, approve, open, element, button, busy, isThere });
  self.till = till;
  const begin = async () => {
    const [basket, number] = await Promise.all([kept.basket(), kept.number(), goods.bring()]);
    if (basket) till.basket = { ...fresh(), ...basket };
    ids = Math.max(0, ...till.basket.lines.map((line) => line.id)) + 1;
    till.number = number || null;
    till.ready = true;
    $("till").dataset.ready = "1";
    show();
    document.dispatchEvent(new Event("till-ready"));
    for (const text of early.splice(0)) await take(text, performance.now());
    await goods.fetchAll();
    showState();
    requote();
  };
  // One tab at a time works the basket; another says so.
  if (navigator.locks) {
    navigator.locks.request("stockroom-till", { ifAvailable: true }, (lock) => {
      if (lock) return new Promise(() => {});
      till.second = true;
      showState();
      show();
      return undefined;
    });
  }
  begin();
})();
