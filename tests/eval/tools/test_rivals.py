from eval.methods import MAPS, PROPAGATIONS, READINGS
from eval.tools import rivals


def test_one_row_for_each_method(tmp_path, make_dummy, capsys):
    folder = make_dummy("composed", "photos")
    words = [f"composed={folder}", "--count", "1", "--output", str(tmp_path / "out")]
    assert rivals.main([*words, "--methods", "zhuo-sim+guided", "laplacian", "constant=2"]) == 0
    heads, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in capsys.readouterr().out.rpartition("\n\n")[2].splitlines()
    ]
    assert heads == ["Method", "Paper", "composed error", "composed rank", "composed detection", "s/Mpx"]
    assert [row[0] for row in rows] == ["zhuo-sim+guided", "laplacian", "constant 2 px"]
    error = [row[2] for row in rows]
    assert error[0] and error[2] and not error[1]  # a score has no error in px
    assert rows[1][1] == rivals.METHODS["laplacian"] and all(row[5] for row in rows)


def test_every_word_is_a_method():
    stages = [word.split("+") for word in rivals.METHODS if "+" in word]
    assert {reading for reading, _ in stages} == {"jaxblur", *READINGS}
    assert {propagation for _, propagation in stages} == set(PROPAGATIONS)
    assert set(MAPS) < set(rivals.METHODS)
