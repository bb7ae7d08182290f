/* What a page gains from scripts; it works without. An open page follows the store, and times are shown in
   the reader's time zone to those who ask for it. */
"use strict";

const main = document.querySelector("main");
const footer = document.querySelector("footer");
const ownZone = Intl.DateTimeFormat().resolvedOptions().timeZone;

function kept(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // A browser may keep nothing for this page.
  }
}

function keep(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // As above: the choice lasts as long as the page.
  }
}

function button(text, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", () => act(made));
  return made;
}

/* Time zones. The server writes UTC; what it wrote is kept beside each time. */

let isLocal = kept("driftline-zone") === "local" && ownZone !== "UTC";

function localTime(utc, when) {
  const format = new Intl.DateTimeFormat("en-GB", {
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    ...(/:\d\d:/.test(utc) ? { second: "2-digit" } : {}),
    ...(utc.endsWith("UTC") ? { timeZoneName: "short" } : {}),
  });
  return format.format(when);
}

function showTimes() {
  for (const each of document.querySelectorAll("time[datetime]")) {
    each.dataset.utc ??= each.textContent;
    const when = new Date(each.dateTime);
    each.textContent = isLocal && !isNaN(when) ? localTime(each.dataset.utc, when) : each.dataset.utc;
  }
  for (const each of document.querySelectorAll(".zone")) {
    each.textContent = isLocal ? ownZone : "UTC";
  }
}

function zoneButton() {
  const text = () => (isLocal ? "Show times in UTC" : `Show times in ${ownZone}`);
  return button(text(), (pressed) => {
    isLocal = !isLocal;
    keep("driftline-zone", isLocal ? "local" : "utc");
    pressed.textContent = text();
    showTimes();
  });
}

/* Following the store. Whoever fills in a form, or selects text, is left alone. */

function isBusy() {
  const fields = [...main.querySelectorAll("input, textarea, select")];
  const changed = (field) =>
    field.type === "radio" || field.type === "checkbox"
      ? field.checked !== field.defaultChecked
      : "defaultValue" in field && field.value !== field.defaultValue;
  return (
    document.hidden ||
    fields.some((field) => field === document.activeElement || changed(field)) ||
    !document.getSelection().isCollapsed
  );
}

function nameOf(element) {
  return [element.id, element.getAttribute("href"), element.textContent.trim()].join(" ");
}

function alike(tag, name) {
  return [...main.querySelectorAll(tag)].filter((each) => nameOf(each) === name);
}

function placeOf(element) {
  /* Where an element is: what it is called, and how many called so come before it. */
  const [tag, name] = [element.tagName, nameOf(element)];
  return { tag, name, number: alike(tag, name).indexOf(element) };
}

function found({ tag, name, number }) {
  const now = alike(tag, name);
  return now[number] ?? now[0];
}

function replaceContent(next) {
  const focused = main.contains(document.activeElement) ? placeOf(document.activeElement) : null;
  const opened = new Map([...main.querySelectorAll("details")].map((each, number) => [number, each.open]));
  const scrolled = [...main.querySelectorAll("*")]
    .filter((each) => each.scrollLeft)
    .map((each) => [placeOf(each), each.scrollLeft]);
  main.replaceChildren(...next.querySelector("main").childNodes);
  document.title = next.title;
  main.querySelectorAll("details").forEach((each, number) => {
    each.open = opened.get(number) ?? each.open;
  });
  showTimes();
  for (const [place, left] of scrolled) {
    const again = found(place);
    if (again) again.scrollLeft = left;
  }
  if (focused) found(focused)?.focus({ preventScroll: true });
}

function follow(refreshMs) {
  const state = document.createElement("span");
  state.setAttribute("role", "status");
  let isFollowing = kept("driftline-follow") !== "no";
  let shown = null;

  async function look() {
    if (!isFollowing || isBusy()) return;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error" });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const text = await answer.text();
      if (text !== shown && !isBusy()) {
        replaceContent(new DOMParser().parseFromString(text, "text/html"));
        shown = text;
      }
      state.textContent = "";
    } catch {
      const when = new Date().toLocaleTimeString("en-GB");
      state.textContent = ` Not up to date: at ${when} this page could not be read anew.`;
    }
  }

  const text = () => (isFollowing ? "Stop following" : "Follow");
  footer.append(
    " ",
    button(text(), (pressed) => {
      isFollowing = !isFollowing;
      keep("driftline-follow", isFollowing ? "yes" : "no");
      pressed.textContent = text();
      look();
    }),
    state,
  );
  setInterval(look, refreshMs);
  document.addEventListener("visibilitychange", look);
}

if (main && footer) {
  if (ownZone && ownZone !== "UTC") footer.append(" ", zoneButton());
  showTimes();
  const seconds = Number(document.body.dataset.refreshS);
  if (seconds > 0) follow(seconds * 1000);
}
