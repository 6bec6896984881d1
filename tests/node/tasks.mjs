// Tasks (SEP-2663) for the TypeScript client, which has none of this era: its `callTool` refuses a result of the type
// "task" and its `request` the method "tasks/get". So a transport stands between the client and the server; it polls
// a task to its end and hands its result on as the answer to the call. Written from the extension's document.

export const TASKS = "io.modelcontextprotocol/tasks";

export class TaskTransport {
  #inner;
  #calls = new Map(); // id of a call → its `_meta`, which says who asks
  #answers = new Map(); // id of a question of ours → what takes the answer
  #asked = 0;
  ended = []; // [task, how often it was looked at]

  constructor(inner) {
    this.#inner = inner;
  }

  async start() {
    this.#inner.onclose = () => this.onclose?.();
    this.#inner.onerror = (error) => this.onerror?.(error);
    this.#inner.onmessage = (message, extra) => this.#receive(message, extra);
    await this.#inner.start();
  }

  async send(message, options) {
    if (message.method === "tools/call") this.#calls.set(message.id, message.params._meta);
    await this.#inner.send(message, options);
  }

  async close() {
    await this.#inner.close();
  }

  #receive(message, extra) {
    const answer = this.#answers.get(message.id);
    if (answer) {
      this.#answers.delete(message.id);
      answer(message);
    } else if (message.result?.resultType === "task") {
      this.#follow(message).then((ended) => this.onmessage?.(ended, extra), (error) => this.onerror?.(error));
    } else this.onmessage?.(message, extra);
  }

  async #follow({ id, result: { taskId, pollIntervalMs } }) {
    for (let looks = 1; ; looks++) {
      await new Promise((done) => setTimeout(done, pollIntervalMs));
      const { result: task, error } = await this.#get(taskId, this.#calls.get(id));
      if (error) return { jsonrpc: "2.0", id, error };
      if (task.status === "working") continue;
      this.ended.push([taskId, looks]);
      const result = task.result ?? { content: [{ type: "text", text: task.status }], isError: true };
      return { jsonrpc: "2.0", id, result: { resultType: "complete", ...result } };
    }
  }

  #get(taskId, _meta) {
    const id = `task ${++this.#asked}`;
    const answer = new Promise((done) => this.#answers.set(id, done));
    this.#inner.send({ jsonrpc: "2.0", id, method: "tasks/get", params: { taskId, _meta } });
    return answer;
  }
}
