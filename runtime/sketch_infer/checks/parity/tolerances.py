"""How far a model file's outputs may be from eager PyTorch's, and from the truth."""

FP32_TOLERANCE = 1e-5
"""Largest ``|ONNX - eager| / scale``, where scale = max(1, largest ``|logit|`` of the row).

Logits are sums of some 1e5 products, so float32 rounding grows with them and not with the single output.
"""

INT8_TOLERANCE = 0.1
"""The same for an int8 file, whose products are rounded: what is judged there is whether the answers agree."""

INT8_AGREEMENT = 0.99
"""Smallest share of drawings to which an int8 file must give eager PyTorch's own label."""

INT8_EQUAL_BITS = 0.95
"""Smallest share of equal bits in their codes."""

TRUTH_FACTOR, TRUTH_FLOOR = 2.0, 1e-6
"""Against float64: ONNX's error <= TRUTH_FACTOR * eager's own error + TRUTH_FLOOR, all in units of scale.

Both are float32 sums in another order; being as near to the truth as eager is, is all that can be asked.
"""
