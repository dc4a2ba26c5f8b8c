"""A training session: a run, its output folder and its display, from the first step or a checkpoint to the result."""

import contextlib
import json
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from mnist_helpers import CourseError, data
from mnist_helpers._support import provenance
from mnist_helpers.cuda_graph import CapturedStep
from mnist_helpers.export import to_onnx_from_pixels
from mnist_helpers.recipes import Recipe, build
from mnist_helpers.trainer.display import Display, accuracy
from mnist_helpers.trainer.distributed import start
from mnist_helpers.trainer.output_folder import OutputFolder, locked
from mnist_helpers.trainer.run import Run, describe
from mnist_helpers.trainer.run_checkpoint import with_test_time_averaging

CHECKPOINT_INTERVAL = 5  # seconds; writing a checkpoint takes some hundredths of a second
MACHINE = ("processes", "threads", "device", "torch", "processor")  # they decide the order in which sums are rounded


@dataclass(frozen=True)
class Settings:
    """What the command line chooses; `test` trains on all images and opens the test set once, at the end."""

    recipe: Recipe
    recipe_name: str
    seed: int
    device: str
    graph: bool
    output: Path
    resume: bool
    test: bool
    export: bool
    command: str


class TrainingSession:
    """A run from its beginning, or from its checkpoint, to its result."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.folder = OutputFolder(settings.output, settings.resume)
        self.folder.check()
        self.group, device = start(settings.device)
        self.display = Display(enabled=self.group.rank == 0)
        train_set, self.validation_set = data.load("train", device), None
        if not settings.test:
            train_set, self.validation_set = data.split(*train_set)
        self.run = Run(settings.recipe, *train_set, settings.seed, self.group, settings.graph)
        self.identity = describe(settings.recipe, settings.recipe_name, settings.seed, train_set[0])
        self.epoch_begun = self.saved = time.monotonic()

    def execute(self, stop: list[int]) -> bool:
        """Train to the end, and return True; or stop at the first signal in `stop`, and return False."""
        with locked(self.folder.path) if self.group.rank == 0 else contextlib.nullcontext():
            self.begin()
            finished = self.train(stop)
            if finished:
                self.finish()
                self.group.leave()
            return finished

    def begin(self) -> None:
        """Load the newest intact checkpoint, or save the state before the first step."""
        if self.group.rank == 0:
            self.folder.check()  # again: another run may have used the folder before this one had the lock
            self.folder.remove_stale_temporaries()
        if self.settings.resume and self.folder.has_checkpoint():
            return self.resume()
        self.save()
        if self.settings.resume:
            self.display.print_line(f"There is no checkpoint in {self.folder.path}: the run begins.")
        self.display.check()

    def resume(self) -> None:
        """Continue from the newest intact checkpoint."""
        content = self.folder.load(self.identity, self.display.print_line)
        self.run.restore(content)
        if self.run.step >= self.run.batches and bool(self.validation_set) != bool(self.run.history["epoch_correct"]):
            raise CourseError("the checkpoint lacks the results of its epochs; choose another folder.")
        self.display.print_line(f"Continuing after {self.run.progress()}.")
        found, expected = content["made_with"], self.made_with()
        found = found if isinstance(found, dict) else {}
        names = [name for name in MACHINE if found.get(name) != expected[name]]
        if names:
            changes = "; ".join(f"{name} {found.get(name)}, now {expected[name]}" for name in names)
            line = f"The checkpoint was written elsewhere ({changes}): the result will not be the same bit for bit."
            self.display.print_line(line)

    def save(self) -> None:
        """Save the whole state of the run if it is finite; one process saves for all."""
        if self.group.rank == 0 and self.run.is_finite():  # if not, the next loss ends the run in all processes
            self.folder.save({"run": self.identity, "made_with": self.made_with(), **self.run.state()})
        self.saved = time.monotonic()

    def made_with(self) -> dict[str, Any]:
        """Return the command, the versions and the machine."""
        more = {"threads": torch.get_num_threads(), "processes": self.group.size, "device": self.device()}
        return {"command": self.settings.command, **provenance.made_with(), **more}

    def device(self) -> str:
        """Return the device in words; a GPU with its name, and with how it makes its steps."""
        device = self.run.images.device
        if device.type != "cuda":
            return str(device)
        steps = "captured" if isinstance(self.run.update, CapturedStep) else "uncaptured"
        return f"{device} ({torch.cuda.get_device_name(device)}, {steps} steps)"

    def train(self, stop: list[int]) -> bool:
        """Train to the end, and return True; or, once `stop` holds a signal, save the state and return False."""
        for epochs in self.run.train():
            if epochs == int(epochs):
                self.end_epoch(int(epochs))
            else:
                self.display.show_progress(epochs, self.run.recipe.epochs)
                if time.monotonic() - self.saved > CHECKPOINT_INTERVAL:
                    self.save()
            if stop and self.group.rank == 0 and self.run.step < self.run.steps:
                self.run.check_finite()
                self.save()
                return False
        return True

    def end_epoch(self, epoch: int) -> None:
        """Evaluate on the validation set, save the state, and print a line."""
        history, size, recorded = self.run.history, len(self.run.images), self.run.losses()  # waits for a GPU
        seconds = time.monotonic() - self.epoch_begun
        losses = [loss for seen, loss in zip(history["examples"], recorded) if seen >= (epoch - 1) * size]
        line = f"epoch {epoch} of {self.run.recipe.epochs}: loss {statistics.mean(losses):.4f}"
        if self.validation_set:
            loss, correct = self.run.evaluate(*self.validation_set)
            history["epoch_losses"].append(loss)
            history["epoch_correct"].append(correct)
            line += f", validation {accuracy(correct, len(self.validation_set[1]))}"
        self.run.check_finite()
        self.save()
        self.display.print_line(f"{line}, {seconds:.1f} s")
        self.epoch_begun = time.monotonic()

    def final_result(self) -> dict[str, Any]:
        """Return the result on the validation set; or, if asked for, open the test set and return the result on it."""
        if self.validation_set:
            correct, loss = (self.run.history[name][-1] for name in ("epoch_correct", "epoch_losses"))
            return {"set": "validation", "images": len(self.validation_set[1]), "correct": correct, "loss": loss}
        test_images, test_labels = data.load("test", self.run.images.device)
        loss, correct = self.run.evaluate(test_images, test_labels)
        return {"set": "test", "images": len(test_labels), "correct": correct, "loss": loss}

    def finish(self) -> None:
        """Save the network and the result, and print it."""
        result = self.final_result()
        if self.group.rank == 0:
            content = {
                "made_with": self.made_with(),
                "run": self.identity,
                "result": result,
                "history": self.run.history,
            }
            self.folder.save_result(self.run.recipe, self.run.average.module, content)
            if self.settings.export:
                self.export(result)
        found = f"{result['set']}: {accuracy(result['correct'], result['images'])}"
        files = "model.pt, model.onnx and result.json" if self.settings.export else "model.pt and result.json"
        self.display.print_line(f"{found}; {self.folder.path} has {files}")

    def export(self, result: dict[str, Any]) -> None:
        """Write the network, with its preparation, to an ONNX file that says what it is."""
        network = build(self.run.recipe)  # without what several processes add
        network.load_state_dict(self.run.average.module.state_dict())
        said = {
            "what": "reads one handwritten digit; trained on MNIST",
            "recipe": json.dumps(asdict(self.settings.recipe)),
            "seed": str(self.settings.seed),
            f"{result['set']} images read right": f"{result['correct']} of {result['images']}",
            **{name: str(value) for name, value in self.made_with().items()},
        }
        to_onnx_from_pixels(with_test_time_averaging(self.run.recipe, network), self.folder.onnx, said)
