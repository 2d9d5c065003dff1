"""What a user of the library may import: all that its calls raise, return or take."""

import sketch_infer
from sketch_infer import SketchError, errors


def test_every_error_can_be_caught_by_its_public_name() -> None:
    raised = {
        name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, SketchError)
    }
    assert raised <= set(sketch_infer.__all__)


def test_public_names_exist_and_stand_in_order() -> None:
    assert sorted(sketch_infer.__all__) == sketch_infer.__all__
    assert not [name for name in sketch_infer.__all__ if not hasattr(sketch_infer, name)]
