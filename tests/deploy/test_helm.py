"""deploy/helm: the chart lints, renders for every example, obeys Kubernetes' schemas, and starts a node as rendered."""
import copy
import json
import os
import pathlib
import shutil
import subprocess
import time

import jsonschema
import kubernetes_validate
import pytest
import yaml

from fetch_tools import KUBERNETES_VERSIONS
from live_node import BINARY, SMALL, SMALL_NVME, LiveNode, new_tenant

HERE = pathlib.Path(__file__).resolve().parent
HELM = HERE.parents[1] / "deploy/helm"
EXAMPLES = sorted((HELM / "examples").glob("*.yaml"))
INSECURE = ("--set", "tenants.insecure=true")
CLUSTER = ("--set", "cluster.membership=redis://redis:6379?cluster=prod")
DRAIN = ("--set", "shutdown.drain.enabled=true")
CONTAINER_USER = 10001
MAP_WAIT_S = 10  # of a drain, until the map says that the node drains


@pytest.fixture(scope="session")
def rendered(tool):
    """Objects of the chart for a values file, by kind and name."""
    def render(values):
        status, output = tool("helm", "template", "prod", HELM / "incipit", "--namespace", "inference", "-f", values)
        assert status == 0, output
        return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(output) if one}
    return render


@pytest.fixture(params=EXAMPLES, ids=lambda path: path.stem)
def objects(request, rendered):
    return rendered(request.param)


def pre_stop(nodes):
    return nodes["spec"]["template"]["spec"]["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]


def until(condition, patience_s=60):
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def of_kind(objects, kind):
    return [one for (found, _), one in objects.items() if found == kind]


@pytest.mark.parametrize("values", EXAMPLES, ids=lambda path: path.stem)
def test_chart_lints(tool, values):
    status, output = tool("helm", "lint", "--strict", HELM / "incipit", "-f", values)
    assert status == 0, output


@pytest.mark.parametrize(("settings", "message"), [
    ((), "set one of tenants.existingSecret, tenants.files and tenants.insecure"),
    ((*INSECURE, "--set", "tenants.existingSecret=x"), "set one of tenants.existingSecret"),
    (("--set", "tenants.files.other=x"), "no tenants.toml"),
    ((*INSECURE, "--set", "replicas=many"), "replicas"),
    ((*INSECURE, "--set", "replica=2"), "replica"),
    ((*INSECURE, "--set", "config.listen=1.2.3.4:5"), "listen"),
    ((*INSECURE, "--set", "seccomp.type=RuntimeDefault"), "seccomp.type"),
    ((*INSECURE, "--set", "nvme.kind=floppy"), "nvme.kind"),
    ((*INSECURE, "--set", "cluster.membership=/etc/map.json"), "cluster.membership"),
    ((*INSECURE, "--set", "config.membership=redis://a?cluster=b"), "membership"),
    ((*INSECURE, "--set", "shutdown.drain.enabled=true"), "nobody to give blocks to; set cluster.membership"),
    ((*INSECURE, *CLUSTER, *DRAIN, "--set", "shutdown.drain.timeoutSeconds=0"), "timeoutSeconds"),
    (("--set", "tenants.existingSecret=x", *CLUSTER, *DRAIN), "set shutdown.drain.tenant, one with the role admin"),
    (("--set", "tenants.existingSecret=x", *CLUSTER, *DRAIN, "--set", "shutdown.drain.secretFile=../a"), "secretFile"),
    ((*INSECURE, "--set", "resources.limits.memory=lots"), "resources.limits.memory"),
])
def test_wrong_values_are_refused(tool, settings, message):
    status, output = tool("helm", "template", "x", HELM / "incipit", *settings)
    assert status != 0 and message in output.replace("/", "."), output


def validate(one, version):
    if one["kind"] == "ServiceMonitor":  # of the Prometheus operator, not of Kubernetes
        jsonschema.validate(one, json.loads((HERE / "service_monitor.schema.json").read_text()))
    else:
        kubernetes_validate.validate(one, version, strict=True)


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
def test_objects_obey_the_schemas(objects, version):
    for one in objects.values():
        validate(one, version)


def test_objects_that_do_not_are_noticed(rendered):
    objects = rendered(HELM / "examples/local-nvme.yaml")
    for kind, field, value in (("StatefulSet", "replicas", "three"), ("StatefulSet", "replica", 3),
                               ("NetworkPolicy", "policyTypes", "Ingress"), ("PodDisruptionBudget", "minimum", 1),
                               ("ServiceMonitor", "endpoint", [])):
        broken = copy.deepcopy(of_kind(objects, kind)[0])
        broken["spec"][field] = value
        with pytest.raises(jsonschema.ValidationError):
            validate(broken, KUBERNETES_VERSIONS[-1])


def test_objects_point_at_each_other(objects):
    [nodes] = of_kind(objects, "StatefulSet")
    pod = nodes["spec"]["template"]
    labels = pod["metadata"]["labels"].items()
    assert nodes["spec"]["selector"]["matchLabels"].items() <= labels
    assert ("Service", nodes["spec"]["serviceName"]) in objects
    assert ("ServiceAccount", pod["spec"]["serviceAccountName"]) in objects
    ports = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
    for service in of_kind(objects, "Service"):
        assert service["spec"]["selector"].items() <= labels
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    for budget in of_kind(objects, "PodDisruptionBudget"):
        assert budget["spec"]["selector"]["matchLabels"].items() <= labels
    for policy in of_kind(objects, "NetworkPolicy"):
        assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels
        assert {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]} == ports
    for monitor in of_kind(objects, "ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        found = [one for one in of_kind(objects, "Service") if wanted <= one["metadata"]["labels"].items()]
        assert len(found) == 1
        assert monitor["spec"]["endpoints"][0]["port"] in {port["name"] for port in found[0]["spec"]["ports"]}


def test_volumes_are_there_and_pods_have_time_to_stop(objects):
    [nodes] = of_kind(objects, "StatefulSet")
    pod = nodes["spec"]["template"]["spec"]
    volumes = {one["name"]: one for one in pod["volumes"]}
    claims = {one["metadata"]["name"] for one in nodes["spec"].get("volumeClaimTemplates", [])}
    mounted = {one["name"] for one in pod["containers"][0]["volumeMounts"]}
    assert mounted == set(volumes) | claims and not set(volumes) & claims
    for one in volumes.values():
        if "configMap" in one:
            assert ("ConfigMap", one["configMap"]["name"]) in objects
    command = pre_stop(nodes)
    wait = int(command[command.index("--timeout") + 1] if "drain" in command else command[-1])
    [config] = of_kind(objects, "ConfigMap")
    stop_ms = int(config["data"]["incipit.toml"].split("stop-timeout-ms = ")[1].split("\n")[0])
    assert pod["terminationGracePeriodSeconds"] > wait + stop_ms / 1000
    if "drain" in command:  # which first waits for the map
        assert pod["terminationGracePeriodSeconds"] >= wait + MAP_WAIT_S + stop_ms / 1000


def test_a_pod_that_ends_gives_its_blocks_away_only_where_that_is_wanted(rendered):
    commands = {path.stem: pre_stop(of_kind(rendered(path), "StatefulSet")[0]) for path in EXAMPLES}
    assert commands.pop("cluster") == ["incipit", "drain", "--connect", "tcp://127.0.0.1:9400", "--timeout", "900",
                                       "--tenant", "ops", "--secret-file", "/etc/incipit/tenants/ops.secret"]
    assert commands and all(command == ["sleep", "5"] for command in commands.values())


def test_nodes_of_a_cluster_may_reach_each_other_and_its_map(rendered):
    objects = rendered(HELM / "examples/cluster.yaml")
    [nodes], [policy] = of_kind(objects, "StatefulSet"), of_kind(objects, "NetworkPolicy")
    environment = {one["name"]: one for one in nodes["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert environment["INCIPIT_ADVERTISE"]["value"] == "tcp=$(POD_IP):9400"
    names = list(environment)
    assert names.index("POD_IP") < names.index("INCIPIT_ADVERTISE")  # or it is not put in its place
    to_nodes, elsewhere = policy["spec"]["egress"]
    labels = nodes["spec"]["template"]["metadata"]["labels"]
    assert to_nodes["to"][0]["podSelector"]["matchLabels"].items() <= labels.items()
    assert to_nodes["ports"] == [{"port": "incipit", "protocol": "TCP"}]
    assert {port["port"] for port in elsewhere["ports"]} == {6379, 26379, 53}
    assert policy["spec"]["ingress"][0]["from"] == to_nodes["to"]
    [alone] = of_kind(rendered(HELM / "examples/local-nvme.yaml"), "NetworkPolicy")
    assert alone["spec"]["egress"] == []


def test_what_runs_before_a_pod_ends_empties_its_node(rendered, tmp_path):
    values = yaml.safe_load((HELM / "examples/cluster.yaml").read_text())
    values["tenants"] = {"insecure": True}
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(values))
    command = pre_stop(of_kind(rendered(tmp_path / "values.yaml"), "StatefulSet")[0])
    socket = tmp_path / "redis.sock"
    redis = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--dir", tmp_path],
                             stdout=subprocess.DEVNULL)
    try:
        member = (*SMALL, "--membership", f"redis+unix://{socket}?cluster=prod")
        folders = [tmp_path / "leaves", tmp_path / "stays"]
        for folder in folders:
            folder.mkdir()
        with LiveNode(folders[0], member) as leaves, LiveNode(folders[1], member) as stays:
            both_serve = "incipit_cluster_nodes_serving 2"
            until(lambda: all(both_serve in node.page("/metrics") for node in (leaves, stays)))
            leaves.store_and_load(leaves.facts["address"])  # all of it, whoever owns it
            command = [BINARY if part == "incipit" else part for part in command]
            command[command.index("tcp://127.0.0.1:9400")] = leaves.facts["address"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            assert leaves.stop() == 0
            found = subprocess.run([BINARY, "get", "--connect", stays.facts["address"], "--file",
                                    folders[0] / "prompt", "--random", "7"], capture_output=True, text=True,
                                   timeout=120, check=False)
            assert found.returncode == 0, found.stdout + found.stderr
    finally:
        redis.kill()
        redis.wait()


def test_huge_pages_are_asked_for_once_and_bounded(rendered):
    [nodes] = of_kind(rendered(HELM / "examples/local-nvme.yaml"), "StatefulSet")
    resources = nodes["spec"]["template"]["spec"]["containers"][0]["resources"]
    assert resources["requests"]["hugepages-2Mi"] == resources["limits"]["hugepages-2Mi"] == "257Gi"


def lay_out_secret(folder, tenants):
    """As the kubelet does: links to a hidden folder, files of root that only the pod's group may read."""
    hidden = folder / "..2026_01_01"
    hidden.mkdir(parents=True)
    for source in (tenants, tenants.with_name("search.secret")):
        shutil.copy(source, hidden / source.name)
        (hidden / source.name).chmod(0o440)
        (folder / source.name).symlink_to(f"..data/{source.name}")
        if os.getuid() == 0:
            os.chown(hidden / source.name, 0, CONTAINER_USER)
    (folder / "..data").symlink_to(hidden.name)
    return folder / "tenants.toml"


def test_node_starts_from_what_is_rendered(objects, tmp_path):
    [config] = of_kind(objects, "ConfigMap")
    text = config["data"]["incipit.toml"]
    environment = {"INCIPIT_NAME": "prod-incipit-0"}
    if "membership =" in text:
        environment["INCIPIT_ADVERTISE"] = "tcp=10.0.0.5:9400"
        text = text.replace("/etc/incipit/tenants/nodes.secret", str(tmp_path / "tenants/search.secret"))
    (tmp_path / "incipit.toml").write_text(text)
    arguments = ["--config", tmp_path / "incipit.toml", *SMALL]
    credentials = ()
    if "nvme =" in text:
        arguments += ["--nvme", tmp_path / "nvme", *SMALL_NVME]
    else:
        arguments += ["--state-dir", tmp_path / "nvme"]
    if "insecure" not in text:
        made = tmp_path / "made"
        made.mkdir()
        arguments += ["--tenants", lay_out_secret(tmp_path / "tenants", new_tenant(made))]
        credentials = ("--tenant", "search", "--secret-file", made / "search.secret")
    (tmp_path / "nvme").mkdir()
    user = ()
    if os.getuid() == 0:  # as in the pod
        user = ("setpriv", f"--reuid={CONTAINER_USER}", f"--regid={CONTAINER_USER}", "--clear-groups")
        os.chown(tmp_path / "nvme", CONTAINER_USER, CONTAINER_USER)
        for folder in [tmp_path, *tmp_path.parents]:
            if os.access(folder, os.W_OK) and str(folder).startswith(str(tmp_path.parents[1])):
                folder.chmod(0o755)
    with LiveNode(tmp_path, tuple(arguments), wrapper=user, environment=environment) as node:
        assert node.facts["name"] == "prod-incipit-0"
        node.store_and_load(node.facts["address"], *credentials)
        assert node.stop() == 0
