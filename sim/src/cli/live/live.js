// The live view: puts what the program sends where it belongs, and asks for what is pressed. It holds no words of its own.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const LINES_MAX = 120;
const byId = (id) => document.getElementById(id);
const words = document.body.dataset;
let latest = null;

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function element(name, attributes, text) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function drawn(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

async function ask(what) {
  try {
    const answer = await fetch("/act" + location.search, {
      method: "POST",
      headers: { "Content-Type": "application/json", "Stockroom-Page": "1" },
      body: JSON.stringify(what),
    });
    setText(byId("trouble"), answer.ok ? "" : await answer.text());
  } catch {
    setText(byId("trouble"), words.apart);
  }
}

// Rows are kept and filled anew, so that a button that has the focus keeps it.
function rows(list, items, key, make, fill) {
  const there = new Map([...list.children].map((row) => [row.dataset.key, row]));
  items.forEach((item, at) => {
    const name = key(item, at);
    let row = there.get(name);
    if (!row) {
      row = make(item);
      row.dataset.key = name;
    }
    there.delete(name);
    if (list.children[at] !== row) list.insertBefore(row, list.children[at] || null);
    fill(row, item);
  });
  there.forEach((row) => row.remove());
}

const linkKey = (link) => link.a + "-" + link.b;

function makeLink() {
  const row = element("li", {});
  row.append(element("span", { class: "name" }), element("span", { class: "state" }), element("button", { type: "button" }));
  return row;
}

function fillLink(row, link) {
  const [name, state, button] = row.children;
  setText(name, link.name);
  setText(state, link.state);
  row.className = "tone-" + link.tone;
  button.hidden = !link.act;
  setText(button, link.button);
  button.setAttribute("aria-label", link.label);
  button.dataset.act = link.act;
  button.dataset.a = link.a;
  button.dataset.b = link.b;
}

const headings = () => [...document.querySelectorAll("table.nodes thead th")].map((cell) => cell.textContent);

function makeNode() {
  const row = element("tr", {});
  headings().forEach((name, at) => {
    const cell = at === 0 ? element("th", { scope: "row" }) : element("td", { "data-name": name });
    cell.append(element("span", {}));
    row.append(cell);
  });
  return row;
}

function fillNode(row, node) {
  row.className = "tone-" + node.tone;
  [node.name, node.state, node.backlog, node.age, node.lacks, String(node.deeds)].forEach((text, at) =>
    setText(row.children[at].firstChild, text),
  );
}

// The drawing: each hub with its stores in rows below it, on rails; links between neighbours as arcs under the rows.
const BOX = 92, GAP = 12, STUB = 66, GUTTER = 44, TRUNK = 22, HANDLE = 22;

function layout(frame, width) {
  const places = new Map();
  const rails = [];
  const columns = Math.max(1, Math.floor((width - GUTTER + GAP) / (165 + GAP)));
  let y = 4;
  const arcs = frame.links.some((link) => isBetweenStores(frame, link));
  for (const hub of frame.nodes.filter((node) => node.hub)) {
    const lower = hub.above !== 0;
    const left = lower ? GUTTER : 0;
    if (lower) y += STUB - 20;
    const hubWidth = Math.min(width - left - 2, 260);
    places.set(hub.id, { x: left + 1, y, width: hubWidth, node: hub, left });
    const stores = frame.nodes.filter((node) => !node.hub && node.above === hub.id);
    const hubBottom = y + BOX;
    y = hubBottom;
    const across = Math.min(columns, Math.max(1, stores.length));
    const room = Math.min(220, (width - left - GUTTER - GAP * (across - 1) - 2) / across);
    for (let from = 0; from < stores.length; from += across) {
      const some = stores.slice(from, from + across);
      const rail = y + 12;
      y = rail + STUB;
      some.forEach((store, at) => {
        places.set(store.id, { x: left + GUTTER + at * (room + GAP), y, width: room, node: store, left, rail });
      });
      const last = places.get(some[some.length - 1].id);
      rails.push("M" + (left + TRUNK) + " " + hubBottom + "V" + rail + "H" + (last.x + last.width / 2));
      y += BOX + (arcs ? 44 : 0);
    }
    y += 14;
  }
  const top = [...places.values()].find((place) => place.node.hub && !place.node.above);
  const lowest = [...places.values()].filter((place) => place.node.hub && place.node.above).pop();
  if (top && lowest) rails.push("M" + TRUNK + " " + (top.y + BOX) + "V" + (lowest.y + BOX / 2 - STUB - 4));
  return { places, rails, height: y };
}

function isBetweenStores(frame, link) {
  const hubs = new Set(frame.nodes.filter((node) => node.hub).map((node) => node.id));
  return !hubs.has(link.a) && !hubs.has(link.b);
}

function path(frame, link, places) {
  const a = places.get(link.a), b = places.get(link.b);
  if (a.node.hub && b.node.hub) {
    const lower = a.node.above ? a : b, x = TRUNK, y = lower.y + BOX / 2;
    return { d: "M" + x + " " + (y - STUB - 4) + "V" + y + "H" + lower.x, x, y: y - STUB / 2 - 4 };
  }
  if (a.node.hub !== b.node.hub) {
    const store = a.node.hub ? b : a;
    const x = store.x + store.width / 2;
    return { d: "M" + x + " " + store.rail + "V" + store.y, x, y: store.rail + STUB / 2 };
  }
  const [left, right] = a.x <= b.x ? [a, b] : [b, a];
  const from = left.x + left.width * 0.7, to = right.x + right.width * 0.3;
  const low = Math.max(left.y, right.y) + BOX, deep = low + 34;
  const sag = left.y === right.y ? deep + 12 : low + 40;
  return {
    d: "M" + from + " " + (left.y + BOX) + "C" + from + " " + sag + " " + to + " " + sag + " " + to + " " + (right.y + BOX),
    x: (from + to) / 2,
    y: (left.y + right.y) / 2 + BOX + (left.y === right.y ? 34 : 30),
  };
}

// What a handle shows: a tick for what is there, a cross for what is cut, a bar for what is away. Seen without colour.
const SIGNS = { good: "M-7 0L-2 5L7 -5", bad: "M-6 -6L6 6M6 -6L-6 6", fault: "M0 -8V2M0 6V7", doubtful: "M-6 0H6" };

let shape = "";
let parts = { links: new Map(), nodes: new Map() };

function draw(frame) {
  const place = byId("chain");
  const width = Math.max(260, place.clientWidth);
  const now = width + "|" + frame.nodes.map((node) => node.id + ":" + node.above).join() + "|" + frame.links.map(linkKey).join();
  if (now !== shape) {
    shape = now;
    parts = { links: new Map(), nodes: new Map() };
    const { places, rails, height } = layout(frame, width);
    const picture = drawn("svg", { width, height, viewBox: "0 0 " + width + " " + height, "aria-hidden": "true" });
    rails.forEach((d) => picture.append(drawn("path", { d, class: "rail" })));
    for (const link of frame.links) {
      if (!places.has(link.a) || !places.has(link.b)) continue;
      const { d, x, y } = path(frame, link, places);
      const group = drawn("g", {});
      const handle = drawn("g", { class: "handle", transform: "translate(" + x + " " + y + ")", "data-a": link.a, "data-b": link.b });
      handle.append(drawn("title", {}), drawn("circle", { r: HANDLE, class: "reach" }), drawn("circle", { r: 14, class: "disc" }), drawn("path", { class: "sign" }));
      group.append(drawn("path", { d, class: "wire" }), handle);
      picture.append(group);
      parts.links.set(linkKey(link), group);
    }
    for (const { x, y, width: wide, node } of places.values()) {
      const group = drawn("g", { transform: "translate(" + x + " " + y + ")" });
      group.append(drawn("rect", { width: wide, height: BOX, rx: 8, class: "box" }), drawn("rect", { width: 5, height: BOX - 16, x: 0, y: 8, class: "mark" }));
      [22, 42, 62, 82].forEach((line, at) => group.append(drawn("text", { x: 14, y: line - 2, class: at === 0 ? "name" : "fact" })));
      picture.append(group);
      parts.nodes.set(node.id, { group, wide });
    }
    place.replaceChildren(picture);
  }
  for (const link of frame.links) {
    const group = parts.links.get(linkKey(link));
    if (!group) continue;
    const handle = group.lastChild;
    group.setAttribute("class", "tone-" + link.tone + (link.act ? "" : " fixed"));
    setText(handle.firstChild, link.name + ": " + link.state + (link.label ? ". " + link.label : ""));
    handle.lastChild.setAttribute("d", SIGNS[link.tone]);
    handle.dataset.act = link.act;
  }
  for (const node of frame.nodes) {
    const part = parts.nodes.get(node.id);
    if (!part) continue;
    part.group.setAttribute("class", "node tone-" + node.tone);
    const facts = node.hub
      ? [words.itKnows + ": " + node.age, words.lacks + ": " + node.lacks]
      : [words.waits + ": " + node.waits, words.hubKnows + ": " + node.age];
    const letters = Math.floor((part.wide - 20) / 7.3);
    [node.name, node.state, facts[0], facts[1]].forEach((text, at) => {
      setText(part.group.children[2 + at], fitted(text, letters));
    });
  }
}

// Wide letters count twice.
function fitted(text, letters) {
  let room = letters;
  let fits = "";
  for (const letter of text) {
    room -= letter.codePointAt(0) > 0x2e80 ? 2 : 1;
    if (room < 0) return fits.slice(0, -1) + "…";
    fits += letter;
  }
  return fits;
}

function tell(frame) {
  const list = byId("story");
  if (frame.lines.length) list.querySelector(".empty")?.remove();
  list.setAttribute("aria-live", frame.playing ? "off" : "polite");
  if (frame.skipped && list.children.length) list.prepend(element("li", { class: "skipped" }, "… " + frame.skipped + " " + words.skipped));
  for (const line of frame.lines) {
    const row = element("li", { class: "tone-" + line.tone });
    row.append(element("time", {}, line.at), element("span", {}, line.words));
    list.prepend(row);
  }
  while (list.children.length > LINES_MAX) list.lastChild.remove();
}

function show(frame) {
  latest = frame;
  setText(byId("clock"), frame.clock);
  const phase = byId("phase");
  setText(phase, (frame.going + " " + frame.phase).trim());
  phase.className = "tone-" + frame.tone;
  byId("share").value = frame.share;
  setText(byId("sums"), frame.sums);
  setText(byId("hashes"), frame.hashes);
  setText(byId("left-out"), frame.left_out);
  setText(byId("no-cut"), frame.no_cut);
  const play = byId("play");
  setText(play, frame.playing ? words.pause : words.play);
  play.dataset.do = frame.playing ? "pause" : "play";
  for (const button of [play, ...document.querySelectorAll(".step")]) button.hidden = frame.over;
  byId("speed").closest("label").hidden = frame.over;
  byId("report").hidden = !frame.over;
  byId("close").hidden = !frame.over;
  if (document.activeElement !== byId("speed")) byId("speed").value = frame.speed;
  draw(frame);
  tell(frame);
  setText(byId("checks"), frame.checks);
  byId("checks").className = "verdict " + (frame.holds ? "good" : "bad");
  rows(byId("found"), frame.found, (found) => found.name + found.words, () => element("li", {}), (row, found) => setText(row, found.name + ": " + found.words));
  rows(byId("links"), frame.links, linkKey, makeLink, fillLink);
  rows(byId("nodes"), frame.nodes, (node) => String(node.id), makeNode, fillNode);
  rows(byId("acts"), frame.acts, (act, at) => at + act, () => element("li", {}), setText);
  byId("acts-none").hidden = frame.acts.length > 0;
  byId("acts-some").hidden = frame.acts.length === 0;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do], [data-act]");
  if (!button) return;
  if (button.dataset.do) return void ask({ do: button.dataset.do });
  if (button.dataset.act) ask({ do: button.dataset.act, a: Number(button.dataset.a), b: Number(button.dataset.b) });
});

byId("speed").addEventListener("change", (event) => ask({ do: "speed", speed: event.target.value }));

window.addEventListener("resize", () => latest && draw(latest));

const source = new EventSource("/events" + location.search);
source.onmessage = (event) => {
  if (byId("trouble").textContent === words.apart) setText(byId("trouble"), "");
  show(JSON.parse(event.data));
};
let met = false;
source.onopen = () => {
  // Everything is sent anew.
  if (met) byId("story").replaceChildren();
  met = true;
};
source.onerror = () => setText(byId("trouble"), words.apart);
source.addEventListener("closed", () => {
  source.close();
  setText(byId("trouble"), words.closed);
  for (const button of document.querySelectorAll("button, select")) button.disabled = true;
});
