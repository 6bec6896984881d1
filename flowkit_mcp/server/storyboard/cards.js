// The board: a frame for every scene, in order; who is in it; what is going on.

function boardView(app) {
  const { board, side } = app;
  return h("main", { id: "board", key: "board", "data-side": side, hidden: app.covered() },
    notices(app),
    board.cast.length > 0 && castStrip(app),
    board.scenes.length > 0
      ? h("ol", { class: "frames", key: "frames", "aria-label": "Scenes in order" }, app.ordered().map((scene, index) => card(app, scene, index)))
      : emptyBoard());
}

function emptyBoard() {
  return h("div", { class: "nothing", key: "nothing" },
    h("div", { class: "finder", "aria-hidden": "true" }),
    h("h2", null, "No scenes yet"),
    h("p", null, "Tell your agent the story. Its scenes appear here, in order, while they are written."));
}

function notices(app) {
  const { flow } = app.board;
  return h("div", { class: "notices", key: "notices" },
    app.lost && h("p", { class: "notice", "data-tone": "bad", key: "lost" }, h("b", null, "Contact with FlowKit is lost. "), app.lost),
    !flow.ready && h("p", { class: "notice", "data-tone": "wait", key: "flow" }, h("b", null, `Flow is not ready: ${flow.what}. `), flow.next),
    asking(app));
}

// Jobs that wait for the person, each a way to its place.
function asking(app) {
  const found = app.subjects().flatMap((one) => one.slots.filter(([, , slot]) => slot.job && slot.job.state === "needs_attention").map((place) => [one, place]));
  return found.slice(0, 4).map(([one, [side, stage, slot]]) =>
    h("p", { class: "notice", "data-tone": "bad", key: `job-${slot.job.id}` },
      h("b", null, `${one.name}, ${NOUNS[stage]}, needs you. `), first(plain(slot.job.why || "")), " ",
      h("button", { class: "link", onclick: () => app.openAt(one.id, side, stage) }, "Look at it")));
}

function castStrip(app) {
  return h("section", { class: "cast", key: "cast", "aria-label": "Cast" },
    h("ul", null, app.board.cast.map((one) => {
      const state = stateOf(one.reference);
      const take = inUse(one.reference);
      return h("li", { key: one.id },
        h("button", { class: "member", "data-tone": state.tone, "aria-label": `${one.name}, reference ${state.word}`, onclick: () => app.open(one.id) },
          h("span", { class: "portrait" }, take ? picture(app, take.id, "") : h("span", { class: "finder", "aria-hidden": "true" })),
          h("span", { class: "name" }, one.name),
          state.tone !== "good" && h("span", { class: "state", "data-tone": state.tone }, state.word)));
    })));
}

function picture(app, take, alt) {
  const source = app.pictures.of(take);
  return source ? h("img", { key: take, src: source, alt, draggable: "false", decoding: "async" }) : h("span", { key: `${take}-coming`, class: "coming", "aria-hidden": "true" });
}

function card(app, scene, index) {
  const { side } = app;
  const slots = scene.sides[side];
  const take = shownTake(scene, side);
  const told = headline(scene, side);
  const clip = inUse(slots.video);
  const lifted = app.order.lifted === scene.id;
  return h("li", { class: `card${lifted ? " lifted" : ""}${app.at === scene.id ? " open" : ""}`, key: scene.id, "data-scene": scene.id },
    h("button", { class: "frame", "data-tone": told ? told.tone : clip ? "good" : "none", "aria-label": described(scene, side), onclick: () => app.order.clicked() || app.open(scene.id), onpointerdown: (event) => app.order.press(event, scene.id, false) },
      take ? picture(app, take.id, "") : h("span", { class: "finder", key: "finder", "aria-hidden": "true" }),
      told && h("span", { class: "flag", key: "flag", "data-tone": told.tone }, told.text),
      told && told.tone === "wait" && h("span", { class: "track", key: "track" }, h("span", { class: told.job.progress ? "done" : "done sweeping", style: { width: `${told.job.progress ? Math.round(told.job.progress * 100) : 30}%` } })),
      clip && h("span", { class: "length", key: "length" }, icon(ICONS.play), clip.seconds ? `${clip.seconds.toFixed(1)} s` : "clip")),
    h("div", { class: "under", key: "under" },
      h("span", { class: "number" }, String(index + 1)),
      h("div", { class: "what" },
        h("p", { class: "prompt" }, scene.prompt),
        h("p", { class: "stages" }, stageWord(slots.image, "image"), stageWord(slots.video, "video"), slots.upscale.take && stageWord(slots.upscale, "upscale"), scene.continues && h("span", { class: "goes-on" }, `continues ${scene.continues}`))),
      h("button", { class: "grip", "aria-label": `Move scene ${index + 1}`, "aria-pressed": lifted ? "true" : "false", title: "Drag, or press Space and use the arrow keys", onpointerdown: (event) => app.order.press(event, scene.id, true), onkeydown: (event) => app.order.key(event, scene.id), onblur: () => app.order.left(scene.id) }, icon(ICONS.grip))));
}

// "Image 2", "Clip, 20 credits": what is there, else what it would cost.
function stageWord(slot, stage) {
  const state = stateOf(slot);
  const noun = capital(NOUNS[stage]);
  const text = state.tone === "good" ? `${noun} take ${slot.take}` : state.tone === "none" ? [noun, price(slot.price)].filter(Boolean).join(", ") : `${noun} ${state.word}`;
  return h("span", { class: "stage", "data-tone": state.tone, key: stage }, text);
}
