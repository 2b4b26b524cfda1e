"""Those who take part in a session: processes and the figures they reach."""

import json
import sys

from peers.process import Process, finish


class Entrant:
    """A contender in one dtype, with the figures it has reached."""

    def __init__(self, contender, dtype, session):
        self.contender, self.dtype, self.session = contender, dtype, session
        self.name = f"{contender.name}-{dtype}"
        self.title = f"{contender.title}, {dtype}"
        self.rs = session.case.rs if contender.merges else (0,)
        self.rounds = []
        self.memory = {}
        self.difference = {}
        self.process = None

    def start(self):
        """Ends with the first round, which is a warm-up. Raises Failed."""
        self.launch()
        self.process.turn()
        self.memory["loading"] = self.process.peak_memory()
        self.process.reset_peak_memory()

    def close(self):
        self.memory["running"] = self.process.peak_memory()
        self.process.close()

    def kill(self):
        if self.process:
            self.process.kill()

    def compare(self):
        """Notes how far its logits are from timm's, where those are known, as a share of the largest."""
        path = self.session.folder / "reference.safetensors"
        if not path.exists():
            return
        from safetensors.numpy import load_file

        reference = load_file(path)
        for r, logits in self.logits().items():
            if f"r{r}" in reference:
                expected = reference[f"r{r}"]
                self.difference[r] = float(abs(logits - expected).max() / abs(expected).max())

    def log(self, stage):
        return self.session.folder / f"{self.name}-{stage}.log"


class Peer(Entrant):
    """One of those in Python."""

    def command(self, stage, module=None, rs=None):
        session, case = self.session, self.session.case
        task = {
            "name": self.contender.name,
            "module": module or self.contender.module,
            "dtype": self.dtype,
            "rs": rs or self.rs,
            "arch": case.arch,
            "image_size": case.image_size,
            "batch": case.batch,
            "threads": case.threads,
            "seconds": session.seconds,
            "fast_bf16": session.fast_bf16,
            "training": case.training,
            "folder": str(session.folder),
        }
        return [sys.executable, "-m", "peers.worker", stage, json.dumps(task)]

    def make_reference(self):
        """Weights, input and logits that all share. Raises Failed."""
        session = self.session
        task = ("prepare", "peers.timm_models", session.case.rs)
        finish(self.command(*task), session.folder / "reference.log", session.environment)

    def launch(self):
        environment = self.session.environment
        if self.contender.module != "peers.torch_peers":
            finish(self.command("prepare"), self.log("prepare"), environment)
        self.process = Process(self.command("measure"), self.log("measure"), environment)

    def logits(self):
        from safetensors.numpy import load_file

        return {r: load_file(self.session.folder / f"{self.name}.safetensors")[f"r{r}"] for r in self.rs}


class Vitome(Entrant):
    def options(self):
        case, model = self.session.case, self.session.folder / "model"
        options = ["--dtype", self.dtype, "--threads", str(case.threads)]
        if model.exists():
            return [*options, "--model", str(model)]
        if case.image_size:
            options += ["--image-size", "x".join(map(str, case.image_size))]
        return [*options, "--arch", case.arch]

    def json_path(self):
        return self.session.folder / f"{self.name}.json"

    def launch(self):
        session = self.session
        command = [session.vitome, "bench", *self.options(), "--batch", str(session.case.batch)]
        command += ["--r", ",".join(map(str, self.rs)), "--seconds", str(session.seconds)]
        command += ["--on-request", "--json", str(self.json_path())]
        command += ["--training"] * session.case.training
        self.process = Process(command, self.log("measure"), session.environment)

    def close(self):
        super().close()
        if not self.json_path().exists():
            raise self.process.failure()
        report = json.loads(self.json_path().read_text())
        self.session.num_tokens = report["num_tokens"]
        self.session.gflops.update({result["r"]: result["gflops"] for result in report["results"]})

    def logits(self):
        from safetensors.numpy import load_file

        logits = {}
        for r in self.rs:
            output = self.session.folder / f"{self.name}-r{r}.safetensors"
            command = [self.session.vitome, "forward", *self.options(), "--r", str(r)]
            command += ["--input", self.session.folder / "input.safetensors", "--output", output]
            finish(command, self.log("forward"), self.session.environment)
            logits[r] = load_file(output)["logits"]
        return logits
