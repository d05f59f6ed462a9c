"""Commands that must end in a user's error."""

import pytest

from ehsod_tf import cli


def expect_error(capsys, command, *arguments, **keywords) -> str:
    """Runs a function of `cli` that must end in an error; returns the message.

    Nothing has been trained by then.
    """
    with pytest.raises(SystemExit) as caught:
        command(*arguments, **keywords)
    assert caught.value.code == cli.USER_ERROR_STATUS
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert "epoch 1/" not in captured.out
    return captured.err


def expect_line(capsys, command, *arguments, **keywords) -> str:
    """The same, where the message must be one line."""
    message = expect_error(capsys, command, *arguments, **keywords)
    assert message.count("\n") == 1
    return message


def fail(capsys, *words) -> str:
    """The same of `ehsod` with these words, of whatever type."""
    return expect_error(capsys, cli.main, [str(word) for word in words])
