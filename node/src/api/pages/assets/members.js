// Finding a member: one that is known is opened at once; of several one is chosen; of one that only the hub knows the page waits a while.
"use strict";
(() => {
  const { ask, tell, problem } = self.page;
  const found = document.getElementById("found");
  const form = document.getElementById("find");
  const show = (members) => {
    if (!members.length) { tell(found.dataset.nobody, "warn"); return; }
    if (members.length === 1) { location.assign("/members/" + encodeURIComponent(members[0].member)); return; }
    const list = document.createElement("ul");
    list.className = "list";
    for (const member of members) {
      const link = document.createElement("a");
      link.href = "/members/" + encodeURIComponent(member.member);
      link.textContent = (member.values.filter((told) => told.value).map((told) => told.value).join(" · ") || found.dataset.member) + " · " + member.member;
      const item = document.createElement("li");
      item.append(link);
      list.append(item);
    }
    found.replaceChildren(list);
    list.querySelector("a").focus();
  };
  const wait = async (number, left) => {
    tell(left > 0 ? found.dataset.asking : found.dataset.unanswered, "warn");
    if (left <= 0) return;
    await new Promise((later) => setTimeout(later, 500));
    const answer = await ask("GET", "/v1/members/asked/" + number);
    if (!answer.ok) { tell(problem(answer), "bad"); return; }
    if (answer.body.state === "found") { tell("", ""); show(answer.body.members); return; }
    await wait(number, left - 1);
  };
  form.addEventListener("answered", (event) => {
    const answer = event.detail;
    setTimeout(() => {
      tell("", "");
      if (answer.state === "found") show(answer.members);
      else if (answer.state === "asked") wait(answer.asked, 10).catch(() => tell(found.dataset.unanswered, "warn"));
      else tell(found.dataset.unanswered, "warn");
    });
  });
  // Only what was filled in is sent: kinds of values without a value would be refused.
  const enrol = document.querySelector("[data-enrol]");
  const sift = () => {
    let index = 0;
    for (const part of enrol.querySelectorAll("div")) {
      const [kind, value] = part.querySelectorAll("input");
      const given = value.value.trim() !== "";
      kind.disabled = !given;
      if (given) { kind.name = "values[" + index + "].field"; value.name = "values[" + index + "].value"; index += 1; }
    }
    for (const old of enrol.querySelectorAll("[data-made]")) old.remove();
    let count = 0;
    for (const box of enrol.querySelectorAll("[data-purpose]:checked")) {
      for (const [name, value, type] of [["purpose", box.dataset.purpose, ""], ["given", "true", "bool"], ["source", "counter", ""]]) {
        const field = document.createElement("input");
        Object.assign(field, { type: "hidden", name: "consents[" + count + "]." + name, value });
        if (type) field.dataset.type = type;
        field.dataset.made = "1";
        enrol.append(field);
      }
      count += 1;
    }
  };
  enrol.addEventListener("submit", sift, true);
})();
