"""The alert rules name metrics and events that exist, and every alert of security.md J-07 has its rule."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

import activities.audit
import activities.contact
import activities.nightly
import activities.scanning
import activities.sweep
import activities.webhooks
import api.webhooks
from messages.audit_words import AUDIT_EVENTS
from services.limits import Limit

ROOT = Path(__file__).parent.parent
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
NAMES = [rule["alert"] for rule in RULES]
OWN = (
    *(activities.audit, activities.contact, activities.nightly, activities.scanning, activities.sweep),
    *(activities.webhooks, api.webhooks),
)


def known_metrics() -> set[str]:
    assert OWN, "imported: their metrics are registered"
    return {
        metric.name + ("_total" if metric.type == "counter" else "")
        for metric in REGISTRY.collect()
        if metric.name.startswith("hcr_")
    }


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_every_rule_asks_for_metrics_that_are_there(rule: dict[str, Any]) -> None:
    named = set(re.findall(r"\bhcr_\w+", rule["expr"]))
    assert named
    assert named <= known_metrics()


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_every_rule_asks_for_events_and_alerts_that_are_there(rule: dict[str, Any]) -> None:
    assert set(re.findall(r'event="([^"]+)"', rule["expr"])) <= AUDIT_EVENTS.keys()
    assert set(re.findall(r'alert="([^"]+)"', rule["expr"])) <= {"denials", "mass_reads", "mass_exports"}


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_every_rule_says_what_happened_and_how_urgent_it_is(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"].endswith((".", ")."))
    assert "'" not in rule["annotations"]["summary"]


def test_the_sms_budgets_alert_comes_at_eighty_per_cent() -> None:
    [rule] = [rule for rule in RULES if rule["alert"] == "BudgetSMS"]
    assert rule["expr"].endswith(f"> {int(Limit.code_global.value.count * 0.8)}")


def test_no_two_rules_have_one_name() -> None:
    assert len(set(NAMES)) == len(NAMES) == 16
