"""The driver's end of the conversation with the conductor, as in `src/link.rs`: lines of JSON."""

import json
import sys


def say(said):
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def serve(handlers):
    """Answers each request by the handler of its name, until there are no more."""
    say("Hello")
    for line in sys.stdin:
        ((name, settings),) = json.loads(line).items()
        try:
            if name not in handlers:
                raise NotImplementedError(f"Python has no {name}")
            say({"Done": handlers[name](**settings)})
        except Exception as error:
            say({"Failed": f"{type(error).__name__}: {error}"})
