// The two places this page lives in: a chat (MCP Apps, through the host's window) and the studio (its own small
// server). Both carry the same tools and resources, and in both it is the person who approves what costs.

class CallFailed extends Error {}

function textOf(result) {
  return (result.content || []).filter((part) => part.type === "text").map((part) => part.text).join("\n");
}

// ---- in a chat ------------------------------------------------------------------------------------

class ChatLink {
  constructor() {
    this.chat = true;
    this.waiting = new Map();
    this.next = 1;
    this.done = [];
  }

  async open({ onShown, onContext }) {
    this.onShown = onShown;
    this.onContext = onContext;
    addEventListener("message", (event) => {
      if (event.source === window.parent && event.data && event.data.jsonrpc === "2.0") this.hear(event.data);
    });
    const host = await this.ask("ui/initialize", {
      appInfo: { name: "FlowKit storyboard", version: "1" },
      appCapabilities: { availableDisplayModes: ["inline", "fullscreen"] },
      protocolVersion: "2026-01-26",
    });
    this.can = host.hostCapabilities || {};
    onContext(host.hostContext || {});
    this.say("ui/notifications/initialized", {});
    const tell = () => {
      const height = Math.ceil(document.body.getBoundingClientRect().height);
      if (height !== this.height) this.say("ui/notifications/size-changed", { height: (this.height = height) });
    };
    new ResizeObserver(tell).observe(document.body);
  }

  hear(message) {
    if (message.method === undefined) {
      const waiting = this.waiting.get(message.id);
      this.waiting.delete(message.id);
      if (!waiting) return;
      if (message.error) waiting.fail(new CallFailed(message.error.message));
      else waiting.done(message.result);
    } else if (message.id !== undefined) {
      this.post({ id: message.id, result: {} }); // ping, teardown: nothing here needs time to end
    } else if (message.method === "ui/notifications/tool-input") {
      this.input = message.params.arguments || {};
    } else if (message.method === "ui/notifications/tool-result") {
      this.onShown(message.params.structuredContent || {}, this.input || {});
    } else if (message.method === "ui/notifications/host-context-changed") {
      this.onContext(message.params);
    }
  }

  post(message) {
    window.parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
  }

  say(method, params) {
    this.post({ method, params });
  }

  ask(method, params) {
    const id = this.next++;
    return new Promise((done, fail) => {
      this.waiting.set(id, { done, fail });
      this.post({ id, method, params });
    });
  }

  async read(uri) {
    if (!this.can.serverResources) throw new CallFailed("This app does not let pages read from FlowKit. Run flowkit-mcp studio for the storyboard.");
    return (await this.ask("resources/read", { uri })).contents[0];
  }

  async board(uri) {
    return JSON.parse((await this.read(uri)).text);
  }

  async picture(take) {
    const found = await this.read(`flowkit://take/${take}/picture`);
    return `data:${found.mimeType};base64,${found.blob}`;
  }

  clip() {
    return null; // a chat has no way to stream; its posters are pictures
  }

  // A host that can ask its person does so itself. For one that cannot, the server hands out a quote: the person
  // sees its full wording here, and only their click passes it back.
  async call(name, args, confirm) {
    const result = await this.ask("tools/call", { name, arguments: args });
    if (!result.isError) return result;
    const text = textOf(result);
    const quote = /approval='(q-[0-9a-f]+)'/.exec(text);
    if (!text.startsWith("APPROVAL_NEEDED") || !quote) throw new CallFailed(text);
    const wording = text.replace(/^.*?nothing was spent\. /s, "").replace(/\s*Tell the person this in full\.[\s\S]*$/, "");
    if (!(await confirm(wording))) return null;
    return this.call(name, { ...args, approval: quote[1] }, confirm);
  }

  // What the person did, for the model to know when it is spoken to next.
  did(what) {
    if (!this.can.updateModelContext) return;
    this.done = [...this.done, what].slice(-8);
    const text = `In the storyboard the person: ${this.done.join("; ")}.`;
    this.ask("ui/update-model-context", { content: [{ type: "text", text }] }).catch(() => {});
  }
}

// ---- in the studio --------------------------------------------------------------------------------

class StudioLink {
  constructor() {
    this.chat = false;
  }

  async open({ onShown, onContext }) {
    onContext({});
    const wanted = new URLSearchParams(location.search);
    let project = wanted.get("project");
    if (!project) {
      const listed = await this.call("list_projects", {});
      const newest = listed.structuredContent.projects[0];
      if (!newest) return onShown({}, {});
      project = newest.id;
    }
    const video = wanted.get("video");
    const shown = await this.call("get_project", video ? { project, video } : { project });
    return onShown(shown.structuredContent, {});
  }

  async fetch(path, body) {
    let answer;
    try {
      const post = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
      answer = await fetch(path, body ? post : {});
    } catch {
      throw new CallFailed("The studio does not answer. If it has ended, run flowkit-mcp studio again.");
    }
    if (answer.status === 403) throw new CallFailed("This page's session is over. Run flowkit-mcp studio again.");
    if (!answer.ok) throw new CallFailed((await answer.text()).slice(0, 400));
    return answer;
  }

  async board(uri) {
    return (await this.fetch(`/read?uri=${encodeURIComponent(uri)}`)).json();
  }

  async picture(take) {
    return `/picture/${take}`;
  }

  clip(take) {
    return `/clip/${take}`;
  }

  async call(name, args, confirm) {
    let told = await (await this.fetch("/call", { name, arguments: args })).json();
    while (told.question) {
      const accept = confirm ? await confirm(told.question.message) : false;
      told = await (await this.fetch("/answer", { id: told.question.id, accept })).json();
      if (!accept) return null;
    }
    if (told.result.isError) throw new CallFailed(textOf(told.result));
    return told.result;
  }

  did() {}
}
