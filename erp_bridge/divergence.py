"""Where the sums of an operation part: our reports in their order, asked for one by one (pure).

The asking is the runner's: `next_question` names the report to look for, `explanation` says what the answers
make of the gap. A walk that is cut short goes on at the next comparison where it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from erp_bridge.books import At, OurPosting, OurReport, OurSum, Pieces, shown
from hub.model.discrepancy import Discrepancy, DiscrepancyKind, Divergence, Repair

K = DiscrepancyKind
Answers = Mapping[str, bool]  # report id -> is it in the ERP?


def next_question(reports: Sequence[OurReport], answers: Answers, lacking: Pieces) -> str | None:
    """The first report that nobody has asked about; None once what is missing explains what the ERP lacks.

    `lacking`: by how much the ERP's sum is less than what has to be there.
    """
    missing = _sum(r for r in reports if answers.get(r.id) is False)
    if lacking and not lacking - missing:
        return None
    return next((r.id for r in reports if r.pieces and r.id not in answers), None)


def explanation(
    at: At, ours: OurSum, theirs: Pieces, reports: Sequence[OurReport], answers: Answers, where: str = ""
) -> list[Discrepancy]:
    """One for each report that the ERP lacks, and one for what that leaves unexplained.

    Before every report has been asked about, what the ERP still lacks may be reports that are found missing
    later.
    """
    subject = f"{at[0]}/{at[1]}"
    missing = [r for r in reports if answers.get(r.id) is False]
    found = [
        Discrepancy(
            K.REPORT_NOT_IN_ERP, subject, r.id, ours=str(r.pieces), gap=str(r.pieces),
            divergence=Divergence(r.id, r.at), repair=Repair.SEND_AGAIN, equipment=where,
        )
        for r in missing
    ]  # fmt: skip
    lost = _sum(missing)
    low, high = ours.certain + ours.fewest - lost, ours.certain + ours.most - lost
    over = Pieces(max(theirs.good - high.good, 0), max(theirs.scrap - high.scrap, 0))
    under = Pieces(max(low.good - theirs.good, 0), max(low.scrap - theirs.scrap, 0))
    asked_all = all(r.id in answers for r in reports if r.pieces)
    if under and not over and missing and not asked_all:
        return found
    if over or under:
        kind = K.REPORT_SUM if under else K.REPORT_UNKNOWN
        first = Divergence(missing[0].id, missing[0].at) if missing else None
        found.append(
            Discrepancy(
                kind,
                subject,
                ours=str(ours.certain - lost),
                theirs=str(theirs),
                gap="" if ours.most or ours.fewest else str(theirs - ours.certain),
                divergence=first,
                equipment=where,
            )
        )
    return found


def lacking(ours: OurSum, theirs: Pieces) -> Pieces:
    """What the ERP has too little of; nothing when something foreign hides it."""
    gap = ours.certain - theirs
    return gap if gap.good >= 0 and gap.scrap >= 0 else Pieces()


def postings(asked: Iterable[OurPosting], answers: Answers) -> list[Discrepancy]:
    return [
        Discrepancy(
            K.POSTING_NOT_IN_ERP, p.order, f"{p.kind.value} {p.id}",
            ours=f"{shown(p.quantity)} {p.unit}".strip(),
            divergence=Divergence(p.id, p.at), repair=Repair.SEND_AGAIN,
        )
        for p in asked
        if answers.get(p.key) is False
    ]  # fmt: skip


def _sum(reports: Iterable[OurReport]) -> Pieces:
    total = Pieces()
    for report in reports:
        total += report.pieces
    return total
