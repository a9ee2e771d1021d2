// The explorer: what the reader does changes a state; each frame the model runs on it anew.
"use strict";

const explorer = (() => {
  const { SIZE, TILE, KINDS } = scenes;
  const { $, root } = view;
  const POSITIONS = { "1d": "one position per patch (1-D)",
    "2d": "one per row and one per column (2-D)", none: "no positions" };
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
  let drawnNoise = 1; // of the scene, while a picture without noise lies over it

  // ---- computing ----------------------------------------------------------------------

  const patchSize = () => state.model.sizes.patch_size;
  const tokenCount = () => (SIZE / patchSize()) ** 2;
  const isInOrder = () => state.order.every((from, to) => from === to);

  function compute() {
    const drawn = scenes.paint(state.scene);
    const color = scenes.median(drawn);
    const places = [...state.masked];
    const masked = scenes.erase(drawn, places.map((place) => state.order[place]), patchSize(), color);
    const picture = scenes.reorder(masked, state.order, patchSize());
    result = { ...answerTo(picture), picture };
    result.flow = vit.rollout(result.attention);
    result.inOrder = isInOrder() ? result : answerTo(masked); // what the order is compared with
    effect = null;
  }

  function answerTo(picture) {
    const found = vit.forward(state.model, picture, state.usePositions);
    const probabilities = vit.softmax(found.logits);
    return { ...found, probabilities, answer: best(probabilities) };
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
    if (key === "similarity") return similarities();
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
    const isChange = before?.length === tokens.length;
    $("numbers").textContent = isChange ? "differences" : "numbers";
    return isChange ? tokens.map((v, i) => v - before[i]) : tokens;
  }

  function normOf(patch) {
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
    $("asks").textContent = `The attention maps show where ${view.asking(state)}.`;
    const patch = state.hot ?? state.chosen;
    $("point").textContent = view.describePatch(state, patch, weightsOf, normOf);
    if (root.querySelector("details").open) view.fillTable(state, weightsOf, normOf);
    tour.tell();
  }

  function inWords() {
    const { sizes } = state.model;
    return `Answer: ${sizes.class_names[result.answer]}, `
      + `${view.percent(result.probabilities[result.answer])}.`;
  }

  function aboutScene() {
    if (state.swapping) return "Choose the patch to swap with, or press Escape.";
    if (state.scene.photo) return "A picture unlike any in the training.";
    if (!isInOrder()) {
      return "The patches stand in another order. Put them back to move the shapes or to paint.";
    }
    if (!scenes.isWithinTiles(state.scene)) {
      return "A shape lies across patches: the model was never trained on this.";
    }
    const name = scenes.nameOf(state.scene);
    return name ? sayRight(name) : `The data set has no name for it: ${whyNameless()}.`;
  }

  function sayRight(name) {
    if (!state.model.sizes.class_names.includes(name)) return `In the data set: ${name}.`;
    const isChanged = state.scene.paint.size || state.masked.size || state.scene.noise !== 1;
    return isChanged ? `Without your changes, the right answer is ${name}.` : `Right answer: ${name}.`;
  }

  function whyNameless() {
    const [first, second] = state.scene.shapes.map((shape) => String(scenes.tileOf(shape)));
    return first === second ? "both shapes lie on one patch"
      : "the shapes stand neither in one row nor in one column";
  }

  // Says what the scene is, and turns off what cannot be done to it.
  function tellTruth() {
    $("truth").textContent = aboutScene();
    const mayMove = isInOrder() && !state.scene.photo;
    $("painting").disabled = !isInOrder();
    $("painting").checked &&= isInOrder();
    $("stage").classList.toggle("is-painting", $("painting").checked);
    for (const handle of root.querySelectorAll("[data-shape='0'], [data-shape='1']")) {
      handle.hidden = !mayMove || $("painting").checked;
    }
    root.querySelector(".ex-brush").hidden = !$("painting").checked || !isInOrder();
    for (const part of [$("kind0"), $("kind1"), $("snap")]) part.disabled = !mayMove;
    $("drawn").hidden = !state.scene.photo;
    const patch = `patch ${state.chosen + 1}`;
    $("mask").textContent = `${state.masked.has(state.chosen) ? "Unmask" : "Mask"} ${patch}`;
    $("swap").textContent = `Swap ${patch} with …`;
    $("times").textContent = `× ${state.scene.noise}${state.scene.noise === 1 ? ", as in the data set" : ""}`;
    $("swap").setAttribute("aria-pressed", state.swapping);
  }

  // ---- models -------------------------------------------------------------------------

  const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;

  async function useModel(name) {
    state.models[name] ??= await weightsFile.read(bytesOf(EXPLORER_WEIGHTS[name]));
    const before = state.model?.sizes;
    state.model = state.models[name];
    const isOther = ["patch_size", "projection_dim", "num_layers", "num_heads"]
      .some((size) => before?.[size] !== state.model.sizes[size]);
    if (isOther) buildPage();
    for (const radio of $("models").querySelectorAll("input")) radio.checked = radio.value === name;
    $("positions").disabled = state.model.sizes.position === "none";
    $("positions").checked = state.usePositions && !$("positions").disabled;
    if (!state.model.parts.positions && state.overlay === "similarity") state.overlay = null;
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
      state.models.own = await weightsFile.read(await file.arrayBuffer());
    } catch (error) {
      complain(error.message);
      return;
    }
    complain("");
    view.radios($("models"), "model", [...Object.values(POSITIONS), `yours: ${file.name}`],
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
        throw new Error(`${file.name || "a file"}, which is not a picture`);
      });
      if (Math.max(bitmap.width, bitmap.height) > LARGEST_SIDE) {
        throw new Error(`${bitmap.width} x ${bitmap.height} pixels`);
      }
      const photo = shrink(bitmap);
      if (!state.scene.photo) drawnNoise = state.scene.noise;
      state.scene.photo = photo;
      state.scene.paint.clear();
      setNoise(0);
      putBack();
      complain("");
      remember();
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

  function setNoise(times) {
    state.scene.noise = times;
    $("noise").value = times;
  }

  function leavePicture() {
    if (state.scene.photo) setNoise(drawnNoise);
    state.scene.photo = null;
  }

  // What has changed is compared with the new scene, for it has little to do with the old.
  function newScene(number) {
    leavePicture();
    const { noise } = state.scene;
    state.scene = Object.assign(scenes.draw(number), { noise });
    putBack();
    chooseKinds();
    chooseShape(0);
    remember();
  }

  // Lets the patch ask on which a shape lies.
  function chooseShape(which) {
    choose(patchOf(which));
  }

  const shapeOf = (which) => (which === "brush" ? state.brush : state.scene.shapes[which]);

  function patchOf(which) {
    const { top, left, size } = shapeOf(which);
    return patchUnder([top + size / 2, left + size / 2]);
  }

  function patchUnder(pixel) {
    const [row, column] = pixel.map((place) => Math.floor(place / patchSize()));
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
    const shape = shapeOf(which);
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

  // From now on, changes are those since this moment.
  function remember() {
    drawNow();
    state.reference = result;
    update();
  }

  // ---- pointers and keys --------------------------------------------------------------

  const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

  // The row and the column of the pixel under the pointer.
  function pixelOf(event) {
    const box = $("stage").getBoundingClientRect();
    return [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width]
      .map((share) => share * SIZE);
  }

  function listenToStage() {
    const stage = $("stage");
    let held = null; // the shape that is dragged, and where the pointer holds it
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
        const { top, left } = shapeOf(shape);
        const pace = shape === "brush" || !$("snap").checked ? 1 : TILE;
        moveTo(shape, top + step[0] * pace, left + step[1] * pace);
        state.hot = patchOf(shape);
        if (shape !== "brush" && !state.swapping) chooseShape(shape);
        return;
      }
      const side = SIZE / patchSize();
      const row = Math.floor(patch / side) + step[0];
      const column = (patch % side) + step[1];
      if (Math.min(row, column) < 0 || Math.max(row, column) >= side) return;
      root.querySelectorAll(".ex-patch")[row * side + column].focus();
    });
  }

  // The patch that an event points at, or null. On the image the place of the pointer tells
  // it, for shapes and the brush lie over the patches.
  function patchAt(event) {
    if (event.type !== "focusin" && event.target.closest("#ex-stage")) {
      const pixel = pixelOf(event);
      return pixel.every((place) => place >= 0 && place < SIZE) ? patchUnder(pixel) : null;
    }
    const { patch, shape } = event.target.closest("[data-patch], [data-shape]")?.dataset ?? {};
    if (shape) return patchOf(shape);
    return patch === undefined ? null : +patch;
  }

  // Pointing at a patch, or reaching it by key, shows it everywhere.
  function listenToPointing() {
    const point = (event) => {
      // A click gives the focus, too, and must not take the frame from under the pointer.
      if (event.type === "focusin" && !event.target.matches(":focus-visible")) return;
      const hot = result && patchAt(event);
      if (hot !== state.hot) { state.hot = hot; look(); }
    };
    for (const type of ["pointerover", "pointermove", "focusin"]) root.addEventListener(type, point);
    root.addEventListener("pointerleave", () => { if (result) { state.hot = null; look(); } });
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
    on("snap", "change", () => {
      if ($("snap").checked) state.scene.shapes.forEach(scenes.snap);
      update();
    });
    on("noise", "input", () => { setNoise(+$("noise").value); update(); });
    on("painting", "change", update);
    on("clean", "click", () => { state.scene.paint.clear(); update(); });
    on("drawn", "click", () => { leavePicture(); remember(); });
    on("changes", "change", () => { state.reference ??= result; update(); });
    on("remember", "click", remember);
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
    putBack, remember, setNoise, setStage, isInOrder, update, drawNow, weightsOf, arrangementSums, loadPicture,
    get result() { return result; }, get effect() { return effect; } };
})();
