// Finds controls by the names that people know: their label, or the words on them.
const find = (() => {
  const squeeze = (text) => (text || "").replace(/\s+/g, " ").trim();
  const seen = (el) => {
    const box = el.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && getComputedStyle(el).visibility !== "hidden";
  };
  // A label's own words, without those of the control inside.
  const words = (label) => {
    const copy = label.cloneNode(true);
    copy.querySelectorAll("input, select, textarea, button").forEach((one) => one.remove());
    return squeeze(copy.textContent);
  };
  const name = (el) => {
    const by = el.getAttribute("aria-labelledby");
    if (by) return squeeze(by.split(/\s+/).map((id) => document.getElementById(id)?.textContent || "").join(" "));
    if (squeeze(el.getAttribute("aria-label"))) return squeeze(el.getAttribute("aria-label"));
    if (el.labels && el.labels.length) return squeeze(Array.from(el.labels, words).join(" "));
    if (el.matches("input[type=submit], input[type=button], input[type=reset]")) return squeeze(el.value);
    if (el.matches("img, input[type=image], area")) return squeeze(el.getAttribute("alt"));
    if (!el.matches("input, select, textarea")) {
      const inner = squeeze(el.textContent) || squeeze(Array.from(el.querySelectorAll("[alt], [aria-label]"), (one) => one.getAttribute("alt") || one.getAttribute("aria-label")).join(" "));
      if (inner) return inner;
    }
    return squeeze(el.getAttribute("title"));
  };
  // Nobody reaches what lies behind a dialog.
  const reached = (el) => {
    const dialogs = [...document.querySelectorAll("dialog:modal")];
    // The one that was opened last stands last: pages put a dialog about another one at their end.
    return !dialogs.length || dialogs[dialogs.length - 1].contains(el);
  };
  const best = (selector, wanted) => {
    const all = Array.from(document.querySelectorAll(selector)).filter((el) => seen(el) && reached(el));
    const usable = all.filter((el) => !el.disabled && el.getAttribute("aria-disabled") !== "true");
    const by = (fits) => usable.find((el) => fits(name(el)));
    return by((own) => own === wanted) || by((own) => own.startsWith(wanted)) || by((own) => own.includes(wanted)) || null;
  };
  const pressed = "button, a[href], summary, [role=button], [role=tab], [role=menuitem], [role=link], input[type=submit], input[type=button], input[type=reset], input[type=checkbox], input[type=radio]";
  const filled = "input:not([type=hidden], [type=submit], [type=button], [type=reset], [type=checkbox], [type=radio]), textarea, select, [contenteditable=true], [role=textbox]";
  const ticked = "input[type=checkbox], input[type=radio], [role=checkbox], [role=radio], [role=switch]";
  // For a message: what could have been meant.
  const names = (selector) => Array.from(document.querySelectorAll(selector)).filter(seen).map(name);
  return { best, name, names, seen, squeeze, pressed, filled, ticked };
})();
