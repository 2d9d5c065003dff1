"""Graph passes: each rewrites a plain graph in place into one that gives the same answers sooner.

    linear_stem      three convolutions and the LSTM's input projection are one linear map
    directions       the two directions of the LSTM, and of the head, apart
    reverse_padding  the reverse direction starts at the last point drawn, not at the end of the padding
    forward_padding  the forward direction stops soon after it
    head_blocks      the head reads the time steps that were computed and no others

and for int8, whose answers are near rather than the same:

    bounded_points   the points as features within [-1, 1]
    head_blocks      also writes the head in int8
    int8_lstm        every LSTM in int8

`linear_stem` and the passes for int8 take any graph (`plain_graph`), the others one of one LSTM layer without
initial-state inputs. Weights are composed in numpy and float64. What the passes share is in `tools`.
"""
