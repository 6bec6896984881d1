// What a slot is, in words and in a tone; and what may be done about it.

const STAGES = ["image", "video", "upscale"];
const NOUNS = { reference: "picture", image: "image", video: "clip", upscale: "upscale" };
const SIDE_WORDS = { HORIZONTAL: "Wide", VERTICAL: "Tall" };
const MOVING = new Set(["queued", "running", "waiting"]);

const credits = (number) => `${number} ${number === 1 ? "credit" : "credits"}`;
const price = (number) => (number === null || number === undefined ? "" : number === 0 ? "free" : credits(number));
const plural = (number, one, many) => `${number} ${number === 1 ? one : many || `${one}s`}`;
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function atWork(slot) {
  return Boolean(slot.job && MOVING.has(slot.job.state));
}

// Nothing more can be asked of it now: a job is at it, or waits for its person.
function taken(slot) {
  return atWork(slot) || Boolean(slot.job && slot.job.state === "needs_attention");
}

function filled(slot) {
  return slot.take !== null && slot.take !== undefined && !slot.stale;
}

function inUse(slot) {
  return slot.takes.find((take) => take.number === slot.take);
}

// tone: none, good, wait, stale, bad
function stateOf(slot) {
  const job = slot.job;
  if (job && job.state === "needs_attention") return { tone: "bad", word: "needs you" };
  if (job && job.state === "queued") return { tone: "wait", word: "in the queue" };
  if (atWork(slot)) return { tone: "wait", word: job.progress ? `under way, ${Math.round(job.progress * 100)} %` : "under way" };
  if (job && job.state === "failed") return { tone: "bad", word: "failed" };
  if (slot.stale) return { tone: "stale", word: "stale" };
  if (filled(slot)) return { tone: "good", word: `take ${slot.take}` };
  return { tone: "none", word: "not made yet" };
}

function sceneStates(scene, side) {
  return STAGES.map((stage) => [stage, stateOf(scene.sides[side][stage])]);
}

// The worst a scene has to tell, for its frame: the first of needs you, failed, making, stale.
function headline(scene, side) {
  for (const tone of ["bad", "wait", "stale"]) {
    for (const stage of STAGES) {
      const slot = scene.sides[side][stage];
      const state = stateOf(slot);
      if (state.tone === tone) return { ...state, stage, job: slot.job, text: `${capital(NOUNS[stage])} ${state.word}` };
    }
  }
  return null;
}

// What a frame shows: the clip's poster if there is a clip, else the first frame.
function shownTake(scene, side) {
  const slots = scene.sides[side];
  return inUse(slots.video) || inUse(slots.image);
}

function described(scene, side) {
  const told = sceneStates(scene, side).filter(([stage, state]) => stage !== "upscale" || state.tone !== "none");
  const states = told.map(([stage, state]) => `${NOUNS[stage]} ${state.word}`).join(", ");
  return `Scene ${scene.number}: ${scene.prompt.replace(/[.\s]*$/, "")}. ${capital(states)}.`;
}

function busy(board) {
  const slots = [
    ...board.cast.map((one) => one.reference),
    ...board.scenes.flatMap((scene) => Object.values(scene.sides).flatMap((slots) => Object.values(slots))),
  ];
  return slots.some(atWork);
}

function sum(numbers) {
  return numbers.every((number) => number !== null && number !== undefined) ? numbers.reduce((a, b) => a + b, 0) : null;
}

// The next thing to make of a whole video, if anything: pictures come before clips, and references before the pictures
// they are seen in.
function missing(board, side) {
  const pictured = new Set(board.cast.filter((one) => filled(one.reference)).map((one) => one.name));
  const framed = new Set(board.scenes.filter((scene) => filled(scene.sides[side].image)).map((scene) => scene.number));
  const ready = (scene) => scene.characters.every((name) => pictured.has(name)) && (!scene.continues || framed.has(scene.continues));
  const lacks = (slot) => !filled(slot) && !taken(slot);
  const members = board.cast.filter((one) => lacks(one.reference));
  const images = board.scenes.filter((scene) => lacks(scene.sides[side].image) && ready(scene));
  if (members.length + images.length > 0) {
    const prices = [...members.map((one) => one.reference.price), ...images.map((scene) => scene.sides[side].image.price)];
    return { tool: "generate_image", what: plural(members.length + images.length, "missing picture"), credits: sum(prices) };
  }
  const clips = board.scenes.filter((scene) => filled(scene.sides[side].image) && lacks(scene.sides[side].video));
  if (clips.length > 0) {
    return { tool: "generate_video", what: plural(clips.length, "missing clip"), credits: sum(clips.map((scene) => scene.sides[side].video.price)) };
  }
  return null;
}

function filmLength(board, side) {
  const seconds = board.scenes.map((scene) => (inUse(scene.sides[side].video) || {}).seconds || 0).reduce((a, b) => a + b, 0);
  return `${Math.floor(seconds / 60)}:${String(Math.round(seconds % 60)).padStart(2, "0")}`;
}

// "CODE: what happened. What to do next." without the code, which is for machines, and without what only an agent does:
// here are buttons for that.
const plain = (text) => text.replace(/^[A-Z_]{3,}: /, "").replace(/[;.]? *(then )?call resolve_job\b.*$/is, ".");
const first = (text) => /^.*?[.!?](?= |$)/s.exec(text)?.[0] || text;
