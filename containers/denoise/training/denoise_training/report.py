"""Writes what was measured as Markdown tables, between two marks of a page."""

from pathlib import Path

from .evaluate import TIMED_SIDE, Table, Timing, missed
from .trials import describe, noise_of

BEGIN, END = "<!-- begin measured -->", "<!-- end measured -->"
METHODS = ("noisy", "Gaussian", "median", "non-local means", "BM3D", "efficient", "powerful")


def render(table: Table, timings: dict[str, Timing]) -> str:
    """Return the tables, and in words whether the goals are reached."""
    lines: list[str] = []
    for subject, levels in table.items():
        lines += [f"### {subject[0].upper()}{subject[1:]}", ""]
        lines += ["| noise | " + " | ".join(METHODS) + " |", "|---|" + "---:|" * len(METHODS)]
        for level, cell in levels.items():
            best = max(METHODS, key=lambda method: cell[method].psnr)
            cells = [
                f"**{cell[method].psnr:.2f}** / {cell[method].ssim:.3f}"
                if method == best
                else f"{cell[method].psnr:.2f} / {cell[method].ssim:.3f}"
                for method in METHODS
            ]
            lines.append(f"| {level}: {describe(noise_of(subject, level))} | " + " | ".join(cells) + " |")
        lines.append("")
    lines += [f"### Time for an image of {TIMED_SIDE} × {TIMED_SIDE} on one processor", ""]
    timed = METHODS[1:]
    lines += ["| " + " | ".join(timed) + " |", "|" + "---:|" * len(timed)]
    lines += ["| " + " | ".join(f"{timings[method].seconds:.3f} s" for method in timed) + " |", ""]
    goals = missed(table, timings)
    lines += (
        ["Every goal is reached."] if not goals else ["Goals that are not reached:", "", *(f"- {one}" for one in goals)]
    )
    return "\n".join(lines)


def write(page: Path, content: str) -> None:
    """Replace what stands between the marks of a page.

    Raises:
        ValueError: the page lacks its marks.
    """
    text = page.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise ValueError(f"{page}: expected the marks {BEGIN} and {END}, found none. Put them where the tables belong.")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n{content}\n{END}{after}", encoding="utf-8")
