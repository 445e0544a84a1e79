// What the pages about orders do beside their forms: print, read a contact with a reason, and send only the lines that come back.
"use strict";
(() => {
  const { ask, say, tell, problem, key } = self.page;
  const staff = document.documentElement.dataset.staff || "";

  const element = (name, text, attributes) => {
    const made = document.createElement(name);
    if (text) made.textContent = text;
    for (const [attribute, value] of Object.entries(attributes || {})) made.setAttribute(attribute, value);
    return made;
  };

  /** Prints on the shop's printer; where there is none, says so and offers the browser's print. */
  const print = async (button, path, body, sheet) => {
    const line = button.closest("section, li").querySelector(".said");
    button.setAttribute("aria-busy", "true");
    try {
      const answer = await ask("POST", path, body, { "Idempotency-Key": key() });
      if (answer.ok) {
        const trouble = answer.body.trouble;
        tell(trouble ? say("print-trouble", { why: trouble }) : say(answer.body.state === "printed" ? "print-before" : "print-queued", { n: answer.body.waiting }), trouble ? "warn" : "good", line);
      } else {
        tell(answer.status === 409 ? say("print-none") + " " : problem(answer), "warn", line);
      }
      if (sheet && (!answer.ok || answer.body.trouble)) line.append(" ", element("a", say("print-here"), { href: sheet, target: "_blank", rel: "noopener", class: "button" }));
    } catch (e) {
      tell(say("gone"), "bad", line);
    } finally {
      button.removeAttribute("aria-busy");
    }
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-print], [data-print-sheet]");
    if (!button) return;
    const order = encodeURIComponent(button.dataset.order || "");
    if (button.dataset.print) print(button, "/v1/fulfillments/" + order + "/print", { sheet: button.dataset.print }, "/v1/fulfillments/" + order + "/sheets/" + button.dataset.print);
    else print(button, "/v1/riders/" + encodeURIComponent(button.dataset.printSheet) + "/sheet", {}, null);
  });

  // A contact is read by somebody, for a reason; it goes again when the page goes.
  const form = document.querySelector("[data-contact]");
  if (form) form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const who = staff || "counter";
    const query = "?staff=" + encodeURIComponent(who) + "&reason=" + encodeURIComponent(form.elements.reason.value);
    try {
      const answer = await ask("GET", "/v1/fulfillments/" + encodeURIComponent(form.dataset.contact) + "/contact" + query);
      if (!answer.ok) { tell(problem(answer), "bad"); return; }
      const list = document.getElementById("contact-read");
      const given = Object.entries(answer.body).filter(([, value]) => value);
      list.replaceChildren(...given.flatMap(([name, value]) => [element("dt", say("contact-" + name)), element("dd", String(value))]));
    } catch (e) { tell(say("gone"), "bad"); }
  });

  // Lines of which nothing comes back are not sent.
  const sift = (row) => {
    const quantity = row.querySelector("[data-quantity]");
    for (const field of row.querySelectorAll("input, select")) if (field !== quantity) field.disabled = quantity.value.trim() === "";
  };
  for (const row of document.querySelectorAll("[data-returned]")) {
    sift(row);
    row.addEventListener("input", () => sift(row));
  }
})();
