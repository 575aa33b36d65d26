"""The suites of Linux's BPF tests: which processes each takes, and how their outputs read."""
import collections, csv, functools, io, pathlib, re, subprocess

# verdict: pass, fail or skip. detail: of a failure, what was expected and what came.
Result = collections.namedtuple("Result", "suite test verdict detail")
# usual: run unless somebody names suites. jobs(place, only): [(name, function that returns Results)].
Suite = collections.namedtuple("Suite", "usual floor total jobs")

VERDICTS = {"OK": "pass", "FAIL": "fail", "SKIP": "skip"}
# Where a verifier's log ends.
PROCESSED = re.compile(r"^(processed \d+ insns|verification time|stack depth|mark_precise)", re.M)


def last_words(log):
    """The line before the counters of a log: why a program was refused."""
    end = PROCESSED.search(log)
    lines = [line for line in (log[: end.start()] if end else log).splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else ""


def first_match(pattern, text):
    found = re.search(pattern, text, re.M)
    return found.group(0).strip()[:300] if found else ""


# ---- test_verifier: "#12/p name OK" a result, one process for all

VERIFIER_HEAD = re.compile(r"^#(\d+)/([pu]) ", re.M)


def verifier_detail(block):
    expected = first_match(r"^\s*EXP: .*", block)
    if expected:
        return f"{expected} | got: {last_words(block[block.find('RES:') + 4:])}"
    why = first_match(r"Failed to load prog .*|Unexpected success.*|FAIL retval.*|Unexpected insn_processed.*|FAIL: .*", block)
    log = block.split("\n", 2)[-1] if "\n" in block else ""
    return f"{why or 'the program died'} | got: {last_words(log)}"


def verifier_results(text):
    heads = list(VERIFIER_HEAD.finditer(text))
    for head, following in zip(heads, heads[1:] + [None]):
        block = text[head.start(): following.start() if following else len(text)]
        block = block.split("\nSummary: ")[0]
        name = f"#{head[1]}/{head[2]} {re.split(r' (?:OK|FAIL|SKIP)|$', block[head.end() - head.start():].splitlines()[0])[0]}"
        if re.search(r"\bOK( \(NOTE.*\))?$", block, re.M) and "FAIL" not in block:
            yield int(head[1]), Result("", name, "pass", "")
        elif re.search(r"SKIP(PED)? ?(\(.*\))?$", block, re.M) and "FAIL" not in block:
            yield int(head[1]), Result("", name, "skip", first_match(r"SKIP.*", block))
        else:
            yield int(head[1]), Result("", name, "fail", verifier_detail(block))


def run_verifier(place, first, last):
    """Goes on behind a test that ends the process. Only the first network namespace says that there is a compiler."""
    results, at = [], first
    while at <= last:
        text, code = place.run(f"test_verifier-{at}", ["./test_verifier", str(at), str(last)], 900,
                               namespaces=("-m", "-u"))
        found = list(verifier_results(text))
        results += [result for _, result in found]
        if "\nSummary: " in text or not found:
            if not found:
                results.append(Result("", f"#{at} (no output)", "fail", f"exit {code}: {text[-200:].strip()}"))
            break
        reached = found[-1][0]
        if results[-1].verdict != "fail":
            results[-1] = results[-1]._replace(verdict="fail", detail=f"behind it the process ended: {code}")
        at = reached + 1
    return results


def verifier_jobs(place, only):
    if only:
        return [(n, functools.partial(run_verifier, place, int(n), int(n))) for n in only]
    return [("all", functools.partial(run_verifier, place, 0, 10**6))]


# ---- test_progs: "#7/2 test/subtest:OK" a result, a process a test

SUBTEST = re.compile(r"^#\d+/\d+\s+(.*):(OK|FAIL|SKIP)$")
TEST = re.compile(r"^#\d+\s+([^:/]+):(OK|FAIL|SKIP)(?: \(SKIP: .*\))?$")


def progs_detail(block):
    why = first_match(r"^.*:FAIL:.*", block)
    expected = first_match(r"^EXPECTED.*|^UNEXPECTED.*", block)
    if "VERIFIER LOG:" not in block and "PROG LOAD LOG" not in block:
        return why
    log = block.split("VERIFIER LOG:")[-1] if "VERIFIER LOG:" in block else block.split("BEGIN PROG LOAD LOG")[-1]
    log = re.sub(r"^[=-]{3,}.*$", "", log.split("END PROG LOAD LOG")[0], flags=re.M)
    return " | ".join(part for part in (why, expected, "got: " + last_words(log)) if part)


def progs_details(text):
    """Of each failed test and subtest, from the error logs behind the list: what stands before its line."""
    details, block = {}, []
    for line in text.split("All error logs:")[-1].splitlines():
        head = SUBTEST.match(line) or TEST.match(line)
        if not head:
            block.append(line)
            continue
        if head[2] == "FAIL":
            details.setdefault(head[1].strip(), progs_detail("\n".join(block)))
        block = []
    return details


def run_progs(place, test, seconds, by_subtest, environment):
    text, code = place.run(test, ["./test_progs", "-a", test], seconds, environment)
    details = progs_details(text)
    listed = text.split("All error logs:")[0].splitlines()
    results = []
    if by_subtest:
        for match in filter(None, map(SUBTEST.match, listed)):
            verdict = VERDICTS[match[2]]
            results.append(Result("", match[1], verdict, details.get(match[1].strip(), "") if verdict == "fail" else ""))
    if not results:
        whole = [VERDICTS[m[2]] for m in map(TEST.match, listed) if m]
        verdict = whole[-1] if whole else "fail"
        detail = details.get(test, "") or first_match(r"^.*:FAIL:.*", text) or f"exit {code}: {text[-200:].strip()}"
        results.append(Result("", test, verdict, detail if verdict == "fail" else ""))
    elif not any(map(TEST.match, listed)):
        results.append(Result("", f"{test} (the end)", "fail", f"exit {code}: {text[-200:].strip()}"))
    return results


def progs_suite(floor, total, pattern, seconds, by_subtest, environment=None):
    def jobs(place, only):
        listed = subprocess.run(["./test_progs", "-l"], cwd=place.tests, capture_output=True, text=True).stdout.split("\n")
        names = [n for n in listed if re.fullmatch(pattern, n) and (not only or n in only)]
        return [(n, functools.partial(run_progs, place, n, seconds, by_subtest, environment)) for n in names]

    return Suite(True, floor, total, jobs)


# ---- programs that pass or fail as a whole

def run_whole(place, name, seconds):
    text, code = place.run(name, [f"./{name}"], seconds)
    if code != 0 and "tag_from_alg" in text:
        return [Result("", name, "skip", "the machine has no AF_ALG sockets, which the test takes its hashes from")]
    bad = first_match(r"^.*(FAIL|Failed|failed|Assertion|!=).*", text) or text[-200:].strip()
    return [Result("", name, "pass" if code == 0 else "fail", "" if code == 0 else f"exit {code}: {bad}")]


def whole_suite(name, seconds, floor=None):
    return Suite(True, floor, 1 if floor else None, lambda place, only: [] if only else [("all", functools.partial(run_whole, place, name, seconds))])


# ---- test_maps: a process a function, each with both settings of preallocation

def run_maps(place, name):
    text, code = place.run(name, ["./test_maps", name], 300 if name != "test_map_parallel" else 1800)
    if code == 0 and "test_maps: OK" in text:
        return [Result("", name, "skip" if "0 SKIPPED" not in text else "pass", "")]
    why = [line for line in text.splitlines() if not re.match(r"Fork \d+ tasks|$", line)]
    return [Result("", name, "fail", f"exit {code}: {why[-1].strip()[:300] if why else ''}")]


def maps_jobs(place, only):
    names = re.findall(r'wanted\("(test_\w+)"\)', (place.tests / "test_maps.c").read_text())
    names += ["test_" + n for n in re.findall(r"DEFINE_TEST\((\w+)\)", (place.tests / "map_tests/tests.h").read_text())]
    return [(n, functools.partial(run_maps, place, n)) for n in names if not only or n in only]


# ---- veristat: a result a program of each object

def run_veristat(place, file):
    text, code = place.run(f"veristat-{file}", ["./veristat", "-o", "csv", "-e", "prog,verdict,insns,states", file], 300,
                           terminal=False)
    table = text[text.find("prog_name,"):] if "prog_name," in text else ""
    rows = list(csv.DictReader(io.StringIO(table)))
    if not rows:
        return [Result("", file, "skip" if code == 0 else "fail", f"exit {code}: {text[-200:].strip()}")]
    return [Result("", f"{file} {r['prog_name']}", "pass" if r["verdict"] == "success" else "fail",
                   f"{r['total_insns']} instructions, {r['total_states']} states") for r in rows]


def veristat_jobs(place, only):
    files = sorted(p.name for p in place.tests.glob("*.bpf.o"))
    return [(f, functools.partial(run_veristat, place, f)) for f in files if not only or f in only]


# test_progs' tests of loading, maps, types, test runs, tail calls, dynptrs, lists, iterators, arenas and exceptions.
CORE = (pathlib.Path(__file__).parent / "core").read_text().split()

# Floors and totals: the verifier's specification.
SUITES = {
    "test_verifier": Suite(True, 775, 790, verifier_jobs),
    "verifier": progs_suite(1815, 1841, r"verifier_.*", 180, True),
    "reg_bounds": progs_suite(65, 65, r"reg_bounds_.*", 1800, False, {"SLOW_TESTS": "1"}),
    "scale": progs_suite(27, 28, r"verif_scale.*|verif_twfw", 300, False),
    "core": progs_suite(63, 100, "|".join(CORE), 120, False),
    "test_tag": whole_suite("test_tag", 300),
    "test_lru_map": whole_suite("test_lru_map", 600, 1),
    "test_lpm_map": whole_suite("test_lpm_map", 600, 1),
    "test_maps": Suite(True, 24, 28, maps_jobs),
    "veristat": Suite(False, None, None, veristat_jobs),
}


def floor_of(name):
    return SUITES[name].floor, SUITES[name].total
