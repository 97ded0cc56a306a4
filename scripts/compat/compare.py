"""What two engines answer to one command, compared without what is different at each run."""
import json
import re

REPLACEMENTS = [
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?(Z|[+-]\d\d:?\d\d( \w+)?))?", "<time>"),
    (r"\bsha256:[0-9a-f]{12,64}\b", "<digest>"),
    (r"\b[0-9a-f]{64}\b", "<id>"),
    (r"\b[0-9a-f]{12}\b", "<id>"),
    (r"\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b", "<mac>"),
    (r"\b(About (a|an)|Less than a|\d+) (second|minute|hour)s?( ago)?\b", "<ago>"),
    (r"\b[a-z]+_[a-z]+\d?\b(?=\s*$)", "<name>"),
    (r"/tmp/masu-compat-(docker|masu)\.\w+", "<root>"),
    (r"\s+$", ""),
    (r"  +", "  "),
]


def normalized(text, is_unordered=False):
    lines = []
    for line in text.splitlines():
        for pattern, replacement in REPLACEMENTS:
            line = re.sub(pattern, replacement, line)
        lines.append(line)
    return sorted(lines) if is_unordered else lines


class Difference:
    """`what` names the place: `exit code`, `output`, `errors`, or a key of a JSON document."""

    def __init__(self, what, theirs, ours):
        self.what, self.theirs, self.ours = what, theirs, ours

    def is_meant_by(self, pattern):
        """In a pattern * stands for any text."""
        return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), self.what) is not None

    def __str__(self):
        return "%s\n        docker: %s\n        masu:   %s" % (self.what, self.theirs, self.ours)


def document(text):
    """The JSON document of an output, or None."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def kind(value):
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return {dict: "object", list: "list", str: "text", type(None): "null"}[type(value)]



def shapes(theirs, ours, path=""):
    """Keys that only one has, and values of different types."""
    if kind(theirs) != kind(ours):
        return [Difference(path, "%s %s" % (kind(theirs), short(theirs)), "%s %s" % (kind(ours), short(ours)))]
    found = []
    if isinstance(theirs, dict):
        for key in sorted(set(theirs) | set(ours)):
            # An id as a key is the same key.
            place = "%s.%s" % (path, key) if path else key
            if re.fullmatch("[0-9a-f]{64}", key):
                continue
            if key not in ours:
                found.append(Difference(place, short(theirs[key]), "missing"))
            elif key not in theirs:
                found.append(Difference(place, "missing", short(ours[key])))
            else:
                found += shapes(theirs[key], ours[key], place)
        ids = [[value for key, value in sorted(one.items()) if re.fullmatch("[0-9a-f]{64}", key)]
               for one in (theirs, ours)]
        if len(ids[0]) != len(ids[1]):
            found.append(Difference(path + ".<id>", len(ids[0]), len(ids[1])))
        elif ids[0]:
            found += shapes(ids[0][0], ids[1][0], path + ".<id>")
    elif isinstance(theirs, list):
        if not theirs or not ours:
            if len(theirs) != len(ours):
                found.append(Difference(path, short(theirs), short(ours)))
        else:
            found += shapes(theirs[0], ours[0], path + "[]")
    return found


def short(value):
    text = json.dumps(value)
    return text if len(text) < 120 else text[:117] + "..."


def compared(theirs, ours, is_unordered):
    """The differences between two answers, each a triple of exit code, output and errors."""
    found = []
    if theirs[0] != ours[0]:
        found.append(Difference("exit code", theirs[0], ours[0]))
    documents = [document(answer[1]) for answer in (theirs, ours)]
    if documents[0] is not None and documents[1] is not None:
        found += shapes(*documents)
    else:
        outputs = [normalized(answer[1], is_unordered) for answer in (theirs, ours)]
        if outputs[0] != outputs[1]:
            found.append(Difference("output", outputs[0][:12], outputs[1][:12]))
    errors = [normalized(answer[2], is_unordered) for answer in (theirs, ours)]
    if errors[0] != errors[1]:
        found.append(Difference("errors", errors[0][:12], errors[1][:12]))
    return found
