"""What is run before the service starts."""

import logging

from sqlmodel import Session

from app.db import engine, init_db

logging.basicConfig(level=logging.INFO)
logger = logging.getLogger(__name__)


def main() -> None:
    """Put in what the database begins with, on the service's own engine."""
    logger.info("Putting in the first data")
    with Session(engine) as session:
        init_db(session)
    logger.info("The first data is there")


if __name__ == "__main__":
    main()
