"""Curves over time as SVG, with nothing but what stands in the page."""

import html
import math

WIDTH, HEIGHT = 560, 240
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 30, 44
POINTS_MAX = 400


def chart(title, x_label, y_label, series):
    """`series`: [(name, [(x, y), ...])]; colours are the page's, by position."""
    series = [(name, thin(points)) for name, points in series if points]
    if not series:
        return f'<p class="none">{html.escape(title)}: no figures</p>'
    xs = ticks(max(x for _, points in series for x, _ in points), 6)
    ys = ticks(max(y for _, points in series for _, y in points), 5)
    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)}">',
             text(LEFT, 16, title, "title")]
    for y in ys:
        parts += [f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{place_y(y, ys)}" y2="{place_y(y, ys)}"/>',
                  text(LEFT - 6, place_y(y, ys) + 4, number(y), "end")]
    parts += [text(place_x(x, xs), HEIGHT - BOTTOM + 16, number(x), "middle") for x in xs]
    parts += [text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, x_label, "middle label"),
              f'<text class="middle label" transform="translate(13 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)">{html.escape(y_label)}</text>']
    for place, (name, points) in enumerate(series):
        path = " ".join(f"{place_x(x, xs):.1f},{place_y(y, ys):.1f}" for x, y in points)
        parts.append(f'<polyline class="curve c{place % 4}" points="{path}"/>')
        if len(points) == 1:
            parts.append(f'<circle class="dot c{place % 4}" cx="{place_x(points[0][0], xs):.1f}" cy="{place_y(points[0][1], ys):.1f}" r="3"/>')
    parts += legend([name for name, _ in series])
    return "".join(parts) + "</svg>"


def legend(names):
    right = WIDTH - RIGHT
    for place, name in reversed(list(enumerate(names))):
        width = 22 + 7 * len(name)
        right -= width
        yield f'<line class="curve c{place % 4}" x1="{right}" x2="{right + 14}" y1="12" y2="12"/>'
        yield text(right + 18, 16, name, "")
        right -= 8


def text(x, y, words, style):
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}">{html.escape(words)}</text>'


def place_x(x, xs):
    return LEFT + (WIDTH - LEFT - RIGHT) * x / (xs[-1] or 1)


def place_y(y, ys):
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * y / (ys[-1] or 1)


def ticks(highest, count):
    """Round numbers from 0 to at least the highest."""
    highest = max(highest, 1)
    rough = highest / count
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    step = max(1, step)
    return [step * place for place in range(math.ceil(highest / step - 1e-9) + 1)]


def number(value):
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= 10 * size or (value >= size and value % (size / 10) == 0):
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def thin(points):
    step = math.ceil(len(points) / POINTS_MAX)
    return points if step < 2 else points[:-1:step] + points[-1:]
