"""ONNX Runtime: timm's model exported."""

import pathlib

from safetensors.numpy import load_file


def model_path(task):
    return pathlib.Path(task.folder) / "model.onnx"


def prepare(task):
    import torch

    from peers import timm_models

    pixels = timm_models.load_input(task)
    torch.onnx.export(timm_models.load(task), (pixels,), str(model_path(task)), input_names=["input"], dynamo=False)


def load(task):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = task.threads, 1
    session = onnxruntime.InferenceSession(model_path(task), options, providers=["CPUExecutionProvider"])
    pixels = load_file(task.path("input"))["input"]
    return [lambda: session.run(None, {"input": pixels})[0]]
