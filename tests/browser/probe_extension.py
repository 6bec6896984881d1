"""A trivial extension, written by a test: what any extension with Flow's hosts could see and do."""

from __future__ import annotations

import json
from pathlib import Path

WORKER = """
globalThis.heard = [];
chrome.webRequest.onBeforeSendHeaders.addListener(
  ({ url, initiator, tabId, requestHeaders }) => {
    const bearer = requestHeaders.find(({ name }) => name.toLowerCase() === 'authorization')?.value;
    if (bearer) heard.push({ url, initiator, tabId, bearer });
  },
  { urls: ['https://aisandbox-pa.googleapis.com/*'] },
  ['requestHeaders', 'extraHeaders'],
);
globalThis.values = async (url) => {
  const [tab] = await chrome.tabs.query({ url });
  const [{ result }] = await chrome.scripting.executeScript({
    target: { tabId: tab.id }, world: 'MAIN', func: () => ({ ...window.WIZ_global_data }),
  });
  return result;
};
globalThis.mint = async (url, action) => {
  const [tab] = await chrome.tabs.query({ url });
  const [{ result }] = await chrome.scripting.executeScript({
    target: { tabId: tab.id }, world: 'MAIN', args: [action],
    func: async (action) => {
      const found = ({ src }) => /enterprise.js\\?render=([\\w-]+)/.exec(src)?.[1];
      const key = [...document.scripts].map(found).find(Boolean);
      await new Promise((resolve) => grecaptcha.enterprise.ready(resolve));
      return grecaptcha.enterprise.execute(key, { action });
    },
  });
  return result;
};
globalThis.call = async (url, where, how) => {
  const [tab] = await chrome.tabs.query({ url });
  const [{ result }] = await chrome.scripting.executeScript({
    target: { tabId: tab.id }, world: 'MAIN', args: [where, how],
    func: async (where, how) => {
      try {
        const reply = await fetch(where, how);
        return { status: reply.status, text: await reply.text() };
      } catch (error) {
        return { failed: String(error) };
      }
    },
  });
  return result;
};
globalThis.fromWorker = async (where, how) => {
  try {
    const reply = await fetch(where, how);
    return { status: reply.status, text: await reply.text() };
  } catch (error) {
    return { failed: String(error) };
  }
};
"""


def probe_extension(folder: Path, *hosts: str) -> Path:
    """Its folder; without hosts it may touch no site at all."""
    folder.mkdir()
    manifest = {
        "manifest_version": 3,
        "name": "Probe",
        "version": "1",
        "permissions": ["scripting", "webRequest"] if hosts else [],
        "host_permissions": [f"https://{host}/*" for host in hosts],
        "background": {"service_worker": "worker.js"},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    text = WORKER if hosts else "globalThis.heard = [];"
    (folder / "worker.js").write_text(text, encoding="utf-8")
    return folder
