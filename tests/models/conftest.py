"""Settings of the tests of the network and its training."""

import torch

torch.set_num_threads(1)  # networks this small only wait for further threads
