"use strict";
/* What htmx leaves to the page: say when a request failed, keep the focus, make the progress of a run a modal dialog. */
(() => {
  const banner = document.getElementById("offline");
  let failures = 0;

  // Soon to be back, so that the page stays as it is, with all that was typed, and may ask again.
  const isAway = (xhr) => xhr?.status === 503 && xhr.getResponseHeader("Retry-After") !== null;

  const fail = (kind) => (event) => {
    failures += 1;
    // Whoever is to ask again, as the progress of a run is, has a trigger for this.
    htmx.trigger(event.detail.elt, "retry");
    const shown = isAway(event.detail.xhr) ? "[data-outage]" : kind;
    for (const line of banner.querySelectorAll("p")) line.hidden = !line.matches(shown);
    banner.showPopover();
  };
  // An answer to what was asked before a failure does not say that the failure is over.
  document.addEventListener("htmx:beforeRequest", (event) => {
    event.detail.requestConfig.failuresBefore = failures;
  });
  document.addEventListener("htmx:sendError", fail("[data-send-error]"));
  document.addEventListener("htmx:responseError", fail("[data-response-error]"));
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (isAway(event.detail.xhr)) {
      event.detail.shouldSwap = false;
      event.detail.isError = true;
    }
    if (event.detail.shouldSwap && event.detail.requestConfig.failuresBefore === failures) banner.hidePopover();
  });

  document.addEventListener("htmx:afterSettle", (event) => {
    const invalid = event.detail.elt.querySelector("[aria-invalid=true]");
    const next = event.detail.requestConfig?.elt.dataset.focus;
    // Who went elsewhere meanwhile stays there; in what was replaced, htmx may have found a field of the same id again.
    const here = document.activeElement === document.body || event.detail.elt.contains(document.activeElement);
    if (invalid) invalid.focus();
    else if (next && here) document.querySelector(next)?.focus();
  });

  document.addEventListener("htmx:load", (event) => {
    const progress = document.getElementById("progress");
    // What the user has put away comes back with its own news only, not when something else on the page is new.
    const concerned = progress?.contains(event.target) || event.target.contains(progress);
    if (concerned && progress?.querySelector("#run") && !progress.matches(":modal")) {
      progress.close();
      progress.showModal();
    }
    const status = document.getElementById("status");
    const news = document.querySelector("[data-status]")?.textContent;
    if (status && news && status.textContent !== news) status.textContent = news;
  });
})();
