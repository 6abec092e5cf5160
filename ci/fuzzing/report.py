"""DIR/report.json and DIR/report.html: what a campaign has come to."""

import datetime
import json

from fuzzing import page
from fuzzing.corpus import write

FORMAT = 1
STATUS = {0: "nothing found", 1: "findings", 2: "the campaign failed"}


def write_report(plan, sessions, findings, facts, coverage):
    """`facts`: what the campaign says of itself. Returns the report."""
    report = {
        "format": FORMAT, **facts, "result": STATUS[facts["status"]],
        "ended": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "sanitizer": plan.sanitizer, "engines": plan.engines, "jobs": plan.jobs, "seconds": plan.seconds,
        "timeout": plan.timeout, "targets": [of_target(session, findings, coverage) for session in sessions],
        "findings": [of_finding(finding) for finding in findings.all if finding.facts["target"] in plan.targets],
        "coverage": coverage}
    write(plan.out / "report.json", (json.dumps(report, indent=1) + "\n").encode())
    write(plan.out / "report.html", page.render(report).encode())
    return report


def of_target(session, findings, coverage):
    return {"name": session.target, "seconds": round(session.elapsed(), 1), "seconds_in_all": round(session.spent(), 1),
            "failure": session.failure, "merged": session.merged, "inputs": len(session.corpus),
            "engines": [of_engine(session, tally) for tally in session.tallies.values()],
            "coverage": coverage and coverage["targets"].get(session.target),
            "findings": sum(finding.counts() for finding in findings.of(session.target)),
            "samples": session.history}


def of_engine(session, tally):
    here, seconds = tally.executions - tally.earlier, session.elapsed()
    return {"engine": tally.engine, "workers": len(tally.workers), "executions": here,
            "executions_in_all": tally.executions, "exact": tally.exact,
            "rate": round(here / seconds) if seconds else 0, "edges": tally.edges, "features": tally.features,
            "since_edge": round(session.spent() - tally.edge_at, 1), "stability": tally.stability}


def of_finding(finding):
    steps = finding.folder / "steps"
    return {**finding.facts, "folder": str(finding.folder), "counts": finding.counts(), "fresh": finding.fresh,
            "steps": steps.read_text(errors="replace") if steps.exists() else "",
            "stderr": (finding.folder / "stderr").read_text(errors="replace")}
