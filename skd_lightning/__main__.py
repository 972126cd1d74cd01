"""``python -m skd_lightning``."""

from skd_lightning.cli import main

if __name__ == "__main__":
    main()
