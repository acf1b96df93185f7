"use strict";
/* The theme switch: system, light or dark, kept in this browser. Loaded in the head, so that nothing flashes. */
(() => {
  const themes = ["system", "light", "dark"];
  const root = document.documentElement;
  let theme = "system";
  try {
    theme = localStorage.getItem("theme") ?? theme;
  } catch {
    // A browser that keeps nothing still has a switch; it starts anew on each page.
  }
  root.dataset.theme = themes.includes(theme) ? theme : "system";

  const after = () => themes[(themes.indexOf(root.dataset.theme) + 1) % themes.length];
  const say = () => {
    for (const button of document.querySelectorAll("[data-theme-switch]")) {
      button.title = `Theme: ${root.dataset.theme}`;
      button.querySelector("[data-theme-name]").textContent = `Theme: ${root.dataset.theme}. Switch to ${after()}`;
    }
  };
  document.addEventListener("DOMContentLoaded", say);
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-switch]")) return;
    root.dataset.theme = after();
    say();
    try {
      localStorage.setItem("theme", root.dataset.theme);
    } catch {
      // As above.
    }
  });
})();
