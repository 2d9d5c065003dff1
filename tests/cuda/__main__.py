"""Writes kernels.json: the CUDA kernels of the operators that model files may hold, from ONNX Runtime's own registry.

`python -m tests.cuda` needs onnxruntime-gpu and all libraries that its CUDA and TensorRT providers are linked with;
where one is missing, ONNX Runtime ends the process. The registry is part of ONNX Runtime: no kernel runs, and libraries
without content serve as well, which is how the committed table was made.
"""

import json
import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import get_all_opkernel_def

from sketch_infer.inference.cuda import CUDA
from sketch_infer.model.operators import OPERATORS
from tests.cuda import TABLE

ELEMENT_TYPES = ("float", "float16", "double", "int8", "uint8", "int32", "int64", "bool")
"""What values in a model file may be."""


def main() -> None:
    onnxruntime.preload_dlls()
    kernels: dict[str, list[list[object]]] = {}
    for kernel in get_all_opkernel_def():
        operator = f"{kernel.domain}.{kernel.op_name}" if kernel.domain else kernel.op_name
        if kernel.provider != CUDA or operator not in OPERATORS:
            continue
        types = {
            name: " ".join(each for each in ELEMENT_TYPES if f"tensor({each})" in constraint)
            for name, constraint in sorted(kernel.type_constraints.items())
        }
        if not all(types.values()):
            continue
        kernels.setdefault(operator, []).append([*kernel.version_range, types])
    lines = [
        f"  {json.dumps(operator)}: [\n" + ",\n".join(sorted(f"    {json.dumps(kernel)}" for kernel in found)) + "\n  ]"
        for operator, found in sorted(kernels.items())
    ]
    version = json.dumps(onnxruntime.__version__)
    TABLE.write_text(f'{{"onnxruntime": {version}, "kernels": {{\n' + ",\n".join(lines) + "\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
