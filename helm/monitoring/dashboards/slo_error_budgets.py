"""SLO & Error Budgets: what was promised, how much may still go wrong in this month, and how fast it is being used up.

All of it is what the rules of ../rules/slo-*.yaml record; docs/slo.md explains the words.
"""

from grafana_foundation_sdk.models import units

from .panels import Board, Limits, metric_values, metrics_source, promql

SLOS = '{<service>, slo=~"$slo"}'
# Objectives and budgets are constants of a service, the same in every namespace.
PROMISED = '{service=~"$service", slo=~"$slo"}'
NAME = "{{service}} {{slo}}"
FAST, SLOW = ["ErrorBudgetBurnFast"], ["ErrorBudgetBurnSlow"]
LEFT = Limits(0.25, 0, falling=True)


def board() -> Board:
    """The dashboard."""
    board = Board(
        "slo-error-budgets",
        "SLO & Error Budgets",
        "Each service's objectives over 30 days: the budget that is left, and the rate at which it burns.",
        [
            metrics_source(),
            metric_values(
                "namespace", "Namespace", "label_values(slo:sli_total:increase5m, namespace)", first="default"
            ),
            metric_values(
                "service",
                "Service",
                'label_values(slo:sli_total:increase5m{namespace="$namespace"}, service)',
                several=True,
            ),
            metric_values(
                "slo",
                "Objective",
                'label_values(slo:sli_total:increase5m{namespace="$namespace", service=~"$service"}, slo)',
                several=True,
            ),
        ],
    )
    _glance(board)
    _budgets(board)
    _burn(board)
    _events(board)
    return board


def _glance(board: Board) -> None:
    board.row("At a glance")
    board.stat(
        "Objectives",
        "Promises of the chosen services.",
        units.Short,
        promql(f"count(slo:objective:ratio{PROMISED})"),
    )
    board.stat(
        "Kept",
        "Of the objectives with a measured month, those whose budget is not used up.",
        units.PercentUnit,
        promql(
            f"""(count(slo:period_error_budget_remaining:ratio{SLOS} >= 0) or vector(0))
                / count(slo:period_error_budget_remaining:ratio{SLOS})"""
        ),
        limits=Limits(1, 0.9, falling=True),
    )
    board.stat(
        "Least budget left",
        "Of the budgets of the last 30 days, the part that is left of the one used most.",
        units.PercentUnit,
        promql(f"min(slo:period_error_budget_remaining:ratio{SLOS})"),
        limits=LEFT,
        alerts=SLOW,
    )
    board.stat(
        "Fastest burn",
        "Over the last hour; 1 uses up a budget in exactly 30 days, 14.4 uses 2 % of it in one hour.",
        units.Short,
        promql(f"max(slo:current_burn_rate:ratio{SLOS})"),
        limits=Limits(6, 14.4),
        alerts=FAST,
    )
    board.stat(
        "Bad events",
        "Of the last hour: requests, events and half minutes that count against an objective.",
        units.Short,
        promql(f"sum(slo:sli_error:increase1h{SLOS})"),
    )
    board.stat(
        "Budget alerts",
        "Alerts on error budgets that fire now.",
        units.Short,
        promql('sum(ALERTS{<service>, alertname=~"ErrorBudgetBurn.+", alertstate="firing"}) or vector(0)'),
        limits=Limits(1, 1),
        alerts=[*FAST, *SLOW],
    )


def _budgets(board: Board) -> None:
    board.row("Budgets of the last 30 days")
    board.bars(
        "Budget left",
        "The part of each budget that is left; below 0 the promise is broken.",
        units.PercentUnit,
        promql(f"sort(slo:period_error_budget_remaining:ratio{SLOS})", NAME),
        limits=LEFT,
        alerts=SLOW,
    )
    board.bars(
        "Good events of 30 days",
        "The part of all events that was good: what the objective is compared with.",
        units.PercentUnit,
        promql(f"sort(1 - slo:sli_error:ratio_rate30d{SLOS})", NAME),
    )
    board.bars(
        "Promised",
        "The part of all events that has to be good.",
        units.PercentUnit,
        promql(f"sort(slo:objective:ratio{PROMISED})", NAME),
    )
    board.graph(
        "Budget left, over time",
        "How the budgets of the last 30 days went; a steep fall is an outage.",
        units.PercentUnit,
        promql(f"slo:period_error_budget_remaining:ratio{SLOS}", NAME),
        limits=LEFT,
        width=24,
    )


def _burn(board: Board) -> None:
    board.row("Burn rates: 1 uses up a budget in exactly 30 days")
    windows = (
        (
            "5m",
            "5 minutes",
            "Whether it still burns: the short window of the alert that pages within the hour.",
            14.4,
            FAST,
        ),
        ("1h", "an hour", "Beyond 14.4 in an hour and in 5 minutes somebody is paged.", 14.4, FAST),
        ("6h", "6 hours", "Beyond 6 in 6 hours and in half an hour somebody is paged.", 6, FAST),
        ("1d", "a day", "Beyond 3 in a day and in 2 hours there is a ticket.", 3, SLOW),
        ("3d", "3 days", "Beyond 1 in 3 days and in 6 hours there is a ticket.", 1, SLOW),
    )
    for window, words, description, limit, alerts in windows:
        board.graph(
            f"Burn rate over {words}",
            description,
            units.Short,
            promql(
                f"""slo:sli_error:ratio_rate{window}{SLOS}
                    / on (service, slo) group_left () slo:error_budget:ratio""",
                NAME,
            ),
            limits=Limits(limit, limit),
            alerts=alerts,
            width=12 if window in ("5m", "1h") else 8,
        )


def _events(board: Board) -> None:
    board.row("What is counted")
    board.graph(
        "Events in 5 minutes",
        "What an objective counts: requests, deliveries, changes, half minutes. Few of them make a ratio jump.",
        units.Short,
        promql(f"slo:sli_total:increase5m{SLOS}", NAME),
        width=12,
    )
    board.graph(
        "Bad events in 5 minutes",
        "Those that count against the objective.",
        units.Short,
        promql(f"slo:sli_error:increase5m{SLOS} > 0", NAME),
        width=12,
    )
