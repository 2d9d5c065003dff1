"""What a branch of an If reads on the host is computed in that branch.

On CUDA some inputs, as the bounds of a Slice, are read by the processor. Where such a value comes from the graph around
the branch, ONNX Runtime copies it asynchronously and reads it without waiting. Constants of its own are on the
host from the start, and what it computes itself is waited for.
"""

import onnx_ir as ir

from sketch_infer.errors import SketchError

HOST_READ = {
    "ConstantOfShape": (0,),
    "Expand": (1,),
    "LSTM": (4,),
    "ReduceMax": (1,),
    "Reshape": (1,),
    "Slice": (1, 2, 3, 4),
    "Squeeze": (1,),
    "Unsqueeze": (1,),
}
"""Inputs that ONNX Runtime's CUDA kernels want in the processor's memory, of the operators that the passes use."""


def own_host_constants(model: ir.Model) -> None:
    """Give every branch copies of the constants that it reads on the host.

    Raises:
        SketchError: if a branch reads on the host what the graph around it computes.
    """
    for node in model.graph:
        for attribute in node.attributes.values():
            if attribute.type == ir.AttributeType.GRAPH:
                _own(attribute.as_graph())


def _own(branch: ir.Graph) -> None:
    computed = {value for node in branch for value in node.outputs}
    for node in branch:
        for position in HOST_READ.get(node.op_type, ()):
            value = node.inputs[position] if position < len(node.inputs) else None
            if value is None or value in computed or value.graph is branch:
                continue
            tensor = ir.convenience.get_const_tensor(value)
            if tensor is None:
                raise SketchError(
                    f"expected {branch.name} to compute {value.name}, which {node.name} reads on the host"
                )
            name = f"{branch.name}.{value.name}"
            if name not in branch.initializers:
                copy = ir.tensor(tensor.numpy(), name=name)
                own = ir.Value(name=name, shape=value.shape, type=value.type, const_value=copy)
                branch.register_initializer(own)
            node.replace_input_with(position, branch.initializers[name])
