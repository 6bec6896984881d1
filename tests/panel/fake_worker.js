// Stands in for the extension's worker on the panel's page. Injected before the panel's own scripts.
// The test drives it through `worker`: what it says, whether it is there, and what it has heard.
(() => {
  const event = () => {
    const heard = new Set();
    return {
      addListener: (listener) => heard.add(listener),
      fire: (...values) => heard.forEach((listener) => listener(...values)),
    };
  };
  const worker = {
    here: true, // does a new port get through?
    first: null, // said to each new port at once
    heard: [],
    permissions: [],
    grants: true,
    ports: [],
    say(message) {
      this.ports.at(-1)?.onMessage.fire(structuredClone(message));
    },
    stop() {
      const old = this.ports.splice(0);
      old.forEach((port) => port.onDisconnect.fire(port));
    },
  };
  const connect = (info) => {
    if (!worker.here) throw new Error("Could not establish connection.");
    const port = {
      name: info.name,
      onMessage: event(),
      onDisconnect: event(),
      postMessage: (message) => {
        if (!worker.ports.includes(port)) throw new Error("Attempting to use a disconnected port object");
        worker.heard.push(structuredClone(message));
      },
    };
    worker.ports.push(port);
    setTimeout(() => worker.first && port.onMessage.fire(structuredClone(worker.first)), 0);
    return port;
  };
  const permissions = {
    request: async (wanted) => {
      worker.permissions.push({ wanted, clicked: navigator.userActivation.isActive });
      return worker.grants;
    },
  };
  Object.defineProperty(window, "worker", { value: worker });
  Object.defineProperty(window, "chrome", {
    value: { runtime: { id: "kbdddalkhdjhhiehcbiihhmllmnpence", connect }, permissions },
    configurable: true,
  });
})();
