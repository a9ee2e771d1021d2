// Controls below three figures of the chapters: the reader moves a slider, and sees what follows.
// Their numbers stand in the page of the figure; book/_extensions/controls.py makes them.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  if (typeof FIGURE_NUMBERS === "undefined") return;

  const SVG = ["svg", "image", "path", "polyline", "rect", "text"];
  const PICTURE = { width: 220, height: 124, left: 34, right: 212, top: 10, bottom: 100 };
  const DASHES = { solid: "none", dashed: "6 3", dotted: "1.5 2.5" }; // a line of each seed
  const count = (number) => number.toLocaleString("en");
  const whole = (percent) => percent.toFixed(percent > 0 && percent < 1 ? 1 : 0);
  const list = (words) => words.join(", ").replace(/, ([^,]+)$/, " and $1");
  const cosineText = (cosine) => cosine.toFixed(2).replace("-", "−");
  const last = (values) => values[values.length - 1];

  function make(tag, attributes = {}, ...children) {
    const element = SVG.includes(tag)
      ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  // Puts sliders below a figure. Each has a name, the words for its places, and where it starts;
  // `show` gets the places, and returns a sentence and the elements that go with it. A click on
  // one of these that has a `data-place` moves the first slider there.
  function addControl(figure, title, sliders, show) {
    const inputs = sliders.map(({ words, start }) =>
      make("input", { type: "range", min: 0, max: words.length - 1, value: start }));
    const outputs = sliders.map(() => make("b", { "aria-hidden": "true" })); // the sliders say it
    const says = make("p", { role: "status" });
    const shown = make("div", { class: "control-shown" });
    const update = () => {
      const places = inputs.map((input) => +input.value);
      sliders.forEach(({ words }, i) => {
        outputs[i].textContent = words[places[i]];
        inputs[i].setAttribute("aria-valuetext", words[places[i]]);
      });
      const [sentence, ...elements] = show(...places);
      says.textContent = sentence;
      shown.replaceChildren(...elements);
    };
    inputs.forEach((input) => input.addEventListener("input", update));
    shown.addEventListener("click", ({ target }) => {
      if (!target.dataset.place) return;
      inputs[0].value = target.dataset.place;
      update();
    });
    const labels = sliders.map(({ name }, i) => make("label", {}, name, inputs[i], outputs[i]));
    document.getElementById(figure).after(make("div", { class: "control", role: "group",
      "aria-label": title }, make("p", { class: "control-title" }, title), ...labels, says, shown));
    update();
  }

  // ---- fig-cost: the side of a patch ---------------------------------------------------

  function drawGrid(photo, side, size) {
    const lines = Array.from({ length: side / size - 1 }, (_, i) => (i + 1) * size)
      .map((at) => `M${at} 0V${side}M0 ${at}H${side}`).join("");
    return make("svg", { viewBox: `0 0 ${side} ${side}`, class: "control-photo", role: "img",
      "aria-label": `The photograph under a grid of ${side / size} by ${side / size} patches` },
    make("image", { href: `data:image/png;base64,${photo}`, width: side, height: side }),
    make("path", { d: lines }));
  }

  function drawParts(parts) {
    const total = Object.values(parts).reduce((a, b) => a + b);
    const rows = Object.entries(parts).map(([name, work]) => make("tr", {},
      make("th", { scope: "row" }, name), make("td", {}, count(work)),
      make("td", {}, `${whole(100 * work / total)} %`,
        make("i", { style: `width: ${100 * work / total}%` }))));
    const names = ["part of a block", "multiply-adds", "share"];
    return make("table", {}, make("thead", {}, make("tr", {},
      ...names.map((name) => make("th", { scope: "col" }, name)))), make("tbody", {}, ...rows));
  }

  function addPatchSize({ photo, side, width, start, sizes, tokens, parts }) {
    const totals = parts.map((part) => Object.values(part).reduce((a, b) => a + b));
    const words = sizes.map((size) => `${size} x ${size} pixels`);
    const compare = (i) => (i === start ? "as in the report"
      : `${+(totals[i] / totals[start]).toPrecision(3)} times those of the report’s ${words[start]}`);
    addControl("fig-cost", "Move the size of a patch", [{ name: "Patches of", words, start }], (i) => [
      `${count(tokens[i])} tokens: ${3 * sizes[i] ** 2} numbers of a patch become ${width} of a `
        + `token. A block takes ${count(totals[i])} multiply-adds, `
        + `${compare(i)}.`,
      drawGrid(photo, side, sizes[i]), drawParts(parts[i])]);
  }

  // ---- fig-maps: the patch that asks ---------------------------------------------------

  // From blue at -1 through white to red at 1, as in the figure.
  function colorOf(cosine) {
    const end = cosine > 0 ? [178, 24, 43] : [33, 102, 172];
    return `rgb(${end.map((part) => Math.round(255 + (part - 255) * Math.abs(cosine)))})`;
  }

  function drawSimilarity(name, cosines, side, chosen) {
    const cells = cosines.flatMap((cosine, place) => {
      const [x, y] = [40 * (place % side), 40 * Math.floor(place / side)];
      const ink = Math.abs(cosine) > 0.6 ? "#fff" : "#000";
      return [make("rect", { x: x + 1, y: y + 1, width: 38, height: 38, "data-place": place,
        style: `fill: ${colorOf(cosine)}`, ...(place === chosen && { class: "chosen" }) }),
      make("text", { x: x + 20, y: y + 23, "text-anchor": "middle", style: `fill: ${ink}` },
        cosineText(cosine))];
    });
    return make("svg", { viewBox: `0 0 ${40 * side} ${40 * side + 14}`, role: "img", class: "control-map",
      "aria-label": `${name}: ${cosines.map(cosineText).join(", ")}` },
    ...cells, make("text", { x: 20 * side, y: 40 * side + 11, "text-anchor": "middle" }, name));
  }

  function addSimilarPlaces({ side, maps }) {
    const place = (patch) => `row ${Math.floor(patch / side) + 1}, column ${(patch % side) + 1}`;
    const words = Array.from({ length: side ** 2 }, (_, patch) => place(patch));
    addControl("fig-maps", "Choose a patch: how similar are the others in the models of the explorer?",
      [{ name: "Patch in", words, start: side + 1 }], (patch) => {
        const says = Object.entries(maps).map(([name, table]) => {
          const others = table[patch].map((cosine, i) => [cosine, i]).filter(([, i]) => i !== patch)
            .sort(([a], [b]) => b - a);
          const [[most, nearest], [least, farthest]] = [others[0], last(others)];
          return `${name}: most like the patch in ${place(nearest)} (${cosineText(most)}), least `
            + `like that in ${place(farthest)} (${cosineText(least)}).`;
        });
        return [says.join(" "), ...Object.entries(maps).map(([name, table]) =>
          drawSimilarity(name, table[patch], side, patch))];
      });
  }

  // ---- fig-law: the dead units of a cell -----------------------------------------------

  function drawLines(name, lines, interval) {
    const { width, height, left, right, top, bottom } = PICTURE;
    const x = (reading) => left + (right - left) * (reading + 1) / lines[0].length;
    const y = (percent) => bottom - (bottom - top) * percent / 100;
    const values = lines.map((line, seed) => `seed ${seed}: ${line.map(whole).join(", ")}`);
    const text = (at, level, anchor, words) =>
      make("text", { x: at, y: level, "text-anchor": anchor }, words);
    return make("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label":
      `${name}, dead units in per cent after each ${interval} steps. ${values.join("; ")}` },
    make("path", { d: [0, 50, 100].map((level) => `M${left} ${y(level)}H${right}`).join("") }),
    ...[0, 50, 100].map((level) => text(left - 4, y(level) + 3, "end", `${level} %`)),
    text(left, height - 14, "middle", 0),
    text(right, height - 14, "end", `${lines[0].length * interval} steps`),
    text((left + right) / 2, height - 2, "middle", `dead units, ${name}`),
    ...lines.map((line, seed) => make("polyline", { "stroke-dasharray": Object.values(DASHES)[seed],
      points: line.map((percent, i) => `${x(i)},${y(percent)}`).join(" ") })));
  }

  function addDeadUnits({ inputs, rates, start, interval, mean_size: size, cells }) {
    const sliders = [{ name: "Inputs of the head", words: inputs.map(count), start: start[0] },
      { name: "Learning rate", words: rates.map(String), start: start[1] }];
    const names = ["first hidden layer", "last hidden layer"];
    addControl("fig-law", "Choose a cell, and see its three trainings", sliders, (row, column) => {
      const layers = names.map((_, layer) => cells[row][column].map((seed) => seed[layer]));
      const ends = layers.map((lines) => list(lines.map((line) => whole(last(line)))));
      const product = inputs[row] * rates[column];
      return [`Rate times inputs: ${+product.toPrecision(3)}. The first step moves a unit of the first `
        + `hidden layer by up to ${+(size * product).toPrecision(2)}. After `
        + `${layers[0][0].length * interval} steps ${ends[0]} % of the first hidden layer are dead, `
        + `and ${ends[1]} % of the last. A line for each seed: ${list(Object.keys(DASHES))}.`,
      ...names.map((name, layer) => drawLines(name, layers[layer], interval))];
    });
  }

  const adders = { "fig-cost": addPatchSize, "fig-maps": addSimilarPlaces, "fig-law": addDeadUnits };
  for (const [figure, numbers] of Object.entries(FIGURE_NUMBERS)) adders[figure](numbers);
});
