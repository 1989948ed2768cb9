// Keys, and details that are read when they are opened. Every page works without it, but slower to the hand.
"use strict";

const items = () => [...document.querySelectorAll("[data-item]")];
const focusable = (item) => item.querySelector("summary, a[href]");

function current(all) {
  const held = document.activeElement && document.activeElement.closest("[data-item]");
  if (held) return all.indexOf(held);
  const named = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  return named ? all.indexOf(named) : -1;
}

function open(item) {
  const details = item.querySelector(":scope > details");
  if (details) details.open = true;
  focusable(item)?.focus({ preventScroll: true });
  item.scrollIntoView({ block: item.matches("article") ? "start" : "nearest" });
}

function move(by, wanted) {
  const all = items();
  for (let at = current(all) + by; at >= 0 && at < all.length; at += by) {
    if (all[at].matches(wanted)) return open(all[at]);
  }
}

// The server's own pages, escaped there; the page's policy lets nothing in them run.
async function load(details) {
  const from = details.dataset.load;
  if (!from) return;
  delete details.dataset.load;
  const place = details.querySelector(":scope > :not(summary)");
  try {
    const reply = await fetch(from, { credentials: "same-origin" });
    if (!reply.ok) throw new Error(`status ${reply.status}`);
    const parsed = new DOMParser().parseFromString(await reply.text(), "text/html");
    place.replaceWith(...parsed.body.childNodes);
  } catch (error) {
    details.dataset.load = from;
    place.append(` (it did not load: ${error.message})`);
  }
}

document.addEventListener("toggle", (event) => {
  if (event.target.open) load(event.target);
}, true);

function follow() {
  const item = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const details = item && item.matches("[data-item]") && item.querySelector(":scope > details");
  if (details) details.open = true;
}
addEventListener("hashchange", follow);
follow();

// --- review ------------------------------------------------------------------------------------

const form = document.getElementById("judge");

const changed = () => [...form.querySelectorAll("input[type=radio]:checked")].some((one) => !("before" in one.dataset));

function turn(number) {
  const set = form.querySelectorAll("fieldset")[number];
  if (!set) return;
  const now = set.querySelector("input:checked");
  const wanted = now && now.value === "met" ? "unmet" : "met";
  set.querySelector(`input[value=${wanted}]`).checked = true;
  document.getElementById("note").focus();
}

function complain(text) {
  document.getElementById("complaint").textContent = text;
  document.getElementById("note").focus();
}

const send = (decision) => form.requestSubmit(document.getElementById(decision));

if (form) {
  form.addEventListener("submit", (event) => {
    const note = document.getElementById("note").value.trim();
    if (event.submitter?.id === "accept" && changed()) {
      event.preventDefault();
      complain("You changed a verdict: save it as an override, with a reason.");
    } else if (event.submitter?.id !== "accept" && !note) {
      event.preventDefault();
      complain("An override needs a reason.");
    } else if (form.dataset.sent) {
      event.preventDefault();
    } else {
      form.dataset.sent = "1";
    }
  });
  document.getElementById("note").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      send("override");
    } else if (event.key === "Escape") {
      event.target.blur();
    }
  });
  // A page that comes back from the browser's memory may be sent again on purpose.
  addEventListener("pageshow", () => delete form.dataset.sent);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat && form) return;
  if (event.target.closest("input:not([type=radio], [type=checkbox]), textarea, select")) return;
  const keys = { j: () => move(1, "*"), k: () => move(-1, "*"), "]": () => move(1, ".low"), "[": () => move(-1, ".low") };
  if (form) {
    keys.a = () => send("accept");
    keys.o = () => send("override");
    keys.n = () => document.getElementById("next")?.click();
    if (/^[1-9]$/.test(event.key)) keys[event.key] = () => turn(Number(event.key) - 1);
  }
  if (Object.hasOwn(keys, event.key)) {
    event.preventDefault();
    keys[event.key]();
  }
});
