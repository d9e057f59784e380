#!/usr/bin/env python3
"""Tenants on a real node: credentials, reload by SIGHUP, where it listens, what its log and command lines show.

usage: run_tenants.py PATH_OF_INCIPIT [unittest options]
"""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

INCIPIT = ""
TIMEOUT_S = 60  # of anything; only a hang comes near it


def run(*arguments, environment=None):
    """(exit status, standard output and error) of one command."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith("INCIPIT_")}
    done = subprocess.run([INCIPIT, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT_S,
                          check=False, env={**variables, **(environment or {})})
    return done.returncode, done.stdout.decode()


class TenantsTest(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory(dir=os.getcwd())
        self.directory = pathlib.Path(self.scratch.name)
        self.log_path = self.directory / "node.log"
        self.node = None

    def tearDown(self):
        if self.node is not None:
            self.node.kill()
            self.node.wait(TIMEOUT_S)
            self.node.stdout.close()
        self.scratch.cleanup()

    def new_tenant(self, name, roles="read,write"):
        """Its entry for the file of tenants."""
        status, text = run("tenant", "new", name, "--secret-file", str(self.secret_file(name)), "--roles", roles,
                           "--json")
        self.assertEqual(status, 0, text)
        return json.loads(text)["entry"]

    def secret_file(self, name):
        return self.directory / f"{name}.secret"

    def write_tenants(self, text):
        path = self.directory / "tenants.toml"
        new = self.directory / "tenants.new"
        new.write_text(text)
        new.chmod(0o600)
        new.rename(path)
        return path

    def start(self, *more, listen="127.0.0.1:0"):
        with open(self.log_path, "ab") as log:
            self.node = subprocess.Popen(
                [INCIPIT, "serve", "--listen", listen, "--http", "none", "--ram", "64MiB", "--shards", "2",
                 "--no-huge-pages", "--log-level", "trace", "--json", *more], stdout=subprocess.PIPE, stderr=log)
        line = self.node.stdout.readline()
        self.assertTrue(line, self.log_path.read_text())
        self.address = json.loads(line)["address"].replace("0.0.0.0", "127.0.0.1")

    def log(self):
        return self.log_path.read_text()

    def wait_for_log(self, words, times=1):
        end = time.monotonic() + TIMEOUT_S
        while self.log().count(words) < times:
            self.assertLess(time.monotonic(), end, f"no {words!r} in {self.log()}")
            time.sleep(0.01)

    def client(self, command, tenant, *more, secret=None):
        """Runs a command as a tenant; (exit status, output)."""
        arguments = ["--connect", self.address, "--tenant", tenant]
        if secret is not False:
            arguments += ["--secret-file", str(self.secret_file(secret or tenant))]
        return run(command, *arguments, *more)

    def put(self, tenant, *more, secret=None):
        return self.client("put", tenant, "--text", "x" * 512, "--random", "1", *more, secret=secret)

    def get(self, tenant, *more, secret=None):
        return self.client("get", tenant, "--text", "x" * 512, *more, secret=secret)

    def reload(self, text, times):
        self.write_tenants(text)
        self.node.send_signal(signal.SIGHUP)
        self.wait_for_log("event=tenants_reloaded", times)

    def test_life_of_a_node_with_tenants(self):
        search, other = self.new_tenant("search"), self.new_tenant("other")
        grant = '[[grant]]\nowner = "search"\nnamespace = "*"\nto = "other"\n'
        self.start("--tenants", str(self.write_tenants(search + other)))
        self.assertEqual(self.put("search")[0], 0)
        self.assertEqual(self.get("search")[0], 0)
        self.assertEqual(self.get("other")[0], 3, "the same blocks of another tenant are misses")

        status, text = self.put("search", secret="other")
        self.assertEqual(status, 1)
        self.assertIn("not known here or its secret is another", text)
        unknown = self.put("nobody", secret="other")
        self.assertEqual((unknown[0], unknown[1]), (1, text), "an unknown tenant gets the same answer")
        status, text = self.put("search", secret=False)
        self.assertEqual(status, 1)
        self.assertIn("--secret-file", text)

        # Grants, by reload, and their end.
        self.assertEqual(self.get("other", "--owner", "search")[0], 1)
        self.reload(search + other + grant, 1)
        self.assertEqual(self.get("other", "--owner", "search")[0], 0)
        put = self.client("put", "other", "--owner", "search", "--text", "y" * 512, "--random", "1")
        self.assertEqual(put[0], 1, "the grant is for reading: " + put[1])
        self.reload(search + other, 2)
        self.assertEqual(self.get("other", "--owner", "search")[0], 1)

        # A file with a mistake changes nothing.
        self.write_tenants(search + "[[tenant]]\nname = 7\n")
        self.node.send_signal(signal.SIGHUP)
        self.wait_for_log("event=tenants_not_reloaded")
        self.assertEqual(self.get("other")[0], 3)
        self.assertEqual(self.get("search")[0], 0)

        # A tenant that is taken off, and a new secret.
        old_secret = self.secret_file("search").read_text()
        self.secret_file("search").unlink()
        search = self.new_tenant("search")
        self.reload(search, 3)
        self.assertEqual(self.get("other")[0], 1)
        self.assertEqual(self.get("search")[0], 0)
        (self.directory / "old.secret").write_text(old_secret)
        (self.directory / "old.secret").chmod(0o600)
        self.assertEqual(self.get("search", secret="old")[0], 1)

        self.check_nothing_shows_a_secret()
        self.node.send_signal(signal.SIGTERM)
        self.assertEqual(self.node.wait(TIMEOUT_S), 0)

    def check_nothing_shows_a_secret(self):
        log = self.log()
        self.assertGreaterEqual(log.count("event=auth_refused"), 4)
        self.assertIn("event=request_refused", log)
        self.assertIn('tenant="nobody"', log)
        command_line = pathlib.Path(f"/proc/{self.node.pid}/cmdline").read_bytes().decode()
        environment = pathlib.Path(f"/proc/{self.node.pid}/environ").read_bytes().decode()
        secrets = [path.read_text().strip() for path in self.directory.glob("*.secret")]
        self.assertGreaterEqual(len(secrets), 3)
        for secret in secrets:
            self.assertEqual(len(secret), 64)
            raw = bytes.fromhex(secret)
            for text in (log, command_line, environment):
                self.assertNotIn(secret[:16], text)
            self.assertNotIn(raw[:8], self.log_path.read_bytes())

    def test_users_of_this_host_stand_for_the_tenant_that_lists_them(self):
        mine = f'[[tenant]]\nname = "mine"\nuids = [{os.getuid()}]\n'
        theirs = f'[[tenant]]\nname = "theirs"\nuids = [{os.getuid() + 1}]\n'
        secret = self.new_tenant("secret")
        path = self.directory / "node.sock"
        self.start("--tenants", str(self.write_tenants(mine + theirs + secret)), "--listen-unix", str(path))
        over_tcp, self.address = self.address, f"unix://{path}"
        self.assertEqual(self.put("mine", secret=False)[0], 0)
        self.assertEqual(self.get("mine", secret=False)[0], 0)
        for tenant in ("theirs", "secret", "nobody"):
            status, text = self.get(tenant, secret=False)
            self.assertEqual(status, 1, tenant)
            self.assertIn("uids", text)
        self.assertEqual(self.get("mine", secret="secret")[0], 1, "who offers a secret has to prove it")
        self.assertEqual(self.get("secret")[0], 3)
        self.address = over_tcp
        self.assertEqual(self.get("mine", secret=False)[0], 1, "the network knows no users")

    def test_failures_are_slowed_down(self):
        tenants = self.new_tenant("search") + self.new_tenant("other")
        self.start("--tenants", str(self.write_tenants(tenants)))
        for _ in range(12):
            status, text = self.put("search", "--timeout-ms", "500", secret="other")
            self.assertEqual(status, 1)
        self.assertIn("too many failures", text)
        self.assertEqual(self.put("other")[0], 0, "another tenant of the same host is served")

    def test_listening_beyond_this_host_needs_tenants_or_insecure(self):
        status, text = run("serve", "--listen", "0.0.0.0:0", "--http", "none", "--ram", "64MiB")
        self.assertEqual(status, 1)
        self.assertRegex(text, r"--tenants.*--insecure")
        self.start("--tenants", str(self.write_tenants(self.new_tenant("search"))), listen="0.0.0.0:0")
        self.assertEqual(self.put("search")[0], 0)

    def test_files_open_to_others_and_broken_ones_stop_the_start(self):
        path = self.write_tenants(self.new_tenant("search"))
        for target, words in ((path, "tenants.toml"), (self.secret_file("search"), "search.secret")):
            target.chmod(0o644)
            status, text = run("serve", "--listen", "127.0.0.1:0", "--http", "none", "--ram", "64MiB", "--tenants",
                               str(path))
            self.assertEqual(status, 1)
            self.assertTrue(re.search(f"{words}: mode 0644 .*chmod 600", text), text)
            target.chmod(0o600)
        self.write_tenants("")
        status, text = run("serve", "--listen", "127.0.0.1:0", "--http", "none", "--ram", "64MiB",
                           "--tenants", str(path))
        self.assertEqual(status, 1)
        self.assertIn("nobody could use the node", text)

    def test_sighup_without_tenants_ends_the_process(self):
        self.start()
        self.node.send_signal(signal.SIGHUP)
        self.assertEqual(self.node.wait(TIMEOUT_S), -signal.SIGHUP)


if __name__ == "__main__":
    INCIPIT = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1)
