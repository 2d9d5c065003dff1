"""What all HTML pages share: their colours, by day and by night, and the pen of the sketches."""

BASE_STYLE = """
:root { color-scheme: light dark; --line: #d5d5d0; --soft: #f4f4f1; --good: #1a7f37; --bad: #b42318; --bar: #3b6fb6; }
@media (prefers-color-scheme: dark) {
  :root { --line: #3c3f44; --soft: #22252a; --good: #57c26f; --bad: #ff7b6e; --bar: #7ba7e6; }
}
.sketch { width: 6rem; height: 6rem; flex: none; fill: none; stroke: currentColor; stroke-width: 1.5;
  stroke-linecap: round; stroke-linejoin: round; }
"""
