// What the till knows of goods by itself: the catalogue that this browser keeps, what a code means, and what goods cost without a node.
"use strict";
(() => {
  const { kept, page } = self;
  const ROWS_MAX = 60000;
  const PAGE = 1000;
  const FRESH_MS = 60000;
  let rows = [];
  let bySku = new Map(), byCode = new Map(), byItem = new Map();
  let about = null;

  const learn = (catalogue, pages) => {
    about = catalogue;
    rows = pages.flat();
    bySku = new Map(); byCode = new Map(); byItem = new Map();
    for (const row of rows) {
      bySku.set(row.sku, row);
      for (const code of row.barcodes || []) byCode.set(code.gtin.padStart(14, "0"), { row, pack: code.pack || 1 });
      if (row.item_number) byItem.set(row.item_number, row);
      row.words = row.name.toLowerCase();
    }
    document.dispatchEvent(new Event("catalogue"));
  };

  const bring = async () => {
    const catalogue = await kept.catalogue();
    if (catalogue) learn(catalogue, await kept.pages(catalogue.generation));
  };

  let fetching = null;
  /** Fetches the catalogue anew, in pages, with pauses in which somebody may scan. The old one counts until the new one is whole. */
  const fetchAll = () => {
    fetching = fetching || (async () => {
      const generation = Date.now();
      const pages = [];
      let head = null, after = "", cut = false;
      for (let index = 0; ; index++) {
        const answer = await page.ask("GET", "/v1/till-catalogue?limit=" + PAGE + (after ? "&after=" + encodeURIComponent(after) : ""));
        if (!answer.ok) return;
        head = head || answer.body;
        await kept.keepPage(generation, index, answer.body.items);
        pages.push(answer.body.items);
        after = answer.body.next;
        cut = Boolean(after) && (index + 1) * PAGE >= ROWS_MAX;
        if (!after || cut) break;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      const catalogue = { generation, at: head.at, read: Date.now(), cash_step: head.cash_step, cash_rounding: head.cash_rounding, templates: head.templates, cut };
      await kept.keepCatalogue(catalogue);
      learn(catalogue, pages);
    })().catch(() => { /* The node is gone: what is kept counts. */ }).finally(() => { fetching = null; });
    return fetching;
  };

  let due = null;
  /** Soon, and not more than once in a while. */
  const stale = () => {
    if (due) return;
    const wait = about ? Math.max(500, about.read + FRESH_MS - Date.now()) : 0;
    due = setTimeout(() => { due = null; fetchAll(); }, wait);
  };
  document.addEventListener("changed", (event) => { if (event.detail.some((topic) => ["catalog", "prices", "control", "all"].includes(topic))) stale(); });
  document.addEventListener("node-back", () => { if (!about || Date.now() - about.read > 600000) stale(); });

  /** The last digit of 13 says whether the others were read well. */
  const isWhole = (code) => [...code].reduce((sum, digit, index) => sum + Number(digit) * (index % 2 ? 3 : 1), 0) % 10 === 0;

  /** What a code means, by the catalogue: `{ row, quantity, label }`; nothing if it is not in it. */
  const find = (code) => {
    const text = code.trim();
    if (/^(\d{8}|\d{12,14})$/.test(text)) {
      const found = byCode.get(text.padStart(14, "0"));
      if (found) return { row: found.row, quantity: found.pack };
      const layout = text.length === 13 && isWhole(text) && about && about.templates[Number(text.slice(0, 2))];
      const row = layout && byItem.get(Number(text.slice(2, 2 + layout.item_digits)));
      if (row) {
        const carried = Number(text.slice(2 + layout.item_digits, 12)) * 10 ** (layout.scale || 0);
        return layout.embedded === "price" ? { row, quantity: 1, label: carried } : { row, quantity: carried };
      }
    }
    const row = bySku.get(text) || bySku.get(text.toUpperCase());
    return row ? { row, quantity: row.unit === "gram" ? 0 : 1 } : null;
  };

  /** Goods whose name or number has all these words. */
  const search = (text) => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const found = [];
    for (const row of rows) {
      if (words.every((word) => row.words.includes(word) || row.sku.toLowerCase().startsWith(word))) found.push(row);
      if (found.length === 8) break;
    }
    return found;
  };

  // --- Prices without a node: the price book's, no promotions -----------------------------------------------------------------

  const divide = (numerator, denominator, how) => {
    const sign = Math.sign(numerator), size = Math.abs(numerator);
    const whole = Math.floor(size / denominator), rest = size - whole * denominator;
    const up = { "half-up": 2 * rest >= denominator, "half-down": 2 * rest > denominator, "half-even": 2 * rest > denominator || (2 * rest === denominator && whole % 2 === 1), up: rest > 0, down: false }[how || "half-up"];
    return sign * (whole + (up ? 1 : 0)) || 0;
  };
  const extend = (unit, quantity, price) => (unit === "gram" ? divide(quantity * price, 1000) : quantity * price);

  /** A line as a sale of this till's own: amounts that add up by themselves. */
  const alone = (line) => {
    const row = bySku.get(line.sku) || line;
    let { quantity } = line, price = row.price, discount = 0;
    if (line.label !== undefined && line.unit !== "gram") price = line.label;
    if (line.label !== undefined && line.unit === "gram" && price > 0) {
      quantity = line.quantity * Math.ceil(line.label * 1000 / price);
      discount = extend("gram", quantity, price) - line.quantity * line.label;
    }
    if (price === undefined || price === null) return null;
    const sold = { sku: line.sku, unit: line.unit, quantity, unit_price: price };
    if (discount) Object.assign(sold, { discount, discount_reason: "label rounding" });
    let amount = extend(line.unit, quantity, price) - discount;
    if (row.tax) {
      const { code, rate_bp, added, rounding } = row.tax;
      const tax = divide(amount * rate_bp, added ? 10000 : 10000 + rate_bp, rounding);
      sold.tax = { code, rate_bp, amount: tax, added };
      if (added) amount += tax;
    }
    return { sold, amount };
  };

  /** What has to be added so that cash can pay a total. */
  const rounding = (total, rules) => {
    const step = (about || rules).cash_step;
    return step > 1 ? divide(total, step, (about || rules).cash_rounding) * step - total : 0;
  };

  /** True while goods of these hours may be sold, by the clock of the store. */
  const isOpen = (week) => {
    const parts = new Intl.DateTimeFormat("en-GB", { timeZone: document.documentElement.dataset.zone || "UTC", weekday: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).formatToParts(new Date());
    const of = (type) => parts.find((part) => part.type === type).value;
    const day = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].indexOf(of("weekday"));
    const now = of("hour") + ":" + of("minute");
    return (week[day] || []).some((span) => span.from <= now && now < span.until);
  };

  /** What stops goods that this till sells by itself. */
  const stops = (line) => {
    const row = bySku.get(line.sku) || line;
    const found = [];
    if (row.stop) found.push(row.stop);
    if (row.age_min) found.push("age");
    if (row.week && !isOpen(row.week)) found.push("hours");
    return found;
  };

  self.goods = { bring, fetchAll, find, search, row: (sku) => bySku.get(sku), extend, alone, rounding, stops, about: () => about, count: () => rows.length };
})();
