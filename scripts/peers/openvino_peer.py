"""OpenVINO: timm's model converted, in float32, with bfloat16 inside, or quantised by NNCF; all
threads at one batch, or a stream for each thread with its share of the batch.
"""

import pathlib

import numpy as np
import openvino
from safetensors.numpy import load_file

CALIBRATION_INPUTS = 64


def streams(task):
    return task.threads if task.name == "openvino-streams" else 1


def parts_of_input(task):
    """One for each stream."""
    return np.split(load_file(task.path("input"))["input"], streams(task))


def model_path(task):
    return pathlib.Path(task.folder) / f"openvino-{'int8' if task.dtype == 'int8' else 'float'}.xml"


def prepare(task):
    """For all that compute in floating point, and for all that compute in integers."""
    if model_path(task).exists():
        return
    from peers import timm_models

    pixels = timm_models.load_input(task)
    model = openvino.convert_model(timm_models.load(task), example_input=pixels)
    model.reshape(list(pixels.shape))
    if task.dtype == "int8":
        model = quantise(model, pixels.shape)
    openvino.save_model(model, model_path(task), compress_to_fp16=False)


def quantise(model, shape):
    import nncf

    random, count = np.random.default_rng(1), -(-CALIBRATION_INPUTS // shape[0])
    inputs = [random.standard_normal(shape, dtype=np.float32) for _ in range(count)]
    return nncf.quantize(model, nncf.Dataset(inputs), model_type=nncf.ModelType.TRANSFORMER, subset_size=count)


def load(task):
    # Of a quantised model, what is left in floating point is faster in bf16 where the CPU has it.
    bf16 = task.dtype == "bf16" or (task.dtype == "int8" and task.fast_bf16)
    options = {
        "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
        "INFERENCE_NUM_THREADS": task.threads,
        "NUM_STREAMS": streams(task),
    }
    core, parts = openvino.Core(), parts_of_input(task)
    model = core.read_model(model_path(task))
    model.reshape(list(parts[0].shape))
    compiled = core.compile_model(model, "CPU", options)
    work = [(compiled.create_infer_request(), part) for part in parts]

    def run():
        for request, part in work:
            request.start_async([part], share_inputs=True)
        for request, _ in work:
            request.wait()
        return np.concatenate([request.get_output_tensor().data for request, _ in work])

    return [run]
