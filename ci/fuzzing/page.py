"""report.html: one page that needs nothing else, and takes nothing that it shows for markup."""

import html
import pathlib

from fuzzing import builds
from fuzzing.charts import chart
from fuzzing.progress import duration, short

CONTEXT = 2  # lines around uncovered ones
STEPS_MAX = 20000
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
e = html.escape


def render(report):
    style = pathlib.Path(__file__).with_suffix(".css").read_text()
    parts = [head(report), targets(report), found(report), curves(report), coverage(report)]
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{e(verdict(report))} - fuzzing campaign</title><style>\n{style}</style></head>\n<body>\n"
            + "\n".join(parts) + "\n</body></html>\n")


def verdict(report):
    counted = sum(finding["counts"] for finding in report["findings"])
    words = [f"{counted} finding{'s' * (counted != 1)}" if counted else "Nothing found"]
    words += ["the campaign failed"] if report["failures"] else []
    words += ["interrupted"] if report["interrupted"] else []
    return ", ".join(words)


def head(report):
    return (f"<h1>Fuzzing campaign</h1>\n<p class='verdict s{report['status']}'>{e(verdict(report))}</p>\n"
            + "".join(f"<p class='bad'>{e(failure)}</p>" for failure in report["failures"])
            + f"<p class='quiet'>{e(report['started'])} to {e(report['ended'])}. {e(' and '.join(report['engines']))}, "
            f"sanitizer {e(report['sanitizer'])}, {report['jobs']} jobs, {e(duration(report['seconds']))} for each target"
            + (f"; earlier runs in this folder: {report['runs'] - 1}" if report["runs"] > 1 else "") + ".</p>")


def table(heads, rows, left=1):
    style = [" class='left'" if place < left else "" for place in range(len(heads))]
    return ("<div class='wide'><table><tr>" + "".join(f"<th{style[i]}>{h}</th>" for i, h in enumerate(heads)) + "</tr>"
            + "".join("<tr>" + "".join(f"<td{style[i]}>{cell}</td>" for i, cell in enumerate(row)) + "</tr>" for row in rows)
            + "</table></div>")


def targets(report):
    rows = []
    for target in report["targets"]:
        for place, engine in enumerate(target["engines"]):
            first = place == 0
            rows.append([
                e(target["name"]) if first else "", number_found(target) if first else "", e(engine["engine"]), duration(target["seconds"]), engine["workers"],
                ("" if engine["exact"] else "~") + f"{engine['executions']:,}", f"{engine['rate']:,}", f"{engine['edges']:,}",
                "-" if engine["features"] is None else f"{engine['features']:,}", duration(engine["since_edge"]),
                "-" if engine["stability"] is None else f"{engine['stability']:.2f} %",
                inputs(target) if first else "", lines(target["coverage"]) if first else ""])
        if not target["engines"]:
            rows.append([e(target["name"]), number_found(target), "not run"] + ["-"] * 8 + [inputs(target), lines(target["coverage"])])
    heads = ["target", "findings", "engine", "time", "workers", "executions", "a second", "edges", "features",
             "last new edge", "stability", "inputs", "source lines"]
    return ("<h2>Targets</h2>" + table(heads, rows) + "<p class='quiet'>Edges of the two engines are counted differently and "
            "cannot be compared. ~ is an estimate. Source lines are those of src/core for targets that run the engine, and "
            "of the files that it reaches for any other.</p>")


def number_found(target):
    return f"<span class='bad'>{target['findings']}</span>" if target["findings"] else "0"


def inputs(target):
    merged = target["merged"]
    if merged and merged["done"]:
        return f"{merged['before']:,} &rarr; {merged['after']:,}"
    return f"{target['inputs']:,}"


def lines(coverage):
    return bar(coverage["covered"], coverage["lines"]) if coverage else "not measured"


def bar(part, whole):
    share = 100 * part / whole if whole else 0
    shown = f"{share:.1f}" if part == whole or share < 99.95 else "99.9"
    return f"{shown} % <span class='bar'><i style='width:{share:.1f}%'></i></span>"


def found(report):
    if not report["findings"]:
        return "<h2>Findings</h2><p>None.</p>"
    return "<h2>Findings</h2>" + "".join(one(finding) for finding in
                                         sorted(report["findings"], key=lambda one: (not one["counts"], one["bucket"], one["target"])))


def one(finding):
    replays = f"{finding['reproduced']}/{finding['replays']}" if finding["replays"] else "not replayed"
    size = f"{finding['size']:,} bytes" if "size" in finding else "not measured"
    if finding.get("minimised") is not None:
        size += f", minimised to {finding['minimised']:,}"
    elif finding.get("not_minimised"):
        size += f", not minimised: {finding['not_minimised']}"
    rows = [("target", e(finding["target"])), ("what", e(finding["detail"])),
            ("reproduced", e(replays) if finding["reproduced"] == finding["replays"] else f"<span class='bad'>{e(replays)}</span>"),
            ("input", e(size)), ("found by", f"{e(finding['engine'])}, first at {e(finding['first'])}, {finding['count']} input{'s' * (finding['count'] != 1)}"),
            ("again", f"<code>{e(finding.get('text', ''))}</code>"), ("folder", f"<code>{e(finding['folder'])}</code>")]
    gone = "" if finding["counts"] else " <span class='quiet'>(of an earlier run; it no longer reproduces)</span>"
    steps = finding["steps"]
    cut = f"\n... {len(steps) - STEPS_MAX} more characters" if len(steps) > STEPS_MAX else ""
    return (f"<section class='finding'><h3>{e(finding['bucket'])}{gone}</h3><dl>"
            + "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows) + "</dl>"
            f"<details open><summary>steps</summary><pre>{e(steps[:STEPS_MAX] + cut)}</pre></details>"
            f"<details><summary>standard error</summary><pre>{e(finding['stderr'])}</pre></details></section>")


def curves(report):
    parts = ["<h2>Over time</h2>"]
    for target in report["targets"]:
        names = sorted({sample["engine"] for sample in target["samples"]}, reverse=True)
        of = {name: [sample for sample in target["samples"] if sample["engine"] == name] for name in names}
        parts += ["<div class='charts'>", chart(f"{target['name']}: coverage", "seconds of fuzzing", "edges",
                                               [(name, [(s["t"], s["edges"]) for s in of[name]]) for name in names]),
                  chart(f"{target['name']}: execution rate", "seconds of fuzzing", "executions a second",
                        [(name, [(s["t"], s["rate"]) for s in of[name]]) for name in names]), "</div>"]
    return "".join(parts)


def coverage(report):
    title = "<h2>Source coverage of the corpora</h2>"
    if not report["coverage"]:
        return f"{title}<p class='none'>Not measured{': the campaign was interrupted' * report['interrupted']}.</p>"
    files = report["coverage"]["files"]
    whole, part = sum(file["lines"] for file in files), sum(file["covered"] for file in files)
    return (f"{title}<p>{part:,} of {whole:,} lines, {bar(part, whole)}. Of each file, the lines that no input reaches, and those around them.</p>"
            + "".join(source(file) for file in files))


def source(file):
    missed = len(file["uncovered"])
    label = f"<code>{e(file['path'])}</code> {bar(file['covered'], file['lines'])} <span class='quiet'>{missed} of {file['lines']} lines missed</span>"
    if not missed:
        return f"<p>{label}</p>"
    return f"<details><summary>{label}</summary><pre class='source'>{excerpt(file)}</pre></details>"


def excerpt(file):
    try:
        text = (builds.ROOT / file["path"]).read_text(errors="replace").splitlines()
    except OSError as error:
        return e(f"cannot be shown: {error.strerror}")
    missed = set(file["uncovered"])
    near = sorted({line for miss in missed for line in range(miss - CONTEXT, miss + CONTEXT + 1) if 1 <= line <= len(text)})
    shown, last = [], 0
    for line in near:
        shown += ["<span class='n'>  ...</span>\n"] if last and line > last + 1 else []
        style = " class='miss'" if line in missed else ""
        shown.append(f"<span class='n'>{line:5} </span><span{style}>{e(text[line - 1].expandtabs(8))}</span>\n")
        last = line
    return "".join(shown)
