// What the tests ask of a page: everything that a person can see, and how well.
(() => {
  const channel = (value) => {
    const c = value / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  };
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const pixel = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  // Any CSS colour, as the browser itself paints it.
  const rgba = (css) => {
    pixel.clearRect(0, 0, 1, 1);
    pixel.fillStyle = css;
    pixel.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pixel.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((value, i) => value * a + under[i] * (1 - a));
  const ground = (node) => {
    if (!node) return [255, 255, 255];
    const own = rgba(getComputedStyle(node).backgroundColor);
    return own[3] === 1 ? own.slice(0, 3) : over(own, ground(node.parentElement));
  };
  const inUse = (node) => node.checkVisibility({ visibilityProperty: true }) && !node.closest('button:is(:disabled, [aria-disabled="true"]), [inert], .unseen');

  window.seen = {
    /** WCAG 2 contrast of each piece of text that can be read and used: [text, ratio]. */
    contrasts() {
      const found = [];
      const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      while (texts.nextNode()) {
        const node = texts.currentNode.parentElement;
        const text = texts.currentNode.data.trim();
        if (!text || !inUse(node)) continue;
        const behind = ground(node);
        const [a, b] = [light(over(rgba(getComputedStyle(node).color), behind)), light(behind)];
        found.push([text, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]);
      }
      return found;
    },
    /** Elements whose edge lies outside the window, or whose text is cut off without a sign. */
    sticksOut() {
      const width = document.documentElement.clientWidth;
      const out = [...document.querySelectorAll("main *, header *, footer *, dialog[open] *")].filter((node) => {
        if (!inUse(node) || node.closest(".arm")) return false;
        const box = node.getBoundingClientRect();
        return box.width > 0 && (box.right > width + 0.5 || box.left < -0.5);
      });
      return out.map((node) => `${node.tagName}#${node.id} ${node.textContent.trim().slice(0, 40)}`);
    },
    /** Where the focus is: the control's name, as far as the test needs one. */
    focus() {
      const node = document.activeElement;
      const summary = node.tagName === "SUMMARY" ? node.textContent : "";
      return (node.getAttribute("aria-label") || node.id || summary).trim();
    },
  };
})();
