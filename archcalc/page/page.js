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

  // a unit is a layer, or a block with its layers; these stay together
  const units = [];
  for (const body of table.tBodies) {
    if (body.classList.contains("inside")) units[units.length - 1].inside.push(body);
    else units.push({ body, inside: [] });
  }
  for (const { body, inside } of units.filter((unit) => unit.inside.length)) {
    const cell = body.rows[0].cells[0];
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = cell.textContent;
    button.setAttribute("aria-expanded", "true");
    button.title = "fold or unfold this block";
    cell.replaceChildren(button);
    button.addEventListener("click", () => {
      const open = button.getAttribute("aria-expanded") === "false";
      button.setAttribute("aria-expanded", String(open));
      for (const layer of inside) layer.hidden = !open;
    });
  }

  // sorting: up, down, and back to the order of the network
  const value = (body, column) => {
    const cell = body.rows[0].cells[column];
    if (column < 2) return cell.textContent.trim();
    return cell.dataset.order === "" ? null : Number(cell.dataset.order);
  };
  const sorted = (list, bodyOf, column, sign) => [...list].sort((one, other) => {
    const [a, b] = [value(bodyOf(one), column), value(bodyOf(other), column)];
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (typeof a === "number" ? a - b : a.localeCompare(b));
  });
  const headers = [...table.tHead.rows[0].cells];
  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = header.textContent;
    header.replaceChildren(button);
    button.addEventListener("click", () => {
      const before = header.getAttribute("aria-sort");
      const first = column < 2 ? "ascending" : "descending";
      const second = column < 2 ? "descending" : "ascending";
      const now = before === null ? first : before === first ? second : null;
      for (const each of headers) each.removeAttribute("aria-sort");
      if (now) header.setAttribute("aria-sort", now);
      const order = (list, bodyOf) => (now ? sorted(list, bodyOf, column, now === "ascending" ? 1 : -1) : list);
      for (const unit of order(units, (each) => each.body)) {
        table.append(unit.body, ...order(unit.inside, (each) => each));
      }
    });
  });
}
