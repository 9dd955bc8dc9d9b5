// Keeps the numbers beside the pictograms while the page is looked at. Without scripts, or where nothing can be heard,
// the next page says them.
"use strict";

(() => {
  const shown = document.querySelectorAll("[data-unread]");
  if (shown.length === 0 || !("EventSource" in window)) return;
  const AFTER = 3000; // whoever only passes through asks nothing
  let source = null;
  let timer;

  function show(counts) {
    for (const mark of shown) {
      const count = counts[mark.dataset.unread];
      mark.hidden = count === 0;
      mark.firstElementChild.textContent = count > 99 ? "99+" : String(count);
      const one = mark.dataset.unread === "notifications" ? "nouvelle" : "non lu";
      mark.lastElementChild.textContent = count === 1 ? one : one + "s";
    }
  }

  function hear() {
    source = new EventSource("/notifications/flux");
    source.addEventListener("unread", (event) => show(JSON.parse(event.data)));
    source.addEventListener("error", stop); // asking again by itself would keep the session open for ever
  }

  function stop() {
    clearTimeout(timer);
    if (source !== null) source.close();
    source = null;
  }

  // a page that nobody looks at holds no connection: a browser gives a site six
  function look() {
    stop();
    if (document.visibilityState === "visible") timer = setTimeout(hear, AFTER);
  }

  document.addEventListener("visibilitychange", look);
  window.addEventListener("pagehide", stop);
  look();
})();
