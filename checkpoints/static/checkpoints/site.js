"use strict";
/* What htmx leaves to the page: say when a request failed, keep the focus, make the progress of a run a modal dialog. */
(() => {
  const banner = document.getElementById("offline");

  const failed = (kind) => (event) => {
    // Whoever asks again later, as the progress of a run does, says so with a "retry" trigger.
    htmx.trigger(event.detail.elt, "retry");
    for (const line of banner.children) line.hidden = !line.matches(kind);
    banner.hidden = false;
  };
  document.addEventListener("htmx:sendError", failed("[data-send-error]"));
  document.addEventListener("htmx:responseError", failed("[data-response-error]"));
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.shouldSwap) banner.hidden = true;
  });

  document.addEventListener("htmx:afterSettle", (event) => {
    const next = event.detail.requestConfig?.elt.dataset.focus;
    if (next && document.activeElement === document.body) document.querySelector(next)?.focus();
  });

  document.addEventListener("htmx:load", () => {
    const progress = document.getElementById("progress");
    if (progress?.querySelector("#run") && !progress.matches(":modal")) {
      progress.close();
      progress.showModal();
    }
    const status = document.getElementById("status");
    const news = document.querySelector("[data-status]")?.textContent;
    if (status && news && status.textContent !== news) status.textContent = news;
  });
})();
