// One scene, or one of the cast, from near: its picture large, its takes to choose from, and what may be done.

function inspectorView(app) {
  const one = app.subject();
  if (!one) return h("aside", { id: "inspector", key: "inspector", hidden: true });
  const stage = one.stages.includes(app.stage) ? app.stage : one.stages[0];
  const slot = one.slot(stage);
  const chosen = slot.takes.find((take) => take.number === app.peek) || inUse(slot);
  return h("aside", { id: "inspector", key: "inspector", "aria-labelledby": "subject", onkeydown: (event) => event.key === "Escape" && !event.target.matches("input") && app.close() },
    h("div", { class: "head" },
      h("button", { class: "bare back narrow-only", onclick: () => app.close() }, icon(ICONS.back), "Back to the board"),
      h("h2", { id: "subject", tabindex: "-1" }, one.title),
      h("span", { class: "spacer" }),
      action({ class: "bare", "aria-label": "The one before", off: !one.before, onclick: () => app.open(one.before) }, icon(ICONS.back)),
      action({ class: "bare", "aria-label": "The next one", off: !one.after, onclick: () => app.open(one.after) }, icon(ICONS.on)),
      h("button", { class: "bare wide-only", "aria-label": "Close", title: "Close (Escape)", onclick: () => app.close() }, icon(ICONS.close))),
    one.stages.length > 1 && tabs(app, one, stage),
    h("div", { class: "stage-panel", key: `${one.id}-${stage}`, role: one.stages.length > 1 ? "tabpanel" : undefined, id: "stage-panel", "aria-label": capital(NOUNS[stage]) },
      viewer(app, one, stage, slot, chosen),
      trouble(app, one, slot),
      takesView(app, one, stage, slot),
      actions(app, one, stage, slot),
      (stage === "image" || stage === "reference") && editing(app, one, stage, slot)),
    h("dl", { class: "script", key: "script" }, one.script.filter(([, text]) => text).map(([name, text]) => [h("dt", { key: `${name}-name` }, name), h("dd", { key: name }, text)])));
}

function tabs(app, one, stage) {
  const step = (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const to = one.stages[(one.stages.indexOf(stage) + by + one.stages.length) % one.stages.length];
    app.show(to);
    document.getElementById(`tab-${to}`).focus();
  };
  return h("div", { class: "tabs", role: "tablist", key: "tabs", "aria-label": "What to look at" }, one.stages.map((name) => {
    const state = stateOf(one.slot(name));
    return h("button", { id: `tab-${name}`, key: name, role: "tab", "aria-selected": name === stage ? "true" : "false", "aria-controls": "stage-panel", tabindex: name === stage ? "0" : "-1", onclick: () => app.show(name), onkeydown: step },
      capital(NOUNS[name]), state.tone !== "none" && h("span", { class: "state", "data-tone": state.tone }, state.word));
  }));
}

function viewer(app, one, stage, slot, chosen) {
  const state = stateOf(slot);
  const clip = chosen && stage !== "image" && stage !== "reference" ? app.link.clip(chosen.id) : null;
  const behind = !chosen && stage !== "image" && stage !== "reference" ? inUse(one.slot("image")) : null;
  let shown = h("span", { class: "finder", key: "finder", "aria-hidden": "true" });
  if (clip) shown = h("video", { key: clip, src: clip, poster: app.pictures.of(chosen.id) || "", controls: true, preload: "none", playsinline: true, loop: true, "aria-label": `${one.title}, ${NOUNS[stage]} take ${chosen.number}` });
  else if (chosen) shown = picture(app, chosen.id, `${one.title}, ${NOUNS[stage]} take ${chosen.number}`);
  else if (behind) shown = picture(app, behind.id, "");
  return h("div", { class: "viewer", "data-side": one.side, "data-tone": state.tone, key: "viewer" }, shown,
    !chosen && h("span", { class: "flag", key: "flag", "data-tone": state.tone }, `${capital(NOUNS[stage])} ${state.word}`),
    chosen && chosen.number !== slot.take && h("span", { class: "flag", key: "flag", "data-tone": "none" }, `Take ${chosen.number} is not in use`));
}

function trouble(app, one, slot) {
  const { job } = slot;
  if (slot.stale && !job) return h("p", { class: "note", "data-tone": "stale", key: "trouble" }, "Stale: it was made from something that is no longer in use. Choose that again, or make it anew.");
  if (!job) return null;
  const decide = (answer, words) => action({ key: answer, off: app.calling, onclick: () => app.run("resolve_job", { action: answer, job: String(job.id) }, `answered ${answer} for job ${job.id}`) }, words);
  if (job.state === "needs_attention") {
    const unknown = job.code === "OUTCOME_UNKNOWN";
    return h("div", { class: "note", "data-tone": "bad", key: "trouble", role: "group", "aria-label": `Job ${job.id} needs you` },
      h("p", null, h("b", null, `Job ${job.id} needs you. `), plain(job.why || "")),
      h("div", { class: "buttons" },
        unknown ? decide("look_again", "Look again, free") : decide("retry", "Go on"),
        unknown && decide("submit_again", "Send it again…"),
        decide("give_up", "Give up")));
  }
  if (job.state === "failed") return h("p", { class: "note", "data-tone": "bad", key: "trouble" }, h("b", null, `Job ${job.id} failed. `), plain(job.why || ""));
  return h("div", { class: "note", "data-tone": "wait", key: "trouble" },
    h("p", null, h("b", null, capital(stateOf(slot).word)), ` (job ${job.id}, ${price(job.credits)})`),
    h("div", { class: "buttons" }, action({ off: app.calling, onclick: () => app.run("cancel_job", { job: String(job.id) }, `cancelled job ${job.id}`) }, "Cancel")));
}

function takesView(app, one, stage, slot) {
  if (slot.takes.length === 0) return null;
  return h("ul", { class: "takes", key: "takes", "data-side": one.side, "aria-label": "Takes" }, slot.takes.map((take) => {
    const used = take.number === slot.take;
    const paid = price(take.credits);
    const label = `Take ${take.number}${used ? ", in use" : ""}${paid ? `, ${paid}` : ""}`;
    return h("li", { key: take.id },
      h("button", { class: "take", "aria-pressed": used ? "true" : "false", "aria-label": label, onfocus: () => app.look_at(take.number), onclick: () => !used && app.choose(one, stage, take.number) },
        h("span", { class: "small" }, picture(app, take.id, "")),
        h("span", { class: "caption" }, h("span", { class: "take-number" }, `Take ${take.number}`, used && circled()), paid && h("span", { class: "paid" }, paid))));
  }));
}

function actions(app, one, stage, slot) {
  const again = filled(slot);
  const cost = price(slot.price);
  const needs = one.needs(stage);
  const words = again ? `New take of the ${NOUNS[stage]}` : slot.stale ? `Make the ${NOUNS[stage]} anew` : `Make the ${NOUNS[stage]}`;
  return h("div", { class: "buttons", key: "actions" },
    action({ class: again ? "" : "primary", off: Boolean(needs) || taken(slot) || app.calling, onclick: () => app.make(one, stage, again) }, cost ? [words, h("span", { class: "cost" }, cost)] : words),
    needs && h("span", { class: "hint" }, needs));
}

function editing(app, one, stage, slot) {
  if (!filled(slot)) return null;
  const send = (event) => {
    event.preventDefault();
    const field = event.currentTarget.elements.change;
    if (field.value.trim() && !taken(slot)) app.edit(one, field.value.trim()).then((started) => started && (field.value = ""));
  };
  return h("form", { class: "edit", key: "edit", onsubmit: send },
    h("label", { for: "change" }, `Change this ${NOUNS[stage]}`),
    h("div", { class: "row" },
      h("input", { id: "change", name: "change", type: "text", autocomplete: "off", placeholder: "Make it night, with rain" }),
      action({ type: "submit", off: app.calling || taken(slot) }, "Edit")));
}

// ---- asking ---------------------------------------------------------------------------------------

// The server's own wording, in full; what it costs stands on the button. "Not now" has the focus.
function confirmDialog(message) {
  const [first, ...rest] = message.split("\n");
  const amount = /^Spend (\d+) credits/.exec(first);
  const dialog = document.getElementById("ask");
  return new Promise((done) => {
    const end = (answer) => {
      dialog.onclose = null;
      dialog.close();
      done(answer);
    };
    const lines = rest.filter((line) => line.startsWith("- ")).map((line) => line.slice(2));
    const prose = rest.filter((line) => line && !line.startsWith("- "));
    patch(dialog, h("dialog", { id: "ask", "aria-labelledby": "question" },
      h("h2", { id: "question" }, first),
      lines.length > 0 && h("ul", null, lines.map((line) => h("li", null, line))),
      prose.map((line) => h("p", null, line)),
      h("div", { class: "buttons" },
        h("button", { class: "primary", onclick: () => end(true) }, amount ? `Spend ${credits(Number(amount[1]))}` : "Yes, go on"),
        h("button", { id: "not-now", onclick: () => end(false) }, "Not now"))));
    dialog.onclose = () => end(false);
    dialog.showModal();
    document.getElementById("not-now").focus();
  });
}
