// What is known, what is open, and the clockwork that looks again.

const QUICK_MS = 1500;
const CALM_MS = 6000;
const LOST_MS = 15000;

class Pictures {
  constructor(link, loaded) {
    this.link = link;
    this.loaded = loaded;
    this.kept = new Map();
    this.line = [];
    this.open = 0;
  }

  // A picture's address, or nothing yet: it is then on its way. Takes never change, so each is asked for once.
  of(take) {
    if (!this.kept.has(take)) {
      this.kept.set(take, null);
      this.line.push(take);
      this.more();
    }
    return this.kept.get(take);
  }

  async more() {
    while (this.open < 3 && this.line.length > 0) {
      const take = this.line.shift();
      this.open += 1;
      this.link.picture(take)
        .then((source) => this.kept.set(take, source), () => setTimeout(() => this.kept.delete(take), LOST_MS))
        .finally(() => { this.open -= 1; this.loaded(); this.more(); });
    }
  }
}

class Storyboard {
  constructor() {
    this.link = window.parent === window ? new StudioLink() : new ChatLink();
    this.pictures = new Pictures(this.link, () => this.soon());
    this.order = new Order(this);
    this.board = null;
    this.side = null;
    this.at = null; // the subject that is open
    this.stage = "image";
    this.peek = null;
    this.calling = false;
    this.modes = [];
    this.mode = null;
    this.line = Promise.resolve();
    this.lost = null;
    this.said = null;
  }

  async start() {
    matchMedia("(min-width: 60rem)").addEventListener("change", () => this.draw());
    document.addEventListener("visibilitychange", () => document.hidden || this.look());
    try {
      await this.link.open({ onShown: (shown, input) => this.shown(shown, input), onContext: (context) => this.context(context) });
    } catch (error) {
      this.fail(error);
    }
    this.draw();
  }

  context(context) {
    const root = document.documentElement;
    if (context.theme) root.dataset.theme = context.theme;
    for (const [name, value] of Object.entries((context.styles && context.styles.variables) || {})) {
      if (/^--font-(sans|mono)$/.test(name) && value) root.style.setProperty(name, value);
    }
    if (context.availableDisplayModes) this.modes = context.availableDisplayModes;
    if (context.displayMode) root.dataset.mode = this.mode = context.displayMode;
    this.soon();
  }

  // A host may show it larger, or leave it as it is.
  async resize(mode) {
    this.context({ displayMode: (await this.link.ask("ui/request-display-mode", { mode })).mode });
  }

  // A tool has shown a production, or (review) one video of it by its title.
  async shown(view, input) {
    try {
      if (!view.videos && view.video && input.project) view = (await this.link.call("get_project", { project: input.project, video: view.video })).structuredContent;
    } catch (error) {
      this.fail(error);
    }
    const videos = view.videos || [];
    const found = videos.find((one) => one.title === view.video) || videos[0];
    this.video = found ? found.id : view.video;
    if (this.video) return this.look();
    this.none = view.project ? `${view.project} has no video yet. Your agent adds one with its first scenes.` : "No production yet. Tell your agent a story, and it appears here.";
    return this.draw();
  }

  // ---- looking again and again ----

  async look() {
    clearTimeout(this.timer);
    if (!this.video) return;
    const turn = (this.turn = (this.turn || 0) + 1);
    let wait = CALM_MS;
    try {
      const known = this.board && this.board.video.id === this.video ? `?mark=${this.board.mark}` : "";
      const seen = await this.link.board(`flowkit://storyboard/${encodeURIComponent(this.video)}${known}`);
      if (turn !== this.turn) return; // a newer look is under way
      this.lost = null;
      if (!seen.unchanged) this.take_in(seen);
      wait = busy(this.board) ? QUICK_MS : CALM_MS;
    } catch (error) {
      if (turn !== this.turn) return;
      this.lost = error.message;
      if (!this.board) this.none = error.message;
      wait = LOST_MS;
    }
    this.soon();
    if (!document.hidden) this.timer = setTimeout(() => this.look(), wait);
  }

  take_in(seen) {
    this.board = seen;
    this.video = seen.video.id;
    if (!seen.orientations.includes(this.side)) this.side = seen.orientations.includes("HORIZONTAL") ? "HORIZONTAL" : seen.orientations[0];
    document.title = `${seen.video.name}, storyboard`;
  }

  ordered() {
    const { scenes } = this.board;
    if (!this.order.ids) return scenes;
    const known = new Map(scenes.map((scene) => [scene.id, scene]));
    const moved = this.order.ids.filter((id) => known.has(id)).map((id) => known.get(id));
    return [...moved, ...scenes.filter((scene) => !this.order.ids.includes(scene.id))];
  }

  // ---- what is open ----

  // Scenes and cast alike: what has a name, slots and a place.
  subjects() {
    const { board } = this;
    const cast = board.cast.map((one) => ({
      id: one.id, member: one, name: one.name, title: one.name, stages: ["reference"], side: one.orientation,
      slots: [[one.orientation, "reference", one.reference]], slot: () => one.reference, needs: () => null,
      script: [["Kind", capital(one.entity_type.replace("_", " "))], ["Looks", one.description]],
    }));
    const scenes = this.ordered().map((scene) => {
      const slots = scene.sides[this.side];
      const needs = { image: null, video: filled(slots.image) ? null : "It needs its image first.", upscale: filled(slots.video) ? null : "It needs its clip first." };
      return {
        id: scene.id, scene, name: `Scene ${scene.number}`, title: `Scene ${scene.number}`, stages: STAGES, side: this.side,
        slots: Object.entries(scene.sides).flatMap(([side, stages]) => Object.entries(stages).map(([stage, slot]) => [side, stage, slot])),
        slot: (stage) => slots[stage], needs: (stage) => needs[stage],
        script: [["Prompt", scene.prompt], ["Narration", scene.narration], ["Seen", scene.characters.join(", ")], ["Continues", scene.continues && `Scene ${scene.continues}`]],
      };
    });
    return [...cast, ...scenes];
  }

  subject() {
    if (!this.at) return null;
    const all = this.subjects();
    const one = all.find((other) => other.id === this.at);
    if (!one) return null;
    const kin = all.filter((other) => Boolean(other.scene) === Boolean(one.scene));
    const place = kin.indexOf(one);
    return { ...one, before: place > 0 && kin[place - 1].id, after: place < kin.length - 1 && kin[place + 1].id };
  }

  open(id) {
    if (!this.at) this.came = { from: id, scrolled: scrollY };
    this.at = id;
    this.peek = null;
    const one = this.subject();
    if (one.scene && this.stage !== "video" && inUse(one.slot("video"))) this.stage = "video";
    if (one.scene && !one.stages.includes(this.stage)) this.stage = "image";
    this.draw();
    document.getElementById("subject").focus({ preventScroll: !this.covered() });
    if (this.covered()) scrollTo(0, 0);
  }

  openAt(id, side, stage) {
    if (this.board.orientations.includes(side)) this.side = side;
    this.open(id);
    this.show(stage);
  }

  close() {
    const { at } = this;
    this.at = null;
    this.draw();
    const card = document.querySelector(`[data-scene="${CSS.escape(at)}"] .frame`);
    if (card) card.focus({ preventScroll: true });
    if (this.came) scrollTo(0, this.came.scrolled);
  }

  show(stage) {
    this.stage = stage;
    this.peek = null;
    this.draw();
  }

  look_at(number) {
    if (this.peek !== number) { this.peek = number; this.soon(); }
  }

  turn_to(side) {
    this.side = side;
    this.peek = null;
    this.draw();
  }

  // On a narrow page the open scene takes the board's place.
  covered() {
    return Boolean(this.at) && !matchMedia("(min-width: 60rem)").matches;
  }

  // ---- doing ----

  // A tool call on the person's behalf, one after the other; null if they said no or it failed, which has been told by
  // then.
  run(name, args, did) {
    this.line = this.line.then(() => this.run_now(name, args, did));
    return this.line;
  }

  async run_now(name, args, did) {
    this.calling = true;
    this.draw();
    let result = null;
    try {
      result = await this.link.call(name, args, confirmDialog);
      this.calling = false;
      if (result) {
        this.link.did(did);
        this.tell(startedWords(result.structuredContent || {}));
      } else {
        this.tell("Nothing was started and nothing was spent.");
      }
    } catch (error) {
      this.fail(error);
    }
    this.calling = false;
    await this.look();
    return result;
  }

  make(one, stage, again) {
    const tool = { video: "generate_video", upscale: "upscale" }[stage] || "generate_image";
    const what = one.member
      ? { characters: [one.member.id], project: this.board.project.id, new_take: again }
      : { scenes: [one.scene.id], orientations: [one.side], new_take: again };
    return this.run(tool, what, `asked for ${again ? "another take of " : ""}the ${NOUNS[stage]} of ${one.name}`);
  }

  make_missing(lacking) {
    const what = { video: this.board.video.id, missing: true, orientations: [this.side] };
    return this.run(lacking.tool, what, `asked for everything missing (${lacking.tool})`);
  }

  edit(one, prompt) {
    const what = one.member ? { character: one.member.id, project: this.board.project.id } : { scene: one.scene.id, orientations: [one.side] };
    return this.run("edit_image", { ...what, prompt }, `asked to edit the picture of ${one.name}: ${prompt}`);
  }

  choose(one, stage, take) {
    this.peek = null;
    const what = one.member ? { character: one.member.id, project: this.board.project.id } : { scene: one.scene.id, stage, orientation: one.side };
    return this.run("select_take", { ...what, take }, `put take ${take} of ${one.name} (${NOUNS[stage]}) into use`);
  }

  // ---- telling ----

  tell(text) {
    if (!text) return;
    this.said = { text, tone: "none" };
    this.fade(6000);
  }

  fail(error) {
    this.said = { text: plain(error.message), tone: "bad" };
    this.fade(20000);
  }

  fade(after) {
    clearTimeout(this.fading);
    this.fading = setTimeout(() => { this.said = null; this.draw(); }, after);
    this.draw();
  }

  announce(text) {
    document.getElementById("heard").textContent = text;
  }

  // ---- drawing ----

  soon() {
    if (!this.due) this.due = requestAnimationFrame(() => { this.due = 0; this.draw(); });
  }

  draw() {
    patch(document.getElementById("page"), h("div", { id: "page", class: this.subjectOpen() ? "with-inspector" : "" },
      this.board ? [top(this), h("div", { class: "room", key: "room" }, boardView(this), inspectorView(this))] : waiting(this),
      this.said && h("p", { class: "toast", key: "toast", "data-tone": this.said.tone, role: "status" }, this.said.text, h("button", { class: "bare", "aria-label": "Close", onclick: () => { this.said = null; this.draw(); } }, icon(ICONS.close)))));
  }

  subjectOpen() {
    return Boolean(this.board && this.subject());
  }
}

function startedWords(result) {
  if (result.not_ready && result.not_ready.length > 0) return plain(result.not_ready[0].why);
  if (result.jobs && result.jobs.length > 0) return `${plural(result.jobs.length, "job")} under way${result.credits ? `, at most ${credits(result.credits)}` : ""}.`;
  return null;
}

function waiting(app) {
  return h("main", { class: "nothing", key: "waiting" },
    h("div", { class: "finder", "aria-hidden": "true" }),
    h("h1", null, app.none ? "Nothing to show yet" : "Storyboard"),
    h("p", null, app.none || "Looking…"));
}

function top(app) {
  const { board, side } = app;
  const lacking = missing(board, side);
  const clips = board.scenes.filter((scene) => inUse(scene.sides[side].video) && !scene.sides[side].video.stale).length;
  const facts = [
    board.scenes.length > 0 && `${clips} of ${plural(board.scenes.length, "clip")}`,
    clips > 0 && filmLength(board, side),
    board.spent > 0 && `${credits(board.spent)} spent`,
    board.budget !== null && board.budget !== undefined && `budget ${board.budget}`,
    board.flow.credits !== null && board.flow.credits !== undefined && `${board.flow.credits} left`,
  ].filter(Boolean);
  return h("header", { class: "top", key: "top" },
    h("div", { class: "titles" },
      h("p", { class: "eyebrow" }, board.project.name, board.flow.simulated && h("span", { class: "simulated" }, "simulated")),
      h("h1", null, board.videos.length > 1 ? chooser(app) : board.video.name),
      h("p", { class: "facts" }, facts.map((fact) => h("span", { key: fact }, fact)))),
    h("div", { class: "tools" },
      board.orientations.length > 1 && h("div", { class: "sides", role: "group", "aria-label": "Orientation" }, board.orientations.slice().sort().map((one) =>
        h("button", { key: one, "aria-pressed": one === side ? "true" : "false", onclick: () => app.turn_to(one) }, icon(one === "VERTICAL" ? ICONS.tall : ICONS.wide), SIDE_WORDS[one]))),
      app.modes.includes("fullscreen") && h("button", { key: "mode", onclick: () => app.resize(app.mode === "fullscreen" ? "inline" : "fullscreen") }, app.mode === "fullscreen" ? "Back to the chat" : "Full screen"),
      lacking && action({ class: "primary", key: "missing", off: app.calling, onclick: () => app.make_missing(lacking) }, `Make ${lacking.what}`, price(lacking.credits) && h("span", { class: "cost" }, price(lacking.credits)))));
}

function chooser(app) {
  return h("select", { "aria-label": "Video", value: app.board.video.id, onchange: (event) => { app.video = event.target.value; app.at = null; app.look(); } },
    app.board.videos.map((one) => h("option", { value: one.id, key: one.id }, one.name)));
}

new Storyboard().start();
