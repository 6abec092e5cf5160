"""What the scripts that fuzz have in common. Each file holds one idea:

  engines    libFuzzer and AFL++: command lines, environment, what they say of themselves
  trial      one run of one engine until something is found
  buckets    the name of what was found, from what the target wrote
  processes  programs that are run to their end, or until the campaign is interrupted
  builds     where the builds of a target lie, and how they are made
  corpus     the inputs of a target, shared by engines and machines
  findings   what was found: kept, minimised, replayed, described
  session    one target and its workers, for a while
  schedule   which target runs when, on how many workers
  progress   what a person sees meanwhile
  coverage   which lines of the sources the corpus reaches
  charts     curves as SVG
  page       report.html
  report     report.json
"""

from fuzzing.buckets import bucket
from fuzzing.trial import run_afl, run_libfuzzer

__all__ = ["bucket", "run_afl", "run_libfuzzer"]
