// @ts-check
/**
 * Every call this extension makes, in both lanes: docs/bridge-protocol.md as data, and the check against it.
 *
 * This is the only way to the network. FlowKit names a row and gives a body; where it goes, and as whom, is
 * decided here.
 */

import { CannotCall, RECAPTCHA } from "./protocol.js";

export const FLOW = "https://flow.google.com";
export const LABS = "https://labs.google";
export const LABS_API = "https://aisandbox-pa.googleapis.com";

/** What a body may take as JSON: an upload of 20 MB in base64, and its surroundings. */
export const MAX_BODY = 32 * 1024 * 1024;
const LONGEST_QUERY = 4096;
const DEEPEST = 64;

const IMAGE = "IMAGE_GENERATION";
const VIDEO = "VIDEO_GENERATION";

/** @typedef {import("./protocol.js").Call} Call */
/** @typedef {{captcha: string | null, paid: boolean, limitS: number}} Common */
/** @typedef {Common & {lane: "batchexecute", rpc: string}} BatchRow The RPC it means today. */
/**
 * @typedef {Common & {lane: "labs", method: "GET"|"POST"|"PATCH", host: "api"|"site", path: string, query: string[]}} LabsRow
 * `{…}` in the path is one id; `query` are the names it may have.
 */
/** @typedef {BatchRow | LabsRow} Row */

/** @type {(rpc: string, captcha: string | null, paid: boolean, limitS: number) => BatchRow} */
const rpc = (rpc, captcha, paid, limitS) =>
  Object.freeze({ lane: "batchexecute", rpc, captcha, paid, limitS });

/** @type {(method: LabsRow["method"], host: LabsRow["host"], path: string, query: string[], captcha: string | null, paid: boolean, limitS: number) => LabsRow} */
const rest = (method, host, path, query, captcha, paid, limitS) =>
  Object.freeze({ lane: "labs", method, host, path, query, captcha, paid, limitS });

/** @type {Readonly<Record<string, BatchRow>>} */
export const BATCHEXECUTE = Object.freeze({
  "account.credits": rpc("nzlxg", null, false, 20),
  "account.models": rpc("HTrJv", null, false, 20),
  "project.create": rpc("jHPbke", null, false, 20),
  "project.list": rpc("UpteDb", null, false, 60),
  "project.contents": rpc("Zzl0ze", null, false, 60),
  "project.rename": rpc("o8DA4", null, false, 20),
  "project.delete": rpc("QI2zvc", null, false, 20),
  "media.get": rpc("as29s", null, false, 60),
  "media.delete": rpc("cz8Z4b", null, false, 20),
  "workflow.update": rpc("mYWVGd", null, false, 20),
  "workflow.archive": rpc("pGCYOe", null, false, 20),
  "scene.create": rpc("rqZuUc", null, false, 30),
  "character.create": rpc("C4BZMd", null, false, 20),
  "character.update": rpc("rzMKMb", null, false, 20),
  "character.portrait": rpc("Sc7aEb", null, false, 30),
  "image.upload": rpc("maseQ", IMAGE, false, 90),
  "image.generate": rpc("ogiZ0b", IMAGE, true, 180),
  "image.upscale": rpc("SPrCad", IMAGE, true, 300),
  "video.text": rpc("YhhmEf", VIDEO, true, 90),
  "video.start": rpc("eb1hJf", VIDEO, true, 90),
  "video.start_end": rpc("nprQif", VIDEO, true, 90),
  "video.references": rpc("MZZa6b", VIDEO, true, 90),
  "video.extend": rpc("fZytfe", VIDEO, true, 90),
  "video.upscale": rpc("p0UkFb", VIDEO, true, 90),
  "video.status": rpc("jwpduf", null, false, 30),
});

const TRPC = "/fx/api/trpc/";
const SUBMIT = "/v1/video:batchAsyncGenerateVideo";

/** @type {Readonly<Record<string, LabsRow>>} */
export const LABS_CALLS = Object.freeze({
  "account.credits": rest("GET", "api", "/v1/credits", [], null, false, 20),
  "account.models": rest("GET", "site", `${TRPC}flow.projectInitialData`, ["input"], null, false, 60),
  "project.create": rest("POST", "site", `${TRPC}project.createProject`, [], null, false, 20),
  "project.list": rest("GET", "site", `${TRPC}project.searchUserProjects`, ["input"], null, false, 60),
  "project.contents": rest("GET", "site", `${TRPC}flow.projectInitialData`, ["input"], null, false, 60),
  "project.rename": rest("POST", "site", `${TRPC}project.updateProject`, [], null, false, 20),
  "project.delete": rest("POST", "site", `${TRPC}project.deleteProject`, [], null, false, 20),
  "media.get": rest("GET", "api", "/v1/media/{media}", ["clientContext.tool"], null, false, 60),
  "media.url": rest("GET", "site", `${TRPC}media.getMediaUrlRedirect`, ["name"], null, false, 60),
  "media.delete": rest("POST", "api", "/v1/flow:batchDeleteAssets", [], null, false, 20),
  "media.cancel": rest("POST", "api", "/v1/flowMedia:cancelGeneration", [], null, false, 20),
  "workflow.update": rest("PATCH", "api", "/v1/flowWorkflows/{workflow}", [], null, false, 20),
  "workflow.archive": rest("PATCH", "api", "/v1/flowWorkflows/{workflow}", [], null, false, 20),
  "character.create": rest("POST", "site", `${TRPC}flow.createEntity`, [], null, false, 20),
  "character.update": rest("PATCH", "api", "/v1/flow/entities", [], null, false, 20),
  "character.portrait": rest("POST", "api", "/v1/flow:copyProjectMedia", [], null, false, 30),
  "image.upload": rest("POST", "api", "/v1/flow/uploadImage", [], null, false, 90),
  "image.generate": rest("POST", "api", "/v1/projects/{project}/flowMedia:batchGenerateImages", [], IMAGE, true, 180),
  "image.upscale": rest("POST", "api", "/v1/flow/upsampleImage", [], IMAGE, true, 300),
  "video.text": rest("POST", "api", `${SUBMIT}Text`, [], VIDEO, true, 90),
  "video.start": rest("POST", "api", `${SUBMIT}StartImage`, [], VIDEO, true, 90),
  "video.start_end": rest("POST", "api", `${SUBMIT}StartAndEndImage`, [], VIDEO, true, 90),
  "video.references": rest("POST", "api", `${SUBMIT}ReferenceImages`, [], VIDEO, true, 90),
  "video.extend": rest("POST", "api", `${SUBMIT}ExtendVideo`, [], VIDEO, true, 90),
  "video.upscale": rest("POST", "api", `${SUBMIT}UpsampleVideo`, [], VIDEO, true, 90),
  "video.status": rest("POST", "api", "/v1/video:batchCheckAsyncVideoGenerationStatus", [], null, false, 30),
});

/** What the person reads for each name. @type {Readonly<Record<string, string>>} */
const WORDS = Object.freeze({
  "account.credits": "balance",
  "account.models": "models and prices",
  "project.create": "new project",
  "project.list": "list of projects",
  "project.contents": "contents of a project",
  "project.rename": "rename a project",
  "project.delete": "delete a project",
  "media.get": "look at a picture or clip",
  "media.url": "address of a file",
  "media.delete": "delete media",
  "media.cancel": "stop a clip",
  "workflow.update": "rename or select",
  "workflow.archive": "move to trash",
  "scene.create": "new scene",
  "character.create": "new character",
  "character.update": "change a character",
  "character.portrait": "portrait of a character",
  "image.upload": "upload a picture",
  "image.generate": "picture",
  "image.upscale": "larger picture",
  "video.text": "clip from words",
  "video.start": "clip from a picture",
  "video.start_end": "clip between two pictures",
  "video.references": "clip with references",
  "video.extend": "longer clip",
  "video.upscale": "larger clip",
  "video.status": "progress of clips",
});

/** @param {Call} call @returns {string} In words, for the panel: what it is for, if FlowKit says so. */
export function callInWords({ name, what }) {
  return what || (Object.hasOwn(WORDS, name) ? WORDS[name] : "unknown call");
}

const SAME_VERSION = "Update the extension and FlowKit to the same version.";
const NAME_OF = new Map(Object.entries(BATCHEXECUTE).map(([name, row]) => [row.rpc, name]));
const RPC = /^[A-Za-z0-9]{5,6}$/;
const SOURCE_PATH = /^\/(?:[A-Za-z0-9_-]+(?:\/[A-Za-z0-9_-]+)*)?$/;
const ID = "[A-Za-z0-9_-]{1,400}";

/**
 * The row that allows exactly this call.
 * @param {Call} call
 * @returns {Row}
 * @throws {CannotCall} UNKNOWN_CALL or BAD_ARGUMENTS; nothing has left.
 */
export function check(call) {
  /** @type {Readonly<Record<string, Row>>} */
  const table = call.lane === "labs" ? LABS_CALLS : BATCHEXECUTE;
  const row = Object.hasOwn(table, call.name) ? table[call.name] : null;
  if (row === null) {
    throw new CannotCall("UNKNOWN_CALL", "this extension knows no such call", { nextStep: SAME_VERSION });
  }
  const faults = {
    ...(row.lane === "labs" ? faultsOfLabs(row, call.args) : faultsOfBatch(call)),
    captcha: call.captcha == null || call.captcha === row.captcha,
    paid: Boolean(call.paid) === row.paid,
    size: withinBounds(call.args),
  };
  for (const [field, good] of Object.entries(faults)) {
    if (!good) throw new CannotCall("BAD_ARGUMENTS", `${field} is not what ${call.name} allows`, { nextStep: SAME_VERSION });
  }
  return row;
}

/**
 * @param {Call} call
 * @returns {Record<string, boolean>}
 */
function faultsOfBatch({ name, args }) {
  const path = args.source_path === undefined ? "/" : args.source_path;
  return {
    args: onlyFields(args, ["rpc", "args", "source_path"]) && Array.isArray(args.args),
    rpc:
      typeof args.rpc === "string" &&
      RPC.test(args.rpc) &&
      (NAME_OF.get(args.rpc) ?? name) === name,
    source_path: typeof path === "string" && path.length <= 2000 && SOURCE_PATH.test(path),
  };
}

/**
 * @param {LabsRow} row
 * @param {Record<string, any>} args
 * @returns {Record<string, boolean>}
 */
function faultsOfLabs(row, { method, host, path, query = {}, body, ...rest }) {
  return {
    args: Object.keys(rest).length === 0,
    method: method === row.method,
    host: host === row.host,
    path: typeof path === "string" && pathPattern(row.path).test(path) && staysOn(row, path),
    query:
      isObject(query) &&
      Object.entries(query).every(
        ([key, value]) =>
          row.query.includes(key) && typeof value === "string" && value.length <= LONGEST_QUERY,
      ),
    body: row.method === "GET" ? body === undefined : isObject(body),
  };
}

/**
 * Where a checked call of lane labs goes.
 * @param {LabsRow} row
 * @param {string} path
 * @param {Record<string, string>} [query]
 */
export function labsAddress(row, path, query = {}) {
  const url = new URL(path, row.host === "api" ? LABS_API : LABS);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return url;
}

/**
 * The browser reads the address as we do: a second opinion on the pattern.
 * @param {LabsRow} row
 * @param {string} path
 */
function staysOn(row, path) {
  const url = labsAddress(row, path);
  const origin = row.host === "api" ? LABS_API : LABS;
  return url.origin === origin && url.pathname === path && url.username === "" && url.search === "";
}

/** @param {string} path */
function pathPattern(path) {
  const fixed = path.split(/\{[a-z]+\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${fixed.join(ID)}$`);
}

/**
 * @param {Record<string, any>} args
 * @param {string[]} names
 */
function onlyFields(args, names) {
  return Object.keys(args).every((name) => names.includes(name));
}

/** @param {unknown} value @returns {value is Record<string, any>} */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @param {Record<string, any>} args */
function withinBounds(args) {
  return shallow(args, DEEPEST) && JSON.stringify(args).length <= MAX_BODY;
}

/**
 * @param {unknown} value
 * @param {number} levels
 * @returns {boolean}
 */
function shallow(value, levels) {
  if (typeof value !== "object" || value === null) return true;
  return levels > 0 && Object.values(value).every((item) => shallow(item, levels - 1));
}

/**
 * The same arguments with the token wherever its place is marked.
 * @param {any} value
 * @param {string} token
 * @returns {any}
 */
export function withToken(value, token) {
  if (Array.isArray(value)) return value.map((item) => withToken(item, token));
  if (isObject(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [name, withToken(item, token)]),
    );
  }
  return value === RECAPTCHA ? token : value;
}
