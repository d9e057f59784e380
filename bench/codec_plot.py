#!/usr/bin/env python3
"""Draws ratio against decoding speed of lossless codecs, as incipit bench --op codec measures them here.

    bench/codec_plot.py build/release/incipit OUT.svg [--data spread|gaussian|FILE] [--pairs N] [--data-bytes SIZE]

Codecs are measured one after the other, each beside memcpy of the same bytes: the axis is decoding speed over that of
its memcpy, so that a machine that others use too moves both. Prints the figures as a table; the SVG needs no network.
"""
import argparse
import json
import subprocess
import sys

CODECS = ("bf16-lossless", "bf16-lossless-fast", "zstd-1", "zstd-1-exponents", "huffman-exponents", "lz4")
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 760, 480, 70, 60, 50, 30
LEAST_RATIO, MOST_RATIO = 0.95, 1.6
LETTER = 7  # width of one at most, on average


def measure(options, codec):
    command = [options.binary, "bench", "--op", "codec", "--codec", codec, "--data", options.data, "--pairs",
               str(options.pairs), "--data-bytes", options.data_bytes, "--json"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        sys.exit(f"codec_plot: {' '.join(command)} gave {result.returncode}: {result.stderr}{result.stdout}")
    return json.loads(result.stdout)


class Chart:
    def __init__(self, most_speed):
        self.most_speed = most_speed
        self.parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
                      'font-family="sans-serif" font-size="13">',
                      f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']

    def x(self, speed):
        return LEFT + speed / self.most_speed * (WIDTH - LEFT - RIGHT)

    def y(self, ratio):
        return HEIGHT - BOTTOM - (ratio - LEAST_RATIO) / (MOST_RATIO - LEAST_RATIO) * (HEIGHT - BOTTOM - TOP)

    def text(self, x, y, text, extra=""):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" {extra}>{text}</text>')

    def line(self, x1, y1, x2, y2, style='stroke="#ddd"'):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {style}/>')

    def axes(self, bound):
        for tenth in range(10, 17):
            self.line(LEFT, self.y(tenth / 10), WIDTH - RIGHT, self.y(tenth / 10))
            self.text(LEFT - 8, self.y(tenth / 10) + 4, f"{tenth / 10:.1f}", 'text-anchor="end"')
        step = 0.25 if self.most_speed < 3 else 0.5
        count = int(self.most_speed / step)
        for i in range(count + 1):
            self.line(self.x(i * step), self.y(LEAST_RATIO), self.x(i * step), self.y(MOST_RATIO))
            self.text(self.x(i * step), HEIGHT - BOTTOM + 18, f"{i * step:.2f}", 'text-anchor="middle"')
        self.text((LEFT + WIDTH) / 2, HEIGHT - 15, "decoding speed / memcpy of the raw bytes, both cold, one core",
                  'text-anchor="middle"')
        self.text(18, HEIGHT / 2, "raw bytes / stored bytes",
                  f'text-anchor="middle" transform="rotate(-90 18 {HEIGHT / 2})"')
        if bound:
            dashes = 'stroke="#c00" stroke-dasharray="6 4"'
            self.line(LEFT, self.y(bound), WIDTH - RIGHT, self.y(bound), dashes)
            self.text(WIDTH - RIGHT, self.y(bound) - 5, f"entropy, channel known: {bound:.3f}",
                      'text-anchor="end" fill="#c00"')

    def point(self, report):
        x, y = self.x(report["decode_to_memcpy"]), self.y(report["ratio"])
        low, high = report["decode_to_memcpy_range"]
        ours = report["codec"].startswith("bf16")
        color = "#06c" if ours else "#666"
        self.line(self.x(low), y, self.x(high), y, f'stroke="{color}" stroke-opacity="0.5" stroke-width="2"')
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{color}"/>')
        label = f"{report['codec']} {report['ratio']:.3f}"
        if x + 8 + LETTER * len(label) < WIDTH:
            self.text(x + 8, y - 8, label, f'fill="{color}"')
        else:
            self.text(x - 8, y - 8, label, f'fill="{color}" text-anchor="end"')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("out")
    parser.add_argument("--data", default="spread")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--data-bytes", default="128MiB")
    options = parser.parse_args()
    reports = [measure(options, codec) for codec in CODECS]
    print(f"{'codec':20} {'ratio':>7} {'encode':>8} {'decode':>8} {'memcpy':>8} {'e/m':>7} {'d/m':>7}  range")
    for report in reports:
        print(f"{report['codec']:20} {report['ratio']:7.4f} {report['encode_gb_per_s']:8.2f} "
              f"{report['decode_gb_per_s']:8.2f} {report['memcpy_gb_per_s']:8.2f} {report['encode_to_memcpy']:7.3f} "
              f"{report['decode_to_memcpy']:7.3f}  {report['decode_to_memcpy_range']}")
    most_speed = max(1.25, 1.1 * max(report["decode_to_memcpy_range"][1] for report in reports))
    chart = Chart(most_speed)
    chart.text(LEFT, 25, f"Lossless codecs on {options.data}: 576 channels, 64 tokens a segment, kernel "
               f"{reports[0]['kernel']}", 'font-size="15"')
    chart.axes(reports[0]["entropy_bound_ratio"])
    for report in reports:
        chart.point(report)
    with open(options.out, "w", encoding="utf-8") as file:
        file.write("\n".join(chart.parts) + "\n</svg>\n")


if __name__ == "__main__":
    main()
