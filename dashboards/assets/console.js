/* Everything that runs in the browser itself: address bar, colour scheme, labels of sliders. */
window.dashMantineFunctions = Object.assign(window.dashMantineFunctions || {}, {
  percent: (value) => `${value} %`,
});

/* A line over a figure at a row of its first trace: an element of its own, for to draw a figure anew takes too long. */
const place = (drawn) => {
  const found = drawn.querySelector(":scope > .cursor");
  const line = found || drawn.appendChild(Object.assign(document.createElement("div"), { className: "cursor" }));
  const time = drawn.data && drawn.data.length ? drawn.data[0].x : [];
  const { xaxis, _size: size } = drawn._fullLayout || {};
  const at = xaxis && drawn.cursorAt < time.length ? xaxis.d2p(time[drawn.cursorAt]) : -1;
  line.hidden = !(at >= 0 && at <= size.w);
  if (!line.hidden) Object.assign(line.style, { left: `${size.l + at}px`, top: `${size.t}px`, height: `${size.h}px` });
};

/* Keep the line of a figure where the time bar is, also when the figure is drawn later, or anew. */
const follow = (id, value, tries) => {
  const drawn = document.querySelector(`#${id} .js-plotly-plot`);
  if (!drawn || !drawn.on) {
    if (tries) setTimeout(() => follow(id, value, tries - 1), 150);
    return;
  }
  if (drawn.cursorAt === undefined) drawn.on("plotly_afterplot", () => place(drawn));
  drawn.cursorAt = value;
  place(drawn);
};

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
      for (const id of ["replay-window", "replay-beside"]) follow(id, value, 20);
    },
    /* The entry of the present page is marked. */
    active: (path, ids) => ids.map((id) => id.path === path),
  },
});
