// What the pages gain with JavaScript: copying, a word on whether they are live, and logs that follow their end.
// Everything else is HTML; polling and morphing are htmx's, by attributes.

const live = document.querySelector("#live-state");
const spoken = document.querySelector("#spoken");
const signedOut = document.querySelector("#signed-out");
let failedSince = null;
let waits = false;

function say(text) {
  spoken.textContent = "";
  // A change of text is read aloud, the same text again is not.
  requestAnimationFrame(() => { spoken.textContent = text; });
}

function showLive() {
  if (!document.querySelector("[hx-trigger]") || typeof window.htmx === "undefined") {
    live.hidden = true;
    return;
  }
  live.hidden = false;
  const seconds = failedSince === null ? 0 : Math.round((Date.now() - failedSince) / 1000);
  live.classList.toggle("stale", failedSince !== null);
  const good = waits ? "Waits while you read" : "Live";
  const text = failedSince === null ? good : `Not live for ${seconds} s, retrying`;
  if (live.textContent !== text) live.textContent = text;
}

// ---------------------------------------------------------------- copying
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy || document.getElementById(button.dataset.copyFrom).textContent);
    say("Copied");
    button.classList.add("done");
    setTimeout(() => button.classList.remove("done"), 1500);
  } catch {
    say("The browser did not allow copying");
  }
});

// ------------------------------------------------------------------- live
// Nothing moves under the pointer: a list that is being read or gone through by keys waits with its news.
function isBeingRead(element) {
  return element.matches("[data-waits]") && element.querySelector("tbody:is(:hover, :focus-within)") !== null;
}

document.addEventListener("htmx:before:request", (event) => {
  waits = isBeingRead(event.target);
  if (waits || document.hidden) event.preventDefault();
  showLive();
});
// The pointer may have come while the answer was on its way.
document.addEventListener("htmx:before:swap", (event) => {
  waits = isBeingRead(event.target);
  if (waits) event.preventDefault();
  showLive();
});
// The proxy in front sends a page that may not be seen to sign-in, which a script cannot follow, unless JSON will do.
document.addEventListener("htmx:config:request", (event) => {
  if (signedOut) event.detail.ctx.request.headers.Accept = "text/html, application/json";
});
document.addEventListener("htmx:after:request", (event) => {
  const ctx = event.detail?.ctx;
  const status = ctx?.response?.status ?? 0;
  // Then its answer is no banner of ours.
  if (status === 401 && signedOut) ctx.text = document.querySelector("#signed-out-banner").innerHTML;
  if (status > 0 && status < 400) {
    failedSince = null;
    signedOut?.replaceChildren();
  }
  else failedSince ??= Date.now();
  showLive();
});
// A form that the proxy answers with the way to the provider is stopped by the pages' policy, and nothing would be seen.
document.addEventListener("securitypolicyviolation", (event) => {
  if (event.effectiveDirective !== "form-action" || !signedOut) return;
  signedOut.replaceChildren(document.querySelector("#signed-out-banner").content.cloneNode(true));
  signedOut.scrollIntoView({ block: "nearest" });
});
document.addEventListener("htmx:error", () => {
  failedSince ??= Date.now();
  showLive();
});

// ------------------------------------------------------------------- logs
const nearEnd = 40;

function logs() {
  return document.querySelectorAll(".log[data-follows]");
}

function toEnd(log) {
  log.scrollTop = log.scrollHeight;
}

document.addEventListener("htmx:before:swap", () => {
  for (const log of logs()) log.wasAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < nearEnd;
});
document.addEventListener("htmx:after:swap", () => {
  for (const log of logs()) if (log.wasAtEnd ?? true) toEnd(log);
  showLive();
});

// The newest lines first, unless the address names a line.
if (!location.hash) document.querySelectorAll(".log").forEach(toEnd);
// Only things that need a script are hidden without one.
document.documentElement.classList.add("scripted");
showLive();
setInterval(showLive, 1000);
