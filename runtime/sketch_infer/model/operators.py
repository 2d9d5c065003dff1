"""What the graph of a model file may be made of: all that sketch-export writes, and nothing else.

ONNX Runtime is native code, and a graph is a program. A file that holds anything not listed here is refused before
ONNX Runtime sees it. A new pass of the exporter adds its operators here; a test holds the list to the exports.
"""

NO_ATTRIBUTES: frozenset[str] = frozenset()

OPERATORS: dict[str, frozenset[str]] = {
    **dict.fromkeys(
        ("Abs", "Add", "Ceil", "Clip", "Div", "Exp", "Max", "Min", "Mul", "Round", "Sqrt", "Sub", "Sum"), NO_ATTRIBUTES
    ),
    **dict.fromkeys(("And", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "Or"), NO_ATTRIBUTES),
    **dict.fromkeys(("Expand", "GatherElements", "Identity", "NonZero", "OptionalGetElement", "Range"), NO_ATTRIBUTES),
    **dict.fromkeys(("ScatterND", "Slice", "Squeeze", "Unsqueeze", "Where"), NO_ATTRIBUTES),
    **dict.fromkeys(("MatMul", "MatMulInteger", "QuantizeLinear"), NO_ATTRIBUTES),
    **dict.fromkeys(("ReduceL2", "ReduceMax", "ReduceSum"), frozenset({"keepdims"})),
    "Cast": frozenset({"to"}),
    "Compress": frozenset({"axis"}),
    "Concat": frozenset({"axis"}),
    "Conv": frozenset({"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"}),
    "CumSum": frozenset({"exclusive"}),
    "Gather": frozenset({"axis"}),
    "Gemm": frozenset({"alpha", "beta", "transA", "transB"}),
    "If": frozenset({"else_branch", "then_branch"}),
    "LSTM": frozenset({"clip", "direction", "hidden_size", "input_forget", "layout"}),
    "LogSoftmax": frozenset({"axis"}),
    "Loop": frozenset({"body"}),
    "Reshape": frozenset({"allowzero"}),
    "ScatterElements": frozenset({"reduction"}),
    "Shape": frozenset({"end", "start"}),
    "Transpose": frozenset({"perm"}),
    "com.microsoft.DynamicQuantizeLSTM": frozenset({"clip", "direction", "hidden_size"}),
}
"""Operator, with its domain unless that is ONNX's own, to the attributes it may have."""

ELEMENT_SIZES = {1: 4, 2: 1, 3: 1, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8}
"""Types that constants may have, by their number in onnx.proto, and bytes an element: float32, uint8, int8, int32,
int64, bool, float16 and double."""

MAX_NODES = 5_000
"""Nodes of a graph with all its branches; the largest export has a hundredth of that a layer."""

MAX_RANK = 8

MAX_TRIPS = 100_000
"""Times that a loop may run: twice the points of a drawing. There are no loops within loops."""

MAX_DEPTH = 2
"""Branches within branches: 0 is the graph itself."""
