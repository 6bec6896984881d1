// The few things the panel does to the page. Text goes in as text: nothing here reads markup.

export const $ = (id) => document.getElementById(id);

/** Only touches the page when something changed, so a live region speaks once. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function show(node, visible) {
  if (node.hidden === visible) node.hidden = !visible;
}

/** A button that is out of use for a moment keeps the focus, which `disabled` would throw away. */
export function setUsable(buttons, usable) {
  for (const button of buttons) button.setAttribute("aria-disabled", String(!usable));
}

/** Text that is hidden while it is empty. */
export function setLine(node, text) {
  setText(node, text);
  show(node, text !== "");
}

export function slot(node, name) {
  return node.querySelector(`[data-slot="${name}"]`);
}

/**
 * Makes the children of `parent` match `items`, keeping the nodes that stay (and the focus in them).
 * `fill(node, item)` writes one item into its node.
 */
export function keepList(parent, templateId, items, keyOf, fill) {
  const keys = new Map();
  for (const item of items) {
    let key = `${keyOf(item)}`;
    while (keys.has(key)) key += "'";
    keys.set(key, item);
  }
  const here = new Map();
  for (const node of [...parent.children]) {
    if (keys.has(node.dataset.key)) here.set(node.dataset.key, node);
    else node.remove();
  }
  let place = parent.firstElementChild;
  for (const [key, item] of keys) {
    const known = here.get(key);
    const node = known ?? $(templateId).content.firstElementChild.cloneNode(true);
    node.dataset.key = key;
    fill(node, item);
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
  }
}

/** A time that `tick` keeps current. `form` is one of the functions given to `tick`. */
export function setTime(node, at, form) {
  if (at === null) {
    delete node.dataset.at;
    setText(node, "");
    return;
  }
  node.dataset.at = String(at);
  node.dataset.form = form;
  if (node instanceof HTMLTimeElement) {
    node.dateTime = new Date(at).toISOString();
    node.title = new Date(at).toLocaleString();
  }
}

export function tick(forms, now = Date.now()) {
  for (const node of document.querySelectorAll("[data-at]")) {
    setText(node, forms[node.dataset.form](now - Number(node.dataset.at)));
  }
}
