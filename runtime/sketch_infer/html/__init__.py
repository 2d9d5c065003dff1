"""What the HTML pages share: their style, and sketches as SVG."""
