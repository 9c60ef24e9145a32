import pytest
from pydantic import ValidationError

from airnub_prefect_starter.common.errors import UnknownNameError
from airnub_prefect_starter.core.feature_store.registry import Feature, FeatureRegistry
from tests.unit.core.feature_store.kit import STEP, feature


def test_an_entry_has_the_fields_of_the_document_and_an_owner() -> None:
    fields = {"name", "description", "source", "version", "data_type", "tags", "owner"}

    assert set(Feature.model_fields) == fields


def test_features_are_given_in_the_order_asked_for_and_the_label_is_none_of_them() -> None:
    registry = STEP.registry

    assert [each.name for each in registry.chosen(["plan", "visits"])] == ["plan", "visits"]
    assert registry.names == ("visits", "weekly", "plan")
    assert [each.name for each in registry.entries][-1] == "bought"
    with pytest.raises(UnknownNameError, match="no feature 'bought'"):
        registry.chosen(["bought"])
    with pytest.raises(UnknownNameError, match="Did you mean 'weekly'"):
        registry.chosen(["weekl"])


@pytest.mark.parametrize("name", ["visits", "event_timestamp", "visitor", "bought"])
def test_no_two_columns_have_one_name(name: str) -> None:
    with pytest.raises(ValidationError, match=f"{name}: named twice"):
        FeatureRegistry(
            key="visitor",
            version="1.0",
            features=(feature("visits", "int"), feature(name, "int")),
            label=feature("bought", "bool"),
        )


def test_it_survives_json() -> None:
    assert FeatureRegistry.model_validate_json(STEP.registry.to_json()) == STEP.registry
