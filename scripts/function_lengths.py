"""Finds long C++ functions by counting braces: good enough for formatted code, and no compiler is needed.

A function is a brace that opens after a parameter list: outside strings and comments, the statement before it ends in
`)` or in what may follow one (const, noexcept, override, a return type, an initializer list), and it is not one of
if, for, while, switch, catch. Bodies inside a function (lambdas, control flow) count to it, not by themselves; types
and namespaces are entered.
"""
import re

_CONTROL = re.compile(r"^(if|for|while|switch|catch|do|else|try)\b")
_SCOPE = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b[^()]*$")
_NAME = re.compile(r"([~\w:]+|operator\s*[^\s(]+)\s*\(")


def blank_out(text):
    """The text with comments, literals and preprocessor lines replaced by blanks; line feeds stay."""
    pattern = re.compile(
        r'R"(?P<tag>[^(\s]*)\(.*?\)(?P=tag)"|//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\''
        r"|^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.DOTALL | re.MULTILINE)

    def blank(match):
        # The apostrophes of 1'000'000 are no literal.
        before = match.string[match.start() - 1] if match.start() else " "
        if match.group().startswith("'") and before.isalnum():
            return match.group()
        return re.sub(r"[^\n]", " ", match.group())
    return pattern.sub(blank, text)


def functions(text):
    """(name, first line, number of lines) of each outermost function, in order."""
    code = blank_out(text)
    depth, head_start, line = 0, 0, 1
    function = None  # (name, line of its head, depth of its brace)
    head_line = 1
    for position, char in enumerate(code):
        if char == "\n":
            line += 1
        elif char == "{":
            head = " ".join(code[head_start:position].split())
            if function is None and "(" in head and not _SCOPE.search(head) and not _CONTROL.match(head) \
                    and not head.endswith(("=", ",", "(")):
                name = _NAME.search(head)
                function = (name.group(1) if name else head[:40], head_line, depth)
            depth += 1
            head_start = position + 1
        elif char == "}":
            depth -= 1
            if function is not None and depth == function[2]:
                yield function[0], function[1], line - function[1] + 1
                function = None
            head_start = position + 1
        elif char == ";" and function is None:
            head_start = position + 1
        if not code[head_start:position + 1].strip():
            head_line = line


def long_functions(text, limit_lines):
    return [found for found in functions(text) if found[2] > limit_lines]
