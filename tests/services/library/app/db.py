"""The service's engine, and what its database begins with."""

from sqlmodel import Session, create_engine, select

from app import settings
from app.models import Reader

engine = create_engine(settings.DATABASE_URL)


def add_reader(session: Session, email: str) -> Reader:
    """Add a reader, and commit, as each request of the service's does."""
    reader = Reader(email=email, may_lend=True)
    session.add(reader)
    session.commit()
    session.refresh(reader)
    return reader


def init_db(session: Session) -> None:
    """Add the first reader, unless it is there."""
    if session.exec(select(Reader).where(Reader.email == settings.FIRST_READER)).first() is None:
        add_reader(session, settings.FIRST_READER)
