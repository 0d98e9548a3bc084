#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Draws what each toxic does to a stream: docs/toxics/<type>.svg.

    tools/draw-toxics.py build/bench/toxic_trace docs/toxics

The picture shows the bytes that have gone in (grey) and come out (blue) over time. The numbers are
those of the real chain in virtual time, so drawing again gives the same files.
"""
import os
import subprocess
import sys

WIDTH, HEIGHT = 640, 240
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 34, 40
GREY, BLUE, RED, INK = "#9a9a9a", "#1f66b5", "#c0392b", "#333333"
ENDS = {"eof": "end of stream", "close": "closed", "reset": "reset (RST)"}


def read_scenes(text):
    scenes = []
    for line in text.splitlines():
        word, *rest = line.split(" ", 2)
        if word == "toxic":
            scenes.append({"type": rest[0], "title": rest[1], "in": [], "out": [], "bad": [],
                           "on": None, "off": None, "end": None})
        elif word in ENDS:
            scenes[-1]["end"] = (float(rest[0]), word)
        elif word in ("on", "off"):
            scenes[-1][word] = float(rest[0])
        else:
            point = (float(rest[0]), int(rest[1]))
            scenes[-1]["in" if word == "in" else "out"].append(point)
            if word == "bad":
                scenes[-1]["bad"].append(point[0])
    return scenes


def nice_step(span, count):
    """A round step that divides the span into about so many parts."""
    for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000):
        if span / step <= count:
            return step
    return span


class Plot:
    def __init__(self, scene):
        times = [t for t, _ in scene["in"] + scene["out"]] + [scene["end"][0]]
        self.time_max = max(times) * 1.04
        self.bytes_max = sum(n for _, n in scene["in"]) * 1.08
        self.parts = []

    def x(self, time):
        return LEFT + time / self.time_max * (WIDTH - LEFT - RIGHT)

    def y(self, count):
        return HEIGHT - BOTTOM - count / self.bytes_max * (HEIGHT - TOP - BOTTOM)

    def line(self, x1, y1, x2, y2, color, more=""):
        self.parts.append('<path d="M%.1f %.1fL%.1f %.1f" stroke="%s"%s/>'
                          % (x1, y1, x2, y2, color, more))

    def text(self, x, y, text, anchor="middle", color=INK):
        self.parts.append('<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">%s</text>'
                          % (x, y, anchor, color, text))

    def axes(self):
        step = nice_step(self.time_max, 8)
        for tick in range(0, int(self.time_max) + 1, step):
            self.line(self.x(tick), HEIGHT - BOTTOM, self.x(tick), HEIGHT - BOTTOM + 4, INK)
            self.text(self.x(tick), HEIGHT - BOTTOM + 17, str(tick))
        self.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "ms")
        step = nice_step(self.bytes_max, 5)
        for tick in range(0, int(self.bytes_max) + 1, step):
            self.line(LEFT, self.y(tick), WIDTH - RIGHT, self.y(tick), "#e6e6e6")
            self.text(LEFT - 6, self.y(tick) + 4, str(tick), "end")
        self.line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, INK)

    def stairs(self, points, until, color, width):
        path = ["M%.1f %.1f" % (self.x(0), self.y(0))]
        total = 0
        for time, count in points:
            total += count
            path.append("H%.1fV%.1f" % (self.x(time), self.y(total)))
        path.append("H%.1f" % self.x(until))
        self.parts.append('<path d="%s" stroke="%s" stroke-width="%s"/>'
                          % ("".join(path), color, width))
        return total

    def mark(self, time, text):
        self.line(self.x(time), TOP, self.x(time), HEIGHT - BOTTOM, INK, ' stroke-dasharray="3 3"')
        left = self.x(time) > WIDTH / 2
        self.text(self.x(time) + (-4 if left else 4), TOP + 10, text, "end" if left else "start")


def draw(scene):
    plot = Plot(scene)
    plot.axes()
    end, how = scene["end"]
    plot.stairs(scene["in"], end, GREY, 1.5)
    plot.stairs(scene["out"], end, BLUE, 2)
    total = 0
    for time, count in scene["out"]:
        total += count
        if time in scene["bad"]:
            plot.parts.append('<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>'
                              % (plot.x(time), plot.y(total), RED))
    if scene["on"]:
        plot.mark(scene["on"], "added")
    if scene["off"]:
        plot.mark(scene["off"], "removed")
    color = RED if how == "reset" else INK
    plot.line(plot.x(end), TOP, plot.x(end), HEIGHT - BOTTOM, color)
    plot.text(plot.x(end) - 4, HEIGHT - BOTTOM - 6, ENDS[how], "end", color)
    plot.text(LEFT, 16, "<tspan font-weight='bold'>%s</tspan> %s" % (scene["type"], scene["title"]),
              "start")
    legend = [("bytes sent", GREY), ("bytes delivered", BLUE)]
    if scene["bad"]:
        legend.append(("changed", RED))
    for i, (label, shade) in enumerate(reversed(legend)):
        plot.text(WIDTH - RIGHT - 110 * i, 16, label, "end", shade)
    return ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" '
            'font-family="sans-serif" font-size="12" fill="none">\n'
            '<rect width="%d" height="%d" fill="#ffffff"/>\n%s\n</svg>\n'
            % (WIDTH, HEIGHT, WIDTH, HEIGHT, WIDTH, HEIGHT, "\n".join(plot.parts)))


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: draw-toxics.py TOXIC_TRACE FOLDER")
    text = subprocess.run([sys.argv[1]], capture_output=True, text=True, check=True).stdout
    for scene in read_scenes(text):
        path = os.path.join(sys.argv[2], scene["type"] + ".svg")
        with open(path, "w", encoding="utf-8") as out:
            out.write(draw(scene))


if __name__ == "__main__":
    main()
