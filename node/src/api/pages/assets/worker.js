// Keeps what pages are drawn with, and the pages that are worked on where the LAN does not reach. What one person saw is never shown to another:
// pages are kept per person, and all of them go when somebody signs out.
"use strict";
const ASSETS = "stockroom-assets-" + VERSION;
const SEEN = "stockroom-seen";
/** Pages that people go on working with while the node cannot be reached. */
const OFFLINE = [/^\/till$/, /^\/picking(\/.*)?$/, /^\/orders(\/.*)?$/, /^\/handover$/];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(ASSETS).then((cache) => cache.addAll(KEPT)).then(() => self.skipWaiting()));
});
self.addEventListener("activate", (event) => {
  const old = (name) => name.startsWith("stockroom-assets-") && name !== ASSETS;
  event.waitUntil(caches.keys().then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name)))).then(() => self.clients.claim()));
});
self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (url.origin !== location.origin) return;
  if (event.request.method === "POST" && ["/pages/sign-out", "/pages/sign-in"].includes(url.pathname)) {
    event.waitUntil(caches.delete(SEEN));
    return;
  }
  if (event.request.method !== "GET") return;
  if (url.pathname.startsWith("/assets/")) {
    event.respondWith(caches.match(event.request).then((kept) => kept || fetch(event.request)));
    return;
  }
  if (event.request.mode === "navigate" && OFFLINE.some((path) => path.test(url.pathname))) event.respondWith(seen(event.request));
});

/** The page from the node; as it was seen last when the node cannot be reached. */
const seen = async (request) => {
  const cache = await caches.open(SEEN);
  try {
    const answer = await fetch(request);
    if (answer.ok && !answer.redirected) await cache.put(request, answer.clone());
    if (answer.redirected) await caches.delete(SEEN);
    return answer;
  } catch (e) {
    const kept = await cache.match(request, { ignoreSearch: false });
    if (kept) return kept;
    throw e;
  }
};
