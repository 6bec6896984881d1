// A page is a function of what is known: `h` says what should be there, `patch` changes what is not so yet.
// Text only ever becomes text: nothing here reads HTML from a string.

const SVG = "http://www.w3.org/2000/svg";

function h(tag, props, ...kids) {
  const given = props || {};
  const rest = kids.flat(Infinity).filter((kid) => kid !== null && kid !== undefined && kid !== false);
  return { tag, key: given.key, props: given, kids: rest };
}

function patch(node, wanted) {
  const had = document.activeElement;
  morph(node, wanted);
  // an element that changes its place loses the focus on the way
  if (had && had !== document.activeElement && had.isConnected && had !== document.body) had.focus({ preventScroll: true });
}

function morph(node, wanted) {
  setProps(node, wanted.props);
  const keyed = new Map();
  for (const child of node.childNodes) if (child.vkey !== undefined) keyed.set(child.vkey, child);
  let at = node.firstChild;
  for (const kid of wanted.kids) {
    let child = kid.key !== undefined ? keyed.get(kid.key) : at;
    if (!child || !fits(child, kid)) child = create(kid, node);
    if (child !== at) node.insertBefore(child, at);
    else at = at.nextSibling;
    if (typeof kid === "object") morph(child, kid);
    else if (child.data !== String(kid)) child.data = String(kid);
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
  if (wanted.props.value !== undefined && node.value !== wanted.props.value) node.value = wanted.props.value;
}

function fits(node, wanted) {
  if (typeof wanted !== "object") return node.nodeType === Node.TEXT_NODE;
  return node.nodeType === Node.ELEMENT_NODE && node.localName === wanted.tag && node.vkey === wanted.key;
}

function create(wanted, parent) {
  if (typeof wanted !== "object") return document.createTextNode(String(wanted));
  const drawn = wanted.tag === "svg" || parent.namespaceURI === SVG;
  const made = drawn ? document.createElementNS(SVG, wanted.tag) : document.createElement(wanted.tag);
  made.vkey = wanted.key;
  return made;
}

function setProps(node, props) {
  const before = node.vprops || {};
  for (const name of new Set([...Object.keys(before), ...Object.keys(props)])) {
    const value = props[name];
    if (name === "key" || value === before[name]) continue;
    // not the function itself: what it returned would count, and `false` would cancel the key
    if (name.startsWith("on")) node[name] = value ? (event) => void value(event) : null;
    else if (name === "style") Object.assign(node.style, value);
    else if (name === "value") continue; // once its options are there
    else if (value === undefined || value === null || value === false) node.removeAttribute(name);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.vprops = props;
}

// A button that keeps the focus while it cannot be used: one that is `disabled` would drop it.
function action(props, ...kids) {
  const { off, onclick, ...rest } = props;
  return h("button", { ...rest, "aria-disabled": off ? "true" : undefined, onclick: off ? undefined : onclick }, kids);
}

// ---- small drawings -----------------------------------------------------------------------------

function icon(paths, label) {
  const drawn = paths.map((d) => h("path", { d }));
  return h("svg", { class: "icon", viewBox: "0 0 16 16", "aria-hidden": label ? undefined : "true", role: label ? "img" : undefined, "aria-label": label }, drawn);
}

const ICONS = {
  wide: ["M1.75 4.25h12.5v7.5H1.75z"],
  tall: ["M4.25 1.75h7.5v12.5h-7.5z"],
  close: ["M3.5 3.5l9 9M12.5 3.5l-9 9"],
  back: ["M10 3L5 8l5 5"],
  on: ["M6 3l5 5-5 5"],
  grip: ["M5.5 3.5h.01M10.5 3.5h.01M5.5 8h.01M10.5 8h.01M5.5 12.5h.01M10.5 12.5h.01"],
  play: ["M5 3.2v9.6l8-4.8z"],
};

// What an editor draws around the take to print: two strokes of a grease pencil that do not quite meet.
function circled() {
  return h("svg", { class: "circled", viewBox: "0 0 100 60", preserveAspectRatio: "none", "aria-hidden": "true" },
    h("path", { d: "M58 4C30 1 5 9 3 29c-2 19 22 28 50 27 27-1 45-11 44-28C96 12 74 4 44 6" }));
}
