// The explorer: what the reader does changes a state; each frame the model runs on it anew.
"use strict";

const explorer = (() => {
  const { SIZE, TILE, KINDS } = scenes;
  const { $, root } = view;
  const POSITIONS = { "1d": "1-D positions", "2d": "2-D positions", none: "none" };
  const FIRST_SEED = 3670; // a square left of a ring, of which all models are sure
  const IDLE = 150; // milliseconds without a change, until the effect of masking is computed
  const LONG_IDLE = 700; // and until it is told to those who listen
  const LARGEST_FILE = 20e6; // bytes of a picture
  const LARGEST_SIDE = 10_000; // its pixels

  const state = {
    scene: scenes.draw(FIRST_SEED),
    brush: { top: 15, left: 15, size: 2 },
    model: null,
    models: {}, // those that have been read, by name
    usePositions: true,
    order: [], // the place i shows the patch order[i] of the scene
    masked: new Set(),
    swapping: false,
    chosen: 0, // the patch that asks
    hot: null, // the one that the reader points at
    mean: false, // whether all patches ask
    overlay: null, // the map that lies over the image
    stage: 0,
    reference: null, // an earlier result, to show what has changed since
  };
  let result = null;
  let effect = null; // of masking each patch: what its logit loses
  let seed = FIRST_SEED;

  // ---- computing ----------------------------------------------------------------------

  const patchSize = () => state.model.sizes.patch_size;
  const tokenCount = () => (SIZE / patchSize()) ** 2;
  const isInOrder = () => state.order.every((from, to) => from === to);

  function compute() {
    const whole = scenes.reorder(scenes.paint(state.scene), state.order, patchSize());
    const picture = scenes.erase(whole, state.masked, patchSize(), scenes.median(whole));
    const found = vit.forward(state.model, picture, state.usePositions);
    const probabilities = vit.softmax(found.logits);
    const flow = vit.rollout(found.attention);
    result = { ...found, picture, probabilities, flow, answer: best(probabilities) };
    effect = null;
  }

  const best = (values) => values.indexOf(values.reduce((a, b) => Math.max(a, b)));

  // How much the logit of the answer falls when one patch after the other is masked.
  function computeEffect() {
    const color = scenes.median(result.picture);
    effect = Float32Array.from({ length: tokenCount() }, (_, patch) => {
      const picture = scenes.erase(result.picture, [patch], patchSize(), color);
      const { logits } = vit.forward(state.model, picture, state.usePositions);
      return result.logits[result.answer] - logits[result.answer];
    });
  }

  // What a map shows: the row of the patch that asks, or the mean of all rows.
  function weightsOf(key) {
    if (key === "effect") return effect;
    if (key === "places") return similarities();
    const [block, head] = key.split("-");
    const table = key === "rollout" ? result.flow : result.attention[block][head];
    const count = tokenCount();
    if (!state.mean) return table.subarray(state.chosen * count, (state.chosen + 1) * count);
    const mean = new Float32Array(count);
    table.forEach((weight, i) => { mean[i % count] += weight / count; });
    return mean;
  }

  // vitlib.inspection.introspect.position_similarity: the cosine between what is added to
  // the patch that asks and to each patch; null where the model adds nothing.
  function similarities() {
    const { positions } = state.model.parts;
    if (!positions) return null;
    const width = state.model.sizes.projection_dim;
    const vector = (patch) => positions.data.subarray(patch * width, (patch + 1) * width);
    const own = vector(state.chosen);
    return Float32Array.from({ length: tokenCount() }, (_, patch) => {
      const other = vector(patch);
      const product = own.reduce((sum, value, i) => sum + value * other[i], 0);
      return product / (Math.hypot(...own) * Math.hypot(...other) || 1);
    });
  }

  // The probability of each arrangement, whatever the two shapes; null for other classes.
  function arrangementSums() {
    const names = state.model.sizes.class_names;
    const sums = scenes.ARRANGEMENTS.map((words) => names.reduce((sum, name, i) =>
      sum + (name.includes(` ${words} `) ? result.probabilities[i] : 0), 0));
    return sums.reduce((a, b) => a + b) > 0.999 ? sums : null;
  }

  function tokensShown() {
    const tokens = result.tokens[state.stage];
    const before = $("changes").checked && state.reference?.tokens[state.stage];
    return before?.length === tokens.length ? tokens.map((v, i) => v - before[i]) : tokens;
  }

  function lengthOf(patch) {
    const width = state.model.sizes.projection_dim;
    return Math.hypot(...result.tokens[state.stage].subarray(patch * width, (patch + 1) * width));
  }

  // ---- a frame ------------------------------------------------------------------------

  let queued = false;
  let idle = 0;
  let longIdle = 0;

  // After a change: computes and draws all with the next frame.
  function update() {
    if (queued) return;
    queued = true;
    requestAnimationFrame(() => { queued = false; drawNow(); });
  }

  function drawNow() {
    compute();
    view.drawPicture(result.picture);
    view.drawTokens(tokensShown(), state.model.sizes.projection_dim);
    view.drawAnswer(result, state.model.sizes.class_names, arrangementSums());
    view.drawHandles(state);
    look();
    tellTruth();
    clearTimeout(idle);
    clearTimeout(longIdle);
    idle = setTimeout(() => { computeEffect(); look(); }, IDLE);
    longIdle = setTimeout(() => { $("status").textContent = inWords(); }, LONG_IDLE);
  }

  // After a change of what is looked at alone: nothing is computed.
  function look() {
    view.mark(state);
    view.drawMaps(state, weightsOf);
    $("asks").textContent = `The maps show what ${view.asking(state)}.`;
    const patch = state.hot ?? state.chosen;
    $("point").textContent = view.describePatch(state, patch, weightsOf, lengthOf);
    if (root.querySelector("details").open) view.fillTable(state, weightsOf, lengthOf);
    tour.tell();
  }

  function inWords() {
    const { sizes } = state.model;
    return `Answer: ${sizes.class_names[result.answer]}, `
      + `${view.percent(result.probabilities[result.answer])}.`;
  }

  function aboutScene() {
    if (state.swapping) return "Choose the patch to swap with, or press Escape.";
    if (state.scene.photo) return "A picture that training never showed.";
    if (!isInOrder()) return "The patches stand in another order. Put them back to move the shapes.";
    if (!scenes.isWithinTiles(state.scene)) return "A shape lies across patches: new to the model.";
    const name = scenes.nameOf(state.scene);
    return name ? `In the data set: ${name}.`
      : "The data set has no name for it: the shapes share no row and no column.";
  }

  // Says what the scene is, and turns off what cannot be done to it.
  function tellTruth() {
    $("truth").textContent = aboutScene();
    const mayMove = isInOrder() && !state.scene.photo;
    for (const handle of root.querySelectorAll("[data-shape='0'], [data-shape='1']")) {
      handle.hidden = !mayMove || $("painting").checked;
    }
    root.querySelector(".ex-brush").hidden = !$("painting").checked || !isInOrder();
    for (const part of [$("kind0"), $("kind1"), $("snap")]) part.disabled = !mayMove;
    $("painting").disabled = !isInOrder();
    $("drawn").hidden = !state.scene.photo;
    $("mask").setAttribute("aria-pressed", state.masked.has(state.chosen));
    $("swap").setAttribute("aria-pressed", state.swapping);
  }

  // ---- models -------------------------------------------------------------------------

  const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;

  async function useModel(name) {
    state.models[name] ??= await vit.read(bytesOf(EXPLORER_WEIGHTS[name]));
    const before = state.model?.sizes;
    state.model = state.models[name];
    const isOther = ["patch_size", "projection_dim", "num_layers", "num_heads"]
      .some((size) => before?.[size] !== state.model.sizes[size]);
    if (isOther) buildPage();
    for (const radio of $("models").querySelectorAll("input")) radio.checked = radio.value === name;
    $("positions").disabled = state.model.sizes.position === "none";
    if (!state.model.parts.positions && state.overlay === "places") state.overlay = null;
    update();
  }

  function buildPage() {
    view.build(state.model);
    putBack();
    state.chosen = Math.min(state.chosen, tokenCount() - 1);
    if (state.overlay?.includes("-")) state.overlay = null;
    state.reference = null;
    setStage(0);
  }

  function setStage(stage) {
    state.stage = stage;
    $("stages").querySelectorAll("input").forEach((radio, i) => { radio.checked = i === stage; });
  }

  function putBack() {
    state.order = [...Array(tokenCount()).keys()];
    state.masked.clear();
    state.swapping = false;
  }

  async function loadWeights(file) {
    try {
      state.models.own = await vit.read(await file.arrayBuffer());
    } catch (error) {
      complain(error.message);
      return;
    }
    complain("");
    view.radios($("models"), "model", [...Object.values(POSITIONS), file.name],
      [...Object.keys(POSITIONS), "own"]);
    await useModel("own");
  }

  function complain(sentence) {
    $("error").textContent = sentence;
  }

  // ---- a picture of the reader's own --------------------------------------------------

  async function loadPicture(file) {
    const rule = "A picture must be one that the browser can show, of at most "
      + `${LARGEST_FILE / 1e6} MB and ${LARGEST_SIDE.toLocaleString("en")} pixels a side.`;
    let bitmap = null;
    try {
      if (file.size > LARGEST_FILE) throw new Error(`${(file.size / 1e6).toFixed(0)} MB`);
      bitmap = await createImageBitmap(file).catch(() => {
        throw new Error(`${file.name || "a file"}, which is none`);
      });
      if (Math.max(bitmap.width, bitmap.height) > LARGEST_SIDE) {
        throw new Error(`${bitmap.width} x ${bitmap.height} pixels`);
      }
      state.scene.photo = shrink(bitmap);
      state.scene.paint.clear();
      state.scene.noise = +($("noise").value = 0);
      putBack();
      complain("");
      update();
    } catch (error) {
      complain(`${rule} Received: ${error.message}.`);
    } finally {
      bitmap?.close();
    }
  }

  // The middle square of a picture as 32 x 32 pixels, on white where it is transparent. It
  // is halved again and again, so that each pixel is a mean of those that it stands for.
  function shrink(bitmap) {
    let side = Math.min(bitmap.width, bitmap.height);
    let source = bitmap;
    let [left, top] = [(bitmap.width - side) / 2, (bitmap.height - side) / 2];
    for (;;) {
      const next = Math.max(SIZE, Math.ceil(Math.min(side, 4096) / 2));
      const canvas = view.make("canvas", { width: next, height: next });
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.fillStyle = "#fff";
      context.fillRect(0, 0, next, next);
      context.imageSmoothingQuality = "high";
      context.drawImage(source, left, top, side, side, 0, 0, next, next);
      if (next === SIZE) {
        const { data } = context.getImageData(0, 0, SIZE, SIZE);
        return Float32Array.from({ length: SIZE * SIZE * 3 }, (_, i) =>
          data[Math.floor(i / 3) * 4 + (i % 3)]);
      }
      [source, side, left, top] = [canvas, next, 0, 0];
    }
  }

  // ---- what the reader does -----------------------------------------------------------

  function chooseKinds() {
    state.scene.shapes.forEach((shape, i) => { $(`kind${i}`).value = shape.kind; });
  }

  function newScene(number) {
    const { noise } = state.scene;
    state.scene = Object.assign(scenes.draw(number), { noise });
    putBack();
    chooseKinds();
    chooseShape(0);
    update();
  }

  // Lets the patch ask on which a shape lies.
  function chooseShape(which) {
    choose(patchOf(which));
  }

  function patchOf(which) {
    const { top, left, size } = state.scene.shapes[which];
    const [row, column] = [top, left].map((start) => Math.floor((start + size / 2) / patchSize()));
    return row * (SIZE / patchSize()) + column;
  }

  function choose(patch) {
    if (state.swapping) {
      const { order, chosen } = state;
      [order[chosen], order[patch]] = [order[patch], order[chosen]];
      state.swapping = false;
    }
    state.chosen = patch;
    update();
  }

  // Moves a shape so that its corner is near a pixel; from tile to tile where it may not lie
  // across two.
  function moveTo(which, top, left) {
    const shape = which === "brush" ? state.brush : state.scene.shapes[which];
    const isFree = which === "brush" || !$("snap").checked;
    for (const [side, wish] of [["top", top], ["left", left]]) {
      const within = shape[side] % TILE;
      const start = isFree ? Math.round(wish)
        : Math.min(3, Math.max(0, Math.round((wish - within) / TILE))) * TILE + within;
      shape[side] = Math.min(SIZE - shape.size, Math.max(0, start));
    }
    update();
  }

  function paintBrush() {
    const { top, left, size } = state.brush;
    const color = $("color").value.match(/[0-9a-f]{2}/gi).map((word) => parseInt(word, 16));
    for (let i = 0; i < size * size; i += 1) {
      state.scene.paint.set((top + Math.floor(i / size)) * SIZE + left + (i % size), color);
    }
    update();
  }

  // Fills the middle of a patch with a colour, as a brush would.
  function blot(patch, color, margin = 2) {
    const size = patchSize();
    scenes.eachPixel(patch, size, (pixel, i) => {
      const [y, x] = [Math.floor(i / size), i % size];
      const isInside = Math.min(x, y, size - 1 - x, size - 1 - y) >= margin;
      if (isInside) state.scene.paint.set(pixel, color);
    });
    update();
  }

  function shuffle() {
    const random = scenes.stream(seed += 1);
    for (let i = state.order.length - 1; i > 0; i -= 1) {
      const j = Math.floor(random() * (i + 1));
      [state.order[i], state.order[j]] = [state.order[j], state.order[i]];
    }
    update();
  }

  function remember() {
    drawNow();
    state.reference = result;
  }

  // ---- pointers and keys --------------------------------------------------------------

  const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

  function listenToStage() {
    const stage = $("stage");
    let held = null; // the shape that is dragged, and where the pointer holds it
    const pixelOf = (event) => {
      const box = stage.getBoundingClientRect();
      return [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width]
        .map((share) => share * SIZE);
    };
    const follow = (event) => {
      const [y, x] = pixelOf(event);
      moveTo(held.which, y - held.y, x - held.x);
      if (held.which === "brush") paintBrush();
    };
    stage.addEventListener("pointerdown", (event) => {
      const isPainting = $("painting").checked && isInOrder();
      const handle = event.target.closest("[data-shape]");
      if (!isPainting && !handle) return;
      const which = isPainting ? "brush" : handle.dataset.shape;
      const [y, x] = pixelOf(event);
      const { top, left } = state.scene.shapes[which] ?? { top: y - 1, left: x - 1 };
      held = { which, y: y - top, x: x - left };
      stage.setPointerCapture(event.pointerId);
      follow(event);
    });
    stage.addEventListener("pointermove", (event) => held && follow(event));
    for (const end of ["pointerup", "pointercancel"]) {
      stage.addEventListener(end, () => {
        if (held && held.which !== "brush") chooseShape(held.which);
        held = null;
      });
    }
  }

  // Arrow keys move a shape or the brush, or go from patch to patch.
  function listenToKeys() {
    root.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && state.swapping) { state.swapping = false; update(); }
      const step = ARROWS[event.key];
      const { shape, patch } = event.target.dataset;
      if (!step || !(shape || event.target.matches(".ex-patch"))) return;
      event.preventDefault();
      if (shape) {
        const { top, left } = shape === "brush" ? state.brush : state.scene.shapes[shape];
        const pace = shape === "brush" || !$("snap").checked ? 1 : TILE;
        moveTo(shape, top + step[0] * pace, left + step[1] * pace);
        return;
      }
      const side = SIZE / patchSize();
      const row = Math.floor(patch / side) + step[0];
      const column = (patch % side) + step[1];
      if (Math.min(row, column) < 0 || Math.max(row, column) >= side) return;
      root.querySelectorAll(".ex-patch")[row * side + column].focus();
    });
  }

  // Pointing at a patch, or reaching it by key, shows it everywhere.
  function listenToPointing() {
    const point = (event) => {
      const patch = event.target.closest?.("[data-patch]")?.dataset.patch;
      const hot = patch === undefined ? null : +patch;
      if (hot !== state.hot && result) { state.hot = hot; look(); }
    };
    root.addEventListener("pointerover", point);
    root.addEventListener("pointerleave", () => { if (result) { state.hot = null; look(); } });
    root.addEventListener("focusin", point);
    root.addEventListener("click", (event) => {
      const cell = event.target.closest("[data-patch]");
      const map = event.target.closest("[data-map]");
      if (map) {
        state.overlay = state.overlay === map.dataset.map ? null : map.dataset.map;
        look();
      } else if (cell) choose(+cell.dataset.patch);
    });
  }

  function listen() {
    const on = (id, event, action) => $(id).addEventListener(event, action);
    on("new", "click", () => newScene(seed += 1));
    for (const i of [0, 1]) {
      on(`kind${i}`, "change", () => { state.scene.shapes[i].kind = $(`kind${i}`).value; update(); });
    }
    on("noise", "input", () => { state.scene.noise = +$("noise").value; update(); });
    on("painting", "change", () => {
      $("stage").classList.toggle("is-painting", $("painting").checked);
      update();
    });
    on("clean", "click", () => { state.scene.paint.clear(); update(); });
    on("drawn", "click", () => { state.scene.photo = null; update(); });
    on("changes", "change", () => { state.reference ??= result; update(); });
    on("remember", "click", () => { remember(); update(); });
    on("positions", "change", () => { state.usePositions = $("positions").checked; update(); });
    on("mean", "change", () => { state.mean = $("mean").checked; look(); });
    on("mask", "click", () => {
      if (!state.masked.delete(state.chosen)) state.masked.add(state.chosen);
      update();
    });
    on("swap", "click", () => { state.swapping = !state.swapping; update(); });
    on("shuffle", "click", shuffle);
    on("undo", "click", () => { putBack(); update(); });
    on("stages", "change", (event) => { state.stage = +event.target.value; update(); });
    on("models", "change", (event) => useModel(event.target.value));
    for (const [id, load] of [["photo", loadPicture], ["weights", loadWeights]]) {
      on(id, "change", async () => {
        const [file] = $(id).files;
        $(id).value = ""; // so that the same file can be chosen again
        if (file) await load(file);
      });
    }
    root.querySelector("details").addEventListener("toggle", look);
    new MutationObserver(update).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  function makeControls() {
    view.radios($("models"), "model", Object.values(POSITIONS), Object.keys(POSITIONS));
    for (const i of [0, 1]) {
      $(`kind${i}`).append(...KINDS.map((kind) => view.make("option", {}, kind)));
    }
    const names = { 0: "Red shape", 1: "Blue shape", brush: "Brush" };
    for (const [shape, name] of Object.entries(names)) {
      root.querySelector(".ex-handles").append(view.make("button", { type: "button",
        class: shape === "brush" ? "ex-handle ex-brush" : "ex-handle", "data-shape": shape,
        "aria-label": `${name}: the arrow keys move it` }));
    }
    root.querySelector(".ex-brush").addEventListener("click", paintBrush);
  }

  async function start() {
    root.hidden = false;
    document.documentElement.classList.add("has-explorer");
    makeControls();
    listen();
    listenToStage();
    listenToKeys();
    listenToPointing();
    chooseKinds();
    await useModel("1d");
    chooseShape(0);
    drawNow();
    performance.mark("explorer"); // the first picture
    await tour.start();
  }

  return { FIRST_SEED, state, start, useModel, newScene, chooseShape, choose, patchOf, moveTo, blot, shuffle,
    putBack, remember, setStage, update, drawNow, weightsOf, arrangementSums, loadPicture,
    get result() { return result; }, get effect() { return effect; } };
})();
