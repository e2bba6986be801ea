"""Runs the commands of az that come on the standard input, one a line, in one process: it starts slowly."""

import io
import json
import sys

from azure.cli.core import get_default_cli


class Stream(io.TextIOBase):
    """Where az and its log write; gives the text of one command at a time."""

    def __init__(self):
        self.text = io.StringIO()

    def writable(self):
        return True

    def write(self, text):
        return self.text.write(text)

    def take(self):
        text, self.text = self.text.getvalue(), io.StringIO()
        return text


def run(arguments, out):
    # A new one for each: it reads the profile and the cloud when it is made.
    try:
        return get_default_cli().invoke(arguments, out_file=out) or 0
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1


def main():
    answers, out, log = sys.stdout, Stream(), Stream()
    sys.stdout, sys.stderr = out, log
    for line in sys.stdin:
        status = run(json.loads(line), out)
        answer = {"status": status, "out": out.take(), "log": log.take()}
        print(json.dumps(answer), file=answers, flush=True)


main()
