"use strict";
// What takes a script: sorting, folding, and marking a layer in the table and in the diagram. The page works without.
for (const article of document.querySelectorAll("article")) {
  const table = article.querySelector("table.sortable");
  const rows = [...table.querySelectorAll("tr[data-layers]")];
  const cards = [...article.querySelectorAll("svg .node")];
  const places = new Map(cards.map((card) => [
    card, [...card.classList].filter((name) => name.startsWith("layer-")).map((name) => name.slice(6)),
  ]));
  const layersOf = (row) => row.dataset.layers.split(" ");

  // marking, both ways
  const mark = (layers) => {
    const wanted = new Set(layers);
    for (const row of rows) row.classList.toggle("marked", layersOf(row).some((layer) => wanted.has(layer)));
    for (const card of cards) card.classList.toggle("marked", places.get(card).some((layer) => wanted.has(layer)));
  };
  for (const row of rows) {
    for (const event of ["mouseenter", "focusin"]) row.addEventListener(event, () => mark(layersOf(row)));
    for (const event of ["mouseleave", "focusout"]) row.addEventListener(event, () => mark([]));
  }
  for (const card of cards) {
    card.addEventListener("mouseenter", () => mark(places.get(card)));
    card.addEventListener("mouseleave", () => mark([]));
  }

  // a unit is a layer, or a block with the units in it; these stay together
  const units = [];
  const path = [{ inside: units }]; // the blocks that the next one may be in
  for (const body of table.tBodies) {
    const level = Number(body.dataset.level ?? 0);
    const unit = { body, inside: [], open: true };
    path[level].inside.push(unit);
    path.splice(level + 1, path.length, unit);
  }
  const blocks = (list) => list.flatMap((unit) => (unit.inside.length ? [unit, ...blocks(unit.inside)] : []));
  const show = (list, shown) => {
    for (const unit of list) {
      unit.body.hidden = !shown;
      show(unit.inside, shown && unit.open);
    }
  };
  const fold = (unit, open) => {
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
    unit.button = button(cell.textContent, "fold or unfold this block", () => {
      fold(unit, !unit.open);
      show(units, true);
    });
    fold(unit, true);
    cell.replaceChildren(unit.button);
  }
  if (blocks(units).length) {
    const all = (open) => () => {
      for (const unit of blocks(units)) fold(unit, open);
      show(units, true);
    };
    const bar = Object.assign(document.createElement("div"), { className: "folding" });
    bar.append(button("Fold all", "show the top level alone", all(false)));
    bar.append(button("Unfold all", "show every layer", all(true)));
    table.parentElement.before(bar);
  }

  // sorting: up, down, and back to the order of the network
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
  const headers = [...table.tHead.rows[0].cells];
  headers.forEach((header, column) => {
    header.replaceChildren(button(header.textContent, "sort by this column", () => {
      const before = header.getAttribute("aria-sort");
      const first = column < 2 ? "ascending" : "descending";
      const second = column < 2 ? "descending" : "ascending";
      const now = before === null ? first : before === first ? second : null;
      for (const each of headers) each.removeAttribute("aria-sort");
      if (now) header.setAttribute("aria-sort", now);
      const put = (list) => {
        for (const unit of now ? sorted(list, column, now === "ascending" ? 1 : -1) : list) {
          table.append(unit.body);
          put(unit.inside);
        }
      };
      put(units);
    }));
  });
}
