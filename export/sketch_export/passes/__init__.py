"""Graph passes: each rewrites a plain graph in place into one that gives the same answers sooner.

    linear_stem      three convolutions and the LSTM's input projection are one linear map
    directions       the two directions of the LSTM, and of the head, apart
    reverse_padding  the reverse direction starts at the last point drawn, not at the end of the padding
    forward_padding  the forward direction stops soon after it
    head_blocks      the head reads the time steps that were computed and no others

`linear_stem` takes any plain graph (`plain_graph`), the others one of one LSTM layer without initial-state inputs.
Weights are composed in numpy and float64.
"""
