"""What a command prints, and where."""

import json

import pytest

from app.output import Output


def test_a_result_is_one_document_on_standard_output(capsys):
    output = Output(as_json=True)
    output.say("working …")
    output.result({"b": 1, "a": [2]})
    output.text("not for machines")
    output.table("neither", ["this"], [["1"]])
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"a": [2], "b": 1}
    assert printed.err == "working …\n"


def test_people_get_text_and_tables_on_standard_output(capsys):
    output = Output(as_json=False)
    output.result({"a": 1})
    output.text("a line")
    output.table("Bills", ["name", "Wh"], [["home", "1"], ["all", "1"]], totals=1)
    printed = capsys.readouterr()
    assert printed.out.startswith("a line\nBills")
    assert {"name", "Wh", "home", "all"} <= set(printed.out.split())
    assert printed.err == ""


def test_a_quiet_command_says_nothing_along_the_way(capsys):
    Output(as_json=False, quiet=True).say("working …")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("text", ["[/bold]", "[red]home[/red]", "a :house: b", "['energy_wh']", "x" * 500])
def test_what_is_said_stands_there_as_it_is(capsys, text):
    output = Output(as_json=False)
    output.say(text)
    output.text(text)
    output.table("", ["name"], [[text]])
    printed = capsys.readouterr()
    assert printed.err == text + "\n"
    assert printed.out.startswith(text + "\n")
    assert len(text) > 100 or printed.out.count(text) == 2


def test_a_running_exchange_says_where_it_is(capsys):
    Output(as_json=False).announce("http://127.0.0.1:1", "http://127.0.0.1:2")
    said = capsys.readouterr().err
    for line in ("http://127.0.0.1:1/v1/meta", "http://127.0.0.1:1/docs", "http://127.0.0.1:2"):
        assert line in said
