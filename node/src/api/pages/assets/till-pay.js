// Paying: what is sent is kept before it is sent, under the number that the sale will have, so that nothing is paid twice or lost. Without a node
// cash is taken alone, and the sale is held on this till until it can be posted.
"use strict";
(() => {
  const { page, kept, goods, till } = self;
  const { $, money, plain, note } = till;
  const { say } = page;
  const box = $("pay-box");
  const quick = $("quick");
  let busy = false;

  /** What is still to be paid; cash alone may be rounded. */
  const due = () => {
    const { basket, quote } = till;
    const other = basket.paid.some((tender) => tender.kind !== "cash") || pointsPay() > 0;
    const round = other ? 0 : quote ? quote.cash_rounding : till.gone ? goods.rounding(till.total(), till.about.rules) : 0;
    return till.total() + round - pointsPay() - basket.paid.reduce((sum, tender) => sum + tender.amount, 0);
  };
  const pointsPay = () => (till.quote && till.quote.points ? till.quote.points.pays : 0);

  // --- The dialog --------------------------------------------------------------------------------------------------------------

  const start = async () => {
    if (busy || !till.basket.lines.length || till.second) return;
    if (!till.number) { till.open("number-box"); return; }
    if (till.basket.attempt) { await send(till.basket.attempt); return; }
    if (!till.gone && !till.quote && !till.basket.asked) { await till.requote(); }
    if (!till.gone && !till.quote && !till.basket.asked) { page.tell(till.refused ? till.refused.text : say("till-no-price"), "bad"); return; }
    if (till.gone && !mayAlone()) return;
    if (!(await ageChecked())) return;
    note($("pay-said"), "");
    draw();
    till.open("pay-box");
    $("given").focus();
  };
  $("pay").addEventListener("click", start);

  /** Without a node only what this till knows a price for, and nothing that stops, is sold; for cash, without points and coupons. */
  const mayAlone = () => {
    const { basket } = till;
    for (const line of basket.lines) {
      const stop = goods.stops(line).find((stop) => stop !== "age");
      if (stop) { page.tell(say("till-stop-" + stop, { name: line.name }), "bad"); return false; }
      if (!goods.alone(line)) { page.tell(say("till-no-price-of", { name: line.name }), "bad"); return false; }
    }
    if (basket.coupons.length || basket.points) { page.tell(say("till-gone-benefits"), "bad"); return false; }
    return true;
  };

  /** Somebody looks at a document where the buyer's age matters. */
  const ageChecked = async () => {
    const { basket, quote } = till;
    if (basket.age_checked) return true;
    const at = basket.lines.findIndex((line, index) => (quote ? quote.lines[index].stops : goods.stops(line)).includes("age"));
    if (at < 0) return true;
    const line = basket.lines[at];
    if (!(await page.dialog(say("till-stop-age", { name: line.name, age: line.age_min || "" }), [], say("till-age-yes")))) { $("scan").focus(); return false; }
    basket.age_checked = true;
    till.keep();
    till.show();
    till.requote();
    return true;
  };

  const draw = () => {
    const { basket } = till;
    const left = due(), asked = basket.asked;
    $("left").textContent = money(asked ? asked.left : left);
    $("left").dataset.minor = left;
    $("paid").replaceChildren(...basket.paid.map((tender, index) => {
      const item = till.element("li", {}, say("till-kind-" + tender.kind) + " " + money(tender.amount));
      if (!asked) item.append(till.button("\u2715", say("till-remove", { name: item.textContent }), () => { basket.paid.splice(index, 1); till.keep(); draw(); }));
      return item;
    }));
    $("pay-ways").hidden = Boolean(asked);
    $("asked").hidden = !asked;
    if (asked) {
      $("asked-now").textContent = asked.now;
      $("asked-cash").hidden = !asked.can.includes("tender");
      $("asked-away").hidden = !asked.can.includes("abandon");
      const open = asked.terminals.some((one) => ["intended", "unknown"].includes(one.state));
      $("asked-yes").hidden = $("asked-no").hidden = !open;
    }
    const cashOnly = till.gone;
    $("other-ways").hidden = cashOnly;
    if (!till.about.terminals.length) $("other-ways").open = true;
    for (const alone of document.querySelectorAll(".till-alone")) alone.hidden = cashOnly || till.about.terminals.length > 0;
    $("terminals").replaceChildren(...(cashOnly ? [] : till.about.terminals.flatMap((name) => [["card", "till-card-at"], ["other", "till-wallet-at"]].map(([kind, words]) => till.button(say(words, { name }), "", () => pay(basket.paid, { name, kind }))))));
    $("other-amount").value = plain(left);
    $("given").value = "";
    const notes = [1, 5, 10, 20, 50, 100, 200, 500].map((note) => note * 10 ** Number(document.documentElement.dataset.digits || 2));
    const sums = [left, ...new Set(notes.map((note) => Math.ceil(left / note) * note))].filter((sum, index) => index === 0 || sum > left).slice(0, 5);
    quick.replaceChildren(...sums.map((sum, index) => till.button(index ? money(sum) : say("till-exact") + " " + money(sum), "", () => cash(sum))));
    change();
  };
  const typed = () => ($("given").value.trim() === "" ? due() : page.minor($("given").value.replace(",", ".")));
  const change = () => {
    const given = typed(), left = due();
    $("cash-change").textContent = Number.isNaN(given) || given === left ? "" : given > left ? "\u00b7 " + say("till-change", { amount: money(given - left) }) : "\u00b7 " + say("till-still", { amount: money(left - given) });
  };
  $("given").addEventListener("input", change);

  const cash = (given) => {
    const left = due();
    if (Number.isNaN(given) || given < 0 || (given === 0 && left > 0)) { note($("pay-said"), say("till-amount-wrong")); $("given").focus(); return; }
    if (given - left > 100000 * 10 ** Number(document.documentElement.dataset.digits || 2)) { note($("pay-said"), say("till-amount-large")); return; }
    const { basket } = till;
    if (given < left) { basket.paid.push({ kind: "cash", amount: given }); till.keep(); draw(); $("given").focus(); return; }
    const tenders = [...basket.paid, { kind: "cash", amount: given }];
    if (given > left) tenders.push({ kind: "cash", amount: left - given });
    pay(tenders, null);
  };
  $("cash-form").addEventListener("submit", (event) => { event.preventDefault(); cash(typed()); });
  $("other-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const amount = page.minor($("other-amount").value), left = due();
    if (!(amount > 0) || amount > left) { note($("pay-said"), say("till-amount-wrong")); $("other-amount").focus(); return; }
    const tender = { kind: event.submitter ? event.submitter.value : "card", amount };
    if ($("other-reference").value.trim()) tender.reference = $("other-reference").value.trim();
    $("other-reference").value = "";
    if (amount < left) { till.basket.paid.push(tender); till.keep(); draw(); return; }
    pay([...till.basket.paid, tender], null);
  });

  // --- Sending -----------------------------------------------------------------------------------------------------------------

  /** The number of the basket's sale: taken once, kept with the basket. */
  const number = async () => {
    if (!till.basket.seq) { till.basket.seq = await kept.take(); await till.keep(); }
    return till.basket.seq;
  };

  /** Pays with these tenders, and with a terminal for what they leave. A second press while it is under way does nothing. */
  const pay = async (tenders, terminal) => {
    if (busy) return;
    busy = true;
    try {
      const seq = await number();
      const points = pointsPay();
      const all = points ? [...tenders, { kind: "points", amount: points }] : tenders;
      if (till.gone) { await hold(await alone(seq, all)); return; }
      const body = { ...till.body("pay"), till_seq: seq, rung_at: new Date().toISOString(), expected_total: till.total(), tenders: all, ...(till.allowed || {}) };
      if (terminal) body.terminal = terminal;
      till.basket.attempt = { body, terminal: Boolean(terminal), given: given(tenders) };
      await till.keep();
      await transmit(till.basket.attempt);
    } finally { busy = false; }
  };
  const send = async (attempt) => {
    if (busy) return;
    busy = true;
    try { await transmit(attempt); } finally { busy = false; }
  };
  const given = (tenders) => tenders.filter((tender) => tender.amount < 0).reduce((sum, tender) => sum - tender.amount, 0);

  const transmit = async (attempt) => {
    let answer;
    box.setAttribute("aria-busy", "true");
    try {
      answer = await till.ask("POST", "/v1/checkout", attempt.body, null, attempt.terminal ? 25000 : 8000);
    } catch (e) { answer = null; }
    box.removeAttribute("aria-busy");
    if (!answer) { await lost(attempt); return; }
    if (answer.ok && answer.body.state === "paid") { await finish(answer.body, attempt.given); return; }
    if (answer.ok) { till.basket.attempt = null; await stand(answer.body); return; }
    if (answer.status >= 500 || answer.status === 429 || answer.status === 408) {
      // It may have been booked: the same is sent again, and counts once.
      say_both(page.problem(answer) + " " + say("till-try-again"), "warn");
      return;
    }
    // A session that is over says nothing of the sale: it may stand in the books since before. The same is sent again by whoever signs in.
    if (answer.status === 401) { box.close(); page.signInAgain(); return; }
    till.basket.attempt = null;
    till.allowed = null;
    await till.keep();
    await refused(answer, attempt);
  };
  const say_both = (text, kind) => { note($("pay-said"), text, kind); page.tell(text, kind); };

  const refused = async (answer, attempt) => {
    const { type, field, quote } = answer.body || {};
    if (type === "/problems/price-changed") {
      till.quote = quote;
      till.show();
      draw();
      say_both(say("till-price-changed", { total: money(quote.total) }), "warn");
      return;
    }
    if (type === "/problems/sale-stopped" || type === "/problems/role-needed") {
      const allowed = await till.approve("checkout", page.problem(answer));
      if (!allowed) { box.close(); page.tell(page.problem(answer), "bad"); return; }
      till.allowed = allowed;
      till.basket.attempt = { ...attempt, body: { ...attempt.body, ...allowed } };
      await till.keep();
      await transmit(till.basket.attempt);
      return;
    }
    if (type === "/problems/key-reused") {
      till.basket.seq = null;
      till.shared = true;
      await till.keep();
      await till.catchUp();
      till.showState();
    }
    say_both(page.problem(answer), "bad");
    if (field && field.startsWith("coupons")) box.close();
    till.requote();
  };

  /** The node went away while it was asked. What a terminal did is found out when it is back; everything else is held, and counts once. */
  const lost = async (attempt) => {
    if (attempt.terminal) { box.close(); page.tell(say("till-terminal-lost"), "warn"); return; }
    const { seq } = till.basket;
    const sale = await alone(seq, attempt.body.tenders);
    await hold({ ...sale, path: "/v1/checkout", body: attempt.body, instead: sale.body });
  };

  // --- What a terminal does ------------------------------------------------------------------------------------------------------

  /** Where a basket stands that is not paid yet. */
  const stand = async (answer) => {
    const { basket } = till;
    if (answer.state === "paid") { await finish(answer, 0); return; }
    if (answer.state === "abandoned" || answer.state === "resumed") {
      basket.asked = null; basket.seq = null; basket.paid = [];
      await till.keep();
      draw(); till.requote();
      note($("pay-said"), answer.now, "warn");
      return;
    }
    basket.asked = { basket: answer.basket, can: answer.can, now: answer.now, left: answer.left, terminals: answer.terminals };
    await till.keep();
    draw();
    if (!box.open) till.open("pay-box");
  };
  const look = async () => {
    if (!till.basket.asked) return;
    try {
      const answer = await till.ask("GET", "/v1/baskets/" + till.basket.asked.basket);
      if (answer.ok) await stand(answer.body);
      else note($("pay-said"), page.problem(answer));
    } catch (e) { note($("pay-said"), say("gone"), "warn"); }
  };
  $("asked-look").addEventListener("click", look);
  setInterval(() => { if (till.basket.asked && !till.gone && !busy) look(); }, 2500);

  const act = async (action, body) => {
    if (busy) return;
    busy = true;
    try {
      const { basket } = till;
      const of = action + JSON.stringify(body);
      if (basket.asked.of !== of) Object.assign(basket.asked, { of, key: page.key() });
      await till.keep();
      const answer = await till.ask("POST", "/v1/baskets/" + basket.asked.basket + "/" + action, body, basket.asked.key, 25000);
      if (answer.ok) await stand(answer.body);
      else if (answer.status === 401) { box.close(); page.signInAgain(); }
      else note($("pay-said"), page.problem(answer));
    } catch (e) { note($("pay-said"), say("gone"), "warn"); } finally { busy = false; }
  };
  $("asked-cash").addEventListener("click", () => act("tender", { till: till.number, tenders: [{ kind: "cash", amount: till.basket.asked.left }] }));
  $("asked-away").addEventListener("click", () => act("abandon", { till: till.number }));
  const seen = async (state) => {
    const open = till.basket.asked.terminals.find((one) => ["intended", "unknown"].includes(one.state));
    const allowed = open && await till.approve("checkout", say("till-seen-" + state));
    if (!allowed) return;
    try {
      const answer = await till.ask("POST", "/v1/baskets/" + till.basket.asked.basket + "/tenders/" + open.number, { state, staff: till.seller() || allowed.approver || "", ...allowed });
      if (answer.ok) await stand(answer.body);
      else note($("pay-said"), page.problem(answer));
    } catch (e) { note($("pay-said"), say("gone"), "warn"); }
  };
  $("asked-yes").addEventListener("click", () => seen("approved"));
  $("asked-no").addEventListener("click", () => seen("declined"));

  // --- It is paid ----------------------------------------------------------------------------------------------------------------

  const finish = async (answer, change) => {
    till.last = { receipt: answer.receipt, change, total: answer.total };
    await kept.keep("last", till.last);
    done();
    document.dispatchEvent(new CustomEvent("till-paid", { detail: till.last }));
  };
  const done = () => {
    till.allowed = null;
    box.close();
    till.change = till.last.change;
    till.reset();
    page.tell("", "");
    showLast();
    $("scan").focus();
  };
  const showLast = () => {
    const { last } = till;
    $("last").hidden = !last;
    if (!last) return;
    $("last-number").textContent = last.receipt || last.slip;
    $("last-number").dataset.receipt = last.receipt || "";
    $("last-change").hidden = !last.change;
    $("last-change").querySelector("b").textContent = money(last.change || 0);
    $("last-note").textContent = money(last.total) + (last.slip && !last.receipt ? " \u00b7 " + $("held-list").dataset.note : "");
    $("last-show").hidden = $("last-print").hidden = !last.receipt;
  };

  // --- Held on this till -----------------------------------------------------------------------------------------------------------

  /** The basket as a sale that this till priced by itself, or as the node had priced it before it went away. */
  const alone = async (seq, tenders) => {
    const { basket, quote } = till;
    const lines = basket.lines.map((line, index) => {
      const by = quote && quote.lines[index];
      if (!by) return goods.alone(line).sold;
      const sold = { sku: by.sku, unit: by.unit, quantity: by.quantity, unit_price: by.unit_price };
      if (by.discount) Object.assign(sold, { discount: by.discount, discount_reason: "as quoted" });
      if (by.tax) sold.tax = by.tax;
      return sold;
    });
    const sum = till.total();
    const paid = tenders.reduce((all, tender) => all + tender.amount, 0);
    const slip = "H-" + till.number + "-" + seq;
    const body = { till: till.number, till_seq: seq, rung_at: new Date().toISOString(), foreign_key: slip, lines, cash_rounding: paid - sum, tenders: tenders.map(({ kind, amount, reference }) => (reference ? { kind, amount, reference } : { kind, amount })) };
    if (till.seller()) body.cashier = till.seller();
    const names = basket.lines.map((line, index) => ({ name: line.name, unit: line.unit, quantity: lines[index].quantity, amount: quote ? quote.lines[index].amount : till.local(line) }));
    return { path: "/v1/sales", body, key: page.key(), slip, names, total: paid, change: given(tenders) };
  };
  const hold = async (sale) => {
    await kept.hold(sale);
    till.last = { slip: sale.slip, change: sale.change, total: sale.total };
    await kept.keep("last", till.last);
    done();
    await showHeld();
    flush();
  };

  let flushing = false;
  /** Posts what is held, in its order, while the node answers, and only what who is signed in sold. Each has its own number: it counts once. */
  const flush = async () => {
    if (flushing || till.gone || till.second) return;
    flushing = true;
    till.elsewhere = "";
    try {
      for (const sale of await kept.held()) {
        if (sale.refused) continue;
        if (sale.staff !== kept.who()) { till.elsewhere = sale.staff || "?"; continue; }
        if (!(await post(sale))) break;
      }
    } catch (e) { /* Gone again. */ }
    flushing = false;
    await showHeld();
  };
  /** Posts one; false if the others have to wait too. */
  const post = async (sale) => {
    for (let tries = 0; tries < 3; tries++) {
      const answer = await till.ask("POST", sale.path, sale.body, sale.key);
      const { type, field } = answer.body || {};
      if (answer.ok) { await posted(sale, answer.body.receipt); return true; }
      if (answer.status >= 500 || answer.status === 429 || answer.status === 408) return false;
      if (answer.status === 401) { page.signInAgain(); return false; }
      if (field === "cashier") { page.tell(say("till-other-person"), "warn"); return false; }
      if (type === "/problems/key-reused") {
        // Another device has used this number: this sale was never posted under it, and gets a new one.
        await till.catchUp();
        const next = await kept.take();
        sale.body.till_seq = next;
        if (sale.instead) sale.instead.till_seq = next;
        till.shared = true;
      } else if (sale.instead) { Object.assign(sale, { path: "/v1/sales", body: sale.instead, instead: null, key: page.key() }); } else {
        sale.refused = page.problem(answer);
        await kept.rehold(sale);
        return true;
      }
      await kept.rehold(sale);
    }
    return false;
  };
  const posted = async (sale, receipt) => {
    await kept.release(sale);
    if (till.last && till.last.slip === sale.slip) { till.last.receipt = receipt; await kept.keep("last", till.last); showLast(); }
    page.tell(say("till-posted", { slip: sale.slip, receipt }), "good");
  };

  const showHeld = async () => {
    const all = await kept.held();
    $("held").hidden = !all.length;
    $("held").dataset.count = all.length;
    const list = $("held-list");
    const items = all.map((sale) => {
      const item = till.element("li", {}, sale.slip + " \u00b7 " + money(sale.total) + (sale.staff && sale.staff !== kept.who() ? " \u00b7 " + say("till-of", { staff: sale.staff }) : ""));
      if (sale.refused) item.append(till.element("p", { className: "said bad" }, sale.refused));
      const acts = till.element("p", { className: "acts" });
      acts.append(till.button(list.dataset.print, "", () => print(sale)));
      if (sale.refused && sale.staff === kept.who()) acts.append(till.button(say("till-with-manager"), "", () => insist(sale)));
      item.append(acts);
      return item;
    });
    list.replaceChildren(till.element("li", { className: "quiet" }, list.dataset.note), ...items);
  };
  /** A manager lets a held sale pass that was refused: the goods are gone, and the money is in the drawer. */
  const insist = async (sale) => {
    const allowed = await till.approve("checkout", sale.refused);
    if (!allowed) return;
    sale.refused = null;
    try { await post({ ...sale, body: { ...sale.body, ...allowed } }); } catch (e) { await kept.rehold(sale); }
    await showHeld();
  };

  /** A slip of a held sale, printed by the browser. */
  const print = (sale) => {
    const slip = $("slip");
    const line = (text, number) => { const row = till.element("p", {}); row.append(till.element("span", {}, text), till.element("b", {}, number)); return row; };
    const when = new Date(sale.body.rung_at).toLocaleString(document.documentElement.lang);
    slip.replaceChildren(till.element("h2", {}, document.querySelector(".place").textContent), till.element("p", {}, sale.slip + " \u00b7 " + when), ...sale.names.map((one) => line((one.unit === "gram" ? (one.quantity / 1000).toFixed(3) + " kg " : one.quantity + " \u00d7 ") + one.name, money(one.amount))), line(say("till-total"), money(sale.total)), ...(sale.change ? [line(say("till-change", { amount: "" }), money(sale.change))] : []), till.element("p", { className: "till-held-note" }, $("held-list").dataset.note));
    slip.hidden = false;
    self.print();
    slip.hidden = true;
  };

  document.addEventListener("till-back", async () => { await till.catchUp(); flush(); if (till.basket.attempt && !busy) send(till.basket.attempt); });
  document.addEventListener("till-gone", () => { if (box.open) draw(); });
  setInterval(flush, 10000);
  document.addEventListener("till-ready", async () => {
    till.last = await kept.value("last") || null;
    showLast();
    await showHeld();
    // What was under way when the page was closed: the same is sent again, and counts once.
    if (till.basket.attempt) await send(till.basket.attempt);
    else if (till.basket.asked) await look();
    flush();
  });
  Object.assign(till, { flush, showLast });
})();
