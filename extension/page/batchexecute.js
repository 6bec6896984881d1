// @ts-check
/**
 * Runs inside a Flow page (world MAIN): makes one call of lane batchexecute (flow-wire §2.1).
 *
 * The answer is kept on the page under the call's id, so a worker that was stopped meanwhile finds it again
 * and nothing is sent twice. `again` is the one repetition after a refusal, with values read anew; it is not
 * made if those are another account's, since that one would pay.
 *
 * @param {{id: string, rpc: string, request: string, sourcePath: string, limitMs: number, again: boolean}} call
 *   `request`: the text of `f.req`, made outside, where no script of the page can change how.
 */
export function callBatchexecute({ id, rpc, request, sourcePath, limitMs, again }) {
  const page = /** @type {any} */ (window);
  const kept = (page[Symbol.for("flowkit answers")] ||= new Map());
  if (kept.has(id) && !again) return kept.get(id);
  const account = /^\/u\/\d+(?=\/|$)/.exec(location.pathname)?.[0] ?? "";

  /** What Flow gives the page with its HTML; the page's own copy unless that was refused. */
  const readValues = async () => {
    const names = ["SNlM0e", "FdrFJe", "cfb2h"];
    const renewed = page[Symbol.for("flowkit values")];
    const own = page.WIZ_global_data;
    let found = renewed && renewed.instead === own?.SNlM0e ? renewed.values : own;
    if (again) {
      const reply = await fetch(`${account}${sourcePath}`, { cache: "no-store", signal: AbortSignal.timeout(10_000) });
      const html = await reply.text();
      const values = Object.fromEntries(
        names.map((name) => [name, new RegExp(`"${name}"\\s*:\\s*("(?:[^"\\\\]|\\\\.)*")`).exec(html)?.[1]]),
      );
      if (!names.every((name) => values[name])) return null;
      const whose = /"oPEP7c"\s*:\s*("(?:[^"\\]|\\.)*")/.exec(html)?.[1];
      if (typeof own?.oPEP7c === "string" && JSON.parse(whose ?? '""') !== own.oPEP7c) return null;
      found = Object.fromEntries(names.map((name) => [name, JSON.parse(values[name] ?? '""')]));
      page[Symbol.for("flowkit values")] = { instead: own?.SNlM0e, values: found };
    }
    const good = names.every((name) => typeof found?.[name] === "string" && found[name].length < 4096);
    return good ? { at: found.SNlM0e, session: found.FdrFJe, build: found.cfb2h } : null;
  };

  const run = async () => {
    const values = await readValues().catch(() => null);
    if (values === null) return { fault: "NOT_SIGNED_IN", sent: false };
    const query = new URLSearchParams({
      rpcids: rpc,
      "source-path": sourcePath,
      bl: values.build,
      "f.sid": values.session,
      hl: document.documentElement.lang || "en",
      _reqid: String(100_000 + Math.floor(Math.random() * 900_000)),
      rt: "c",
    });
    const body = new URLSearchParams({ "f.req": request, at: values.at });
    try {
      const reply = await fetch(`${account}/_/AiSandboxAngularFrontend/data/batchexecute?${query}`, {
        method: "POST",
        headers: { "x-same-domain": "1" },
        body,
        credentials: "include",
        redirect: "manual",
        cache: "no-store",
        signal: AbortSignal.timeout(limitMs),
      });
      return {
        status: reply.type === "opaqueredirect" ? 302 : reply.status,
        type: reply.headers.get("content-type") ?? "",
        retryAfter: reply.headers.get("retry-after") ?? "",
        body: await reply.text(),
      };
    } catch (error) {
      const late = /** @type {any} */ (error)?.name === "TimeoutError";
      return { fault: late ? "TIMEOUT" : "NETWORK", sent: true };
    }
  };

  const before = kept.get(id);
  const answer = run();
  kept.set(id, answer);
  // A repetition that could not be made leaves the first answer in place.
  if (again) answer.then((now) => now.sent === false && before && kept.set(id, before));
  return answer;
}
