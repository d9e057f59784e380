"""deploy/prometheus: rules are valid, tested, documented, and name what a node exposes."""
import pytest
import yaml

from promql_names import unknown_names

RULES, TESTS = "incipit.rules.yml", "incipit.rules.test.yml"


@pytest.fixture(scope="session")
def alerts(deploy):
    groups = yaml.safe_load((deploy / "prometheus" / RULES).read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def promtool(tool, tools, *arguments, **options):
    return tool(tools / "promtool", *arguments, **options)


def test_rules_are_valid(tool, tools, deploy):
    status, output = promtool(tool, tools, "check", "rules", deploy / "prometheus" / RULES)
    assert status == 0 and "SUCCESS" in output, output


def test_broken_rule_is_noticed(tool, tools, deploy, tmp_path):
    broken = tmp_path / RULES
    broken.write_text((deploy / "prometheus" / RULES).read_text().replace("== 0", "== == 0", 1))
    assert promtool(tool, tools, "check", "rules", broken)[0] != 0


def test_alerts_fire_and_stay_quiet_as_their_unit_tests_say(tool, tools, deploy):
    status, output = promtool(tool, tools, "test", "rules", TESTS, cwd=deploy / "prometheus")
    assert status == 0 and "SUCCESS" in output, output


def test_changed_threshold_fails_the_unit_tests(tool, tools, deploy, tmp_path):
    (tmp_path / RULES).write_text((deploy / "prometheus" / RULES).read_text().replace("[5m]))) > 1\n", "[5m]))) > 9\n"))
    tests = yaml.safe_load((deploy / "prometheus" / TESTS).read_text())
    tests["tests"] = [test for test in tests["tests"] if "IncipitLoadsSlow" in test["name"]]
    (tmp_path / TESTS).write_text(yaml.safe_dump(tests))
    status, output = promtool(tool, tools, "test", "rules", TESTS, cwd=tmp_path)
    assert status != 0 and "IncipitLoadsSlow" in output


def test_each_alert_has_a_test_where_it_fires_and_one_where_not(deploy, alerts):
    tests = yaml.safe_load((deploy / "prometheus" / TESTS).read_text())["tests"]
    expected = [(check["alertname"], bool(check["exp_alerts"])) for test in tests for check in test["alert_rule_test"]]
    assert sorted(expected) == sorted((name, fires) for name in alerts for fires in (False, True))


def test_metrics_and_labels_of_alerts_are_exposed(alerts, exposed):
    findings = {name: unknown_names(rule["expr"], exposed) for name, rule in alerts.items()}
    assert {name: found for name, found in findings.items() if found} == {}


@pytest.mark.parametrize(("expression", "finding"), [
    ("rate(incipit_load_miss_total[5m])", "no metric incipit_load_miss_total"),
    ('incipit_nvme_state{state="paused"} == 1', "incipit_nvme_state has no state='paused'"),
    ('rate(incipit_errors_total{kind=~"damaged.*|nvme_rot"}[5m])', "incipit_errors_total has no kind='nvme_rot'"),
    ("sum by (tenant) (incipit_blocks)", "aggregates by tenant, which incipit_blocks{} has not"),
    ('incipit_blocks{lane="tcp"}', "incipit_blocks has no label lane"),
])
def test_name_that_no_node_exposes_is_noticed(exposed, expression, finding):
    assert unknown_names(expression, exposed) == [finding]


def test_each_alert_is_in_the_operations_page(deploy, alerts):
    page = (deploy.parent / "docs/operations.md").read_text()
    assert [name for name in alerts if f"`{name}`" not in page] == []


def test_metrics_page_has_no_findings(tool, tools, node):
    page = node.page("/metrics")
    status, output = promtool(tool, tools, "check", "metrics", stdin=page)
    assert status == 0, output
    without_help = "\n".join(line for line in page.split("\n") if not line.startswith("# HELP incipit_sessions "))
    status, output = promtool(tool, tools, "check", "metrics", stdin=without_help)
    assert status != 0 and "incipit_sessions" in output
