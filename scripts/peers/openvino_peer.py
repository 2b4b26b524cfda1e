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


def shares(task):
    """The input, one part for each stream."""
    return np.split(load_file(task.path("input"))["input"], streams(task))


def model_path(task):
    return pathlib.Path(task.folder) / f"{task.name}-{task.dtype}.xml"


def prepare(task):
    from peers import timm_models

    share = shares(task)[0]
    model = openvino.convert_model(timm_models.load(task), example_input=timm_models.load_input(task)[: len(share)])
    model.reshape(list(share.shape))
    if task.dtype == "int8":
        model = quantise(model, share.shape)
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
    compiled = openvino.Core().compile_model(model_path(task), "CPU", options)
    work = [(compiled.create_infer_request(), share) for share in shares(task)]

    def run():
        for request, share in work:
            request.start_async([share], share_inputs=True)
        for request, _ in work:
            request.wait()
        return np.concatenate([request.get_output_tensor().data for request, _ in work])

    return [run]
