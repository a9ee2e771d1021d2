// The guided tour: eight steps, each a claim of a chapter. Its words stand on the page as a
// list, which is there without this script, too; here is what each step sets up, does and
// counts.
"use strict";

const tour = (() => {
  const { $, root, percent } = view;
  const BLACK = [0, 0, 0];
  const WHITE = [255, 255, 255];
  let current = -1;
  let texts = [];

  const { FIRST_SEED, state } = explorer;
  const names = () => state.model.sizes.class_names;
  const answer = (found) => `“${names()[found.answer]}” (${percent(found.probabilities[found.answer])})`;
  const list = (values) => values.join(", ").replace(/, ([^,]+)$/, " and $1");
  const sum = (values) => values.reduce((a, b) => a + b, 0);
  const differ = (count) => (count === 1 ? "differs" : "differ");

  // How many tokens of a stage differ from those that the step began with.
  function countChanged(stage) {
    const [now, before] = [explorer.result, state.reference].map((found) => found.tokens[stage]);
    const width = state.model.sizes.projection_dim;
    const changed = new Set();
    now.forEach((value, i) => {
      if (Math.abs(value - before[i]) > 1e-4) changed.add(Math.floor(i / width));
    });
    return changed.size;
  }

  // What the order of the patches does to a logit, under whichever model is at work.
  function largestChange() {
    const { logits, inOrder } = explorer.result;
    return Math.max(...logits.map((value, i) => Math.abs(value - inOrder.logits[i])));
  }

  // The patches without which the logit of the answer falls most; none until they are known.
  const mostEffective = () => (explorer.effect
    ? [...explorer.effect.keys()].sort((a, b) => explorer.effect[b] - explorer.effect[a]).slice(0, 2)
    : []);

  // Paints a dot on a patch without a shape, and lets the tokens show what that changes.
  function paintDot(color) {
    $("changes").checked = true;
    explorer.blot(emptyPatch(), color);
  }

  const emptyPatch = () => [...Array(16).keys()].find((patch) =>
    ![0, 1].map(explorer.patchOf).includes(patch) && patch > 4);

  // The share of a patch in the attention of the first block, over all heads and queries.
  function received(found, patch) {
    const [maps] = found.attention;
    return sum(maps.map((map) => sum(map.filter((_, i) => i % 16 === patch)))) / maps.length / 16;
  }

  const leastAttended = (found) => [...Array(16).keys()].reduce((least, patch) =>
    (received(found, patch) < received(found, least) ? patch : least));

  function describeEffect() {
    const most = list(mostEffective().map((patch) => patch + 1));
    const shapes = [0, 1].map((i) => explorer.patchOf(i) + 1).sort((a, b) => a - b);
    return `The logit falls most without patches ${most}${
      explorer.isInOrder() ? `; the shapes lie on ${list(shapes)}` : ""}.`;
  }

  // `anyModel`: what it says holds whatever the model; `hasShapes`: it is about the two shapes.
  const STEPS = [
    {
      model: "1d",
      label: "Paint a dot",
      show: () => paintDot(WHITE),
      fact: () => `Before the first block, ${countChanged(0)} of 16 tokens ${differ(countChanged(0))}.`,
    },
    {
      model: "1d",
      setUp: () => { state.overlay = "0-0"; },
      label: "Let the other shape ask",
      show: () => explorer.choose(explorer.patchOf(1)),
      fact: () => {
        const weights = explorer.weightsOf("0-0");
        const most = weights.indexOf(Math.max(...weights));
        return `Patch ${state.chosen + 1} asks: its 16 weights in block 1, head 1 add up to `
          + `${sum(weights).toFixed(3)}, and the largest, ${percent(weights[most])}, falls on `
          + `patch ${most + 1}.`;
      },
    },
    {
      model: "1d",
      color: "#000000", // which draws attention
      setUp: () => explorer.setStage(1),
      label: "Paint a black dot",
      show: () => paintDot(BLACK),
      fact: () => `Before block 1, ${countChanged(0)} of 16 tokens ${differ(countChanged(0))}; `
        + `after it, ${countChanged(1)} ${differ(countChanged(1))}.`,
    },
    {
      model: "none",
      anyModel: true,
      label: "Shuffle the patches",
      show: explorer.shuffle,
      fact: () => `The largest change of a logit is ${largestChange().toFixed(4)}.`,
    },
    {
      model: "none",
      hasShapes: true,
      label: "Move the red shape across",
      show: () => explorer.moveTo(0, state.scene.shapes[0].top,
        explorer.patchOf(0) % 4 < explorer.patchOf(1) % 4 ? 24 : 0),
      fact: () => {
        const pair = [0, 1].map((i) => state.scene.shapes[i].kind);
        const isPair = (name) => name.startsWith(`${pair[0]} `) && name.endsWith(` ${pair[1]}`);
        const { probabilities } = explorer.result;
        const known = sum(probabilities.filter((_, i) => isPair(names()[i])));
        return `The pair of kinds gets ${percent(known)}; the four arrangements get `
          + `${list(explorer.arrangementSums().map(percent))}.`;
      },
    },
    {
      model: "1d",
      hasShapes: true,
      label: "Swap the two shapes' patches",
      show: () => {
        const [a, b] = [0, 1].map(explorer.patchOf);
        [state.order[a], state.order[b]] = [state.order[b], state.order[a]];
        explorer.update();
      },
      fact: () => {
        const now = answer(explorer.result);
        if (state.usePositions) return `The answer was ${answer(state.reference)}, and is now ${now}.`;
        if (explorer.isInOrder()) return `Without positions: ${now} with the patches in their places.`;
        return `Without positions: ${now} with the patches swapped, `
          + `${answer(explorer.result.inOrder)} in their places.`;
      },
    },
    {
      model: "1d",
      hasShapes: true,
      setUp: () => { state.overlay = "effect"; },
      label: "Mask a patch", // until it is known which
      relabel: () => mostEffective().slice(0, 1).map((patch) => `Mask patch ${patch + 1}`)[0],
      isDone: () => state.masked.size > 0,
      show: () => {
        mostEffective().slice(0, 1).forEach((patch) => state.masked.add(patch));
        explorer.update();
      },
      fact: () => {
        const masked = [...state.masked].map((patch) => patch + 1);
        if (masked.length) {
          return `Without patch${masked.length > 1 ? "es" : ""} ${list(masked)}: ${answer(explorer.result)}.`;
        }
        return explorer.effect ? describeEffect() : "…";
      },
    },
    {
      model: "1d",
      setUp: () => {
        state.mean = $("mean").checked = true;
        state.overlay = "rollout";
      },
      label: "Paint the least attended patch black",
      show: () => {
        explorer.blot(leastAttended(state.reference), BLACK, 0);
      },
      fact: () => {
        const patch = leastAttended(state.reference);
        return `Patch ${patch + 1} got ${percent(received(state.reference, patch))} of all attention `
          + `in block 1, and now gets ${percent(received(explorer.result, patch))}. `
          + `The answer: ${answer(explorer.result)}.`;
      },
    },
  ];

  // Goes to a step: the scene, the model and the switches are as it wants them.
  async function go(number) {
    current = number;
    const step = STEPS[number];
    $("changes").checked = $("mean").checked = state.mean = false;
    Object.assign(state, { overlay: null, usePositions: true });
    $("painting").checked = false;
    $("color").value = step.color ?? "#ffffff";
    await explorer.useModel(step.model);
    explorer.setStage(0);
    explorer.newScene(FIRST_SEED);
    explorer.setNoise(1);
    step.setUp?.();
    explorer.remember();
    describe(number);
    explorer.update();
  }

  function describe(number) {
    const { title, body } = texts[number];
    root.querySelector(".ex-title").textContent = `${number + 1}. ${title}`;
    root.querySelector(".ex-text").replaceChildren(...body.cloneNode(true).childNodes);
    $("show").textContent = STEPS[number].label;
    $("back").disabled = number === 0;
    $("next").disabled = number === STEPS.length - 1;
    root.querySelectorAll(".ex-steps button").forEach((button, i) => {
      button.setAttribute("aria-pressed", i === number);
    });
    tell();
  }

  // Says what the reader sees, from the numbers of the moment.
  function tell() {
    if (current < 0) return;
    const step = STEPS[current];
    const isDone = Boolean(step.isDone?.());
    $("show").setAttribute("aria-disabled", isDone);
    if (!isDone) $("show").textContent = step.relabel?.() ?? $("show").textContent;
    const fact = whyNot(step) ?? step.fact();
    if ($("fact").textContent !== fact) $("fact").textContent = fact;
  }

  // Why a step has nothing to say of what the reader has made of the page.
  function whyNot({ model, anyModel, hasShapes }) {
    const isOther = !state.reference || state.model !== state.models[model];
    if (isOther && !anyModel) return "This step is about another model.";
    return hasShapes && state.scene.photo ? "This step is about the scene with two shapes." : null;
  }

  // The step that a link of a chapter names, or -1: explorer.html#explorer-step-3.
  const linked = () => STEPS.findIndex((_, i) => location.hash === `#explorer-step-${i + 1}`);

  // Opens that step, and brings it before the reader's eyes.
  async function follow() {
    if (linked() < 0) return;
    await go(linked());
    const title = root.querySelector(".ex-title");
    title.scrollIntoView({ block: "center" });
    title.focus({ preventScroll: true });
  }

  // The browser takes the focus away while it looks for the place that a link names.
  function followOnceLoaded() {
    if (document.readyState === "complete") requestAnimationFrame(() => setTimeout(follow));
    else window.addEventListener("load", followOnceLoaded);
  }

  async function start() {
    texts = [...document.querySelectorAll(".explorer-tour li")].map((item) => {
      const body = item.cloneNode(true);
      const title = body.querySelector("strong");
      const words = title.textContent.replace(/\.$/, "");
      title.remove();
      for (const part of body.querySelectorAll("[id]")) part.removeAttribute("id"); // it is a copy
      return { title: words, body };
    });
    root.querySelector(".ex-steps").append(...texts.map(({ title }, i) => {
      const button = view.make("button", { type: "button", "aria-label": `Step ${i + 1}: ${title}` }, `${i + 1}`);
      button.addEventListener("click", () => go(i));
      return button;
    }));
    const turn = async (by) => { await go(current + by); root.querySelector(".ex-title").focus(); };
    $("back").addEventListener("click", () => turn(-1));
    $("next").addEventListener("click", () => turn(1));
    $("show").addEventListener("click", () => {
      if (!STEPS[current].isDone?.()) STEPS[current].show();
    });
    window.addEventListener("hashchange", follow);
    await go(Math.max(0, linked()));
    followOnceLoaded();
  }

  return { start, tell, go };
})();

explorer.start();
