// What the till keeps in this browser: its number, the basket on the screen, held sales, and the catalogue. All of it outlives the page.
"use strict";
(() => {
  const opened = new Promise((resolve, reject) => {
    const request = indexedDB.open("stockroom-till", 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("values");
      request.result.createObjectStore("held", { keyPath: "at", autoIncrement: true });
      request.result.createObjectStore("pages");
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

  /** Does something with a store in one transaction, and is through when that is on disk. */
  const on = async (name, mode, work) => {
    const base = await opened;
    return new Promise((resolve, reject) => {
      const transaction = base.transaction(name, mode, { durability: "strict" });
      const request = work(transaction.objectStore(name));
      transaction.oncomplete = () => resolve(request && request.result);
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
  };
  const value = (key) => on("values", "readonly", (store) => store.get(key));
  const keep = (key, what) => on("values", "readwrite", (store) => store.put(what, key));

  /** Changes a value by what it was, in one transaction: two tabs never change it at once. */
  const change = async (key, by) => {
    let given;
    await on("values", "readwrite", (store) => {
      const request = store.get(key);
      request.onsuccess = () => {
        const [next, answer] = by(request.result);
        given = answer;
        if (next !== undefined) store.put(next, key);
      };
      return request;
    });
    return given;
  };

  // --- The number of this till, and of its next sale ---------------------------------------------------------------------

  const number = async () => (await value("till") || {}).number;
  /** The till's number, with the next number of a sale as the node knows it. */
  const setNumber = (number, next) => keep("till", { number, next });
  const take = () => change("till", (till) => [{ ...till, next: till.next + 1 }, till.next]);
  /** The next number is at least this; gives what it was. */
  const raise = (least) => change("till", (till) => (till ? [{ ...till, next: Math.max(till.next, least) }, till.next] : [undefined, undefined]));

  // --- The basket on the screen: one for each person ----------------------------------------------------------------------

  const who = () => document.documentElement.dataset.staff || "";
  const basketKey = () => "basket " + who();
  let last = Promise.resolve();
  /** Keeps the basket; those who wait for it know that it is on disk. */
  const keepBasket = (basket) => (last = last.catch(() => {}).then(() => keep(basketKey(), basket)));

  // --- Held sales ------------------------------------------------------------------------------------------------------------

  const held = () => on("held", "readonly", (store) => store.getAll());
  const hold = (sale) => on("held", "readwrite", (store) => store.add({ ...sale, staff: who(), since: Date.now() }));
  const rehold = (sale) => on("held", "readwrite", (store) => store.put(sale));
  const release = (sale) => on("held", "readwrite", (store) => store.delete(sale.at));

  // --- The catalogue: pages of a thousand, all of one generation ------------------------------------------------------------

  const keepPage = (generation, index, rows) => on("pages", "readwrite", (store) => store.put(rows, [generation, index]));
  const pages = (generation) => on("pages", "readonly", (store) => store.getAll(IDBKeyRange.bound([generation, 0], [generation, Infinity])));
  /** From now on this generation counts; others are forgotten. */
  const keepCatalogue = async (about) => {
    await keep("catalogue", about);
    await on("pages", "readwrite", (store) => {
      store.delete(IDBKeyRange.upperBound([about.generation, 0], true));
      return store.delete(IDBKeyRange.lowerBound([about.generation + 1, 0]));
    });
  };

  if (navigator.storage && navigator.storage.persist) navigator.storage.persist();
  self.kept = { value, keep, number, setNumber, take, raise, who, basket: () => value(basketKey()), keepBasket, held, hold, rehold, release, keepPage, pages, catalogue: () => value("catalogue"), keepCatalogue };
})();
