// The explorer: choices on the left side of the data, cells that fit them, and the curves and training runs of one cell.
"use strict";

const explorer = (() => {
  const CHOICES = [
    ["architecture", "Architecture"], ["activation", "Activation"], ["depth", "Depth"], ["initializer", "Initializer"],
    ["rate", "Learning rate"], ["task", "Task"], ["experiment", "Experiment"],
  ];
  const MOST = 40;
  const OUTCOMES = { domain: ["solved", "unsolved", "stuck", "diverged"], range: ["#0072B2", "#E69F00", "#999999", "#D55E00"] };
  const place = document.currentScript.src.replace(/[^/]*$/, "data/");
  const loaded = new Map();
  let cells = [], chosen = {}, selected = null, shown = 0;

  function take(part) {
    if (part.index) cells = part.index;
    else loaded.get(part.experiment).found(part.cells);
  }

  function details(experiment) {
    if (!loaded.has(experiment)) {
      const entry = {};
      entry.cells = new Promise((found, failed) => {
        entry.found = found;
        const script = document.createElement("script");
        script.src = `${place}${experiment}.js`;
        script.onerror = () => { loaded.delete(experiment); failed(new Error(`the data of ${experiment} could not be loaded`)); };
        document.head.append(script);
      });
      loaded.set(experiment, entry);
    }
    return loaded.get(experiment).cells;
  }

  const text = (value) => (value === null ? "none" : String(value));
  const fits = (cell, but) => CHOICES.every(([key]) => key === but || chosen[key] === undefined || text(cell[key]) === chosen[key]);
  const number = (value) => (value === null ? "not finite" : Number(value.toPrecision(4)).toString());

  function order(a, b) {
    const [x, y] = [Number(a), Number(b)];
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
  }

  function fillChoices() {
    for (const [key] of CHOICES) {
      const counts = new Map();
      for (const cell of cells) if (fits(cell, key)) counts.set(text(cell[key]), (counts.get(text(cell[key])) || 0) + 1);
      const select = document.getElementById(`explorer-${key}`);
      select.replaceChildren(new Option("any", ""));
      for (const value of [...counts.keys()].sort(order)) select.add(new Option(`${value} (${counts.get(value)})`, value));
      select.value = chosen[key] ?? "";
    }
  }

  function isDark() {
    return document.body.getAttribute("data-md-color-scheme") === "slate";
  }

  function draw(id, spec) {
    const ink = isDark() ? { labelColor: "#ddd", titleColor: "#ddd" } : {};
    const lines = isDark() ? { gridColor: "#444", domainColor: "#888" } : {};
    const look = {
      background: "transparent", font: "inherit", view: { stroke: null },
      axis: { labelFontSize: 12, titleFontSize: 13, ...ink, ...lines }, legend: { labelFontSize: 12, titleFontSize: 12, ...ink },
    };
    return vegaEmbed(`#${id}`, { $schema: "https://vega.github.io/schema/vega-lite/v6.json", config: look, ...spec }, { actions: false, renderer: "svg" });
  }

  function outcomeText(cell) {
    const loss = `median final loss ${number(cell.loss)}`;
    if (!cell.solved) return `no goal was set; ${loss}`;
    const [share, low, high] = cell.solved.map((value) => (100 * value).toFixed(1));
    return `${share}% [${low}%, ${high}%] of ${cell.runs.toLocaleString("en-US")} training runs end below a loss of ${cell.goal}; ${loss}`;
  }

  async function drawCells(found, turn) {
    const rows = found.slice(0, MOST).filter((cell) => cell.solved).map((cell) => ({
      name: `${cell.label} · ${cell.experiment}`, share: cell.solved[0], low: cell.solved[1], high: cell.solved[2], id: cell.cell,
      experiment: cell.experiment, runs: cell.runs, initializer: cell.initializer,
    }));
    const panel = document.getElementById("explorer-shares");
    panel.replaceChildren();
    if (!rows.length) {
      panel.textContent = "No goal was set for these cells, so no share is drawn: their median losses stand in the list.";
      document.getElementById("explorer-list").open = true;
      return;
    }
    // A fixed part of the width, so that names are cut by the chart and not by its edge.
    const room = Math.min(260, Math.round(0.4 * panel.clientWidth));
    const y = { field: "name", type: "nominal", sort: null, title: null, axis: { labelLimit: room, minExtent: room } };
    const view = await draw("explorer-shares", {
      width: "container", height: 20 + 20 * rows.length, data: { values: rows },
      layer: [
        { mark: { type: "rule", strokeWidth: 2 }, encoding: { x: { field: "low", type: "quantitative" }, x2: { field: "high" } } },
        {
          mark: { type: "point", filled: true, size: 60, cursor: "pointer" },
          encoding: {
            tooltip: [
              { field: "name", title: "cell" }, { field: "share", title: "share solved", format: ".4f" },
              { field: "low", format: ".4f", title: "95% interval from" }, { field: "high", format: ".4f", title: "to" },
              { field: "runs", title: "training runs" },
            ],
          },
        },
      ],
      encoding: {
        y, x: { field: "share", type: "quantitative", scale: { domain: [0, 1] }, axis: { format: "%", tickCount: 5 }, title: "share of training runs that solve the task, with 95% interval" },
      },
    });
    if (turn !== shown) return;
    view.view.addEventListener("click", (_, item) => {
      if (item?.datum?.id) select(cells.find((cell) => cell.cell === item.datum.id && cell.experiment === item.datum.experiment));
    });
  }

  function listCells(found) {
    const body = document.getElementById("explorer-cells");
    body.replaceChildren(...found.slice(0, MOST).map((cell) => {
      const row = document.createElement("li"), button = document.createElement("button");
      button.type = "button";
      button.textContent = cell.label || cell.experiment;
      button.cell = cell;
      button.setAttribute("aria-pressed", String(cell === selected));
      button.addEventListener("click", () => select(cell));
      row.append(button, ` ${cell.experiment}: ${outcomeText(cell)}`);
      return row;
    }));
  }

  async function drawCell(cell, turn) {
    const title = document.getElementById("explorer-title"), link = document.getElementById("explorer-report");
    title.textContent = `${cell.label || "the only cell"}: ${outcomeText(cell)}`;
    link.href = `reports/${cell.experiment}/index.html`;
    link.textContent = `Report of ${cell.experiment}`;
    const [note, curves] = ["explorer-note", "explorer-curves"].map((id) => document.getElementById(id));
    for (const part of [note, curves, document.getElementById("explorer-runs")]) part.replaceChildren();
    let found;
    try {
      found = (await details(cell.experiment))[cell.cell];
    } catch (error) {
      title.textContent = error.message;
      return;
    }
    if (turn !== shown) return;
    const runs = found.runs.map(([data, init, outcome, steps, loss]) => ({ data, init, outcome, steps, loss }));
    // A logarithmic axis has no place for a loss of 0, and no axis for one that is no number.
    const drawable = runs.filter((run) => run.loss !== null && run.loss > 0);
    const gone = runs.filter((run) => run.loss === null).length, zero = runs.length - drawable.length - gone;
    note.textContent = `Of ${cell.runs.toLocaleString("en-US")} training runs the first ${runs.length} by seed were taken; ${drawable.length} are drawn, ` +
      `${gone} have no finite loss, ${zero} a loss of 0. ` +
      (found.curves ? "Thick: median of the stored curves; band: middle 80%; thin: single training runs." : "This report keeps no curves.");
    if (found.curves) {
      const { steps, quantiles, single } = found.curves;
      // Step 0 stands at the left edge of the logarithmic axis.
      const at = (step) => Math.max(step, 0.7);
      const band = steps.map((step, i) => ({ step: at(step), low: quantiles[0][i], median: quantiles[1][i], high: quantiles[2][i] }));
      const lines = single.flatMap((run) => run.loss.map((loss, i) => ({ step: at(steps[i]), loss, run: run.seeds.join("/") })));
      const positive = [...lines.map((one) => one.loss), ...quantiles.flat()].every((value) => value === null || value > 0);
      const y = { type: "quantitative", scale: positive ? { type: "log" } : { zero: false }, title: "training loss" };
      const x = { field: "step", type: "quantitative", scale: { type: "log", nice: false }, title: "gradient steps (0 at the left edge)" };
      await draw("explorer-curves", {
        width: "container", height: 240,
        layer: [
          { data: { values: band }, mark: { type: "area", opacity: 0.2, color: "#0072B2" }, encoding: { x, y: { field: "low", ...y }, y2: { field: "high" } } },
          { data: { values: lines }, mark: { type: "line", strokeWidth: 0.7, opacity: 0.6, color: "#888" }, encoding: { x, y: { field: "loss", ...y }, detail: { field: "run" } } },
          { data: { values: band }, mark: { type: "line", strokeWidth: 3, color: "#0072B2" }, encoding: { x, y: { field: "median", ...y } } },
        ],
      });
    }
    if (turn !== shown) return;
    await draw("explorer-runs", {
      width: "container", height: 200, data: { values: drawable },
      mark: { type: "point", filled: true, opacity: 0.7, size: 35 },
      encoding: {
        x: { field: "steps", type: "quantitative", title: "gradient steps until the training run ended" },
        y: { field: "loss", type: "quantitative", scale: { type: "log" }, title: "final training loss" },
        color: { field: "outcome", type: "nominal", scale: OUTCOMES, title: "outcome" },
        shape: { field: "outcome", type: "nominal", scale: { domain: OUTCOMES.domain, range: ["circle", "square", "diamond", "triangle-up"] } },
        tooltip: ["data", "init", "outcome", "steps", "loss"].map((field) => ({ field, title: { data: "data seed", init: "init seed" }[field] ?? field })),
      },
    });
    document.getElementById("explorer-replay").textContent = `initbench replay reports/${cell.experiment} --cell ${cell.cell} --seed ${runs[0].init}`;
  }

  function select(cell) {
    selected = cell;
    for (const button of document.querySelectorAll("#explorer-cells button")) button.setAttribute("aria-pressed", String(button.cell === cell));
    return drawCell(cell, ++shown);
  }

  async function update() {
    const turn = ++shown, found = cells.filter((cell) => fits(cell));
    if (!found.includes(selected)) selected = found[0] ?? null;
    fillChoices();
    const more = found.length > MOST ? `, of which the first ${MOST} are shown: choose more` : "";
    document.getElementById("explorer-count").textContent = `${found.length} of ${cells.length} cells fit${more}.`;
    listCells(found);
    await drawCells(found, turn);
    if (selected && turn === shown) await drawCell(selected, turn);
  }

  function start() {
    const asked = new URLSearchParams(location.hash.slice(1));
    chosen = { ...Object.fromEntries(CHOICES.map(([key]) => [key, asked.get(key) ?? undefined])) };
    if (!cells.some((cell) => fits(cell))) chosen = {};
    if (![...asked].length) chosen = { architecture: "MLP", task: "xor", experiment: "x11-xor-width" };
    const form = document.getElementById("explorer-choices");
    for (const [key, name] of CHOICES) {
      const label = document.createElement("label"), select = document.createElement("select");
      select.id = `explorer-${key}`;
      select.addEventListener("change", () => {
        if (select.value) chosen[key] = select.value;
        else delete chosen[key];
        history.replaceState(null, "", `#${new URLSearchParams(Object.entries(chosen).filter(([, value]) => value !== undefined))}`);
        update();
      });
      label.append(name, " ", select);
      form.append(label);
    }
    const clear = document.createElement("button");
    clear.type = "button";
    clear.textContent = "Any of all";
    clear.addEventListener("click", () => { chosen = {}; history.replaceState(null, "", "#"); update(); });
    form.append(clear);
    // The charts have the colors of the scheme in which they were drawn.
    new MutationObserver(update).observe(document.body, { attributeFilter: ["data-md-color-scheme"] });
    update();
  }

  return { take, start };
})();
