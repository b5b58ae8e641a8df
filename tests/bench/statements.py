"""What one envelope asks of PostgreSQL, read from PostgreSQL's own log, as a script for pgbench."""

import os
import re
import subprocess

EXECUTE = re.compile(r"^(\d+) envbot handler LOG:  execute [^:]+: (.*)$")
DETAIL = re.compile(r"^(\d+) envbot handler DETAIL:  parameters: (.*)$")
PARAMETER = re.compile(r"\$(\d+) = (NULL|'(?:[^']|'')*')")


def capture(world, kind):
    """The statements of one command, [(sql, [value, ...])], in their order."""
    log = os.path.join(world.postgres.directory, "log")
    setting = "ALTER SYSTEM SET {} = '{}'"
    world.database.query(setting.format("log_line_prefix", "%%p %%a "))
    world.database.query(setting.format("log_statement", "all"))
    world.database.query("SELECT pg_reload_conf()")
    world.generator.run("list", 1, count=50)  # until every connection has heard of it
    start = os.path.getsize(log)
    world.generator.run(kind, 1, count=1)
    world.database.query("ALTER SYSTEM RESET log_statement")
    world.database.query("SELECT pg_reload_conf()")
    world.generator.run("list", 1, count=50)
    found = []
    with open(log, encoding="utf-8", errors="replace") as file:
        file.seek(start)
        for line in file:
            if match := EXECUTE.match(line):
                if found and found[-1][0] == "COMMIT":
                    break
                found.append((match.group(2), []))
            elif found and (match := DETAIL.match(line)):
                for _, value in PARAMETER.findall(match.group(2)):
                    found[-1][1].append(None if value == "NULL"
                                        else value[1:-1].replace("''", "'"))
    if not found or found[-1][0] != "COMMIT":
        raise RuntimeError(f"PostgreSQL's log does not show the statements of {kind}")
    return found


def words_that_differ(statements):
    """Values that are another one in each transaction, and how pgbench makes them."""
    values = [value for _, parameters in statements for value in parameters if value]
    differ = {}
    for value in values:
        if match := re.fullmatch(r"(team\d+)-(b\d+)", value):
            differ[value] = "('team' || :t || '-b' || :n)"
            differ[match.group(1)] = "('team' || :t)"
            differ[match.group(2)] = "('b' || :n)"
        elif re.fullmatch(r"team\d+", value):
            differ[value] = "('team' || :t)"
        elif re.fullmatch(r"\d+\.1\.[0-9a-f]+", value):
            differ[value] = "('k' || :n)"
        elif match := re.fullmatch(r"(env|card):(\d+)", value):
            differ[value] = f"('{match.group(1)}:' || :id)"
            differ[match.group(2)] = ":id"
    return differ


def waits(sql):
    """Whether the bot looks at the answer before it goes on: there a pipeline ends."""
    return "RETURNING" in sql or (sql.startswith("SELECT") and "FOR UPDATE" not in sql)


def to_script(statements, path):
    """Writes pgbench's script; the variables that it needs, as options."""
    differ = words_that_differ(statements)
    lines = ["\\set n random(1, 9000000000000)", "\\set t random(101, 120)", "\\startpipeline"]
    variables, open_pipeline = [], True
    for number, (sql, parameters) in enumerate(statements):
        def value(match):
            given = parameters[int(match.group(1)) - 1]
            if given is None:
                return "NULL"
            if given in differ:
                return differ[given]
            name = f"v{number}_{match.group(1)}"
            option = f"{name}={given}"
            if option not in variables:
                variables.append(option)
            return f":{name}"
        text = re.sub(r"\$(\d+)", value, sql)
        if not open_pipeline:
            lines.append("\\startpipeline")
            open_pipeline = True
        if "RETURNING id" in sql:
            if lines[-1] == "\\startpipeline":
                lines.pop()
            else:
                lines.append("\\endpipeline")
            lines.append(text + " \\gset")
            open_pipeline = False
            continue
        lines.append(text + ";")
        if waits(sql) and number + 1 < len(statements):
            lines.append("\\endpipeline")
            open_pipeline = False
    lines.append("\\endpipeline")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    return [word for option in variables for word in ("-D", option)]


def pgbench(world, script, variables, clients, seconds):
    """Transactions a second and the average latency in ms."""
    options = world.postgres.options()
    words = [f"{world.postgres.binaries}/pgbench", "-n", "-M", "prepared", "-f", script, "-c",
             str(clients), "-j", str(min(clients, 2)), "-T", str(seconds), *variables,
             world.database.url]
    done = subprocess.run(words, capture_output=True, text=True, cwd="/", **options)
    tps = re.search(r"tps = ([\d.]+)", done.stdout)
    latency = re.search(r"latency average = ([\d.]+)", done.stdout)
    if done.returncode or not tps:
        raise RuntimeError(f"pgbench failed: {done.stderr[-2000:]}")
    return {"tps": float(tps.group(1)), "average_ms": float(latency.group(1))}
