"""What a release is made of, as configuration."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.manifest_models import RefText, StoreName

FileName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][A-Za-z0-9._-]{0,62}$")]


class ReleasedPart(ConfigModel):
    """One file of a data set: the fetched bytes of a ref, or an output of a derived one."""

    ref: RefText
    output: str | None = Field(default=None, description="Of a derived ref: which output")


class DatasetSpec(ConfigModel):
    """One data set, which `dvc pull` gives as a file or a folder of that name."""

    name: FileName = Field(description="Name of the file or folder")
    file: ReleasedPart | None = Field(default=None, description="Where its bytes are")
    folder: dict[FileName, ReleasedPart] | None = Field(
        default=None, min_length=1, description="Instead, by name, the files of a folder"
    )

    @model_validator(mode="after")
    def _is_file_or_folder(self) -> Self:
        if (self.file is None) == (self.folder is None):
            raise ValueError("needs either file or folder")
        return self

    @property
    def parts(self) -> dict[str, ReleasedPart]:
        """The files by name, in its order: those of the folder, or the file itself."""
        only = {self.name: self.file} if self.file else {}
        return dict(sorted({**only, **(self.folder or {})}.items()))


class ReleaseStep(ConfigModel):
    """What belongs to each release."""

    source_id: StoreName = Field(description="Name of the ref in this category's namespace")
    name: StoreName = Field(description="What is released, such as customer_churn")
    datasets: tuple[DatasetSpec, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [each.name for each in self.datasets]
        if len(set(names)) != len(names):
            raise ValueError("two data sets have the same name")
        return self
