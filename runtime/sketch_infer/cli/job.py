"""One run of `sketch-infer` over files: read, classify, write, judge."""

import json
import sys
import warnings
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from sketch_infer.cli.console import note, say, terminal_width
from sketch_infer.cli.progress import CommandReading
from sketch_infer.errors import InputError, ParityError, SkippedError
from sketch_infer.inference.classifier import Classifier, TruncationWarning
from sketch_infer.inference.stream import classify_usable, take_block, usable_sketches
from sketch_infer.readers.files import can_be_read_again, read_sketches
from sketch_infer.readers.sketch import InputFormat, Sketch
from sketch_infer.strokes.preprocess import to_batch
from sketch_infer.writers.choose import open_writer
from sketch_infer.writers.text import JsonLinesWriter, Writer

if TYPE_CHECKING:
    from sketch_infer.checks.evaluation import Tally
    from sketch_infer.cli.eager import EagerComparison
    from sketch_infer.writers.partial_lines import PartialLines


class Job:
    """Files to classify, and what is to be done with the predictions.

    Args:
        sources: the files.
        input_format: what their numbers mean.
        reading: tells the user how it goes.
        classifier: the model.
        comparison: takes all predictions, to compare them with eager PyTorch's; or None.
        tally: counts them beside their true classes; or None.
    """

    def __init__(
        self,
        sources: list[str],
        input_format: InputFormat,
        reading: CommandReading,
        classifier: Classifier,
        comparison: "EagerComparison | None",
        tally: "Tally | None",
    ) -> None:
        self._sources, self._reading, self._classifier = sources, reading, classifier
        self._comparison, self._tally = comparison, tally
        read = (read_sketches(source, input_format, reading) for source in sources)
        # At once, because the first ones wait for the output to be opened, and a resumed run has to know which of them
        # the interrupted one left out.
        self._sketches = usable_sketches(classifier, chain.from_iterable(read), reading)
        if tally:
            self._classes = {name: column for column, name in enumerate(classifier.classes)}
            self._sketches = self._labeled(self._sketches)
        self._n_cut = self._n_sketches = 0

    def _labeled(self, sketches: Iterator[Sketch]) -> Iterator[Sketch]:
        """Refuse sketches whose true class is not one of the model's."""
        for sketch in sketches:
            if sketch.true_class in self._classes:
                yield sketch
            else:
                where = f"{sketch.source}: sketch {sketch.index}"
                found = f"{sketch.true_class!r}{'' if sketch.label else ', the name of the file, for want of a word'}"
                error = f"{where}: expected a word among the model's {len(self._classes)} classes, found {found}"
                self._reading.bad(InputError(error))

    def run(self, format_: str | None, output: Path | None, top_k: int) -> None:
        """Classify all, and write predictions to a file or standard output, or nowhere without a format.

        Raises:
            ParityError: if the comparison fails; a file is not written then.
        """
        # Before anything is written, so that an unusable first file leaves no output at all.
        first, _ = take_block(self._sketches)
        self._sketches = chain(first, self._sketches)
        if format_ is None:
            self._classify(None)
            return
        with open_writer(format_, output, top_k, self._classifier.classes, tuple(self._sources)) as writer:
            self._classify(writer, with_bar=output is not None or not sys.stdout.isatty(), flush=output is None)
            writer.finish()

    def run_resumably(self, partial: "PartialLines", top_k: int) -> None:
        """Classify all into a file of JSON lines, of which an interrupted run leaves what it has."""
        try:
            with partial:
                self._sketches = partial.skip_done(self._sketches)
                self._classify(JsonLinesWriter(partial, top_k))
        finally:
            if partial.kept and can_be_read_again(self._sources):
                note("note: the results so far are kept; run the same command with --resume to continue")
            elif partial.kept:
                note(f"note: the results so far are in {partial.path}; a run that reads a pipe cannot be resumed")

    def _classify(self, writer: Writer | None, with_bar: bool = True, flush: bool = False) -> None:
        length = self._classifier.metadata.sequence_length
        warnings.simplefilter("ignore", TruncationWarning)  # one line at the end says how many were cut
        with self._reading.bar(self._sources if with_bar else ["-"]):
            for sketches, predictions in classify_usable(self._classifier, self._sketches):
                if writer:
                    writer.write(sketches, predictions)
                    if flush:  # whoever draws at the other end of a pipe waits for it
                        sys.stdout.flush()
                if self._comparison:
                    self._comparison.add(to_batch([sketch.strokes for sketch in sketches], length)[0], predictions)
                if self._tally:
                    self._tally.add(predictions.log_probs, [self._classes[sketch.true_class] for sketch in sketches])
                self._n_sketches += len(sketches)
                self._n_cut += sum(sketch.cut for sketch in sketches)
                self._reading.classified(len(sketches))
        if self._comparison:
            parity = self._comparison.report()
            say(parity.to_text(terminal_width(err=True)), err=True)
            if not parity:  # before an --output is complete: the answers are not to be trusted
                raise ParityError("the model differs from eager PyTorch; see the report above")

    def finish(self, as_json: bool) -> None:
        """Print the evaluation, and warn of what was cut or skipped.

        Raises:
            InputError: if there was nothing to evaluate.
            SkippedError: if sketches or files were skipped.
        """
        if self._n_cut:
            length = self._classifier.metadata.sequence_length
            note(f"warning: cut {self._n_cut} of {self._n_sketches} sketches to the network's {length} points")
        if self._tally:
            if not self._n_sketches:
                raise InputError("no sketches to evaluate: the input has none that can be used")
            from sketch_infer.checks.evaluation import format_evaluations  # late, as few ask for it

            found = self._tally.evaluation()
            say(json.dumps(found.to_dict(), indent=2) if as_json else format_evaluations({"": found}, terminal_width()))
        if self._reading.n_skipped:
            raise SkippedError(
                f"skipped {self._reading.n_skipped} that could not be used (see above); "
                f"{self._n_sketches} were classified"
            )
