// The page of a box without a node: sends the token or the name, reads a photo of a QR code, and shows how far it is.
"use strict";

const part = (id) => document.getElementById(id);
const main = document.querySelector("main");
const lang = document.documentElement.lang;
let rootKey = null;
let watching = null;

function say(text) {
  part("said").textContent = text || "";
  part("said").hidden = !text;
  if (text) part("said").scrollIntoView({ block: "nearest" });
}

async function send(path, body, type) {
  const headers = { "stockroom-page": "1", "content-type": type || "application/json" };
  const answer = await fetch(path + "?lang=" + lang, { method: "POST", headers, body: type ? body : JSON.stringify(body) });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.said);
  return told;
}

function busy(is) {
  for (const button of document.querySelectorAll("button")) button.disabled = is;
}

function show(told) {
  const steps = told.steps.map((step) => {
    const line = document.createElement("li");
    line.textContent = step.text;
    line.dataset.state = step.state;
    return line;
  });
  part("steps").replaceChildren(...steps);
  part("progress").hidden = steps.length === 0;
  part("asked").hidden = told.phase === "working" || told.phase === "made" || told.phase === "done";
  part("root").hidden = told.phase !== "made";
  if (told.said) say(told.said);
  if (told.wants_hub) part("hub-part").hidden = false;
  busy(told.phase === "working" || told.phase === "done");
}

async function look() {
  try {
    const answer = await fetch("/setup/state?lang=" + lang, { cache: "no-store" });
    if (!answer.ok) return gone();
    const told = await answer.json();
    show(told);
    if (told.phase === "done") return gone();
    watching = told.phase === "working" ? setTimeout(look, 300) : null;
  } catch {
    gone();
  }
}

// The box stops serving this page and starts as a node at the same address.
async function gone() {
  say(main.dataset.gone);
  part("said").classList.remove("bad");
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 700));
    try {
      const answer = await fetch("/healthz", { cache: "no-store" });
      if (answer.ok && (await answer.text()).trim() === "ok") break;
    } catch {
      // Not there yet, or under a certificate that this browser does not know.
    }
  }
  location.reload();
}

async function ask(path, body) {
  say("");
  busy(true);
  try {
    const told = await send(path, body);
    if (told.secret) {
      rootKey = told.secret;
      part("root-file").href = "/setup/root-key/" + rootKey;
    }
    await look();
  } catch (error) {
    say(error.message);
    busy(false);
  }
}

part("join").addEventListener("submit", (event) => {
  event.preventDefault();
  const hub = part("hub").value.trim();
  ask("/setup/join", { token: part("token").value, hub: hub || null, profile: part("solo").checked ? "solo" : "store" });
});

part("chain").addEventListener("submit", (event) => {
  event.preventDefault();
  ask("/setup/chain", { name: part("name").value.trim() });
});

part("start").addEventListener("submit", (event) => {
  event.preventDefault();
  ask("/setup/start", { taken_away: part("taken").checked });
});

async function readHere(file) {
  if (!("BarcodeDetector" in window)) return null;
  try {
    const detector = new BarcodeDetector({ formats: ["qr_code"] });
    const found = await detector.detect(await createImageBitmap(file));
    return found.length > 0 ? found[0].rawValue : null;
  } catch {
    return null;
  }
}

part("photo").addEventListener("change", async () => {
  const file = part("photo").files[0];
  if (!file) return;
  say(main.dataset.reading);
  try {
    const text = (await readHere(file)) || (await send("/setup/picture", file, file.type || "image/jpeg")).text;
    part("token").value = text;
    say("");
    part("hub-part").hidden = text.includes("@");
  } catch (error) {
    say(error.message);
  }
  part("photo").value = "";
});

part("token").addEventListener("change", () => {
  const text = part("token").value.trim();
  part("hub-part").hidden = text === "" || text.includes("@");
});

look();
