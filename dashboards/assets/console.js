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
    /* The time bar of a replay: play, pause, steps, and a click into the window. */
    tape: (tick, play, back, forward, click, key, speed, value, last, paused) => {
      const by = window.dash_clientside.callback_context.triggered_id;
      const shortest = 0.2;
      const steps = Math.max(1, Math.ceil((Number(speed) * shortest) / key[2]));
      const pause = (1000 * steps * key[2]) / Number(speed);
      let at = value;
      let still = paused;
      if (by === "replay-tick" && !paused) at = Math.min(value + steps, last);
      if (by === "replay-back") at = Math.max(value - 1, 0);
      if (by === "replay-forward") at = Math.min(value + 1, last);
      if (by === "replay-window" && click) at = click.points[0].pointIndex;
      if (by === "replay-key") at = 0;
      if (by === "replay-play") {
        still = !paused;
        if (paused && value >= last) at = 0;
      } else if (by !== "replay-tick" && by !== "replay-speed") {
        still = true;
      }
      if (by === "replay-tick" && at >= last) still = true;
      return [at, still, pause, still ? "icon icon-play" : "icon icon-pause"];
    },
    /* The cursor of a replay, in every figure that has one. */
    cursor: (value) => {
      for (const id of ["replay-window", "replay-beside"]) {
        const drawn = document.querySelector(`#${id} .js-plotly-plot`);
        const time = drawn && drawn.data && drawn.data.length ? drawn.data[0].x : null;
        if (time && value < time.length && drawn.layout.shapes) {
          window.Plotly.relayout(drawn, { "shapes[0].x0": time[value], "shapes[0].x1": time[value] });
        }
      }
    },
    /* The entry of the present page is marked. */
    active: (path, ids) => ids.map((id) => id.path === path),
  },
});
