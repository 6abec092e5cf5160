"""The name of what was found, from what the target wrote on standard error.

Findings with one name are taken for one defect. The oracles name themselves (fuzz/oracle.h); what a
sanitizer finds is named by its kind and the innermost function of ours; timeouts, exhausted memory
and leaks are names of their own.
"""

import re

ORACLE = re.compile(r"^oracle: ([\w.-]+): ?(.*)", re.M)
# What ends a run without a defect at one place.
WHOLE = [
    ("timeout", re.compile(r"^==\d+== ERROR: libFuzzer: (timeout after .*)", re.M)),
    ("out-of-memory", re.compile(r"^==\d+== ?ERROR: (?:libFuzzer|\w+Sanitizer): (out[- ]of[- ]memory.*|"
                                 r"allocation-size-too-big.*|requested allocation size .*)", re.M)),
    ("leak", re.compile(r"ERROR: LeakSanitizer: (detected memory leaks)")),
]
UNDEFINED = re.compile(r"^(?:\S*?\b((?:src|fuzz)/\S+?)|\S+?):(\d+):\d+: runtime error: (.*)", re.M)
ERROR = re.compile(r"^==\d+== ?(?:ERROR|WARNING): (libFuzzer|\w+Sanitizer): (.*)", re.M)
# "    #1 0x55 in NAME /path/to/src/core/conn.c:12:3"; the sanitizers' own sources are not ours.
FRAME = re.compile(r"^ +#\d+ 0x[0-9a-f]+ in (\S+) (\S*?\b(?:src|fuzz|tests)/[\w./-]+\.[ch]):(\d+)", re.M)
FOREIGN = re.compile(r"compiler-rt|llvm-toolchain|sysdeps|/usr/src/")
NUMBERS = re.compile(r"0x[0-9a-f]+|'[^']*'|-?\d+")


def bucket(stderr):
    """The name, fit for a file; None when the text tells of no finding."""
    named = describe(stderr)
    return named and named[0]


def describe(stderr):
    """The name and a line for people; None when the text tells of no finding."""
    if match := ORACLE.search(stderr):
        return safe(match[1]), match[2].strip()
    for name, pattern in WHOLE:
        if match := pattern.search(stderr):
            return name, match[1].strip()
    if match := UNDEFINED.search(stderr):
        return place(f"undefined-{kind(match[3])}", stderr), match[3]
    if match := ERROR.search(stderr):
        return place(kind(match[2]), stderr), re.sub(r" (?:on|at) (?:unknown )?(?:address|pc) 0x.*", "", match[2])
    return None


def is_oracle(stderr):
    """Whether an oracle named it: then nothing else in the text matters."""
    return ORACLE.search(stderr) is not None


def kind(text):
    """What went wrong, without the addresses and numbers that differ from run to run."""
    text = NUMBERS.sub(" ", re.split(r"\bon (?:unknown )?address|\(|:|;|,", text)[0])
    return safe("-".join(text.lower().split()[:5])) or "unknown"


def place(name, stderr):
    for match in FRAME.finditer(stderr):
        if not FOREIGN.search(match[2]):
            return f"{name}-in-{safe(match[1])}"
    return name


def safe(text):
    return re.sub(r"[^\w.-]+", "-", text).strip("-.")[:80]
