"""Training of a SketchRNN: steps, averaged weights, and a state from which a run goes on as if never stopped."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sketch_infer.array_types import Array
from sketch_models.sketch_rnn import SketchRNN
from sketch_models.training.data.augment import stroke_batch, vary
from sketch_models.training.data.batches import epoch_batches
from sketch_models.training.data.dataset import Drawings
from sketch_models.training.loss import classification_loss
from sketch_models.training.network.fast_path import FastSketchRNN
from sketch_models.training.recipe import Phase, Recipe, learning_rate

_RATE_DIRECTIONS = 16  # in which each worker measures how fast the network settles


@dataclass
class Progress:
    """Where a run stands; `history` has one entry per finished epoch."""

    phase: int = 0
    epoch: int = 0
    step: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)


class Trainer:
    """Trains a network on drawings; `run` yields after every epoch.

    Args:
        net: the network; its head names the targets first, then the further classes.
        drawings: of all classes.
        n_targets: how many of the classes are targets.
        recipe: how to train.
        teachers: finished networks of the same classes, whose answers are learned beside the labels.
    """

    def __init__(
        self,
        net: FastSketchRNN,
        drawings: Drawings,
        n_targets: int,
        recipe: Recipe,
        teachers: Sequence[FastSketchRNN] = (),
    ) -> None:
        self.net, self.drawings, self.n_targets, self.recipe, self.teachers = net, drawings, n_targets, recipe, teachers
        net.core.fc_mu1.requires_grad_(False)
        self.parameters = [parameter for parameter in net.parameters() if parameter.requires_grad]
        head = list(net.head.parameters())
        rest = [parameter for parameter in self.parameters if not any(parameter is other for other in head)]
        groups = [
            {"params": rest, "weight_decay": recipe.weight_decay},
            {"params": head, "weight_decay": recipe.head_weight_decay},
        ]
        self.optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99), fused=True)
        self.average = {name: tensor.clone() for name, tensor in net.state_dict().items()}
        self.progress = Progress()

    def state(self) -> dict[str, Any]:
        """Return all that `load_state` needs to go on from the last finished epoch."""
        return {
            "net": self.net.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "progress": asdict(self.progress),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
        self.net.load_state_dict(state["net"])
        self.average = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.progress = Progress(**state["progress"])

    def averaged(self) -> SketchRNN:
        """Return the network of the averaged weights, with the target classes."""
        present = {name: tensor.clone() for name, tensor in self.net.state_dict().items()}
        self.net.load_state_dict(self.average)
        model = self.net.to_sketch_rnn(self.n_targets)
        self.net.load_state_dict(present)
        return model

    def classify(self, drawings: Drawings) -> Array:
        """Return log_probs, float32 (N, targets), of the averaged weights in float32.

        The network's padding is skipped here as in training: this is ten times faster than the network itself and
        differs from it by what `FastOutput.unsettled` measures.
        """
        net, present = self.net, {name: tensor.clone() for name, tensor in self.net.state_dict().items()}
        dtype, net.dtype = net.dtype, torch.float32
        net.load_state_dict(self.average)
        for _ in range(8):  # an average of fixed points is none: follow it to the one of the averaged weights
            net.follow()
        log_probs = np.empty((len(drawings), self.n_targets), np.float32)

        @torch.inference_mode()
        def classify_rows(rows: Array) -> None:
            xy, pen, lengths = drawings.padded(rows)
            output = net(torch.from_numpy(stroke_batch(xy, pen, lengths)), torch.from_numpy(np.maximum(lengths - 1, 1)))
            log_probs[rows] = torch.log_softmax(output.logits[:, : self.n_targets], dim=1).numpy()

        by_length = np.argsort(drawings.lengths, kind="stable")
        with ThreadPoolExecutor(self.recipe.workers) as pool:
            list(pool.map(classify_rows, np.split(by_length, range(64, len(by_length), 64))))
        net.dtype = dtype
        net.load_state_dict(present)
        return log_probs

    def run(self, on_step: Callable[[dict[str, float]], None] = lambda _: None) -> Iterator[dict[str, Any]]:
        """Train to the end of the recipe, from wherever `progress` stands.

        Args:
            on_step: called after each step with the epoch's loss, accuracy, unsettled and rate (drawings/s) so far,
                eta (s, to the end of the recipe) and part (of the epoch that is done).

        Yields:
            after each epoch: phase, epoch, step, loss, accuracy (on the varied training drawings), unsettled, rate,
            seconds. What the receiver adds to it becomes part of the history.
        """
        # One thread per worker, each alone on its operations: threads inside operations would wait for one another.
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with ThreadPoolExecutor(self.recipe.workers) as pool:
                while self.progress.phase < len(self.recipe.phases):
                    result = self._epoch(pool, on_step)
                    self.progress.epoch += 1
                    if self.progress.epoch >= self.recipe.phases[self.progress.phase].epochs:
                        self.progress.phase, self.progress.epoch = self.progress.phase + 1, 0
                    self.progress.history.append(result)
                    yield result
        finally:
            torch.set_num_threads(threads)

    def _epoch(self, pool: ThreadPoolExecutor, on_step: Callable[[dict[str, float]], None]) -> dict[str, Any]:
        recipe, progress = self.recipe, self.progress
        phase = recipe.phases[progress.phase]
        rng = np.random.default_rng([recipe.seed, progress.phase, progress.epoch])
        sizes = (self.n_targets, phase.further_share, recipe.balance, recipe.batch_size)
        batches = epoch_batches(self.drawings, *sizes, rng)
        totals, seen, start = np.zeros(4), 0, time.perf_counter()
        n_further = int((self.drawings.labels >= self.n_targets).sum())
        later = sum(
            other.epochs * (len(self.drawings) - (1 - other.further_share) * n_further)
            for other in recipe.phases[progress.phase + 1 :]
        )
        for number, rows in enumerate(batches):
            done = (progress.epoch + number / len(batches)) / phase.epochs
            rate = learning_rate(phase, done)
            penalty = min(1.0, 2 * done)
            totals += self._step(pool, rows, phase, rate, penalty)
            seen += len(rows)
            speed = seen / (time.perf_counter() - start)
            left = (sum(map(len, batches)) * (phase.epochs - progress.epoch) - seen + later) / speed
            means = dict(zip(("loss", "accuracy", "unsettled", "settling_rate"), (totals / seen).tolist(), strict=True))
            figures = {**means, "rate": speed}
            on_step({**figures, "eta": left, "part": (number + 1) / len(batches)})
        where = {"phase": phase.name, "epoch": progress.epoch + 1, "step": progress.step, "learning_rate": rate}
        return where | figures | {"drawings": seen, "seconds": time.perf_counter() - start}

    def _step(self, pool: ThreadPoolExecutor, rows: Array, phase: Phase, rate: float, penalty: float) -> Array:
        """Make one step of the optimizer; return the sums of loss, hits and unsettled over the drawings."""
        workers = min(self.recipe.workers, len(rows))
        # Every second, third ... drawing, so that the parts have the same mix of lengths.
        parts = [rows[worker::workers] for worker in range(workers)]
        jobs = [pool.submit(self._gradients, *job, phase, len(rows), penalty) for job in enumerate(parts)]
        results = [job.result() for job in jobs]
        for parameter, *gradients in zip(self.parameters, *(gradients for gradients, _ in results), strict=True):
            parameter.grad = torch.stack(gradients).sum(0) if workers > 1 else gradients[0]
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.net.follow()
        self.progress.step += 1
        # The mean starts short, or it would remember the first weights.
        decay = min(self.recipe.averaging, (self.progress.step + 1) / (self.progress.step + 20))
        present = self.net.state_dict()
        torch._foreach_lerp_(list(self.average.values()), [present[name] for name in self.average], 1 - decay)
        sums: Array = np.stack([figures for _, figures in results]).sum(axis=0)
        return sums

    def _gradients(
        self, worker: int, rows: Array, phase: Phase, batch: int, penalty: float
    ) -> tuple[tuple[Tensor, ...], Array]:
        """Return one part's share of the batch's gradients, and its sums of loss, hits and unsettled."""
        recipe = self.recipe
        rng = np.random.default_rng([recipe.seed, self.progress.step, worker])
        xy, pen, lengths = vary(*self.drawings.padded(rows), phase.augmentation, rng)
        sketches = torch.from_numpy(stroke_batch(xy, pen, lengths))
        labels = torch.from_numpy(self.drawings.labels[rows])
        kept = 1 - phase.dropout
        units = 2 * self.net.core.config.hidden_size
        kept_units = torch.from_numpy((rng.random((len(rows), units), np.float32) < kept).astype(np.float32) / kept)
        directions = torch.from_numpy(rng.standard_normal((2, _RATE_DIRECTIONS, units // 2), np.float32))
        steps = torch.from_numpy(np.maximum(lengths - 1, 1))
        output = self.net(sketches, steps, kept_units, directions)
        answers = self._answers(rows, phase, rng) if self.teachers else []
        loss = classification_loss(output.logits, labels, self.n_targets, phase, recipe.label_smoothing, answers)
        unsettled = output.unsettled * len(rows)
        too_slow = (output.settling_rate - recipe.settling_rate).clamp(min=0) * len(rows)
        loss_and_penalties = loss + penalty * (recipe.settle_penalty * unsettled + recipe.rate_penalty * too_slow)
        gradients = torch.autograd.grad(loss_and_penalties / batch, self.parameters)
        hits = (output.logits.detach().argmax(1) == labels).sum()
        rate = float(output.settling_rate.detach()) * len(rows)
        return gradients, np.array([float(loss.detach()), float(hits), float(unsettled.detach()), rate])

    @torch.no_grad()
    def _answers(self, rows: Array, phase: Phase, rng: np.random.Generator) -> list[Tensor]:
        """Return each teacher's logits for other copies of the drawings than the network in training sees.

        So what is learned is the mean of its answers to all copies, which is right more often than each of them: even
        a network's own pupil can become better than it. A copy is not cut short, or it would be another drawing.
        """
        xy, pen, lengths = vary(*self.drawings.padded(rows), replace(phase.augmentation, unfinished=0.0), rng)
        sketches, steps = torch.from_numpy(stroke_batch(xy, pen, lengths)), torch.from_numpy(np.maximum(lengths - 1, 1))
        return [teacher(sketches, steps).logits for teacher in self.teachers]
