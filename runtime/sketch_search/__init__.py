"""Find similar drawings, by the short binary codes of a model's outputs."""

from sketch_search.duplicates import find_duplicates
from sketch_search.index import Neighbor, SketchIndex
from sketch_search.suspects import Suspect, find_suspects

__all__ = ["Neighbor", "SketchIndex", "Suspect", "find_duplicates", "find_suspects"]
