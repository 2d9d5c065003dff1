"""Ask several engines the probes of the default network's files, and hold them to eager PyTorch's answers.

An engine that ignores what a file uses may answer wrongly without a word; this says which do. The results go to
dist/engines.json, and with --publish to benchmarks/results/engines.json, of which the docs have the table.
"""

import json
import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

import click

from benchmarks.bench.candidates import ROOT, plain_model
from benchmarks.engines.ask import ENGINES, FILES, PROVEN, Found, ask
from sketch_infer import default_model


def to_markdown(found: list[Found]) -> str:
    """Lay the results out as the docs have them."""
    lines = [f"| engine | {' | '.join(FILES)} |", f"|---{'|---' * len(FILES)}|"]
    for engine in dict.fromkeys(one.engine for one in found):
        by_file = {one.file: one for one in found if one.engine == engine}
        version = max(one.version for one in by_file.values())  # of a file that it refused there is none
        cells = [f"{engine} {version}".rstrip(), *(by_file[file].cell for file in FILES)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


@click.command()
@click.option("--publish", is_flag=True, help="Write the results where the documentation reads them.")
def main(publish: bool) -> None:
    """Ask every engine that is installed the probes of the default network's files."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        paths = {
            "fast": default_model(),
            "plain": plain_model(Path(folder)),
            "int8": default_model("int8"),
            "points": ROOT / "dist" / "points.onnx",
        }
        for engine in ENGINES:
            for file in FILES:
                with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                    found.append(pool.submit(ask, engine, file, paths[file]).result())
                click.echo(f"{engine}, {file}: {found[-1].verdict} {found[-1].reason}", err=True)
    click.echo(to_markdown(found))
    if publish and (missing := [one for one in found if one.verdict == "not run"]):
        raise click.ClickException(f"not published: {missing[0].engine} was not run: {missing[0].reason}")
    results = ROOT / ("benchmarks/results" if publish else "dist") / "engines.json"
    results.parent.mkdir(exist_ok=True)
    results.write_text(json.dumps([asdict(one) for one in found], indent=2) + "\n", encoding="utf-8")
    answers = [one for one in found if one.engine in PROVEN and one.verdict != "not run"]
    if wrong := [f"{one.engine}, {one.file}" for one in answers if one.verdict != "right"]:
        raise click.ClickException(f"not eager PyTorch's answers: {'; '.join(wrong)}")


if __name__ == "__main__":
    main()
