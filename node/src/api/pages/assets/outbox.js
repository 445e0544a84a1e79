// Commands that wait in this device until the node can be reached: kept in IndexedDB with their keys, shown as waiting, sent in order.
"use strict";
(() => {
  const open = () => new Promise((resolve, reject) => {
    const request = indexedDB.open("stockroom", 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("outbox", { keyPath: "at", autoIncrement: true });
      request.result.createObjectStore("kept", { keyPath: "id" });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const done = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const on = async (store, mode, work) => {
    const base = await open();
    try { return await done(work(base.transaction(store, mode).objectStore(store))); } finally { base.close(); }
  };

  const who = () => document.documentElement.dataset.staff || "";
  const waiting = () => on("outbox", "readonly", (store) => store.getAll());
  const trouble = [];

  const show = async () => {
    const acts = await waiting();
    let line = document.getElementById("outbox");
    if (!line) {
      line = document.createElement("p");
      line.id = "outbox";
      line.setAttribute("role", "status");
      document.querySelector("main h1").after(line);
    }
    line.hidden = !acts.length && !trouble.length;
    line.className = "said " + (trouble.length ? "bad" : "warn");
    line.textContent = [acts.length ? self.page.say("waiting", { n: acts.length }) : "", ...trouble.map((what) => self.page.say("refused", { what }))].filter(Boolean).join(" ");
    for (const part of document.querySelectorAll("[data-waits]")) part.hidden = !acts.some((act) => act.about === part.dataset.waits);
    document.dispatchEvent(new CustomEvent("outbox", { detail: acts }));
  };

  let sending = false;
  /** Sends what waits, in its order. Ends at the first that cannot be sent now. */
  const flush = async () => {
    if (sending) return;
    sending = true;
    let sent = 0;
    try {
      for (let acts = await waiting(); acts.length; acts = await waiting()) {
        const act = acts[0];
        // Somebody else's deeds are not sent in another one's name.
        if (act.staff !== who()) { trouble.splice(0, trouble.length, act.staff); break; }
        const answer = await self.page.ask(act.method, act.path, act.body, { "Idempotency-Key": act.key });
        if (answer.status >= 500 || answer.status === 429 || answer.status === 408) break;
        if (answer.status === 401) { self.page.signInAgain(); break; }
        if (!answer.ok) trouble.push(act.about + ": " + self.page.problem(answer));
        await on("outbox", "readwrite", (store) => store.delete(act.at));
        document.dispatchEvent(new CustomEvent("outbox-sent", { detail: { act, answer } }));
        sent += 1;
      }
    } catch (e) { /* The node is gone: what waits is sent when it is back. */ }
    sending = false;
    await show();
    if (sent) self.page.refresh();
  };

  /** Sends one command, or keeps it: then the answer says `kept`. */
  const send = async (act) => {
    if (!(await waiting()).length) {
      try {
        const answer = await self.page.ask(act.method, act.path, act.body, { "Idempotency-Key": act.key });
        if (answer.status < 500) return answer;
      } catch (e) { /* Kept below. */ }
    }
    await on("outbox", "readwrite", (store) => store.add({ ...act, staff: who(), since: Date.now() }));
    if (navigator.storage && navigator.storage.persist) navigator.storage.persist();
    await show();
    flush();
    return { ok: true, status: 202, body: null, kept: true };
  };

  self.outbox = { send, flush, waiting, keep: (item) => on("kept", "readwrite", (store) => store.put(item)), kept: (id) => on("kept", "readonly", (store) => store.get(id)), forget: (id) => on("kept", "readwrite", (store) => store.delete(id)), show };
  document.addEventListener("node-back", flush);
  addEventListener("online", flush);
  setInterval(flush, 10000);
  show().then(flush);
})();
