"""Graph passes: each rewrites a plain graph in place into one that gives the same answers sooner.

    linear_stem       three convolutions and the LSTM's input projection are one linear map
    directions        the two directions of the LSTM, and of the head, apart
    low_rank_head     the head reads a few weighted sums over time, where its weights allow
    reverse_padding   the reverse direction starts at the last point drawn, not at the end of the padding
    forward_padding   the forward direction stops soon after it
    reached_steps     an LSTM is given the steps that its batch's longest row takes
    head_blocks       a head whose weights do not allow that reads the steps that were computed and no others
    branch_constants  what a branch reads on the host comes from the branch itself, as CUDA wants it

and for int8, whose answers are near rather than the same:

    bounded_points    the points as features within [-1, 1]
    low_rank_head     stores the weights of those sums as integers
    head_blocks       the whole head in int8
    int8_lstm         every LSTM in int8

The passes for padding take a graph of one LSTM layer without initial-state inputs, the others any graph. Weights are
composed in numpy and float64. What the passes share is in `tools`.
"""
