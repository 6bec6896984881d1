"""Make the virtual environment that `make` works in, or find that it is already right.

Called before every target that needs Python. Needs nothing but the standard library, and reads on
any Python 3 so that one that is too old can still say so in a line. What is installed is pinned by
`constraints.txt`; from where is the business of the user's own pip settings.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)


def main():
    venv = ROOT / (sys.argv[1] if len(sys.argv) > 1 else ".venv")
    complain_if_unusable()
    ready = venv / ".ready"
    wanted = fingerprint(venv)
    if ready.is_file() and ready.read_text(encoding="utf-8") == wanted:
        return
    print(f"Installing into {venv.name} (once, a minute or two).", flush=True)
    if ready.exists():
        ready.unlink()  # so that an interrupted installation is not taken for a finished one
    if not usable(venv):
        run([sys.executable, "-m", "venv", "--clear", str(venv)])
    # A pip that knows dependency groups, and hatchling, so that the build needs no second download.
    pip(venv, "pip", "hatchling")
    pip(venv, "--group", "dev", "--no-build-isolation", "--editable", ".")
    ready.write_text(wanted, encoding="utf-8")


def complain_if_unusable():
    """One line that says what is missing and which command installs it."""
    sudo = "" if hasattr(os, "geteuid") and os.geteuid() == 0 else "sudo "
    name = sys.executable
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if sys.version_info < OLDEST:
        for minor in range(OLDEST[1], OLDEST[1] + 6):
            if shutil.which(f"python3.{minor}"):
                advice = f"add PYTHON=python3.{minor} to the command"
                break
        else:
            advice = f"{sudo}apt-get install python3 python3-venv, or brew install python"
        sys.exit(f"{name} is Python {version}, FlowKit needs 3.11 or newer: {advice}")
    if not all(importlib.util.find_spec(module) for module in ("venv", "ensurepip")):
        debians = name in {"/usr/bin/python3", "/bin/python3"}
        package = "python3-venv" if debians else f"python{version}-venv"
        sys.exit(f"{name} lacks its venv module: {sudo}apt-get install {package}")


def fingerprint(venv):
    """What the environment depends on: the two files, the Python and where it all lies."""
    text = [sys.version, sys.base_prefix, str(venv)]
    text += [
        (ROOT / name).read_text(encoding="utf-8") for name in ("pyproject.toml", "constraints.txt")
    ]
    text.append(Path(__file__).read_text(encoding="utf-8"))
    return hashlib.sha256("\0".join(text).encode()).hexdigest()


def python_of(venv):
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def usable(venv):
    """Whether it is an environment of this very Python, and was not interrupted before its pip."""
    try:
        answer = subprocess.run(
            [str(python_of(venv)), "-c", "import pip, sys; print(sys.version)"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            check=False,
        )
    except OSError:
        return False
    return answer.stdout.strip() == sys.version.strip()


def pip(venv, *arguments):
    # -qq: errors only, no progress and no warnings about newer versions.
    run(
        [
            str(python_of(venv)),
            "-m",
            "pip",
            "--disable-pip-version-check",
            "-qq",
            "install",
            "--constraint",
            "constraints.txt",
            *arguments,
        ]
    )


def run(command):
    """Its own message has been shown when it fails; a traceback would only hide it."""
    code = subprocess.run(command, cwd=str(ROOT), check=False).returncode
    if code:
        sys.exit("That did not work (see above). Is there a network? Then run make again.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped; run make again to go on")
