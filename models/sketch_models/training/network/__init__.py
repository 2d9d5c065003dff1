"""The network in the form that is trained, as fast as the processor can."""
