"""A node to check against: started from flags and perhaps a file, filled with a little, stopped in order."""
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import time
import urllib.request

BINARY = pathlib.Path(os.environ["INCIPIT_BINARY"])
START_TIMEOUT_S = 60
# So small that many nodes start in the time of one test run.
SMALL = ("--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--ram", "32MiB", "--shards", "1", "--sparse",
         "--no-huge-pages")
SMALL_NVME = ("--nvme-bytes", "64MiB", "--region-bytes", "8MiB")


def new_tenant(folder, name="search"):
    """Writes tenants.toml and the secret of one tenant into `folder`; gives the file."""
    made = subprocess.run([BINARY, "tenant", "new", name, "--secret-file", folder / f"{name}.secret"],
                          capture_output=True, text=True, check=True)
    tenants = folder / "tenants.toml"
    lines = [f'secret_file = "{name}.secret"' if line.startswith("secret_file") else line
             for line in made.stdout.splitlines()]
    # So large that nothing ever goes for them; what is shown of quotas is there all the same.
    lines += ["cluster_ram_quota_bytes = 1_000_000_000_000", "cluster_nvme_quota_bytes = 1_000_000_000_000"]
    tenants.write_text("\n".join(lines) + "\n")
    tenants.chmod(0o600)
    return tenants


@dataclasses.dataclass
class LiveNode:
    """`arguments` follow `incipit serve --json`; `wrapper` comes before the binary, `environment` is added."""
    folder: pathlib.Path
    arguments: tuple = ()
    wrapper: tuple = ()
    environment: dict = dataclasses.field(default_factory=dict)

    def __enter__(self):
        out, self.log = self.folder / "out", self.folder / "log"
        with open(out, "wb") as stdout, open(self.log, "wb") as stderr:
            self.process = subprocess.Popen([*self.wrapper, BINARY, "serve", "--json", *self.arguments],
                                            stdout=stdout, stderr=stderr, cwd=self.folder,
                                            env={**os.environ, **self.environment})
        deadline = time.monotonic() + START_TIMEOUT_S
        while not out.read_text().endswith("\n"):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the node does not serve; its log:\n{self.log.read_text()}")
            time.sleep(0.02)
        self.facts = json.loads(out.read_text())
        if "error" in self.facts:
            self.kill()
            raise RuntimeError(f"the node does not start: {self.facts['error']}")
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def stop(self):
        """As systemd and container engines stop it; gives the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def page(self, path):
        with urllib.request.urlopen(f"http://{self.facts['http']}{path}", timeout=30) as answer:
            return answer.read().decode()

    def store_and_load(self, address, *credentials, wrapper=()):
        """Stores a small prompt's blocks over one lane and loads them again; fails on any miss or wrong byte."""
        source = self.folder / "prompt"
        source.write_bytes(bytes(range(256)) * 256)
        for command in ("put", "get"):
            done = subprocess.run([*wrapper, BINARY, command, "--connect", address, "--file", source, "--random", "7",
                                   *credentials], capture_output=True, text=True, timeout=120, check=False)
            assert done.returncode == 0, f"incipit {command}: {done.stdout}{done.stderr}"
