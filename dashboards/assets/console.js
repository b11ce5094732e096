/* Everything that runs in the browser itself: address bar, colour scheme, labels of sliders. */
window.dashMantineFunctions = Object.assign(window.dashMantineFunctions || {}, {
  percent: (value) => `${value} %`,
});

window.dash_clientside = Object.assign(window.dash_clientside || {}, {
  console: {
    /* Keep the address bar at what the page shows, without a step in the history. */
    address: (query) => {
      if (typeof query === "string") {
        window.history.replaceState(null, "", window.location.pathname + query);
      }
    },
    /* Light or dark: what was chosen, else what the system prefers. */
    scheme: (clicks, kept) => {
      const wanted = window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
      const now = kept || wanted;
      return clicks ? (now === "dark" ? "light" : "dark") : now;
    },
    /* Mantine and the tables follow the scheme. */
    dress: (scheme) => {
      document.documentElement.setAttribute("data-ag-theme-mode", scheme || "light");
      document.body.setAttribute("data-ag-theme-mode", scheme || "light");
      return [scheme || "light", scheme === "dark" ? "Switch to light" : "Switch to dark"];
    },
    /* The entry of the present page is marked. */
    active: (path, ids) => ids.map((id) => id.path === path),
  },
});
