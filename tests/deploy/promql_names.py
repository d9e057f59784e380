"""Compares what a PromQL expression names with what a node exposes: metrics, labels, values of labels."""
import re

import promql_parser as promql

# Prometheus adds these to everything that it scrapes, and makes `up` itself.
ADDED = {"job", "instance"}
MADE = {"up": [{}]}


def expression(text):
    """Parsed; variables of Grafana are replaced by what they may stand for."""
    return promql.parse(text.replace("$__rate_interval", "5m").replace("$job", ".*").replace("$instance", ".*"))


def unknown_names(text, exposed):
    """What is wrong with `text`, one sentence each."""
    findings = []
    _labels(expression(text), {**exposed, **MADE}, findings)
    return findings


def result_labels(text, exposed):
    """Labels that the expression's results can have."""
    return _labels(expression(text), {**exposed, **MADE}, [])


def _labels(node, exposed, findings):
    match type(node).__name__:
        case "VectorSelector":
            return _selector_labels(node, exposed, findings)
        case "MatrixSelector":
            return _labels(node.vector_selector, exposed, findings)
        case "ParenExpr" | "UnaryExpr" | "SubqueryExpr":
            return _labels(node.expr, exposed, findings)
        case "Call":
            found = set().union(*(_labels(argument, exposed, findings) for argument in node.args))
            return found - {"le"} if node.func.name == "histogram_quantile" else found
        case "AggregateExpr":
            return _aggregate_labels(node, exposed, findings)
        case "BinaryExpr":
            return _binary_labels(node, exposed, findings)
        case "NumberLiteral" | "StringLiteral":
            return set()
        case other:
            findings.append(f"no rule for {other} in {node}")
            return set()


def _selector_labels(selector, exposed, findings):
    series = exposed.get(selector.name)
    if series is None:
        findings.append(f"no metric {selector.name}")
        return set()
    names = ADDED.union(*series)
    for matcher in selector.matchers.matchers:
        if matcher.name not in names:
            findings.append(f"{selector.name} has no label {matcher.name}")
        elif matcher.name not in ADDED:
            values = {labels.get(matcher.name, "") for labels in series}
            findings.extend(f"{selector.name} has no {matcher.name}={wanted!r}"
                            for wanted in _wanted_values(matcher, values))
    return names


def _wanted_values(matcher, values):
    """Values, or alternatives of a regular expression, that match none of those exposed."""
    if matcher.op in (promql.MatchOp.Equal, promql.MatchOp.NotEqual):
        return {matcher.value} - values
    alternatives = matcher.value.split("|") if "(" not in matcher.value else [matcher.value]
    return [one for one in alternatives if not any(re.fullmatch(one, value) for value in values)]


def _aggregate_labels(node, exposed, findings):
    inner = _labels(node.expr, exposed, findings)
    if node.modifier is None:
        return set()
    named = set(node.modifier.labels)
    findings.extend(f"aggregates by {name}, which {node.expr} has not" for name in named - inner)
    return named if node.modifier.type == promql.AggModifierType.By else inner - named


def _binary_labels(node, exposed, findings):
    left, right = (_labels(side, exposed, findings) for side in (node.lhs, node.rhs))
    matching = node.modifier.matching if node.modifier is not None else None
    if matching is not None:
        findings.extend(f"matches {name}, which neither side has" for name in set(matching.labels) - left - right)
    return left or right
