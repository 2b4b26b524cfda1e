"""Who is measured against vitome, and what they need."""

import dataclasses
import importlib.util
import shutil


@dataclasses.dataclass(frozen=True)
class Contender:
    name: str
    title: str
    module: str  # has load(task) and, where files are to be made before, prepare(task)
    packages: tuple
    dtypes: tuple
    merges: bool = False
    trains: bool = False

    def obstacle(self, dtype, case):
        """Why it cannot take part, or None."""
        if case.training and not self.trains:
            return "does not train"
        if case.training and dtype == "int8":
            return "nobody trains in int8"
        if dtype not in self.dtypes:
            return f"does not compute in {dtype} here"
        packages = self.packages + (("nncf",) if dtype == "int8" else ())
        missing = [name for name in packages if importlib.util.find_spec(name) is None]
        if missing:
            return "not installed (pip install " + " ".join(missing) + ")"
        if self.name == "compile" and not shutil.which("g++"):
            return "needs g++"
        if self.name == "openvino-streams" and case.threads == 1:
            return "one thread makes one stream"
        if self.name == "openvino-streams" and case.batch % case.threads:
            return f"a batch of {case.batch} cannot be shared out evenly to {case.threads} streams"
        return None


VITOME = Contender("vitome", "ViToMe", "", (), ("fp32", "bf16", "int8"), merges=True, trains=True)

TIMM = ("torch", "timm", "safetensors", "numpy")
PEERS = (
    Contender("eager", "PyTorch eager (timm)", "peers.torch_peers", TIMM, ("fp32", "bf16"), trains=True),
    Contender("compile", "torch.compile (timm)", "peers.torch_peers", TIMM, ("fp32", "bf16")),
    Contender("onnxruntime", "ONNX Runtime", "peers.onnxruntime_peer", (*TIMM, "onnx", "onnxruntime"), ("fp32",)),
    Contender("openvino", "OpenVINO", "peers.openvino_peer", (*TIMM, "openvino"), ("fp32", "bf16", "int8")),
    Contender(
        "openvino-streams",
        "OpenVINO, a stream for each thread",
        "peers.openvino_peer",
        (*TIMM, "openvino"),
        ("fp32", "bf16", "int8"),
    ),
    Contender("tome-sdpa", "Token Merging in timm, SDPA", "peers.torch_peers", TIMM, ("fp32", "bf16"), True, True),
    Contender(
        *("tome-manual", "Token Merging in timm, manual attention", "peers.torch_peers"),
        *(TIMM, ("fp32", "bf16"), True, True),
    ),
)
