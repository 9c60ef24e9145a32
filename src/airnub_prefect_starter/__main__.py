"""``python -m airnub_prefect_starter``: the ``airnub`` command."""

from airnub_prefect_starter.cli import main

if __name__ == "__main__":
    main()
