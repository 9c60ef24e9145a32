"""Make the features of articles: an entry point to the category `ml/feature_engineering`.

Reads `ingestion.article_files/articles` from the data lake's store, fits on the earliest articles,
and replaces the Delta table `features/articles`. A second run says `not_modified`.

Examples:
  python flows/ml/feature_engineering_pipeline.py --ingest     # fetch the articles first
  python flows/ml/feature_engineering_pipeline.py --config my_features.yaml
"""

import argparse
import json
import os
from pathlib import Path

from airnub_prefect_starter.control.programs import run_program, sample_sources
from airnub_prefect_starter.core.configuration import load_yaml
from flows.dept_data_lake.ingestion.article_files.ingest_article_files_flow_dept_data_lake import (
    ingest_article_files_flow_dept_data_lake,
)
from flows.dept_data_lake.ml.feature_engineering.config import FeatureEngineeringConfig
from flows.dept_data_lake.ml.feature_engineering.engineer_features_flow_dept_data_lake import (
    engineer_features_flow_dept_data_lake,
)


def main() -> None:
    """Run with the arguments of the command line, and print what was made."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ingest", action="store_true", help="fetch the articles first")
    parser.add_argument("--config", type=Path, metavar="YAML", help="default: the category's own")
    options = parser.parse_args()
    config = None
    if options.config:
        config = load_yaml(options.config, FeatureEngineeringConfig)
    if options.ingest:
        os.environ.setdefault("SOURCES_URL", sample_sources())
        ingest_article_files_flow_dept_data_lake()
    results = engineer_features_flow_dept_data_lake(config)
    found = [
        {
            "ref": f"{result.namespace}/{result.source_id}",
            "outcome": result.outcome,
            "table_digest": result.table_digest,
            "outputs": [output.name for output in result.outputs],
        }
        for result in results
    ]
    print(json.dumps(found, indent=2))  # noqa: T201 - what the program answers


if __name__ == "__main__":
    run_program(main)
