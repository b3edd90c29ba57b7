// Comfort only: sorting and filtering the table, the time under the mouse. Every fact is in the page without it.
(() => {
  "use strict";
  const table = document.getElementById("tasks");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const make = (tag, text, into) => {
    const element = document.createElement(tag);
    element.textContent = text;
    if (into) into.append(element);
    return element;
  };

  // -- filter --------------------------------------------------------------------------------------------------
  const tools = document.createElement("div");
  tools.className = "tools";
  const search = make("input", "", tools);
  search.type = "search";
  search.placeholder = "Filter by name or reason";
  search.setAttribute("aria-label", "Filter tasks by name or reason");
  const words = new Map();
  for (const row of rows) {
    const word = row.cells[0].textContent.trim();
    if (!words.has(word)) words.set(word, { style: row.className, count: 0 });
    words.get(word).count += 1;
  }
  const wanted = new Set();
  const buttons = [];
  if (words.size > 1) {
    for (const [word, { style, count }] of words) {
      const button = make("button", `${word} ${count.toLocaleString("en")}`, tools);
      button.type = "button";
      button.className = style;
      button.setAttribute("aria-pressed", "false");
      button.addEventListener("click", () => {
        const on = !wanted.delete(word);
        if (on) wanted.add(word);
        button.setAttribute("aria-pressed", String(on));
        filter();
      });
      buttons.push(button);
    }
  }
  const found = make("output", "", tools);
  let texts = null;
  const filter = () => {
    texts = texts || rows.map((row) => row.textContent.toLowerCase());
    const text = search.value.trim().toLowerCase();
    let shown = 0;
    rows.forEach((row, place) => {
      const fits = (!wanted.size || wanted.has(row.cells[0].textContent.trim())) && (!text || texts[place].includes(text));
      row.hidden = !fits;
      shown += fits;
    });
    found.textContent = text || wanted.size ? `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")}` : "";
  };
  search.addEventListener("input", filter);
  if (rows.length > 1) table.parentElement.before(tools);

  // -- sort ----------------------------------------------------------------------------------------------------
  const units = { ms: 0.001, s: 1, min: 60, h: 3600, d: 86400 };
  const number = (text) => {
    let sum = 0;
    let any = false;
    for (const [, value, unit] of text.matchAll(/([\d.,]+)\s*(ms|min|s|h|d)?/g)) {
      sum += parseFloat(value.replaceAll(",", "")) * (units[unit] || 1);
      any = true;
    }
    return any ? sum : -1;
  };
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, column) => {
    const numeric = head.classList.contains("n");
    const button = make("button", head.textContent);
    button.type = "button";
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const first = numeric ? "descending" : "ascending";
      const second = numeric ? "ascending" : "descending";
      const now = before === null ? first : before === first ? second : null;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      if (now === null) {
        body.append(...rows);
        return;
      }
      head.setAttribute("aria-sort", now);
      const sign = now === "ascending" ? 1 : -1;
      const keyed = rows.map((row) => {
        const text = row.cells[column].textContent.trim();
        return [numeric ? number(text) : text, row];
      });
      const order = new Intl.Collator("en", { numeric: true });
      keyed.sort(([a], [b]) => sign * (numeric ? a - b : order.compare(a, b)));
      body.append(...keyed.map(([, row]) => row));
    });
  });

  // -- the timeline: time under the mouse, a part of it larger ------------------------------------------------
  const chart = document.querySelector(".chart");
  const bars = chart && chart.querySelector(".bars");
  if (bars) {
    const lane = bars.parentElement;
    const span = parseFloat(chart.dataset.span);
    const axis = chart.querySelector(".axis");
    const ticks = Array.from(axis.children);
    const grid = Array.from(bars.querySelectorAll(".grid"));
    const most = 5000;
    let zoom = 1;
    let from = 0;

    const told = (at, step) => {
      if (step < 0.001) return `${+(at * 1000).toFixed(3)} ms`;
      if (at < 1) return `${Math.round(at * 1000)} ms`;
      if (at < 120) return `${at.toFixed(step < 0.01 ? 3 : 2)} s`;
      const whole = Math.floor(at);
      const parts = [[Math.floor(whole / 3600), "h"], [Math.floor(whole / 60) % 60, "min"], [whole % 60, "s"]];
      return parts.filter(([n, unit]) => n || unit === "s").map(([n, unit]) => `${n} ${unit}`).join(" ");
    };
    const round = (least) => {
      const power = 10 ** Math.floor(Math.log10(least));
      const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= least * 0.999);
      return least < 60 ? step : [60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400].find((n) => n >= least) || step;
    };
    const marks = () => {
      for (const line of bars.querySelectorAll(".grid")) line.remove();
      if (zoom === 1) {
        axis.replaceChildren(...ticks);
        bars.prepend(...grid);
        return;
      }
      const step = round(span / zoom / 8);
      axis.replaceChildren();
      for (let n = Math.ceil((from * span) / step); n * step <= (from + 1 / zoom) * span; n += 1) {
        const x = `${(100 * n * step) / span}%`;
        const text = document.createElementNS(bars.namespaceURI, "text");
        text.setAttribute("x", x);
        text.setAttribute("y", "14");
        text.textContent = told(n * step, step);
        axis.append(text);
        const line = document.createElementNS(bars.namespaceURI, "line");
        for (const [name, value] of [["class", "grid"], ["x1", x], ["x2", x], ["y1", "0"], ["y2", "100%"]]) line.setAttribute(name, value);
        bars.prepend(line);
      }
    };
    const bar = document.createElement("div");
    bar.className = "zoom";
    const buttons = {};
    for (const [name, text, help] of [["in", "+", "Zoom in"], ["out", "\u2212", "Zoom out"], ["left", "\u2190", "Earlier"], ["right", "\u2192", "Later"], ["all", "All", "The whole run"]]) {
      const button = make("button", text, bar);
      button.type = "button";
      button.title = help;
      button.setAttribute("aria-label", help);
      button.addEventListener("click", () => steps[name]());
      buttons[name] = button;
    }
    const shown = make("output", "", bar);
    const look = (newZoom, newFrom) => {
      zoom = Math.min(most, Math.max(1, newZoom));
      from = Math.min(1 - 1 / zoom, Math.max(0, newFrom));
      chart.style.setProperty("--zoom", zoom);
      chart.style.setProperty("--from", from);
      marks();
      const step = span / zoom;
      buttons.out.disabled = buttons.all.disabled = zoom === 1;
      buttons.left.disabled = from <= 0;
      buttons.right.disabled = from >= 1 - 1 / zoom - 1e-9;
      buttons.in.disabled = zoom === most;
      shown.textContent = zoom === 1 ? "drag over a part of it to see that part larger" : `${told(from * span, step / 10)} to ${told((from + 1 / zoom) * span, step / 10)}`;
    };
    const around = (factor, share) => look(zoom * factor, from + share / zoom - share / Math.min(most, Math.max(1, zoom * factor)));
    const steps = {
      in: () => around(2, 0.5),
      out: () => around(0.5, 0.5),
      left: () => look(zoom, from - 0.5 / zoom),
      right: () => look(zoom, from + 0.5 / zoom),
      all: () => look(1, 0),
    };
    chart.before(bar);
    chart.classList.add("live");
    look(1, 0);

    const cursor = document.createElement("div");
    cursor.className = "cursor";
    cursor.hidden = true;
    const label = make("b", "", cursor);
    const part = document.createElement("div");
    part.className = "span";
    part.hidden = true;
    chart.append(cursor, part);
    const share = (event) => {
      const box = lane.getBoundingClientRect();
      return (event.clientX - box.left) / box.width;
    };
    const place = (at) => `${lane.offsetLeft + at * lane.offsetWidth}px`;
    let began = null;
    chart.addEventListener("pointermove", (event) => {
      const at = share(event);
      cursor.hidden = at < 0 || at > 1;
      cursor.style.left = place(at);
      label.textContent = told((from + at / zoom) * span, span / zoom / 100);
      if (began !== null) {
        const [a, b] = [began, Math.min(1, Math.max(0, at))].sort((x, y) => x - y);
        part.hidden = b - a < 0.005;
        part.style.left = place(a);
        part.style.width = `${(b - a) * lane.offsetWidth}px`;
      }
    });
    chart.addEventListener("pointerdown", (event) => {
      const at = share(event);
      if (event.button === 0 && event.pointerType === "mouse" && at >= 0 && at <= 1) {
        began = at;
        event.preventDefault();
      }
    });
    addEventListener("pointerup", (event) => {
      if (began === null) return;
      const [a, b] = [began, Math.min(1, Math.max(0, share(event)))].sort((x, y) => x - y);
      began = null;
      cursor.hidden = true;
      if (!part.hidden) look(zoom / (b - a), from + a / zoom);
      else if (event.target.closest) {
        const row = event.target.closest("g[data-line]");
        if (row && chart.contains(row)) location.hash = `t${row.dataset.line}`;
      }
      part.hidden = true;
    });
    chart.addEventListener("pointerleave", () => { cursor.hidden = true; });
    lane.addEventListener("dblclick", steps.all);
    chart.addEventListener("wheel", (event) => {
      const at = share(event);
      if (at < 0 || at > 1) return;
      if (event.ctrlKey || event.metaKey) around(Math.exp(-event.deltaY / 300), at);
      else if (zoom > 1 && Math.abs(event.deltaX) > Math.abs(event.deltaY)) look(zoom, from + event.deltaX / lane.offsetWidth / zoom);
      else return;
      event.preventDefault();
    }, { passive: false });
  }

  // -- a task of the graph leads to its line -------------------------------------------------------------------
  const lines = new Map();
  const picture = document.querySelector(".graph");
  if (picture) picture.addEventListener("click", (event) => {
    const title = event.target.closest("g") && event.target.closest("g").querySelector("title");
    if (!title) return;
    if (!lines.size) for (const row of rows) lines.set(row.cells[1].textContent, row);
    const row = lines.get(title.textContent.replace(/ \([^()]*\)$/, ""));
    if (!row) return;
    row.id = row.id || `t-${rows.indexOf(row) + 1}`;
    location.hash = row.id;
  });

  // -- a link to a failure opens it; paper shows all -----------------------------------------------------------
  const open = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target && target.tagName === "DETAILS") target.open = true;
    if (target && target.tagName === "TR" && target.hidden) {
      search.value = "";
      wanted.clear();
      for (const button of buttons) button.setAttribute("aria-pressed", "false");
      filter();
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", open);
  open();
  addEventListener("beforeprint", () => { for (const details of document.querySelectorAll("details")) details.open = true; });
})();
