"""Run dbctl as `python -m dbctl`."""

from dbctl.cli.main import main

if __name__ == "__main__":
    main()
