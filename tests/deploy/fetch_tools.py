"""Puts the tools that check deploy/ into a folder: an environment with requirements.txt, promtool, Kubernetes' schemas.

usage: fetch_tools.py FOLDER
Does nothing where the folder already holds what this file and requirements.txt ask for.
"""
import hashlib
import pathlib
import subprocess
import sys
import tarfile
import venv
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
# Debian's package, of which only promtool is taken: installing it would start a service.
PROMETHEUS_VERSION = "2.42."
# Three of the versions that the package has: the oldest that the chart allows, one between, the newest. The whole
# package is 17,000 files.
KUBERNETES_VALIDATE = "1.37.0"
KUBERNETES_VERSIONS = ("1.25.0", "1.31.0", "1.37.0")


def run(*command, **options):
    subprocess.run([str(part) for part in command], check=True, **options)


def fetch_promtool(folder):
    downloads = folder / "debian"
    downloads.mkdir(exist_ok=True)
    command = ["apt-get", "download", "-qq", "prometheus"]
    if subprocess.run(command, cwd=downloads, stderr=subprocess.DEVNULL, check=False).returncode != 0:
        run("apt-get", "update", "-qq")  # a machine without package lists
        run(*command, cwd=downloads)
    package = max(downloads.glob("prometheus_*.deb"), key=lambda path: path.stat().st_mtime)
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as unpacked:
        with tarfile.open(fileobj=unpacked.stdout, mode="r|") as members:
            for member in members:
                if member.name == "./usr/bin/promtool":
                    (folder / "promtool").write_bytes(members.extractfile(member).read())
    (folder / "promtool").chmod(0o755)
    version = subprocess.run([folder / "promtool", "--version"], capture_output=True, text=True, check=True)
    if f"version {PROMETHEUS_VERSION}" not in version.stdout + version.stderr:
        sys.exit(f"fetch_tools: promtool {PROMETHEUS_VERSION}x is wanted, Debian gave {version.stdout}")


def fetch_kubernetes_schemas(folder):
    run(folder / "venv/bin/pip", "download", "-q", "--no-deps", "-d", folder,
        f"kubernetes-validate=={KUBERNETES_VALIDATE}")
    wanted = tuple(f"kubernetes_validate/kubernetes-json-schema/v{version}-local-strict/"
                   for version in KUBERNETES_VERSIONS)
    with zipfile.ZipFile(next(folder.glob("kubernetes_validate-*.whl"))) as wheel:
        wheel.extractall(folder / "kubernetes", [name for name in wheel.namelist() if
                                                 name.startswith(wanted) or name.endswith(".py")])


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    wanted = hashlib.sha256()
    for source in (HERE / "requirements.txt", pathlib.Path(__file__)):
        wanted.update(source.read_bytes())
    stamp = folder / "fetched"
    if stamp.exists() and stamp.read_text() == wanted.hexdigest():
        return
    venv.create(folder / "venv", with_pip=True, clear=True)
    run(folder / "venv/bin/pip", "install", "-q", "-r", HERE / "requirements.txt")
    fetch_kubernetes_schemas(folder)
    fetch_promtool(folder)
    stamp.write_text(wanted.hexdigest())


if __name__ == "__main__":
    main()
