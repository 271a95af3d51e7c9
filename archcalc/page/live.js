// Keeps what the reader opened, collapsed, sorted and scrolled to in a newer version of the page.
{
  const said = (list) => [...list].map((found) => found.closest("tr").dataset.layers);
  const all = (selector) => document.querySelectorAll(selector);
  const keep = () => {
    if (!document.querySelector("article")) return; // an error before the first page
    const sorted = document.querySelector("th[aria-sort]");
    sessionStorage.setItem("state", JSON.stringify({
      open: said(all("tr[data-layers] details[open]")),
      expanded: said(all("tbody.block button[aria-expanded=true]")),
      sort: sorted && [sorted.cellIndex, sorted.getAttribute("aria-sort")],
      scroll: scrollY,
    }));
  };
  const state = JSON.parse(sessionStorage.getItem("state") ?? "null");
  if (state) {
    for (const row of all("tr[data-layers]")) {
      const { layers } = row.dataset;
      if (row.querySelector("details")) row.querySelector("details").open = state.open.includes(layers);
      else if (state.expanded.includes(layers)) row.querySelector("button")?.click();
    }
    const header = state.sort && all("table.sortable thead th")[state.sort[0]];
    for (let turn = 0; header && turn < 2 && header.getAttribute("aria-sort") !== state.sort[1]; turn++) {
      header.querySelector("button").click();
    }
    scrollTo(0, state.scroll);
  }

  // The server answers with a newer version, or after a while with the same.
  const alone = Object.assign(document.createElement("p"), { className: "alone", hidden: true });
  alone.setAttribute("role", "status");
  alone.textContent = "archcalc watch has ended: this page is no longer refreshed.";
  document.body.prepend(alone);
  (async () => {
    for (;;) {
      try {
        const answer = await fetch(`/version?after=${version}`);
        if (Number(await answer.text()) !== version) {
          keep();
          return location.reload();
        }
        alone.hidden = true;
      } catch {
        alone.hidden = false;
        await new Promise((done) => setTimeout(done, 1000)); // the server stopped, or restarts
      }
    }
  })();
}
