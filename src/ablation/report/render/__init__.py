"""Pages to files: HTML, Markdown and LaTeX from blocks alone, and figures as SVG."""
