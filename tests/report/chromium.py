"""A page in headless Chromium: what a script finds there, and all that went wrong on the way."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

BINARY = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

needs_chromium = pytest.mark.skipif(BINARY is None, reason="no Chromium here: the page was not opened in a browser")

OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--enable-logging=stderr",
]

# Listens before anything else of the page runs.
_EARS = """<script>
window.wrong = [];
addEventListener("error", (event) => wrong.push(String(event.message || event.target)), true);
addEventListener("unhandledrejection", (event) => wrong.push(String(event.reason)));
document.addEventListener("securitypolicyviolation", (event) => wrong.push("refused " + event.blockedURI));
for (const level of ["error", "warn"]) console[level] = (...words) => wrong.push(words.join(" "));
</script>"""

_HANDS = """<script>
(async () => {
  const find = (selector) => document.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const texts = (selector) => all(selector).map((item) => item.textContent);
  const wait = (milliseconds = 20) => new Promise((done) => setTimeout(done, milliseconds));
  const choose = async (id, value) => {
    find("#" + id).value = value;
    find("#" + id).dispatchEvent(new Event("change"));
    await wait();
  };
  const type = async (words) => {
    find("#search").value = words;
    find("#search").dispatchEvent(new Event("input"));
    await wait(400);
  };
  const open = async (number = 0) => {
    const item = all(".question")[number];
    item.querySelector("summary").click();
    await wait();
    return item;
  };
  let found = null;
  try { found = await (async () => { %s })(); } catch (error) { wrong.push("the test's script: " + error); }
  const out = document.createElement("pre");
  out.id = "outcome";
  const requests = performance.getEntriesByType("resource").map((entry) => entry.name);
  out.textContent = JSON.stringify({ found, wrong, requests });
  document.body.append(out);
})();
</script>"""


@dataclass(frozen=True)
class Visit:
    """What came of opening a page: what the script returned, errors, and requests that were made."""

    found: Any
    wrong: list[str]
    requests: list[str]


def visit(page: Path, script: str, *, folder: Path, width: int = 1200) -> Visit:
    """Open a copy of a page, and run a script in it: the body of an async function with the helpers above."""
    assert BINARY is not None
    source = page.read_text(encoding="utf-8")
    source = source.replace("<head>", f"<head>{_EARS}", 1)
    head, end, tail = source.rpartition("</body>")
    copy = folder / "visited.html"
    copy.write_text(head + _HANDS % script + end + tail, encoding="utf-8")
    options = [*OPTIONS, f"--user-data-dir={folder / 'profile'}", f"--window-size={width},1000"]
    done = subprocess.run(
        [BINARY, *options, "--virtual-time-budget=20000", "--dump-dom", copy.as_uri()],
        capture_output=True,
        timeout=60,
    )
    dom = done.stdout.decode("utf-8", "replace")
    outcome = re.search(r'<pre id="outcome">(.*?)</pre>', dom, re.DOTALL)
    assert outcome, done.stderr.decode("utf-8", "replace")[-2000:]
    said = json.loads(html.unescape(outcome.group(1)))
    console = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if "CONSOLE" in line]
    return Visit(said["found"], said["wrong"] + console, said["requests"])
