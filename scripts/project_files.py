"""Which files belong to the project, what they include, and a cache of checks that passed: shared by the scripts here.

Files come from git where there is a checkout, and from a walk of the tree elsewhere (a source archive).
"""
import hashlib
import os
import re
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
INCLUDE_DIRS = ("", "client/include")
_SKIPPED_DIRS = {".git", "build", "out", "__pycache__"}
_INCLUDE = re.compile(r'^\s*#\s*include\s+[<"]([^">]+)[">]', re.MULTILINE)


def tracked(*suffixes, under=""):
    """Paths relative to the root, sorted: tracked or about to be (not ignored), existing, with one of the suffixes."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False)
    names = listed.stdout.split("\n") if listed.returncode == 0 else list(_walk())
    return sorted({n for n in names if n and n.startswith(under) and (not suffixes or n.endswith(suffixes))
                   and os.path.isfile(os.path.join(ROOT, n))})


def _walk():
    for folder, dirs, files in os.walk(ROOT):
        dirs[:] = [d for d in dirs if d not in _SKIPPED_DIRS]
        for name in files:
            yield os.path.relpath(os.path.join(folder, name), ROOT)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def includes(path, text=None):
    """The project's own files that `path` includes directly."""
    found = []
    for name in _INCLUDE.findall(read(path) if text is None else text):
        for base in (*INCLUDE_DIRS, os.path.dirname(path)):
            candidate = os.path.normpath(os.path.join(base, name))
            if os.path.isfile(os.path.join(ROOT, candidate)):
                found.append(candidate)
                break
    return found


def include_closure(path):
    """`path` and all of the project's files that it includes, directly or not."""
    seen, pending = set(), [path]
    while pending:
        current = pending.pop()
        if current not in seen:
            seen.add(current)
            pending.extend(includes(current))
    return sorted(seen)


class PassedCache:
    """Remembers which checks passed on which content, so that unchanged files are not checked again: in the user's
    cache folder, as ccache does, since what passed in one checkout need not be checked in another.

    A check is named by `salt` (tool version and flags) and by the content of a file and of all it includes.
    """

    def __init__(self, name, salt):
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        self._dir = os.path.join(cache, "incipit", "checks", name)
        self._salt = salt
        self._hashes = {}
        os.makedirs(self._dir, exist_ok=True)

    def _content_hash(self, path):
        if path not in self._hashes:
            self._hashes[path] = hashlib.sha256(read(path).encode()).hexdigest()
        return self._hashes[path]

    def key(self, path):
        whole = hashlib.sha256(self._salt.encode())
        for part in (path, *include_closure(path)):
            whole.update(f"{part} {self._content_hash(part)}\n".encode())
        return whole.hexdigest()

    def has(self, path):
        return os.path.exists(os.path.join(self._dir, self.key(path)))

    def add(self, path):
        with open(os.path.join(self._dir, self.key(path)), "w", encoding="utf-8") as file:
            file.write(path + "\n")


def tool_version(command):
    return subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout


def run_parallel(jobs, work, items):
    """Calls work(item) -> error text or "" in `jobs` threads; prints each error; gives the number of errors."""
    from concurrent.futures import ThreadPoolExecutor
    failed = 0
    with ThreadPoolExecutor(jobs) as pool:
        for error in pool.map(work, items):
            if error:
                failed += 1
                print(error, flush=True)
    return failed
