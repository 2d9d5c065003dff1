"""Codes through the library: in the order of the sketches, and refused where there are none."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sketch_infer import Classifier, InputError, ModelFileError
from sketch_infer.array_types import FloatArray
from sketch_infer.inference.session import Session
from sketch_infer.model.codes import CODE, CODES, EMBEDDING, pack_code
from sketch_infer.model.contract.metadata import ModelMetadata
from sketch_infer.model.contract.probes import Probes
from sketch_infer.model.model_file import ModelFile
from sketch_infer.model.signature import Declared, Signature, check_signature
from tests import tiny


def test_every_sketch_gets_its_own_code(tiny_strokes: FloatArray) -> None:
    classifier = Classifier(tiny.WITH_CODES, "cpu", batch_size=2, threads=2, codes=True)
    found = classifier.predict(tiny_strokes, input_format="network")
    expected = Session(tiny.WITH_CODES, "cpu").run(tiny_strokes, outputs=CODES)
    assert found.embeddings is not None
    assert found.codes is not None
    np.testing.assert_allclose(found.embeddings, expected[EMBEDDING], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(found.codes, expected[CODE])
    np.testing.assert_array_equal(found.codes, pack_code(found.embeddings))
    assert found.embeddings.dtype == np.float32
    assert found.codes.dtype == np.uint8
    assert found.codes.shape == (9, 2)
    assert len(np.unique(found.codes, axis=0)) > 1


def test_codes_are_those_of_all_classes_whatever_the_choice(tiny_strokes: FloatArray) -> None:
    whole = Classifier(tiny.WITH_CODES, "cpu", codes=True).predict(tiny_strokes, input_format="network")
    some = Classifier(tiny.WITH_CODES, "cpu", labels=["dog", "ant"], codes=True)
    found = pickle.loads(pickle.dumps(some)).predict(tiny_strokes, input_format="network")  # noqa: S301  # our own
    assert found.classes == ("dog", "ant")
    np.testing.assert_array_equal(found.codes, whole.codes)
    np.testing.assert_array_equal(whole.rejecting(0.5).embeddings, whole.embeddings)


def test_codes_come_only_where_they_are_asked_for(tiny_strokes: FloatArray) -> None:
    found = Classifier(tiny.WITH_CODES, "cpu").predict(tiny_strokes, input_format="network")
    assert (found.embeddings, found.codes) == (None, None)
    none = Classifier(tiny.WITH_CODES, "cpu", codes=True).predict([])
    assert none.codes is not None
    assert none.codes.shape == (0, 2)


def test_a_model_without_codes_says_so(tiny_onnx: Path) -> None:
    with pytest.raises(
        InputError, match=r"this model has no codes; export a checkpoint that sketch-train --codes wrote"
    ):
        Classifier(tiny_onnx, "cpu", codes=True)


def test_probes_of_a_model_with_codes_have_embeddings() -> None:
    file = ModelFile.read(tiny.WITH_CODES)
    metadata = file.check().metadata
    without = replace(metadata, probes=Probes(**{**vars(metadata.probes), "outputs": dict(metadata.probes.outputs)}))
    without.probes.outputs.pop(EMBEDDING)  # type: ignore[attr-defined]  # a dict, as made above
    classes: Declared = ("tensor(float)", ["batch", 5])
    declared = Signature(
        {"strokes": ("tensor(float)", ["batch", tiny.LENGTH, 3])},
        {
            "log_probs": classes,
            "logits": classes,
            "embedding": ("tensor(float)", ["batch", 16]),
            "code": ("tensor(uint8)", ["batch", 2]),
        },
        has_control_flow=True,
    )
    check_signature(declared, metadata)
    with pytest.raises(ModelFileError, match="expected probes of shapes"):
        check_signature(declared, without)
    with pytest.raises(ModelFileError, match="expected outputs log_probs, logits, found log_probs, logits, embedding"):
        check_signature(declared, replace(metadata, code_bits=None))


@pytest.mark.parametrize("bits", ["12", "0", "-8", "true", "1.5", '"64"', "1000000000"])
def test_odd_numbers_of_bits_are_refused(bits: str) -> None:
    props = ModelFile.read(tiny.WITH_CODES).header.props
    assert ModelMetadata.from_props(props).code_bits == 16
    with pytest.raises(ModelFileError, match="code_bits"):
        ModelMetadata.from_props({**props, "sketch_infer.code_bits": bits})
