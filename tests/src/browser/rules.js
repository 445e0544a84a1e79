// Rules of accessibility that a program can check, run inside of a page (after find.js). Each gives [what is wrong, where] for each breach.
// What they are: WCAG 2.2 level AA as far as it can be computed, and targets as large as fingers in a shop need.
const rules = (() => {
  const all = (selector, from = document) => Array.from(from.querySelectorAll(selector));
  const style = getComputedStyle;
  const where = (el) => {
    const id = el.id ? "#" + el.id : "", kind = el.getAttribute("class") ? "." + el.getAttribute("class").trim().split(/\s+/).join(".") : "";
    return el.tagName.toLowerCase() + id + kind + " " + JSON.stringify(find.squeeze(el.textContent).slice(0, 40));
  };
  // Neither hidden, nor there for screen readers only.
  const shown = (el) => {
    if (!el.checkVisibility({ visibilityProperty: true })) return false;
    const box = el.getBoundingClientRect();
    return box.width > 1 && box.height > 1 && box.right + scrollX > 0 && box.bottom + scrollY > 0;
  };
  const heard = (el) => el.checkVisibility({ visibilityProperty: true }) && !el.closest("[aria-hidden=true]");
  const CONTROLS = "a[href], button, input:not([type=hidden]), select, textarea, summary, [role=button], [role=link], [role=checkbox], [role=radio], [role=switch], [role=tab], [role=menuitem], [role=option], [tabindex]:not([tabindex='-1']), [contenteditable=true]";
  const controls = () => all(CONTROLS).filter(shown);
  const focusable = () => controls().filter((el) => el.tabIndex >= 0 && !el.matches(":disabled") && !el.closest("[inert]"));

  // Colours, whatever they are written in, as the screen gets them.
  const pen = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  const known = new Map();
  const colour = (text) => {
    if (!known.has(text)) {
      pen.clearRect(0, 0, 1, 1);
      pen.fillStyle = text;
      pen.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
      known.set(text, [r, g, b, a / 255]);
    }
    return known.get(text);
  };
  const over = (front, back) => [0, 1, 2].map((at) => front[at] * front[3] + back[at] * (1 - front[3])).concat([1]);
  const paper = () => {
    const probe = document.createElement("span");
    probe.style.color = "Canvas";
    document.documentElement.append(probe);
    const found = colour(style(probe).color);
    probe.remove();
    return found;
  };
  const ground = (el, sheet) => {
    const layers = [];
    for (let one = el; one; one = one.parentElement) {
      const layer = colour(style(one).backgroundColor);
      if (layer[3] > 0) layers.push(layer);
      if (layer[3] >= 1) break;
    }
    return layers.reduceRight((back, front) => over(front, back), sheet);
  };
  const faded = (el) => {
    let left = 1;
    for (let one = el; one; one = one.parentElement) left *= Number(style(one).opacity);
    return left;
  };
  const light = ([r, g, b]) => {
    const part = (c) => ((c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const ratio = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const legible = (el, drawn, sheet) => {
    const look = style(el), size = parseFloat(look.fontSize), bold = Number(look.fontWeight) >= 700;
    const wanted = size >= 24 || (bold && size >= 18.66) ? 3 : 4.5;
    const back = ground(el, sheet), ink = colour(drawn);
    const seen = ratio(over([ink[0], ink[1], ink[2], ink[3] * faded(el)], back), back);
    return seen + 0.005 >= wanted ? [] : [["contrast is " + seen.toFixed(2) + ", not " + wanted + ": " + drawn + " on rgb(" + back.slice(0, 3).map(Math.round) + ")", el]];
  };

  const ROLES = "alert alertdialog application article banner button cell checkbox columnheader combobox complementary contentinfo definition dialog directory document feed figure form grid gridcell group heading img link list listbox listitem log main marquee math menu menubar menuitem menuitemcheckbox menuitemradio meter navigation none note option presentation progressbar radio radiogroup region row rowgroup rowheader scrollbar search searchbox separator slider spinbutton status switch tab table tablist tabpanel term textbox timer toolbar tooltip tree treegrid treeitem".split(" ");
  const TRUTH = ["true", "false"], ARIA = {
    activedescendant: "id", atomic: TRUTH, autocomplete: ["inline", "list", "both", "none"], busy: TRUTH, checked: ["true", "false", "mixed"], colcount: "number", colindex: "number", colspan: "number",
    controls: "ids", current: ["page", "step", "location", "date", "time", "true", "false"], describedby: "ids", description: "text", details: "ids", disabled: TRUTH, errormessage: "ids",
    expanded: TRUTH, flowto: "ids", haspopup: ["true", "false", "menu", "listbox", "tree", "grid", "dialog"], hidden: TRUTH, invalid: ["true", "false", "grammar", "spelling"], keyshortcuts: "text",
    label: "text", labelledby: "ids", level: "number", live: ["off", "polite", "assertive"], modal: TRUTH, multiline: TRUTH, multiselectable: TRUTH, orientation: ["horizontal", "vertical", "undefined"],
    owns: "ids", placeholder: "text", posinset: "number", pressed: ["true", "false", "mixed"], readonly: TRUTH, relevant: "text", required: TRUTH, roledescription: "text", rowcount: "number",
    rowindex: "number", rowspan: "number", selected: TRUTH, setsize: "number", sort: ["ascending", "descending", "none", "other"], valuemax: "number", valuemin: "number", valuenow: "number", valuetext: "text",
  };
  const aria = (el, name, value) => {
    const kind = ARIA[name.slice(5)];
    if (!kind) return "there is no " + name;
    if (Array.isArray(kind)) return kind.includes(value) ? null : name + " is " + value;
    if (kind === "number") return /^-?[0-9]+(\.[0-9]+)?$/.test(value) ? null : name + " is no number";
    if (kind === "text") return find.squeeze(value) ? null : name + " is empty";
    const lost = value.split(/\s+/).filter((id) => !document.getElementById(id));
    return lost.length || !value ? name + " names what is not there: " + lost : null;
  };

  const edges = (el) => {
    const look = style(el);
    return [look.outlineStyle === "none" ? 0 : look.outlineWidth + look.outlineColor, look.boxShadow, look.borderTopColor + look.borderTopWidth, look.backgroundColor, look.textDecorationLine].join("|");
  };

  return {
    contrast: () => {
      const sheet = paper(), found = [];
      const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      while (walk.nextNode()) {
        const el = walk.currentNode.parentElement;
        if (!find.squeeze(walk.currentNode.data) || !shown(el) || el.closest("script, style, noscript, option, :disabled, [aria-disabled=true]")) continue;
        found.push(...legible(el, style(el).color, sheet));
      }
      for (const el of all("input:not([type=hidden], [type=checkbox], [type=radio], [type=range], [type=color], [type=image]), textarea, select").filter((one) => shown(one) && !one.disabled)) {
        found.push(...legible(el, style(el).color, sheet));
        if (el.placeholder) found.push(...legible(el, style(el, "::placeholder").color, sheet));
      }
      return found;
    },
    edge: () => {
      const sheet = paper();
      const fields = all("input:not([type=hidden], [type=checkbox], [type=radio], [type=range], [type=color], [type=image], [type=submit], [type=button], [type=reset]), textarea, select");
      return fields.filter((one) => shown(one) && !one.disabled).flatMap((el) => {
        const look = style(el), around = ground(el.parentElement || el, sheet), inside = ground(el, sheet);
        const line = look.borderTopStyle === "none" || parseFloat(look.borderTopWidth) === 0 ? around : over(colour(look.borderTopColor), around);
        const best = Math.max(ratio(line, around), ratio(inside, around));
        return best + 0.005 >= 3 ? [] : [["a field's edge has a contrast of " + best.toFixed(2) + ", not 3", el]];
      });
    },
    name: () => {
      const spoken = controls().filter(heard);
      const mute = spoken.filter((el) => !find.name(el)).map((el) => ["a control without a name", el]);
      const frames = all("iframe, object, embed").filter((el) => !el.title).map((el) => ["a frame without a title", el]);
      // What only scrolls is not called by the words in it.
      const other = spoken.filter((el) => !el.matches("[role=region]")).filter((el) => {
        const own = find.squeeze(el.getAttribute("aria-label")), seen = find.squeeze(el.innerText);
        return own && seen && /\p{L}{2}/u.test(seen) && !own.toLowerCase().includes(seen.toLowerCase());
      });
      return mute.concat(frames, other.map((el) => ["is called otherwise than its words say: " + el.getAttribute("aria-label"), el]));
    },
    image: () => {
      const mute = all("img, input[type=image], area").filter((el) => !el.hasAttribute("alt") && !el.closest("[aria-hidden=true]"));
      const drawn = all("svg").filter((el) => !el.closest("[aria-hidden=true]") && !(el.getAttribute("role") === "img" && (find.name(el) || el.querySelector("title"))));
      return mute.concat(drawn).map((el) => ["a picture without words", el]);
    },
    label: () => {
      const astray = all("label").filter((el) => !el.control).map((el) => ["a label of nothing", el]);
      const bare = all("input:not([type=hidden], [type=submit], [type=button], [type=reset], [type=image]), select, textarea").filter(shown);
      const unbound = bare.filter((el) => !el.labels.length && !el.getAttribute("aria-label") && !el.getAttribute("aria-labelledby"));
      return astray.concat(unbound.map((el) => ["a field without a label", el]));
    },
    heading: () => {
      const heads = all("h1, h2, h3, h4, h5, h6").filter(heard), firsts = heads.filter((el) => el.tagName === "H1");
      const found = firsts.length === 1 ? [] : [["there are " + firsts.length + " h1", document.body]];
      const level = (el) => Number(el.tagName[1]);
      heads.forEach((el, at) => {
        if (at && level(el) > level(heads[at - 1]) + 1) found.push(["h" + level(el) + " follows h" + level(heads[at - 1]), el]);
        if (!find.squeeze(el.textContent)) found.push(["an empty heading", el]);
      });
      return found;
    },
    language: () => {
      const found = ["en", "zh-CN"].includes(document.documentElement.lang) ? [] : [["lang is " + JSON.stringify(document.documentElement.lang), document.documentElement]];
      if (!find.squeeze(document.title)) found.push(["no title", document.documentElement]);
      const view = document.querySelector("meta[name=viewport]");
      if (!view || /user-scalable\s*=\s*(no|0)|maximum-scale/.test(view.content)) found.push(["no viewport that may be enlarged", document.documentElement]);
      return found;
    },
    landmark: () => {
      const mains = all("main, [role=main]").filter(heard), found = mains.length === 1 ? [] : [["there are " + mains.length + " main", document.body]];
      const navs = all("nav, [role=navigation]").filter(heard);
      if (navs.length > 1) navs.filter((el) => !el.getAttribute("aria-label") && !el.getAttribute("aria-labelledby")).forEach((el) => found.push(["one of several nav without a name", el]));
      const places = "main, nav, header, footer, aside, dialog, [role=main], [role=navigation], [role=banner], [role=contentinfo], [role=complementary], [role=search], [role=region], [role=status], [role=alert], [role=dialog]";
      for (const el of document.body.children) {
        const skips = el.matches("a[href^='#']");
        if (!el.matches(places + ", script, template, noscript") && !skips && !el.querySelector(places) && heard(el) && find.squeeze(el.innerText)) found.push(["words outside of all landmarks", el]);
      }
      return found;
    },
    id: () => {
      const ids = all("[id]").map((el) => el.id);
      return all("[id]").filter((el, at) => ids.indexOf(el.id) !== at).map((el) => ["an id that another has", el]);
    },
    tabindex: () => all("[tabindex]").filter((el) => el.tabIndex > 0).map((el) => ["tabindex " + el.tabIndex, el]),
    order: () => {
      const fixed = (el) => { for (let one = el; one; one = one.parentElement) if (["fixed", "sticky"].includes(style(one).position)) return true; return false; };
      const stops = focusable().filter((el) => !fixed(el)), found = [];
      const box = (el) => el.getBoundingClientRect();
      stops.forEach((el, at) => {
        if (!at) return;
        const [before, now] = [box(stops[at - 1]), box(el)];
        const up = now.bottom <= before.top + 1 && now.left < before.right, back = Math.abs(now.top - before.top) < 2 && now.right <= before.left;
        if (up || back) found.push(["the focus comes here from below or from the right, from " + where(stops[at - 1]), el]);
      });
      return found;
    },
    focus: () => {
      const before = document.activeElement, found = [];
      for (const el of focusable().slice(0, 80)) {
        if (document.activeElement) document.activeElement.blur();
        document.getAnimations().forEach((one) => one.finish());
        const plain = edges(el);
        el.focus({ preventScroll: true, focusVisible: true });
        document.getAnimations().forEach((one) => one.finish());
        if (document.activeElement !== el) continue;
        if (edges(el) === plain) found.push(["nobody sees that the focus is here", el]);
      }
      if (document.activeElement) document.activeElement.blur();
      if (before && before.focus) before.focus({ preventScroll: true });
      return found;
    },
    target: () => {
      const inText = (el) => style(el).display === "inline" && find.squeeze(el.parentElement.textContent).length > find.squeeze(el.textContent).length;
      return controls().filter((el) => !inText(el)).flatMap((el) => {
        const boxes = [el].concat(el.matches("[type=checkbox], [type=radio]") ? Array.from(el.labels) : []).map((one) => one.getBoundingClientRect());
        const [wide, high] = [Math.max(...boxes.map((box) => box.width)), Math.max(...boxes.map((box) => box.height))];
        return wide >= 43.5 && high >= 43.5 ? [] : [["a target of " + wide.toFixed(0) + " × " + high.toFixed(0) + ", not 44 × 44", el]];
      });
    },
    scroll: () => {
      const root = document.documentElement;
      if (root.scrollWidth <= root.clientWidth) return [];
      const out = all("body *").filter((el) => shown(el) && el.getBoundingClientRect().right > root.clientWidth + 1);
      return [["the page is " + root.scrollWidth + " wide in a window of " + root.clientWidth, out[out.length - 1] || root]];
    },
    table: () => all("table:not([role=presentation], [role=none])").filter((el) => shown(el) && !el.querySelector("th")).map((el) => ["a table without th", el]),
    aria: () => all("*").flatMap((el) => {
      const found = Array.from(el.attributes).filter((one) => one.name.startsWith("aria-")).map((one) => aria(el, one.name, one.value)).filter(Boolean);
      const role = el.getAttribute("role");
      if (role !== null && !role.split(/\s+/).every((one) => ROLES.includes(one))) found.push("there is no role " + role);
      if (el.matches("[aria-hidden=true]") && (el.tabIndex >= 0 || el.querySelector("a[href], button, input:not([type=hidden]), select, textarea")) && shown(el)) found.push("hidden from those who listen, and yet in the way of the focus");
      return found.map((words) => [words, el]);
    }),
    live: () => {
      const speaks = "[role=status], [role=alert], [role=log], [aria-live=polite], [aria-live=assertive], output";
      return all("form, [data-live]").length && !document.querySelector(speaks) ? [["nothing tells those who listen what became of a form", document.body]] : [];
    },
    nest: () => {
      const inner = all("a[href] a[href], a[href] button, button a[href], button button, label button, a[href] input, button input, summary button, summary a[href]").map((el) => ["a control inside of another", el]);
      return inner.concat(all("li").filter((el) => !el.closest("ul, ol, menu, [role=list]")).map((el) => ["li outside of a list", el]));
    },
    report(names) {
      return names.flatMap((name) => this[name]().map(([what, el]) => name + ": " + what + ": " + where(el)));
    },
  };
})();
