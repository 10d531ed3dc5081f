"""A schema with something of everything, for each kind of database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Schema:
    """What is in a database, and how it is asked what it has beside rows.

    Attributes:
        statements: make it.
        tables: have rows of their own.
        views: are read as tables are.
        questions: ask for the rest: sequences, triggers, routines.
    """

    statements: Sequence[str]
    tables: list[str]
    views: Sequence[str]
    questions: Sequence[str]

    @property
    def readable(self) -> list[str]:
        """All that has rows to be compared."""
        return [*self.tables, *self.views]


_TEXT = "\U0001f418 ''quoted'' \\\\ back; (1),(2)"

_POSTGRESQL = Schema(
    [
        'CREATE SCHEMA "o\'ther"',
        "CREATE TYPE mood AS ENUM ('sad', 'happy')",
        "CREATE DOMAIN positive AS int CHECK (VALUE > 0)",
        """CREATE TABLE item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text UNIQUE, price numeric(12, 4),
        feels mood, tags text[], doc jsonb, at timestamptz DEFAULT '2020-02-29 12:00+00', span int4range, raw bytea,
        uid uuid, took interval, twice numeric GENERATED ALWAYS AS (price * 2) STORED, n positive)""",
        f"""INSERT INTO item (name, price, feels, tags, doc, span, raw, uid, took, n) SELECT E'{_TEXT}' || n, n / 7.0,
        'happy', ARRAY['a', NULL, 'b,c'], '{{"a": [1, null]}}', '[1,5)', '\\x00ff', md5(n::text)::uuid, '1 mon 2 d', 7
        FROM generate_series(1, 300) n""",
        "CREATE TABLE part (id int REFERENCES item, k int, PRIMARY KEY (id, k)) PARTITION BY RANGE (k)",
        "CREATE TABLE part_low PARTITION OF part FOR VALUES FROM (0) TO (100)",
        "CREATE TABLE part_high PARTITION OF part FOR VALUES FROM (100) TO (1000)",
        "INSERT INTO part SELECT id, id FROM item",
        'CREATE TABLE "o\'ther"."Empty ""one""" (a int)',
        "CREATE SEQUENCE odd START 17 INCREMENT -3 MAXVALUE 100 MINVALUE -1000 CYCLE",
        "SELECT setval('odd', -13)",
        "CREATE VIEW dear AS SELECT id, name FROM item WHERE price > 20",
        "CREATE MATERIALIZED VIEW summed AS SELECT feels, count(*) AS n FROM item GROUP BY feels",
        "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.at := now(); RETURN NEW; END$$",
        "CREATE TRIGGER stamped BEFORE UPDATE ON item FOR EACH ROW EXECUTE FUNCTION stamp()",
        "CREATE INDEX partly ON item (lower(name)) WHERE price > 3",
        "COMMENT ON TABLE item IS 'things; (1),(2)'",
        "SELECT lo_from_bytea(4711, '\\xdeadbeef')",
    ],
    ["item", "part", "part_low", "part_high", '"o\'ther"."Empty ""one"""'],
    ["dear", "summed"],
    [
        "SELECT last_value, is_called FROM odd",
        "SELECT nextval('item_id_seq') > 300",
        "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
        "SELECT lo_get(4711)",
        "SELECT obj_description('item'::regclass), pg_get_functiondef('stamp'::regproc)",
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'part'::regclass ORDER BY 1",
    ],
)

_MYSQL = Schema(
    [
        """CREATE TABLE item (id int AUTO_INCREMENT PRIMARY KEY, name varchar(60) UNIQUE, price decimal(12, 4),
        feels enum('sad', 'happy'), doc json, at datetime(6) DEFAULT '2020-02-29 12:00:00.123456', raw varbinary(20),
        flags bit(3), took time(3), twice decimal(14, 4) AS (price * 2) STORED) COMMENT 'things; (1),(2)'""",
        *(
            f"""INSERT INTO item (name, price, feels, doc, raw, flags, took) VALUES
            {
                ", ".join(
                    f"('{_TEXT} {n}', {n} / 7, 'happy', '[1, null]', 0x00FF0A27, b'101', '-12:00:00.5')"
                    for n in range(start, start + 150)
                )
            }"""
            for start in (1, 151)
        ),
        "CREATE TABLE child (id int PRIMARY KEY, item_id int NOT NULL, FOREIGN KEY (item_id) REFERENCES item (id))",
        "INSERT INTO child SELECT id, id FROM item",
        """CREATE TABLE part (id int, k int, PRIMARY KEY (id, k)) PARTITION BY RANGE (k)
        (PARTITION low VALUES LESS THAN (100), PARTITION high VALUES LESS THAN MAXVALUE)""",
        "INSERT INTO part SELECT id, id FROM item",
        "CREATE TABLE `Empty ``one``` (a int)",
        "CREATE VIEW dear AS SELECT id, name FROM item WHERE price > 20",
        "CREATE FUNCTION doubled(n int) RETURNS int DETERMINISTIC RETURN n * 2",
        """CREATE PROCEDURE fill()
BEGIN
INSERT INTO `item` VALUES
(1);
END""",
        "CREATE TRIGGER stamped BEFORE UPDATE ON item FOR EACH ROW SET NEW.at = now(6)",
        "CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2035-01-01 00:00:00' DO DELETE FROM child WHERE id < 0",
    ],
    ["item", "child", "part", "`Empty ``one```"],
    ["dear"],
    [
        "SELECT doubled(21)",
        """SELECT trigger_name, action_statement FROM information_schema.triggers WHERE trigger_schema = database()""",
        """SELECT routine_name, routine_definition FROM information_schema.routines WHERE routine_schema = database()
        ORDER BY 1""",
        """SELECT event_name, event_definition FROM information_schema.events WHERE event_schema = database()""",
        """SELECT table_name, auto_increment FROM information_schema.tables WHERE table_schema = database()
        AND table_name = 'child'""",
        """SELECT table_name, constraint_name FROM information_schema.key_column_usage
        WHERE constraint_schema = database() AND referenced_table_name = 'item'""",
    ],
)

_SQLITE = Schema(
    [
        "PRAGMA journal_mode = WAL",
        "CREATE TABLE item (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, price, raw BLOB,"
        " twice GENERATED ALWAYS AS (price * 2) STORED)",
        f"WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 300)"
        f" INSERT INTO item (name, price, raw) SELECT '{_TEXT}' || n, n / 7.0, x'00ff' FROM n",
        "CREATE TABLE child (id INTEGER PRIMARY KEY, item_id INTEGER REFERENCES item (id))",
        "INSERT INTO child SELECT id, id FROM item",
        'CREATE TABLE "Empty ""one""" (a)',
        "CREATE VIEW dear AS SELECT id, name FROM item WHERE price > 20",
        "CREATE TRIGGER stamped AFTER UPDATE ON item BEGIN DELETE FROM child WHERE id < 0; END",
    ],
    ["item", "child", '"Empty ""one"""'],
    ["dear"],
    ["SELECT type, name, sql FROM sqlite_master ORDER BY name", "SELECT * FROM sqlite_sequence"],
)

SCHEMAS: Mapping[str, Schema] = {
    "postgresql": _POSTGRESQL,
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
    "sqlite": _SQLITE,
}
