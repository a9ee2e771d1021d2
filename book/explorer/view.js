// What the page shows of a state and of what the model made of it. Nothing here computes.
"use strict";

const view = (() => {
  const { SIZE, ARRANGEMENTS } = scenes;
  const BARS = 5; // classes that are named
  const SHADE = 0.8; // how pale the patch without any weight gets
  const $ = (id) => document.getElementById(`ex-${id}`);
  const root = document.getElementById("explorer");
  const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
  const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
  let parts = { shade: [], maps: [], ofPatch: [] };

  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  const times = (count, callback) => Array.from({ length: count }, (_, i) => callback(i));
  const place = (patch, side) =>
    `row ${Math.floor(patch / side) + 1}, column ${(patch % side) + 1}`;

  // ---- building: once a model ---------------------------------------------------------

  function cells(count, tag) {
    return times(count, (i) => {
      const cell = make(tag, { "data-patch": i });
      if (tag === "span") cell.append(make("i"));
      return cell;
    });
  }

  function makeMap(key, name, count) {
    const field = make("span", { class: "ex-cells", "aria-hidden": "true" }, ...cells(count, "span"));
    const says = make("span", { class: "ex-says" });
    const button = make("button", { type: "button", class: "ex-map", "data-map": key,
      "aria-pressed": "false" }, field, make("b", {}, name), says);
    return { key, button, says, cells: [...field.children].map((cell) => cell.firstChild) };
  }

  function buildMaps({ num_layers: layers, num_heads: heads }, count) {
    const groups = times(layers, (block) => [`Block ${block + 1}`,
      times(heads, (head) => makeMap(`${block}-${head}`, `head ${head + 1}`, count))]);
    groups.push(["All blocks", [makeMap("rollout", "rollout", count)]]);
    groups.push(["Masking", [makeMap("effect", "effect", count)]]);
    groups.push(["Positions", [makeMap("similarity", "similarity", count)]]);
    $("maps").replaceChildren(...groups.map(([title, maps]) =>
      make("div", { class: "ex-block" }, make("h3", {}, title),
        make("div", {}, ...maps.map((map) => map.button)))));
    return groups.flatMap(([, maps]) => maps);
  }

  // Makes what depends on the sizes of the model.
  function build(model) {
    const side = model.sizes.image_size / model.sizes.patch_size;
    const count = side * side;
    const number = (i) => (count > 16 ? "" : `${i + 1}`); // where there is room
    root.style.setProperty("--ex-side", side);
    const shade = cells(count, "i");
    root.querySelector(".ex-shade").replaceChildren(...shade);
    root.querySelector(".ex-patches").replaceChildren(...times(count, (i) => make("button", {
      type: "button", class: "ex-patch", "data-patch": i, "aria-pressed": "false",
      "aria-label": `Patch ${i + 1}, ${place(i, side)}`, tabindex: i ? -1 : 0 }, number(i))));
    const strip = cells(count, "i");
    strip.forEach((cell, i) => cell.append(number(i)));
    root.querySelector(".ex-strip").replaceChildren(...strip);
    const stages = times(model.sizes.num_layers, (i) => `after block ${i + 1}`);
    radios($("stages"), "stage", ["before block 1", ...stages]);
    const maps = buildMaps(model.sizes, count);
    const marked = [...root.querySelectorAll("[data-patch]")];
    const ofPatch = times(count, (i) => marked.filter((each) => +each.dataset.patch === i));
    parts = { shade, maps, ofPatch };
    $("tokens").width = count;
    $("tokens").height = model.sizes.projection_dim;
    $("width").textContent = model.sizes.projection_dim;
    $("shape").textContent = `${model.sizes.num_layers} blocks of ${model.sizes.num_heads} heads.`;
  }

  function radios(box, name, labels, values = labels.map((_, i) => i)) {
    box.replaceChildren(...labels.map((label, i) => {
      const input = make("input", { type: "radio", name: `ex-${name}`, value: values[i] });
      return make("label", {}, input, ` ${label}`);
    }));
  }

  // ---- drawing: each frame ------------------------------------------------------------

  function drawPicture(picture) {
    const pixels = new ImageData(SIZE, SIZE);
    for (let i = 0; i < SIZE * SIZE; i += 1) {
      pixels.data.set(picture.subarray(i * 3, i * 3 + 3), i * 4);
      pixels.data[i * 4 + 3] = 255;
    }
    $("picture").getContext("2d").putImageData(pixels, 0, 0);
  }

  // A column a token: blue below 0, red above, and the ground of the page at 0.
  function drawTokens(tokens, width) {
    const isDark = document.documentElement.dataset.theme === "dark";
    const [ground, below, above] = isDark
      ? [[24, 26, 30], [130, 177, 255], [255, 138, 128]]
      : [[255, 255, 255], [33, 102, 172], [178, 24, 43]];
    const most = tokens.reduce((a, b) => Math.max(a, Math.abs(b)), 1e-6);
    const count = tokens.length / width;
    const pixels = new ImageData(count, width);
    tokens.forEach((value, i) => {
      const share = Math.min(1, 1.5 * Math.abs(value) / most);
      const color = value < 0 ? below : above;
      const at = ((i % width) * count + Math.floor(i / width)) * 4;
      for (let c = 0; c < 3; c += 1) {
        pixels.data[at + c] = ground[c] + share * (color[c] - ground[c]);
      }
      pixels.data[at + 3] = 255;
    });
    $("tokens").getContext("2d").putImageData(pixels, 0, 0);
  }

  function drawBars(list, rows) {
    while (list.children.length < rows.length) {
      list.append(make("li", {}, make("span"), make("span", { class: "ex-number" }), make("i")));
    }
    while (list.children.length > rows.length) list.lastChild.remove();
    rows.forEach(([name, share, note], i) => {
      const [words, number, bar] = list.children[i].children;
      words.textContent = name;
      number.textContent = note;
      bar.style.transform = `scaleX(${share})`;
    });
  }

  function drawAnswer({ logits, probabilities }, names, sums) {
    const best = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]);
    drawBars($("classes"), best.slice(0, BARS).map((i) => [names[i], probabilities[i],
      `${percent(probabilities[i])} (${logits[i].toFixed(1)})`]));
    $("sums-box").hidden = !sums;
    if (sums) {
      drawBars($("sums"), ARRANGEMENTS.map((name, i) => [name, sums[i], percent(sums[i])]));
    }
  }

  function drawMaps(state, weightsOf) {
    for (const { key, button, says, cells: fields } of parts.maps) {
      const weights = weightsOf(key);
      const most = weights ? weights.reduce((a, b) => Math.max(a, b), 1e-6) : 1;
      fields.forEach((cell, i) => { cell.style.opacity = weights ? Math.max(0, weights[i]) / most : 0; });
      button.setAttribute("aria-pressed", state.overlay === key);
      if (key === "similarity") {
        const group = button.closest(".ex-block");
        $("similarity").hidden = group.hidden = !weights;
        group.firstChild.textContent = `Position of ${state.chosen + 1}`;
      }
      if (!weights) continue; // the effect comes a moment later; not all have positions
      const at = largest(weights, key === "similarity" ? state.chosen : -1);
      says.textContent = showWeight(key, weights[at], at);
    }
    const over = state.overlay && weightsOf(state.overlay);
    const most = over ? over.reduce((a, b) => Math.max(a, b), 1e-6) : 1;
    parts.shade.forEach((cell, i) => {
      cell.style.opacity = over ? SHADE * (1 - Math.max(0, over[i]) / most) : 0;
    });
  }

  // The place of the largest weight, that of one patch left out.
  function largest(weights, without) {
    return [...weights.keys()].filter((i) => i !== without)
      .reduce((best, i) => (weights[i] > weights[best] ? i : best));
  }

  function showWeight(key, weight, patch) {
    return `${say(key, weight)}\npatch ${patch + 1}`;
  }

  // A weight as a number: masking moves the logit down by the effect.
  function say(key, weight) {
    if (key === "effect") return signed(-weight);
    return key === "similarity" ? signed(weight) : percent(weight);
  }

  function drawHandles(state) {
    for (const handle of root.querySelectorAll(".ex-handle")) {
      const { top, left, size } = handle.dataset.shape === "brush"
        ? state.brush : state.scene.shapes[handle.dataset.shape];
      Object.assign(handle.style, { top: `${100 * top / SIZE}%`, left: `${100 * left / SIZE}%`,
        width: `${100 * size / SIZE}%`, height: `${100 * size / SIZE}%` });
    }
  }

  // Marks the patch that is pointed at and the one that asks, wherever they are shown.
  function mark(state) {
    parts.ofPatch.forEach((elements, i) => {
      for (const element of elements) {
        element.classList.toggle("is-hot", i === state.hot);
        element.classList.toggle("is-chosen", i === state.chosen);
        if (element.matches(".ex-patch")) {
          element.setAttribute("aria-pressed", i === state.chosen);
          element.tabIndex = i === state.chosen ? 0 : -1;
        }
      }
    });
  }

  // ---- values as text: where the reader points, and where nothing moves ------------------

  function describePatch(state, patch, weightsOf, norm) {
    const side = Math.sqrt(parts.ofPatch.length);
    const effect = weightsOf("effect");
    const change = effect
      ? `; masking it changes the logit of the answer by ${signed(-effect[patch])}` : "";
    return `Patch ${patch + 1} (${place(patch, side)}): ${describeShare(state, patch, weightsOf)}`
      + `${change}; the norm of its token is ${norm(patch).toFixed(1)}.`;
  }

  // The weight of a patch in the map that lies over the image, or else in the rollout.
  function describeShare(state, patch, weightsOf) {
    const [block, head] = (state.overlay ?? "").split("-").map((number) => +number + 1);
    if (head) {
      const whose = state.mean ? "all patches" : `patch ${state.chosen + 1}`;
      const share = percent(weightsOf(state.overlay)[patch]);
      return `it gets ${share} of the attention of ${whose} (block ${block}, head ${head})`;
    }
    const token = state.mean ? "a token, on average," : `token ${state.chosen + 1}`;
    const share = percent(weightsOf("rollout")[patch]);
    return `${share} of ${token} after block ${state.model.sizes.num_layers} comes from this patch (rollout)`;
  }

  const asking = (state) => (state.mean ? "all patches look, on average" : `patch ${state.chosen + 1} looks`);

  function fillTable(state, weightsOf, norm) {
    const maps = parts.maps.map(({ key }) => ({ key, weights: weightsOf(key) }))
      .filter(({ key, weights }) => weights || key !== "similarity");
    const row = (tag, texts) => make("tr", {}, ...texts.map((text) => make(tag, {}, text)));
    const side = Math.sqrt(parts.ofPatch.length);
    const body = parts.ofPatch.map((_, i) => row("td", [`${i + 1}`, place(i, side),
      ...maps.map(({ key, weights }) => (weights ? say(key, weights[i]) : "")), norm(i).toFixed(1)]));
    const head = ["patch", "row, column", ...maps.map(({ key }) =>
      key.replace(/(\d+)-(\d+)/, (_, b, h) => `${+b + 1}.${+h + 1}`)), "norm"];
    $("table").replaceChildren(make("caption", {},
      make("span", {}, describeTable(state, weightsOf("similarity")))),
      make("thead", {}, row("th", head)), make("tbody", {}, ...body));
  }

  function describeTable(state, hasPositions) {
    const whose = state.mean ? "all patches, on average" : `patch ${state.chosen + 1}`;
    const similarity = hasPositions ? `how similar its position is to that of patch ${state.chosen + 1}; ` : "";
    return `Of each patch: its share of the attention of ${whose}, by block.head; its share in the `
      + `rollout; what masking it does to the logit of the answer; ${similarity}the norm of its token.`;
  }

  return { $, root, make, percent, signed, place, radios, build, drawPicture, drawTokens, drawAnswer,
    drawMaps, drawHandles, mark, describePatch, asking, fillTable };
})();
