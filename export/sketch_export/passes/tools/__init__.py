"""What the passes share.

    editor        adds named nodes and constants to a graph
    drawn_steps   how many steps a sketch has, as a value of the graph
    cell          one direction of an LSTM layer in float64
    settling      how soon a cell comes to rest after the last point
    late_rows     the rows of a batch that have not come to rest when it stops go on alone
    int8_weights  weights as small integers times a scale

None of these changes a graph by itself.
"""
