"use strict";
// Sorts and collapses tables, and marks a layer in the table and the diagram. The page works without it.
for (const article of document.querySelectorAll("article")) {
  const table = article.querySelector("table.sortable");
  const rows = [...table.querySelectorAll("tr[data-layers]")];
  const cards = [...article.querySelectorAll("svg .node")];
  const places = new Map(cards.map((card) => [
    card, [...card.classList].filter((name) => name.startsWith("layer-")).map((name) => name.slice(6)),
  ]));
  const layersOf = (row) => row.dataset.layers.split(" ");

  // marking, from table to diagram and back
  const mark = (layers) => {
    const wanted = new Set(layers);
    for (const row of rows) row.classList.toggle("marked", layersOf(row).some((layer) => wanted.has(layer)));
    for (const card of cards) card.classList.toggle("marked", places.get(card).some((layer) => wanted.has(layer)));
  };
  const pane = article.querySelector(".diagram figure");
  const reveal = () => { // scrolls the diagram, not the page, to the first marked card
    const card = cards.find((each) => each.classList.contains("marked"));
    if (!card) return;
    const [inner, outer] = [card.getBoundingClientRect(), pane.getBoundingClientRect()];
    if (inner.top < outer.top || inner.bottom > outer.bottom) {
      pane.scrollTop += inner.top - outer.top - (outer.height - inner.height) / 2;
    }
    if (inner.left < outer.left || inner.right > outer.right) {
      pane.scrollLeft += inner.left - outer.left - (outer.width - inner.width) / 2;
    }
  };
  let soon; // the diagram does not scroll while the pointer passes over rows
  for (const row of rows) {
    for (const event of ["mouseenter", "focusin"]) {
      row.addEventListener(event, () => {
        mark(layersOf(row));
        clearTimeout(soon);
        soon = setTimeout(reveal, 150);
      });
    }
    for (const event of ["mouseleave", "focusout"]) {
      row.addEventListener(event, () => {
        mark([]);
        clearTimeout(soon);
      });
    }
  }
  const lead = (card) => { // goes to the smallest row with all layers of a card, and opens the blocks around it
    const wanted = places.get(card);
    const having = rows.filter((row) => wanted.every((layer) => layersOf(row).includes(layer)));
    const found = (having.length ? having : rows.filter((row) => layersOf(row).includes(wanted[0])))
      .filter((row) => !flat || !row.parentElement.hidden);
    const row = found.sort((one, other) => layersOf(one).length - layersOf(other).length)[0];
    if (!row) return;
    expand(row.parentElement);
    row.scrollIntoView({ block: "center" });
    row.querySelector("summary, button")?.focus({ preventScroll: true });
  };
  for (const card of cards) {
    card.addEventListener("mouseenter", () => mark(places.get(card)));
    card.addEventListener("mouseleave", () => mark([]));
    if (places.get(card).length) card.addEventListener("click", () => lead(card));
  }

  // a unit is a layer, or a block with its units, which stay together
  const units = [];
  const path = [{ inside: units }]; // the blocks that may contain the next unit
  for (const body of table.tBodies) {
    const level = Number(body.dataset.level ?? 0);
    const unit = { body, inside: [], open: true, around: path[level] };
    path[level].inside.push(unit);
    path.splice(level + 1, path.length, unit);
  }
  const blocks = (list) => list.flatMap((unit) => (unit.inside.length ? [unit, ...blocks(unit.inside)] : []));
  let flat = false; // shows layers without blocks
  const show = (list, shown) => {
    for (const unit of list) {
      unit.body.hidden = flat ? unit.inside.length > 0 : !shown;
      show(unit.inside, shown && unit.open);
    }
  };
  const setOpen = (unit, open) => {
    unit.open = open;
    unit.button.setAttribute("aria-expanded", String(open));
  };
  const button = (text, title, act) => {
    const made = Object.assign(document.createElement("button"), { type: "button", textContent: text, title });
    made.addEventListener("click", act);
    return made;
  };
  for (const unit of blocks(units)) {
    const cell = unit.body.rows[0].cells[0];
    unit.button = button("", "collapse or expand this block", () => {
      setOpen(unit, !unit.open);
      show(units, true);
    });
    unit.button.append(...cell.childNodes);
    setOpen(unit, false);
    cell.append(unit.button);
  }
  show(units, true);
  const expand = (body) => { // opens the blocks around a row
    const inner = [...units, ...blocks(units).flatMap((unit) => unit.inside)].find((unit) => unit.body === body);
    for (let unit = inner.around; unit.button; unit = unit.around) setOpen(unit, true);
    show(units, true);
  };
  if (blocks(units).length) {
    const all = (open) => () => {
      for (const unit of blocks(units)) setOpen(unit, open);
      show(units, true);
    };
    const bar = Object.assign(document.createElement("div"), { className: "views" });
    bar.append(button("Collapse all", "show the top level alone", all(false)));
    bar.append(button("Expand all", "show every layer", all(true)));
    const alone = button("Layers alone", "show layers in no block, to sort all of them together", () => {
      flat = !flat;
      alone.setAttribute("aria-pressed", String(flat));
      table.classList.toggle("flat", flat);
      show(units, true);
      sort();
    });
    alone.setAttribute("aria-pressed", "false");
    bar.append(alone);
    table.parentElement.before(bar);
  }

  // sorting: ascending, descending, and back to the order of the network
  const value = (body, column) => {
    const cell = body.rows[0].cells[column];
    if (column < 2) return cell.textContent.trim();
    return cell.dataset.order === "" ? null : Number(cell.dataset.order);
  };
  const sorted = (list, column, sign) => [...list].sort((one, other) => {
    const [a, b] = [value(one.body, column), value(other.body, column)];
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (typeof a === "number" ? a - b : a.localeCompare(b));
  });
  const leaves = (list) => list.flatMap((unit) => (unit.inside.length ? leaves(unit.inside) : [unit]));
  const headers = [...table.tHead.rows[0].cells];
  const sort = () => {
    const column = headers.findIndex((header) => header.hasAttribute("aria-sort"));
    const sign = column < 0 ? 0 : headers[column].getAttribute("aria-sort") === "ascending" ? 1 : -1;
    const put = (list) => {
      for (const unit of sign ? sorted(list, column, sign) : list) {
        table.append(unit.body);
        if (!flat) put(unit.inside);
      }
    };
    put(flat ? leaves(units) : units);
  };
  headers.forEach((header, column) => {
    header.replaceChildren(button(header.textContent, "sort by this column", () => {
      const before = header.getAttribute("aria-sort");
      const first = column < 2 ? "ascending" : "descending";
      const second = column < 2 ? "descending" : "ascending";
      const now = before === null ? first : before === first ? second : null;
      for (const each of headers) each.removeAttribute("aria-sort");
      if (now) header.setAttribute("aria-sort", now);
      sort();
    }));
  });
}
