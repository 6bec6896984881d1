// @ts-check
/**
 * Runs inside a page of labs.google (world MAIN): makes one call of lane labs (flow-wire §1.2, §2.5), as the
 * page itself would: same origin, same referrer, the page's own bearer. The answer is kept under the call's id.
 *
 * @param {{id: string, url: string, method: string, bearer: string | null, body: string | null, limitMs: number, again: boolean}} call
 *   `bearer`: for the API host, null for the site.
 */
export function callLabs({ id, url, method, bearer, body, limitMs, again }) {
  const page = /** @type {any} */ (window);
  const kept = (page[Symbol.for("flowkit answers")] ||= new Map());
  if (kept.has(id) && !again) return kept.get(id);

  const run = async () => {
    if (location.origin !== "https://labs.google") return { fault: "NO_FLOW_TAB", sent: false };
    /** @type {Record<string, string>} */
    const headers = {};
    if (bearer !== null) headers.authorization = `Bearer ${bearer}`;
    if (body !== null) {
      headers["content-type"] = bearer === null ? "application/json" : "text/plain;charset=UTF-8";
    }
    try {
      const reply = await fetch(url, {
        method,
        headers,
        body,
        credentials: "same-origin",
        redirect: "manual",
        cache: "no-store",
        signal: AbortSignal.timeout(limitMs),
      });
      return {
        status: reply.type === "opaqueredirect" ? 307 : reply.status,
        redirected: reply.type === "opaqueredirect",
        type: reply.headers.get("content-type") ?? "",
        retryAfter: reply.headers.get("retry-after") ?? "",
        body: await reply.text(),
      };
    } catch (error) {
      const late = /** @type {any} */ (error)?.name === "TimeoutError";
      return { fault: late ? "TIMEOUT" : "NETWORK", sent: true };
    }
  };

  const answer = run();
  kept.set(id, answer);
  return answer;
}

/**
 * Runs inside a page of labs.google (world MAIN): who is signed in, asked as the page itself asks.
 * @param {number} limitMs
 */
export async function askSession(limitMs) {
  if (location.origin !== "https://labs.google") return { fault: "NO_FLOW_TAB" };
  try {
    const reply = await fetch("/fx/api/auth/session", {
      credentials: "same-origin",
      redirect: "manual",
      cache: "no-store",
      signal: AbortSignal.timeout(limitMs),
    });
    if (reply.type === "opaqueredirect") return { fault: "MOVED" };
    const told = JSON.parse(await reply.text());
    return { bearer: told.access_token ?? null, email: told.user?.email ?? null, name: told.user?.name ?? null };
  } catch {
    return { fault: "NETWORK" };
  }
}
