"""Plans the studies that follow from another's verdicts: its follow-up, and its fresh runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ablation.cli.asked import replan
from ablation.errors import Refused
from ablation.study.derived import FOLLOW_UP, follow_up_of, fresh_of

if TYPE_CHECKING:
    from ablation.analysis.followup import Proposal
    from ablation.records.places import Places
    from ablation.study.plan import Plan
    from ablation.tracking import Home


def follow_up_plan(given: Plan, where: Places) -> Plan:
    """Returns the plan of a study's follow-up; once declared, it stays as it is.

    Args:
        given: The plan of the study that is followed up.
        where: Where it is recorded.

    Raises:
        Refused: If the study's record proposes no follow-up.
    """
    if not where.record_exists:
        raise _not_ended(given)
    proposal = _declared(given, where) or _proposed(given, where)
    return replan(given, follow_up_of(given.study, proposal.arms, proposal.seeds))


def fresh_plan(given: Plan, home: Home) -> Plan | None:
    """Returns the plan of the fresh runs of what a study decided.

    None where the study asks for none, has looks to come, or decided no arm.

    Args:
        given: The study's plan.
        home: Where its runs are recorded.
    """
    if not given.study.confirm:
        return None
    from ablation.analysis.fresh import decided_arms
    from ablation.analysis.recorded import judge_record

    arms = decided_arms(judge_record(home, given.declaration).effects)
    return replan(given, fresh_of(given.study, arms)) if arms else None


def _home(given: Plan, where: Places, study: str) -> Home | None:
    """Returns where a study's runs on the plan's data are recorded, None if there are none."""
    from ablation import tracking

    client = tracking.connect(where.tracking)
    return tracking.find_home(
        client, study, given.label_as(study, tracking.labels_taken(client, study))
    )


def _declared(given: Plan, where: Places) -> Proposal | None:
    """Returns the recorded declaration of the follow-up, or None."""
    from ablation import tracking
    from ablation.analysis.followup import Proposal
    from ablation.records.declaration import Declaration

    home = _home(given, where, given.study.name + FOLLOW_UP)
    known = home and tracking.declared_in(home.tags())
    if not known:
        return None
    declared = Declaration.from_json(known[1]["declaration"])
    arms = tuple(arm.name for arm in declared.arms if arm.name != declared.baseline)
    return Proposal(arms=arms, seeds=declared.most_seeds)


def _proposed(given: Plan, where: Places) -> Proposal:
    """Judges the study's record and returns the follow-up that it proposes."""
    from ablation import tracking
    from ablation.analysis.followup import propose
    from ablation.analysis.recorded import judge_record

    declared, home = given.declaration, _home(given, where, given.study.name)
    if home is None or tracking.current_declaration(home)[0] != declared.hash:
        raise _not_ended(given)
    effects = judge_record(home, declared).effects
    stages = set(effects["stage"].iloc[1:])
    if stages != {"final"}:
        raise _not_ended(given)
    proposal = propose(effects.iloc[1:])
    if proposal is None:
        raise Refused(
            f"{home.label} leaves no arm that a follow-up is likely to decide.",
            "Its report says what would decide an open arm: a wider margin, less noise, or a "
            "larger test split.",
        )
    return proposal


def _not_ended(given: Plan) -> Refused:
    return Refused(
        f"A follow-up needs the verdicts of {given.study.name}, which has not ended as it is "
        "declared now.",
        f"Run it first: ablation run {given.study.command or given.study.name}",
    )
