// Says before a session ends that it will, and keeps it open when asked. Without scripts it ends all the same, and
// what follows asks to sign in again.
"use strict";

(() => {
  const notice = document.getElementById("session");
  if (notice === null) return;
  const warnAfter = 1000 * (Number(notice.dataset.seconds) - Number(notice.dataset.warning));
  const warning = 1000 * Number(notice.dataset.warning);
  const form = notice.querySelector("form");
  let timer;

  function show(state) {
    notice.hidden = state === "none";
    for (const part of notice.querySelectorAll("[data-state]")) part.hidden = part.dataset.state !== state;
  }

  function wait() {
    clearTimeout(timer);
    show("none");
    timer = setTimeout(() => {
      show("ending");
      timer = setTimeout(() => show("ended"), warning);
    }, warnAfter);
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const answer = await fetch(form.action, {
        method: "POST",
        body: new URLSearchParams(new FormData(form)),
        redirect: "manual",
      });
      if (answer.status === 204) wait();
      else show("ended");
    } catch {
      show("ending"); // no network for the moment: asked again by a click
    }
  });

  wait();
})();
