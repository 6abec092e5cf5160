"""Which target runs when, on how many workers, and the closing work of all."""

import concurrent.futures
import dataclasses
import math
import pathlib
import shutil
import time

from fuzzing import builds
from fuzzing.processes import CampaignError, stopping
from fuzzing.session import Session

POLL = 0.2
DISK_MIN = 64 << 20  # bytes that have to be free
MINIMISE_MAX = 60    # seconds for each finding
MERGE_MIN = 60       # seconds for each corpus, or as long as it was fuzzed


@dataclasses.dataclass
class Plan:
    """What was asked for."""
    out: pathlib.Path
    seconds: float
    engines: list
    sanitizer: str
    jobs: int
    targets: list
    timeout: int
    sync: pathlib.Path = None

    def together(self):
        """So many targets run at a time: each has one worker of each engine at least."""
        return max(1, min(len(self.targets), self.jobs // len(self.engines)))

    def jobs_of(self, slot):
        """The workers of each engine in one of the places where targets run; none stays idle."""
        jobs = self.jobs // self.together() + (slot < self.jobs % self.together())
        if len(self.engines) == 1:
            return {self.engines[0]: jobs}
        return {self.engines[0]: jobs - jobs // 2, self.engines[1]: jobs // 2}

    def estimate(self):
        return math.ceil(len(self.targets) / self.together()) * self.seconds


def fuzz(plan, sessions, progress):
    """Runs the sessions, those first that were fuzzed least so far."""
    waiting = sorted(sessions, key=lambda session: session.earlier)
    places, failures = [None] * plan.together(), []
    while any(places) or (waiting and not stopping.is_set()):
        for slot, session in enumerate(places):
            if session is None and waiting and not stopping.is_set():
                places[slot] = begin(plan, waiting.pop(0), slot)
            elif session and (stopping.is_set() or not session.step()):
                session.end()
                progress.final(session)
                places[slot] = None
                failures += [session.failure] if session.failure else []
        check_disk(plan.out)
        progress.show([session for session in places if session])
        time.sleep(POLL)
    return failures


def begin(plan, session, slot):
    session.gather()
    session.start(plan.jobs_of(slot))
    return session


def check_disk(folder):
    if shutil.disk_usage(folder).free < DISK_MIN:
        raise CampaignError(f"{folder}: no space left on the disk")


def close(plan, sessions, findings, progress):
    """Merges the corpora, and minimises and replays the findings. What is slow is left out when the
    campaign was interrupted."""
    def merge(session):
        before = len(session.corpus)
        session.merged = {"before": before, "after": before, "done": False}
        if before and not stopping.is_set() and session.started:
            after = session.corpus.merge(builds.program(f"libfuzzer-{plan.sanitizer}", session.target),
                                         max(MERGE_MIN, plan.seconds), plan.timeout, session.folder / "merge.control",
                                         session.found)
            session.merged = {"before": before, "after": after or before, "done": after is not None}
            progress.say(f"{session.target}: corpus " + (f"merged from {before} inputs to {after}" if after is not None else
                                                         f"of {before} inputs left as it is, merging did not succeed"))

    def close_finding(finding):
        findings.close(finding, min(MINIMISE_MAX, max(5, plan.seconds)))
        facts = finding.facts
        size = f"{facts['size']} bytes" + (f", minimised to {facts['minimised']}" if facts["minimised"] is not None else "")
        replays = f"reproduced {facts['reproduced']}/{facts['replays']}" if facts["replays"] else "not replayed"
        progress.say(f"{facts['target']}: {facts['bucket']}: {size}, {replays}")

    def each(work, things, what):
        with concurrent.futures.ThreadPoolExecutor(plan.jobs) as pool:
            tasks = [pool.submit(work, thing) for thing in things]
            while concurrent.futures.wait(tasks, timeout=POLL).not_done:
                progress.alive(f"closing: {what}")
            for task in tasks:
                task.result()

    # Merging comes first: it runs every input, and some may crash that no engine came to.
    each(merge, sessions, "merging corpora")
    progress.show([])
    each(close_finding, [finding for finding in findings.all if finding.facts["target"] in plan.targets],
         "minimising and replaying findings")
