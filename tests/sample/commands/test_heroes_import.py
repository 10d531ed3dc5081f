"""`dbctl heroes import`."""

from tests.harness.cli import Dbctl
from tests.harness.sample import Sample


def test_heroes_are_validated_and_their_teams_found_by_name(sample: Sample) -> None:
    dbctl, before = sample.dbctl, sample.rows
    head = "name,secret_name,age,team\nNova,Rider,16,Z-Force\n"
    for row, said in {
        ",x,1,": "line 3, column name",
        "A,,1,": "line 3, column secret_name",
        f"{'a' * 201},x,1,": "line 3, column name",
        "A,x,1.0,": 'line 3, column age: "1.0"',
        "A,x,-1,": 'line 3, column age: "-1"',
        "A,x,2147483648,": 'line 3, column age: "2147483648"',
        "A,x,1,z-force": 'line 3, column team: "z-force": there is no such team',
    }.items():
        (dbctl.cwd / "heroes.csv").write_text(f"{head}{row}\n")
        result = dbctl("heroes", "import", "heroes.csv")
        assert (result.code, f"heroes.csv, {said}" in result.err) == (1, True), str(result)
        assert sample.rows == before
    assert dbctl.ok("heroes", "import", "heroes.csv", "--max-errors", "1", "--json").json["rows"] == 1
    (dbctl.cwd / "heroes.jsonl").write_text('{"team": null, "name": "É", "secret_name": "x"}\n')
    dbctl.ok("heroes", "import", "heroes.jsonl")
    assert [row[1:] for row in sample.rows["hero"][5:]] == [("Nova", "Rider", 16, 2), ("É", "x", None, None)]
    (dbctl.cwd / "heroes.csv").write_text("name,secret_name,team_id\nA,x,1\n")
    assert dbctl("heroes", "import", "heroes.csv").code == 2


def test_what_is_advised_about_a_file_can_be_done(dbctl: Dbctl) -> None:
    dbctl.ok("init-tables")
    for name, content, said in (
        ("a.csv", b"name;secret_name\n", 'its header is one column "name;secret_name"; part its values by commas'),
        ("b.csv", b"hero\tfrom\tto\n", "part its values by commas, or by tabs"),
        ("c.csv", b'"na"me\n', "part its values by commas"),
        ("d.csv", b"\n", "let its first line have the columns' names"),
        ("e.csv", b"name,name\n", "name them apart"),
        ("f.csv", b"name,secret_name\n\xe9,x\n", "UTF-8"),
        ("g.csv", b"name\na\n", "secret_name: there is none"),
        ("h.json", b"{}", "name it .jsonl"),
        ("i.txt", b"", "let it be one of .csv"),
    ):
        (dbctl.cwd / name).write_bytes(content)
        heroes, moves = dbctl("heroes", "import", name), dbctl("transfer", "--file", name)
        assert (heroes.code in {1, 2}, moves.code in {1, 2}) == (True, True), f"{heroes} {moves}"
        assert " --" not in heroes.err + moves.err, f"{heroes} {moves}"
        assert said in heroes.err + moves.err, f"{heroes} {moves}"
