"""The extension as a package (.crx), as a Chromium itself packs it and installs it.

Its id is another than that of the folder: a package is signed, and the private half of the key that stands in the
manifest is with nobody. So it is signed with a key made here and thrown away, and FlowKit is told the new id.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from asyncio.subprocess import DEVNULL
from dataclasses import dataclass
from pathlib import Path

from chromium import binary, copy_extension, environment
from cryptography.hazmat.primitives import serialization as keys


@dataclass(frozen=True)
class Packed:
    crx: Path
    id: str
    version: str

    def install(self, profile: Path) -> None:
        """At its next start Chromium finds it in the profile, where a program of the user's would have put it."""
        folder = profile / "External Extensions"
        folder.mkdir(parents=True)
        found = {"external_crx": str(self.crx), "external_version": self.version}
        (folder / f"{self.id}.json").write_text(json.dumps(found), encoding="utf-8")

    def installed(self, profile: Path) -> bool:
        """Whether Chromium has unpacked it into the profile, which it does with packages only."""
        return any((profile / "Default" / "Extensions" / self.id).glob("*/background.js"))


async def pack(folder: Path) -> Packed:
    source = copy_extension(folder / "to-pack")
    file = source / "manifest.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    del manifest["key"]
    file.write_text(json.dumps(manifest), encoding="utf-8")
    packing = await asyncio.create_subprocess_exec(
        binary(),
        "--no-sandbox",
        "--headless=new",
        f"--user-data-dir={folder / 'packing'}",
        f"--pack-extension={source}",
        stdout=DEVNULL,
        stderr=DEVNULL,
        env=environment(),
    )
    assert await packing.wait() == 0, "Chromium did not pack it"
    private = keys.load_pem_private_key(source.with_suffix(".pem").read_bytes(), None)
    public = private.public_key().public_bytes(
        keys.Encoding.DER, keys.PublicFormat.SubjectPublicKeyInfo
    )
    digest = hashlib.sha256(public).hexdigest()[:32]
    as_letters = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
    return Packed(source.with_suffix(".crx"), digest.translate(as_letters), manifest["version"])
