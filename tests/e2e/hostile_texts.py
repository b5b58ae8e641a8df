"""Texts that somebody means ill with, or pastes without meaning anything."""

import itertools
import re
import unicodedata

QUOTES = ['"', "'", '"open', "it's", '""', "''", "“Curly”", "„Low“", "«Guillemets»", "`", "```",
          "\\", '\\"', "\\\\n", "'\"'\"'", '"a" "b', "´"]
BRACES = ["{", "}", "{}", "{{cluster}}", "${cluster}", "${raw:mention}", "$${", "${", "#{7*7}",
          "%{x}", "<%= 7*7 %>", "$(id)", "`id`", "$HOME", "[", "[]", "(", "$if: name"]
YAML = ["a: b", "- x", "&anchor *anchor", "!!python/object/apply:os.system [reboot]", "!include x",
        "|", ">-", "? x", "# remark", "---", "...", "%YAML 1.2", "<<: *a", "~", "0x1f", ".inf",
        "[a, b", "{a: b}", "a: !!binary aGk=", "x\n  y: z", "iam:\n  withOIDC: true"]
SHELL = ["; rm -rf /", "&& reboot", "|| true", "| sh", "> /etc/passwd", "$(reboot)", "*", "~root",
         "-rf", "--help", "--config=/etc/passwd", "-f", "--", "-", "a\nb", "\r\nDELETE", "!!", "&"]
SQL = ["' OR '1'='1", "'; DROP TABLE teams; --", "1; SELECT pg_sleep(10)", "E'\\x00'", "$1", "$$",
       "\\copy jobs to '/tmp/x'", "x') --", "%' OR name LIKE '%", "/* x */"]
FORMATS = ["%s%s%s%s", "%n", "%1$s", "%99999999d", "%%", "%08x.%08x", "%p %p", "{0}", "%*.*s"]
PATHS = ["../../etc/passwd", "/etc/passwd", "..\\..\\x", "a/../b", "..", "/", "//", "small/../gpu",
         "%2e%2e%2f", "file:///etc/passwd", "small.yaml", "/proc/self/environ", "demo/"]
NUMBERS = ["-1", "-0.1", "99999999999999999999", "1e309", "-9223372036854775809", "2147483648",
           "-2147483649", "4294967298", "0x7fffffff", "1.5", "1,000", "١٢", "NaN%", "9" * 300,
           "-1h", "0h", "99999999999w", "1e3h", "0.5h", "1h-2h", "H8", "2026-13-45", "-2026-11",
           "0000-00", "9223372036854775807s", "1w" * 300]
UNICODE = ["\u202egpj.exe", "A\u200bb", "\u200d", "\ufeffX", "e\u0301" * 50, "Z\u0338\u0322" * 20,
           "👩\u200d👩\u200d👧\u200d👦", "🏴\u200d☠\ufe0f", "\U0010ffff", "\ud800", "\udc00x",
           "x\ud83d", "\ude00\ud83d", "\u0000", "a\u0000b", "A\u2028b", "A\u2029b", "\x07\x1b[31mred",
           "A\x7f", "A\x85b", "ﷺ" * 50, "İıſß", "ﬀ", "日本語", "\u00adSoft", "\ufffe", "\uffff",
           "A\U000e0041b", "\u2066X\u2069", "ａｄｍｉｎ", "аdmin", "\u3000", "\u00a0"]
SLACK = ["<!channel>", "<!here|x>", "<!everyone>", "<!subteam^S0PLAT>", "<@U0MGR>",
         "<@U0MGR|manager>", "<#C0OPS>", "<#C0OPS|operators>", "<https://evil.example|click>",
         "<mailto:a@b.example|x>", "&lt;!channel&gt;", "&amp;lt;!channel&amp;gt;",
         "&lt;@U0MGR&gt;", "&amp;", "&#60;!channel&#62;", "<", ">", "<<>>",
         "<!date^0^{date}|x>", "@channel", "*bold*", "_i_", "~s~", "> quoted", ":smile:",
         '"<!channel>', "--x<!here>", "--x<!here>=1 --x<!here>=2", "--set <!here>",
         "\n> quoted", "```\n<!channel>\n```", "</b><script>alert(1)</script>"]
LONG = ["x" * 3000, "ü" * 3000, "😀" * 1500, '"' * 3000, "<!channel>" * 300, "-" * 3000,
        "a " * 1500, "--a " * 700, "\\" * 3000, "{" * 3000, "[" * 3000, "&" * 3000, "\u202e" * 3000 +
        "X", "a\u0301" * 1500, "x" * 41, "a" * 100 + "/" + "b" * 100, "%s" * 1000, "${x}" * 700]
SHORT = [*QUOTES, *BRACES, *YAML, *SHELL, *SQL, *FORMATS, *PATHS, *NUMBERS, *UNICODE, *SLACK]

INVISIBLE = {"Cc", "Cf", "Cs", "Zs", "Zl", "Zp", "Mn", "Co", "Cn"}


def is_a_name(text):
    """Whether it is a good name for an environment once what nobody sees is gone."""
    text = re.sub("[\ud800-\udfff\0]", "\ufffd", text)  # what JSON cannot hold stays visible
    text = "".join(c for c in text if c == "\n" or unicodedata.category(c) not in ("Cc", "Cf"))
    return re.fullmatch("[a-z][a-z0-9-]{0,38}[a-z0-9]?", text.strip())


def says_something(text):
    """Whether more than quotation marks and what nobody sees is in it."""
    return any(c not in "\"'`“”„«»" and unicodedata.category(c) not in INVISIBLE for c in text)


def all_texts():
    """Each by itself, and each pair of neighbours of different kinds put together."""
    pairs = [f"{a}{b}" for a, b in itertools.islice(zip(SHORT[::7], SHORT[3::7]), 40)]
    texts = list(dict.fromkeys([*SHORT, *pairs, *LONG]))
    assert not any(map(is_a_name, texts)), list(filter(is_a_name, texts))
    return texts
