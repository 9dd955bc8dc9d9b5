// Opens the assistant at the foot of the page instead of leaving it; its answers come as pieces of its own page. Without
// scripts the bubble is a link to that page.
"use strict";

(() => {
  const bubble = document.getElementById("asker");
  if (bubble === null) return;
  const opener = bubble.querySelector(".asker-open");
  const panel = document.getElementById("assistant-panel");
  const answers = document.getElementById("assistant-answers");
  const form = panel.querySelector(".asker-form");
  const away = panel.querySelector("[data-away]");

  opener.setAttribute("role", "button");
  opener.setAttribute("aria-controls", panel.id);
  opener.setAttribute("aria-expanded", "false");

  function show(open) {
    panel.hidden = !open;
    opener.setAttribute("aria-expanded", String(open));
    (open ? form.elements.question : opener).focus();
  }

  opener.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // in a new tab: as a link
    event.preventDefault();
    show(panel.hidden);
  });
  opener.addEventListener("keydown", (event) => {
    if (event.key !== " ") return;
    event.preventDefault();
    show(panel.hidden);
  });
  panel.querySelector("[data-close]").addEventListener("click", () => show(false));
  panel.addEventListener("keydown", (event) => {
    if (event.key === "Escape") show(false);
  });

  panel.addEventListener("htmx:beforeSwap", (event) => {
    // what is wrong with a question is said where the answer would be
    if (event.detail.xhr.status === 422 || event.detail.xhr.status === 429) event.detail.shouldSwap = true;
  });
  panel.addEventListener("htmx:beforeRequest", () => {
    away.hidden = true;
  });
  for (const failure of ["htmx:responseError", "htmx:sendError"]) {
    panel.addEventListener(failure, (event) => {
      const status = event.detail.xhr.status;
      away.hidden = status === 422 || status === 429;
    });
  }
  panel.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target !== answers) return;
    if (event.detail.xhr.status < 400) form.reset();
    answers.lastElementChild.scrollIntoView({ block: "start" });
  });
})();
