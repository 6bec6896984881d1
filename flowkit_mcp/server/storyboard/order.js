// Another order: by dragging a frame, or its grip, or with Space and the arrow keys on the grip.

const FAR_ENOUGH_PX = 6;

class Order {
  constructor(app) {
    this.app = app;
    this.lifted = null; // the scene in hand
    this.ids = null; // the order as it would be, or is being made
    this.settled = null; // the one that a scene in hand goes back to
  }

  // ---- by hand ----

  press(event, id, byGrip) {
    if (event.button !== 0 || (event.pointerType === "touch" && !byGrip)) return;
    this.start = { id, x: event.clientX, y: event.clientY, pointer: event.pointerId, target: event.currentTarget };
    const move = (moved) => this.drag(moved);
    const up = (ended) => {
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", up);
      removeEventListener("pointercancel", up);
      this.release(ended.type === "pointerup");
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", up);
    addEventListener("pointercancel", up);
  }

  drag(event) {
    const { start } = this;
    if (!start || event.pointerId !== start.pointer) return;
    if (!this.lifted) {
      if (Math.hypot(event.clientX - start.x, event.clientY - start.y) < FAR_ENOUGH_PX) return;
      this.lift(start.id);
      start.dragged = true;
      const box = this.card(start.id).getBoundingClientRect();
      start.dx = start.x - box.left;
      start.dy = start.y - box.top;
      document.body.classList.add("dragging");
    }
    event.preventDefault();
    const over = this.nearest(event.clientX, event.clientY);
    if (over >= 0 && over !== this.ids.indexOf(this.lifted)) this.place(over);
    const card = this.card(this.lifted);
    card.style.transform = "none";
    const box = card.getBoundingClientRect();
    card.style.transform = `translate(${event.clientX - start.dx - box.left}px, ${event.clientY - start.dy - box.top}px)`;
    if (event.clientY < 48) scrollBy(0, -12);
    if (event.clientY > innerHeight - 48) scrollBy(0, 12);
  }

  // The place whose middle is closest; that of the card in hand is where it would fall now.
  nearest(x, y) {
    let best = -1;
    let least = Infinity;
    this.ids.forEach((id, index) => {
      const card = this.card(id);
      const held = card.style.transform;
      if (id === this.lifted) card.style.transform = "none";
      const box = card.getBoundingClientRect();
      if (id === this.lifted) card.style.transform = held;
      const away = Math.hypot(x - (box.left + box.width / 2), y - (box.top + box.height / 2));
      if (away < least) [least, best] = [away, index];
    });
    return best;
  }

  release(dropped) {
    const dragged = this.start && this.start.dragged;
    this.start = null;
    document.body.classList.remove("dragging");
    if (!dragged) return;
    this.card(this.lifted).style.transform = "";
    this.swallow = true; // the click that a drag ends with opens nothing
    setTimeout(() => (this.swallow = false), 0);
    if (dropped) this.drop();
    else this.cancel();
  }

  clicked() {
    return this.swallow;
  }

  // ---- by keyboard ----

  key(event, id) {
    const { key } = event;
    if (this.lifted !== id) {
      if (key !== " " && key !== "Enter") return;
      this.lift(id);
      this.app.announce(`Scene ${this.ids.indexOf(id) + 1} is lifted. Arrow keys move it, Space puts it down, Escape puts it back.`);
    } else if (key === " " || key === "Enter") {
      this.drop();
    } else if (key === "Escape") {
      this.cancel();
      this.app.announce("It is back where it was.");
    } else {
      const at = this.ids.indexOf(id);
      const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns(), ArrowDown: this.columns(), Home: -at, End: this.ids.length - 1 - at };
      if (!(key in steps)) return;
      this.place(Math.min(Math.max(at + steps[key], 0), this.ids.length - 1));
      this.app.announce(`Place ${this.ids.indexOf(id) + 1} of ${this.ids.length}`);
      this.card(id).scrollIntoView({ block: "nearest" });
    }
    event.preventDefault();
    event.stopPropagation();
  }

  left(id) {
    // to go elsewhere is to put it down where it is, not to keep it in hand
    if (this.lifted === id && !this.start && !this.placing) this.drop();
  }

  columns() {
    const tops = this.ids.map((id) => Math.round(this.card(id).offsetTop));
    return Math.max(tops.filter((top) => top === tops[0]).length, 1);
  }

  // ---- both ----

  card(id) {
    return document.querySelector(`[data-scene="${CSS.escape(id)}"]`);
  }

  lift(id) {
    this.lifted = id;
    this.settled = this.ids; // one may be under way still
    this.ids = this.app.ordered().map((scene) => scene.id);
    this.app.draw();
  }

  place(index) {
    this.placing = true; // moving a focused element blurs it for a moment
    this.ids = this.ids.filter((id) => id !== this.lifted);
    this.ids.splice(index, 0, this.lifted);
    this.app.draw();
    this.placing = false;
  }

  cancel() {
    this.lifted = null;
    this.ids = this.settled;
    this.app.draw();
  }

  async drop() {
    const id = this.lifted;
    const from = (this.settled || this.app.board.scenes.map((scene) => scene.id)).indexOf(id);
    const to = this.ids.indexOf(id);
    this.lifted = null;
    if (from === to) {
      this.cancel();
      return;
    }
    this.app.draw();
    this.app.announce(`Scene ${from + 1} is now scene ${to + 1}.`);
    await this.app.run("move_scene", { scene: id, to: to + 1 }, `moved scene ${from + 1} to place ${to + 1}`);
    this.settled = null;
    if (this.lifted) return; // in hand again by now
    this.ids = null;
    this.app.draw();
  }
}
