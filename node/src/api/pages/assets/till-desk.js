// What stands around a sale: the till's number, members and coupons, baskets that wait, receipts that are shown, taken back or returned, the
// drawer and the day.
"use strict";
(() => {
  const { page, kept, till } = self;
  const { $, money, note, element, button, ask } = till;
  const { say } = page;
  const about = till.about;
  const read = async (path) => ask("GET", path);
  const gone = (where) => note(where, say("gone"), "warn");

  // --- The number ------------------------------------------------------------------------------------------------------------------

  /** Hears how far the node has counted for this till. If that is further than this browser has, another device counts under the same number. */
  const catchUp = async () => {
    if (!till.number || till.gone) return;
    try {
      const answer = await read("/v1/tills/" + till.number);
      if (!answer.ok) return;
      const was = await kept.raise(answer.body.next_till_seq);
      if (was !== undefined && answer.body.next_till_seq > was) till.shared = true;
      till.showState();
    } catch (e) { /* Later. */ }
  };
  const showNumber = () => { $("till-is").textContent = till.number || "?"; for (const field of document.querySelectorAll("[data-till]")) field.value = till.number || ""; };
  $("number-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const number = Number($("number").value);
    if (!Number.isInteger(number) || number < 1 || number > 999999999) { note($("number-said"), say("till-number-wrong")); return; }
    if ((await kept.held()).length || till.busy()) { note($("number-said"), say("till-number-busy")); return; }
    try {
      const answer = await read("/v1/tills/" + number);
      if (!answer.ok) { note($("number-said"), page.problem(answer)); return; }
      const used = answer.body.last_till_seq !== undefined;
      if (used && $("number").dataset.sure !== String(number)) {
        $("number").dataset.sure = String(number);
        note($("number-said"), say("till-number-used", { till: number, receipt: answer.body.last_receipt || "" }), "warn");
        return;
      }
      await kept.setNumber(number, answer.body.next_till_seq);
      till.number = number;
      till.shared = false;
      till.basket.seq = null;
      $("number-box").close();
      showNumber();
      till.changed();
      shift();
    } catch (e) { gone($("number-said")); }
  });
  $("number-box").addEventListener("opened", () => { $("number").value = till.number || ""; $("number").dataset.sure = ""; note($("number-said"), ""); });

  // --- Member, points, coupon --------------------------------------------------------------------------------------------------------

  const called = (person) => (person.values.find((value) => value.field === "name") || person.values[0] || {}).value || person.member.slice(-4);
  const bring = (person) => {
    Object.assign(till.basket, { member: person.member, accounts: person.accounts.filter((account) => account !== person.member), points: 0 });
    till.called = called(person);
    till.changed();
    $("member-box").close();
  };
  $("member-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const value = $("member-code").value.trim();
    const fields = /^\+|^0\d{6,}$/.test(value) ? ["phone", "card"] : ["card", "phone"];
    note($("member-said"), "");
    $("member-found").replaceChildren();
    try {
      for (const field of fields) {
        const answer = await ask("POST", "/v1/members/find", { field, value });
        if (answer.status === 401) { $("member-box").close(); page.signInAgain(); return; }
        if (!answer.ok) { if (field === fields[1]) note($("member-said"), page.problem(answer)); continue; }
        const people = answer.body.members.filter((person) => person.standing !== "erased");
        if (people.length === 1) { $("member-code").value = ""; bring(people[0]); return; }
        if (people.length) {
          $("member-found").replaceChildren(...people.map((person) => { const item = element("li", {}); item.append(button(called(person), "", () => bring(person))); return item; }));
          return;
        }
        if (field === fields[1]) note($("member-said"), say(answer.body.state === "found" ? "till-no-member" : "till-member-asked"), "warn");
      }
    } catch (e) { gone($("member-said")); }
  });
  $("member-none").addEventListener("click", () => { Object.assign(till.basket, { member: null, accounts: [], points: 0 }); till.called = ""; till.changed(); $("member-box").close(); });
  $("member-box").addEventListener("opened", () => {
    note($("member-said"), "");
    $("member-found").replaceChildren();
    const points = till.quote && till.quote.points;
    $("points-form").hidden = !points || !points.may_spend;
    if (points) $("points-held").textContent = "(" + say("till-points-held", { n: points.may_spend, amount: money(points.may_spend * points.worth) }) + ")";
    $("points").value = till.basket.points || "";
  });
  $("points-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const points = Number($("points").value || 0);
    if (!Number.isInteger(points) || points < 0) { note($("member-said"), $("points").value + " " + say("not-number")); return; }
    if (points > till.quote.points.may_spend) { note($("member-said"), say("/problems/points-beyond")); return; }
    till.basket.points = points;
    till.changed();
    $("member-box").close();
  });
  $("coupon-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const code = $("coupon-code").value.trim();
    if (till.busy()) { note($("coupon-said"), say("till-being-paid"), "warn"); return; }
    if (till.basket.coupons.includes(code)) { note($("coupon-said"), say("till-coupon-twice"), "warn"); return; }
    till.basket.coupons.push(code);
    $("coupon-code").value = "";
    $("coupon-box").close();
    till.changed();
  });
  $("coupon-box").addEventListener("opened", () => note($("coupon-said"), till.basket.lines.length ? "" : say("till-coupon-first"), "warn"));

  // --- Baskets that wait -----------------------------------------------------------------------------------------------------------------

  let putting = false;
  $("aside").addEventListener("click", async () => {
    if (putting || !till.basket.lines.length) return;
    if (!till.number) { till.open("number-box"); return; }
    putting = true;
    try {
      if (!till.basket.seq) { till.basket.seq = await kept.take(); await till.keep(); }
      const body = { ...till.body("suspend"), till_seq: till.basket.seq, ...(till.allowed || {}) };
      const answer = await ask("POST", "/v1/checkout", body, null, 10000);
      if (answer.ok) { const { basket } = answer.body; till.reset(); page.tell(say("till-aside", { basket }), "good"); count(); }
      else if (answer.status === 401) page.signInAgain();
      else if (["/problems/sale-stopped", "/problems/role-needed"].includes((answer.body || {}).type)) {
        till.allowed = await till.approve("checkout", page.problem(answer));
        putting = false;
        if (till.allowed) $("aside").click();
      } else {
        if ((answer.body || {}).type === "/problems/key-reused") { till.basket.seq = null; till.shared = true; await till.keep(); await catchUp(); }
        page.tell(page.problem(answer), "bad");
      }
    } catch (e) { page.tell(say("gone"), "warn"); }
    putting = false;
    $("scan").focus();
  });

  const count = async () => {
    if (till.gone) return;
    try {
      const answer = await read("/v1/baskets");
      if (answer.ok) $("waiting-count").textContent = answer.body.items.length || "";
    } catch (e) { /* Gone. */ }
  };
  const waiting = async () => {
    note($("waiting-said"), "");
    try {
      const answer = await read("/v1/baskets");
      if (!answer.ok) { note($("waiting-said"), page.problem(answer)); return; }
      const { items } = answer.body;
      $("waiting-count").textContent = items.length || "";
      if (!items.length) note($("waiting-said"), say("till-none-waits"), "");
      $("waiting-list").replaceChildren(...items.map(waits));
    } catch (e) { gone($("waiting-said")); }
  };
  const waits = (basket) => {
    const item = element("li", {});
    const when = new Date(basket.rung_at).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
    const what = element("p", {}, basket.basket + " \u00b7 " + when + " \u00b7 " + say("till-lines", { n: basket.lines.length }) + " \u00b7 ");
    what.append(element("b", {}, money(basket.total)));
    const acts = element("p", { className: "acts" });
    if (basket.can.includes("resume")) acts.append(button(say("till-resume"), say("till-resume") + " " + basket.basket, () => resume(basket)));
    if (basket.can.includes("abandon")) acts.append(button(say("till-abandon"), say("till-abandon") + " " + basket.basket, () => abandon(basket)));
    if (!basket.can.includes("resume")) item.append(element("p", { className: "quiet" }, basket.now));
    item.prepend(what);
    item.append(acts);
    return item;
  };
  /** A second try of the same is the same deed. */
  const keys = new Map();
  const keyOf = (what) => { if (!keys.has(what)) keys.set(what, page.key()); return keys.get(what); };
  const resume = async (basket) => {
    if (till.basket.lines.length) { note($("waiting-said"), say("till-resume-first"), "warn"); return; }
    try {
      const answer = await ask("POST", "/v1/baskets/" + basket.basket + "/resume", { till: till.number || 1 }, keyOf("resume " + basket.basket), 10000);
      if (!answer.ok) { note($("waiting-said"), page.problem(answer)); return; }
      await take(answer.body);
      $("waiting-box").close();
      count();
    } catch (e) { gone($("waiting-said")); }
  };
  /** Its lines are rung up again, by what they are. */
  const take = async (basket) => {
    let id = 1;
    const lines = [];
    for (const line of basket.lines) {
      const known = self.goods.row(line.sku) || { name: line.sku };
      const made = { id: id++, sku: line.sku, name: known.name, unit: line.unit, quantity: line.quantity, price: line.unit_price };
      for (const more of ["age_min", "tax", "stop", "week"]) if (known[more] !== undefined) made[more] = known[more];
      lines.push(made);
    }
    till.reset();
    till.basket.lines = lines;
    till.changed();
  };
  const abandon = async (basket) => {
    if (!(await page.dialog(say("till-abandon-sure", { basket: basket.basket }), [], say("till-abandon")))) return;
    try {
      const answer = await ask("POST", "/v1/baskets/" + basket.basket + "/abandon", { till: till.number || 1 }, keyOf("abandon " + basket.basket));
      if (!answer.ok) note($("waiting-said"), page.problem(answer));
      else waiting();
    } catch (e) { gone($("waiting-said")); }
  };
  $("waiting-box").addEventListener("opened", waiting);

  // --- Receipts: shown, printed, taken back ------------------------------------------------------------------------------------------------

  const sheet = (receipt) => self.open("/v1/receipts/" + receipt + "/sheet", "_blank", "noopener");
  /** On the shop's printer; where there is none the browser prints. */
  const print = async (receipt, where) => {
    try {
      const answer = await ask("POST", "/v1/receipts/" + receipt + "/print", {}, page.key());
      if (answer.ok) { note(where, say("till-printed"), "good"); return; }
      note(where, answer.status === 409 ? say("till-no-printer") : page.problem(answer), "warn");
      if (answer.status === 409) sheet(receipt);
    } catch (e) { note(where, say("gone"), "warn"); }
  };
  $("last-show").addEventListener("click", () => sheet(till.last.receipt));
  $("last-print").addEventListener("click", () => print(till.last.receipt, document.getElementById("said")));
  $("receipt-show").addEventListener("click", () => sheet(shown.receipt));
  $("receipt-print").addEventListener("click", () => print(shown.receipt, $("receipt-said")));

  let shown = null;
  const look = async () => {
    note($("receipt-said"), "");
    $("receipt-found").hidden = true;
    const number = $("receipt-number").value.trim().replace(/\u2212/g, "-");
    if (!number) return;
    try {
      const answer = await read("/v1/receipts/" + encodeURIComponent(number));
      if (!answer.ok) { note($("receipt-said"), answer.status === 404 || answer.status === 422 || answer.status === 400 ? say("till-no-receipt", { number }) : page.problem(answer)); return; }
      shown = answer.body;
      draw();
    } catch (e) { gone($("receipt-said")); }
  };
  const draw = () => {
    const when = new Date(shown.rung_at).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
    $("receipt-head").textContent = shown.receipt + " \u00b7 " + when + " \u00b7 " + money(shown.total) + (shown.voided ? " \u00b7 " + say("till-voided") : "") + (shown.voids ? " \u00b7 " + say("till-is-void", { receipt: shown.voids }) : "");
    $("receipt-lines").replaceChildren(...shown.lines.filter((line) => line.quantity > 0).map((line) => {
      const item = element("li", {}), label = element("label", {});
      const known = self.goods.row(line.sku) || { name: line.sku };
      const many = element("input", { inputMode: "decimal", value: "0", autocomplete: "off" });
      Object.assign(many.dataset, { line: line.line, sku: line.sku, unit: line.unit, most: line.quantity });
      label.append(element("span", {}, known.name + " \u00b7 " + money(line.amount) + " \u00b7 " + say("till-come-back", { n: line.unit === "gram" ? (line.quantity / 1000).toFixed(3) + " kg" : line.quantity })), many);
      item.append(label);
      return item;
    }));
    $("void").disabled = Boolean(shown.voided || shown.voids);
    $("receipt-found").hidden = false;
  };
  $("receipt-form").addEventListener("submit", (event) => { event.preventDefault(); look(); });
  $("receipts-box").addEventListener("opened", () => { if (!$("receipt-number").value && till.last && till.last.receipt) $("receipt-number").value = till.last.receipt; $("receipt-number").select(); look(); });
  document.addEventListener("till-receipt", (event) => { $("receipt-number").value = event.detail; till.open("receipts-box"); });

  let undoing = false;
  const once = async (work) => { if (undoing) return; undoing = true; try { await work(); } catch (e) { gone($("receipt-said")); } finally { undoing = false; } };
  $("void").addEventListener("click", () => once(async () => {
    if (!till.number) { till.open("number-box"); return; }
    const allowed = await till.approve("void", say("till-void-sure", { receipt: shown.receipt, total: money(shown.total) }));
    if (!allowed) return;
    // Kept until it is answered: a second try is the same void.
    const attempt = (await kept.value("void " + shown.receipt)) || { till: till.number, till_seq: await kept.take() };
    await kept.keep("void " + shown.receipt, attempt);
    const answer = await ask("POST", "/v1/receipts/" + shown.receipt + "/void", { ...attempt, ...allowed }, null, 10000);
    if (answer.status < 500) await kept.keep("void " + shown.receipt, undefined);
    if (!answer.ok) { note($("receipt-said"), page.problem(answer)); return; }
    await look();
    note($("receipt-said"), say("till-void-done", { receipt: answer.body.receipt, total: money(-answer.body.total) }), "good");
  }));
  $("return-form").addEventListener("submit", (event) => {
    event.preventDefault();
    once(async () => {
      const lines = [];
      for (const many of $("receipt-lines").querySelectorAll("input")) {
        const typed = Number(many.value.replace(",", ".") || 0);
        const quantity = many.dataset.unit === "gram" ? Math.round(typed * 1000) : typed;
        if (!Number.isInteger(quantity) || quantity < 0 || quantity > Number(many.dataset.most)) { note($("receipt-said"), say("till-come-back-wrong")); many.focus(); return; }
        if (quantity) lines.push({ line: Number(many.dataset.line), sku: many.dataset.sku, quantity, unit: many.dataset.unit, disposition: $("return-goods").value });
      }
      if (!lines.length) { note($("receipt-said"), say("till-come-back-none"), "warn"); return; }
      const body = { receipt: shown.receipt, cash: $("return-cash").checked, lines };
      if (till.shift) body.till = till.number;
      if ($("return-reason").value.trim()) body.reason = $("return-reason").value.trim();
      if ($("return-signed").value.trim()) body.signed = $("return-signed").value.trim();
      const key = keyOf("return " + JSON.stringify(body));
      const allowed = await till.approve("return", say("till-return-sure"));
      if (!allowed) return;
      const answer = await ask("POST", "/v1/returns", { ...body, ...allowed }, key, 10000);
      if (answer.status < 500) keys.delete("return " + JSON.stringify(body));
      if (!answer.ok) { note($("receipt-said"), page.problem(answer)); return; }
      for (const many of $("receipt-lines").querySelectorAll("input")) many.value = "0";
      const { state, refund, paid, id, why } = answer.body;
      note($("receipt-said"), say(paid ? "till-returned-paid" : "till-returned", { id, amount: money(paid || refund), why: state === "paid" ? "" : why }), paid ? "good" : "warn");
    });
  });

  // --- Drawer and day ----------------------------------------------------------------------------------------------------------------------

  /** Who has this till's drawer: `null` for nobody. */
  const shift = async () => {
    if (!about.shifts || !till.number || till.gone) return;
    try {
      const answer = await read("/v1/shifts?till=" + till.number + "&limit=1");
      if (!answer.ok) return;
      const newest = answer.body.items[0];
      till.shift = newest && newest.state === "open" ? newest : null;
      till.newest = newest;
      drawer();
      till.showState();
    } catch (e) { /* Gone. */ }
  };
  const time = (text) => new Date(text).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
  const drawer = () => {
    if (!$("drawer-box")) return;
    for (const part of document.querySelectorAll("[data-when]")) part.hidden = (part.dataset.when === "open") !== Boolean(till.shift);
    const is = till.shift ? say("till-shift", { staff: till.shift.staff || "?", since: time(till.shift.opened_at) }) : "";
    $("shift-is").textContent = is;
    $("shift-state").dataset.none = $("shift-state").dataset.none || $("shift-state").textContent;
    $("shift-state").textContent = till.shift ? is + " \u00b7 " + say("till-float", { amount: money(till.shift.float) }) : $("shift-state").dataset.none;
    const z = till.newest && till.newest.z;
    $("shift-report").replaceChildren();
    if (!z) return;
    const link = element("a", { href: "/v1/shifts/" + till.number + "/" + till.newest.number + "/report", target: "_blank" }, say("till-report"));
    $("shift-report").append(say("till-z", { n: till.newest.number, cash: money(z.totals.expected_cash), counted: money(z.counted), over: money(z.over) }) + " ", link);
  };
  const day = async () => {
    try {
      const answer = await read("/v1/days?limit=1");
      if (!answer.ok) return;
      const last = answer.body.items[answer.body.items.length - 1];
      const open = Boolean(last && last.opened_at && !last.closed_at);
      for (const part of document.querySelectorAll("[data-day]")) part.hidden = (part.dataset.day === "open") !== open;
      $("day-state").textContent = last ? say(open ? "till-day-open" : "till-day-closed", { n: last.number, date: last.date, receipts: last.receipts, total: money(last.total) }) : say("till-day-none");
    } catch (e) { gone($("drawer-said")); }
  };
  const box = $("drawer-box");
  if (box) {
    box.addEventListener("opened", () => { note($("drawer-said"), ""); showNumber(); shift(); day(); });
    // What another node of the store wrote of it may come while somebody looks.
    document.addEventListener("changed", (event) => { if (box.open && event.detail.some((topic) => topic === "stock" || topic === "all")) { shift(); day(); } });
    // The page's own sentence stands behind the dialog: it is said here as well.
    const mirror = (event, kind) => setTimeout(() => { const said = document.getElementById("said"); note($("drawer-said"), said.textContent, kind); said.hidden = true; shift(); day(); }, 0);
    box.addEventListener("answered", (event) => {
      if (event.target.id === "shift-close") { event.target.reset(); setTimeout(async () => { await shift(); note($("drawer-said"), say("till-shift-closed"), "good"); document.getElementById("said").hidden = true; }, 0); return; }
      if (event.target.id === "day-close") {
        const open = event.detail.open_shifts || [];
        setTimeout(() => { document.getElementById("said").hidden = true; note($("drawer-said"), say("till-day-done", { n: event.detail.number, receipts: event.detail.receipts, total: money(event.detail.total) }) + (open.length ? " " + say("till-day-shifts", { tills: open.map((one) => one.till).join(", ") }) : ""), open.length ? "warn" : "good"); day(); }, 0);
        return;
      }
      mirror(event, "good");
    });
    box.addEventListener("refused", async (event) => {
      const { type } = event.detail.body || {};
      mirror(event, "bad");
      if (!["/problems/count-differs", "/problems/role-needed"].includes(type) && !(event.detail.body && event.detail.body.field === "approver")) return;
      const allowed = await till.approve("drawer", say(type === "/problems/count-differs" ? "till-count-differs" : "approve-title"));
      if (allowed) page.submit(event.target, null, allowed);
    });
    // The money of a drawer belongs to a till with a number.
    box.addEventListener("submit", (event) => { if (!till.number) { event.preventDefault(); event.stopPropagation(); till.open("number-box"); } }, true);
  }

  document.addEventListener("changed", (event) => { if (event.detail.some((topic) => ["stock", "all"].includes(topic))) count(); });
  document.addEventListener("till-ready", () => {
    showNumber();
    if (!till.number) till.open("number-box");
    catchUp();
    shift();
    count();
  });
  document.addEventListener("till-back", () => { shift(); count(); });
  document.addEventListener("till-paid", count);
  Object.assign(till, { catchUp, refreshShift: shift });
})();
