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

  // -- time under the mouse ------------------------------------------------------------------------------------
  const chart = document.querySelector(".chart");
  const bars = chart && chart.querySelector(".bars");
  if (bars) {
    const span = parseFloat(chart.dataset.span);
    const cursor = document.createElement("div");
    cursor.className = "cursor";
    cursor.hidden = true;
    const label = make("b", "", cursor);
    chart.append(cursor);
    chart.addEventListener("pointermove", (event) => {
      const box = bars.getBoundingClientRect();
      const share = (event.clientX - box.left) / box.width;
      cursor.hidden = share < 0 || share > 1;
      cursor.style.left = `${event.clientX - chart.getBoundingClientRect().left}px`;
      const at = share * span;
      label.textContent = at < 1 ? `${Math.round(at * 1000)} ms` : at < 120 ? `${at.toFixed(2)} s` : `${Math.floor(at / 60)} min ${Math.floor(at % 60)} s`;
    });
    chart.addEventListener("pointerleave", () => { cursor.hidden = true; });
  }

  // -- a link to a failure opens it; paper shows all -----------------------------------------------------------
  const open = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target && target.tagName === "DETAILS") target.open = true;
  };
  addEventListener("hashchange", open);
  open();
  addEventListener("beforeprint", () => { for (const details of document.querySelectorAll("details")) details.open = true; });
})();
