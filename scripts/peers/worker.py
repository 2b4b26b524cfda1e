"""The process of one contender that is written in Python.

    python3 -m peers.worker prepare|measure TASK

TASK is a Task as JSON. `measure` does what `vitome bench --on-request` does: every line on standard
input is answered by a round and a line of JSON.
"""

import dataclasses
import importlib
import json
import os
import pathlib
import sys
import time


@dataclasses.dataclass(frozen=True)
class Task:
    """What a contender is to do."""

    name: str
    module: str
    dtype: str
    rs: tuple
    arch: str
    image_size: tuple
    batch: int
    threads: int
    seconds: float
    fast_bf16: bool
    training: bool
    folder: str

    def path(self, what):
        """Of the safetensors files that all share: model/model, input, reference; or the logits of one."""
        return str(pathlib.Path(self.folder) / f"{what}.safetensors")


def throughput(run, batch, seconds):
    """Inputs per second; one batch at least."""
    start, batches, spent = time.perf_counter(), 0, 0.0
    while not batches or spent < seconds:
        run()
        batches += 1
        spent = time.perf_counter() - start
    return batches * batch / spent


def save_logits(runs, task):
    from safetensors.numpy import save_file

    logits = {}
    for r, run in zip(task.rs, runs):
        result = run()
        logits[f"r{r}"] = result.float().numpy() if hasattr(result, "float") else result
    save_file(logits, task.path(f"{task.name}-{task.dtype}"))


def main():
    stage, task = sys.argv[1], Task(**json.loads(sys.argv[2]))
    # Libraries that print would disturb the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if "torch" in task.module or stage == "prepare":
        import torch

        torch.set_num_threads(task.threads)
    module = importlib.import_module(task.module)
    if stage == "prepare":
        module.prepare(task)
        return
    runs = module.load(task)
    save_logits(runs, task)
    for _ in sys.stdin:
        answer = [throughput(run, task.batch, task.seconds) for run in runs]
        print(json.dumps({"throughput": answer}), file=answers, flush=True)


if __name__ == "__main__":
    main()
