// Counting by scanner: the code first, then how many; weighed goods in kilograms. Where one counts stays as it was typed.
"use strict";
(() => {
  const { ask, say, tell } = self.page;
  const form = document.querySelector("[data-count]");
  if (!form) return;
  const code = form.querySelector("[data-count-code]");
  const quantity = form.querySelector("[data-count-quantity]");
  const about = document.getElementById("counting");
  const look = async () => {
    const text = code.value.trim();
    if (!text) return;
    try {
      const scanned = await ask("GET", "/v1/search?limit=1&q=" + encodeURIComponent(text));
      const found = scanned.ok && scanned.body.items[0];
      if (!found) { tell(say("unknown-code", { code: text }), "bad"); code.select(); return; }
      tell("", "");
      about.textContent = found.name + " · " + found.sku;
      // What is not a barcode is the product's number.
      code.name = /^\d{8,14}$/.test(text) && text !== found.sku ? "code" : "sku";
      if (code.name === "sku") code.value = found.sku;
      quantity.dataset.type = found.unit === "gram" ? "grams" : "int";
      quantity.focus();
    } catch (e) { tell(say("gone"), "bad"); }
  };
  code.addEventListener("keydown", (event) => { if (event.key === "Enter" && !quantity.value) { event.preventDefault(); look(); } });
  code.addEventListener("change", () => { if (!quantity.value) look(); });
  // Whoever typed where she is scans next.
  form.elements.zone.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); code.focus(); } });
  // The next code while a number stands there already: that is recorded first.
  let next = "";
  form.addEventListener("scanned", (event) => {
    if (!code.value || !quantity.value) return;
    event.preventDefault();
    next = event.detail;
    form.requestSubmit();
  });
  let zone = "";
  form.addEventListener("submit", () => { zone = form.elements.zone.value; }, true);
  form.addEventListener("answered", () => { setTimeout(() => { form.elements.zone.value = zone; about.textContent = ""; code.focus(); if (next) { code.value = next; next = ""; look(); } }); });
})();
