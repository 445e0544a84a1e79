// Forms of which people scan the lines: a code becomes a line, the same code again counts on, and nothing is lost by leaving the page.
"use strict";
(() => {
  const { ask, say, tell, problem } = self.page;
  for (const form of document.querySelectorAll("form[data-lines]")) {
    const code = form.querySelector("[data-line-code]");
    const list = form.querySelector(".lines");
    const template = form.querySelector("template");
    const place = "stockroom-lines " + location.pathname + " " + (form.id || form.dataset.post);

    const number = () => list.querySelectorAll("li").forEach((line, index) => {
      for (const field of line.querySelectorAll("[data-name]")) field.name = form.dataset.lines + "[" + index + "]." + field.dataset.name;
    });
    /** What is typed once for all lines, e.g. the number of the delivery note. */
    const heads = [...form.querySelectorAll("input[name], select[name], textarea[name]")].filter((field) => field.type !== "hidden" && !field.dataset.name);
    const keep = () => localStorage.setItem(place, JSON.stringify({
      heads: Object.fromEntries(heads.map((field) => [field.name, field.value])),
      lines: [...list.children].map((line) => ({
        about: line.dataset.about && JSON.parse(line.dataset.about),
        values: Object.fromEntries([...line.querySelectorAll("[data-name]")].map((field) => [field.dataset.name, field.value])),
      })),
    }));
    const shown = (line) => form.querySelector("[data-empty-lines]") && (form.querySelector("[data-empty-lines]").hidden = list.children.length > 0);

    /** Makes a line, or counts on; the focus goes where something has to be typed, else to the next code. */
    const add = (about, values) => {
      if (!values) code.focus();
      const known = [...list.children].find((line) => line.dataset.sku === about.sku && !values);
      if (known) {
        const field = known.querySelector("[data-name=quantity]");
        if (about.unit !== "gram") field.value = Number(field.value || 0) + (about.quantity || 1);
        list.prepend(known);
        if (about.unit === "gram") known.querySelector("[data-name=quantity]").focus();
        number();
        keep();
        return;
      }
      const line = template.content.firstElementChild.cloneNode(true);
      line.dataset.sku = about.sku;
      line.dataset.about = JSON.stringify(about);
      line.querySelector(".named").textContent = about.name + " · " + about.sku;
      const sku = line.querySelector("[data-name=sku]");
      if (sku) sku.value = about.sku;
      const field = line.querySelector("[data-name=quantity]");
      if (about.unit === "gram") { field.dataset.type = "grams"; field.inputMode = "decimal"; field.value = ""; }
      else field.value = about.quantity || 1;
      const label = line.querySelector("[data-unit]");
      if (label) label.textContent = about.unit === "gram" ? "kg" : "";
      for (const [name, value] of Object.entries(values || {})) {
        const given = line.querySelector("[data-name=" + name + "]");
        if (given) given.value = value;
      }
      line.querySelector("[data-drop]").addEventListener("click", () => { line.remove(); number(); keep(); shown(); code.focus(); });
      line.addEventListener("input", keep);
      list.prepend(line);
      number();
      keep();
      shown();
      if (!values && about.unit === "gram") field.focus();
    };

    const look = async () => {
      const text = code.value.trim();
      if (!text) return;
      code.value = "";
      try {
        const scanned = /^\d{8,14}$/.test(text) ? await ask("GET", "/v1/scan/" + encodeURIComponent(text)) : { ok: false, status: 404 };
        if (scanned.ok) { tell("", ""); add(scanned.body); return; }
        const found = await ask("GET", "/v1/search?limit=6&q=" + encodeURIComponent(text));
        if (!found.ok) { tell(problem(found), "bad"); return; }
        if (found.body.items.length === 1) { tell("", ""); add(found.body.items[0]); return; }
        if (!found.body.items.length) { tell(say("unknown-code", { code: text }), "bad"); code.focus(); return; }
        choose(found.body.items);
      } catch (e) { code.value = text; tell(say("gone"), "bad"); }
    };
    const choose = (items) => {
      const box = form.querySelector(".choices");
      box.replaceChildren(...items.map((item) => {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = item.name + " · " + item.sku;
        button.addEventListener("click", () => { box.replaceChildren(); add(item); });
        return button;
      }));
      box.firstElementChild.focus();
    };

    // Enter leads on to the next code; only the button books.
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.target.matches("button, summary, textarea")) return;
      event.preventDefault();
      event.target === code ? look() : code.focus();
    });
    const button = form.querySelector("[data-line-add]");
    if (button) button.addEventListener("click", look);
    for (const field of heads) field.addEventListener("change", keep);
    form.addEventListener("answered", () => { list.replaceChildren(); localStorage.removeItem(place); shown(); });
    const before = JSON.parse(localStorage.getItem(place) || "{}");
    for (const field of heads) if (before.heads && before.heads[field.name] !== undefined) field.value = before.heads[field.name];
    for (const kept of (before.lines || []).reverse()) if (kept.about) add(kept.about, kept.values);
    shown();
  }
})();
