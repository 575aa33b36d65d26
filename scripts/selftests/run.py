"""Runs Linux's BPF tests in processes of their own and counts; scripts/conformance says how it is called."""
import argparse, concurrent.futures, json, os, pathlib, pty, re, shlex, subprocess, sys, threading, time

from suites import SUITES, Result, floor_of

SYSCTL = pathlib.Path("/proc/sys/kernel/unprivileged_bpf_disabled")


class Place:
    """Where tests run: how a command becomes one in namespaces of its own, on skep or on the kernel."""

    def __init__(self, options):
        self.tests, self.logs = pathlib.Path(options.tests), pathlib.Path(options.out) / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        engine = ["--engine", options.engine] if options.engine else []
        self.wrapper = [] if options.kernel else [options.skep, "exec", "--unprivileged-bpf", "on", *engine, "--"]
        setup = ["ip link set lo up", "mount -t bpf bpf /sys/fs/bpf"]
        if not options.kernel:  # what tests read before they try what the unprivileged may do
            zero = self.logs.parent / "zero"
            zero.write_text("0\n")
            setup.append(f"mount --bind {shlex.quote(str(zero))} {SYSCTL}")
        self.setup = "; ".join(setup)

    def run(self, name, command, seconds, environment=None, terminal=True, namespaces=("-n", "-m", "-u")):
        """The output, and the exit code or "timeout"."""
        inner = ["timeout", "-k", "5", str(seconds), *self.wrapper, *command]
        script = f'{self.setup}; exec "$@"'
        full = ["unshare", *namespaces, "--kill-child", "bash", "-c", script, "bash", *inner]
        log = self.logs / (re.sub(r"[^\w.-]", "_", name) + ".log")
        code = self._to_file(full, log, {**os.environ, **(environment or {})}, terminal)
        return log.read_text(errors="replace"), "timeout" if code in (124, 137) else code

    def _to_file(self, command, log, environment, terminal):
        """A terminal makes programs write line by line, so that nothing is lost when one dies."""
        with open(log, "wb") as file:
            if not terminal:
                return subprocess.run(command, cwd=self.tests, env=environment, stdin=subprocess.DEVNULL, stdout=file,
                                      stderr=subprocess.STDOUT).returncode
            ours, theirs = pty.openpty()
            subprocess.run(["stty", "-F", os.ttyname(theirs), "raw"], check=True)
            child = subprocess.Popen(command, cwd=self.tests, env=environment, stdin=subprocess.DEVNULL, stdout=theirs,
                                     stderr=theirs, start_new_session=True)
            os.close(theirs)
            try:
                while chunk := os.read(ours, 65536):
                    file.write(chunk)
            except OSError:  # the other end is gone
                pass
            os.close(ours)
            return child.wait()


class Progress:
    """A line per finished process, with what failed in it."""

    def __init__(self, total):
        self.total, self.done, self.start, self.lock = total, 0, time.monotonic(), threading.Lock()

    def say(self, suite, name, results, seconds):
        count = lambda verdict: sum(r.verdict == verdict for r in results)
        with self.lock:
            self.done += 1
            skipped = f", {count('skip')} skipped" if count("skip") else ""
            print(f"[{self.done}/{self.total} {time.monotonic() - self.start:.0f} s] {suite} {name}: "
                  f"{count('pass')} passed, {count('fail')} failed{skipped}, {seconds:.1f} s", flush=True)


def run_suites(options, place):
    wanted = options.suite.split(",") if options.suite else [name for name, suite in SUITES.items() if suite.usual]
    only = options.test.split(",") if options.test else None
    work = [(name, *job) for name in wanted for job in SUITES[name].jobs(place, only)]
    progress, results = Progress(len(work)), []

    def one(job):
        suite, name, action = job
        start = time.monotonic()
        found = action()
        progress.say(suite, name, found, time.monotonic() - start)
        return [Result(suite, *row[1:]) for row in found]

    pool = concurrent.futures.ThreadPoolExecutor(options.jobs)
    try:
        for found in pool.map(one, work):
            results += found
    except KeyboardInterrupt:  # what is known so far is written all the same
        print("conformance: interrupted", file=sys.stderr)
    pool.shutdown(cancel_futures=True)
    return wanted, results


def summary(wanted, results, partial):
    table = {}
    for name in wanted:
        count = {v: sum(r.suite == name and r.verdict == v for r in results) for v in ("pass", "fail", "skip")}
        floor, total = (None, None) if partial else floor_of(name)
        seen = sum(count.values())
        table[name] = {"passed": count["pass"], "failed": count["fail"], "skipped": count["skip"],
                       "missing": max(0, total - seen) if total else 0, "floor": floor, "of": total,
                       "met": floor is None or count["pass"] >= floor}
    return table


def write(out, what, table, results):
    rows = sorted(results, key=lambda r: (r.suite, r.test))
    with open(out / "results.tsv", "w") as file:
        file.write("suite\ttest\tverdict\tdetail\n")
        file.writelines("\t".join(re.sub(r"[\t\r\n]+", " ", field) for field in r) + "\n" for r in rows)
    with open(out / "results.json", "w") as file:
        json.dump({"on": what, "suites": table, "tests": [r._asdict() for r in rows]}, file, indent=1)
    with open(out / "failing.txt", "w") as file:
        file.writelines(f"{r.suite}: {r.test}\n    {r.detail}\n" for r in rows if r.verdict == "fail")


def show(what, table):
    line = "{:<15}{:>8}{:>8}{:>9}{:>9}{:>16}  {}"
    print(line.format("suite", "passed", "failed", "skipped", "missing", "floor", ""))
    for name, row in table.items():
        floor = "" if row["floor"] is None else f"{row['floor']} of {row['of']}"
        verdict = "" if row["floor"] is None else "ok" if row["met"] else "BELOW"
        print(line.format(name, row["passed"], row["failed"], row["skipped"], row["missing"] or "", floor, verdict))


def compare(old, new):
    def read(directory):
        return {(t["suite"], t["test"]): t for t in json.load(open(pathlib.Path(directory) / "results.json"))["tests"]}

    before, after = read(old), read(new)
    changed = 0
    for key in sorted(before.keys() | after.keys()):
        was, now = before.get(key, {}).get("verdict", "absent"), after.get(key, {}).get("verdict", "absent")
        if was == now:
            continue
        changed += 1
        print(f"{key[0]}: {key[1]}: {was} -> {now}")
        if now == "fail":
            print(f"    {after[key]['detail']}")
    for name in dict.fromkeys(suite for suite, _ in list(before) + list(after)):
        passed = [sum(k[0] == name and t["verdict"] == "pass" for k, t in side.items()) for side in (before, after)]
        print(f"{name}: {passed[0]} -> {passed[1]} passed")
    print(f"{changed} tests changed")


def open_to_the_unprivileged():
    """The kernel's own setting while its tests run. Returns what puts it back."""
    before = SYSCTL.read_text()
    try:
        SYSCTL.write_text("0")
    except OSError as error:
        print(f"conformance: {SYSCTL} stays {before.strip()} ({error}): tests of the unprivileged are skipped",
              file=sys.stderr)
    return lambda: SYSCTL.write_text(before) if SYSCTL.read_text() != before else None


def arguments():
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--tests", required=True)
    parser.add_argument("--dir", required=True)
    parser.add_argument("--kernel", action="store_true")
    parser.add_argument("--suite")
    parser.add_argument("--test")
    parser.add_argument("--out")
    parser.add_argument("--compare", nargs="+")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--skep", default="build/bin/skep")
    parser.add_argument("--engine")
    parser.add_argument("--build", action="store_true")
    options = parser.parse_args()
    options.what = "kernel" if options.kernel else "skep"
    options.out = pathlib.Path(options.out or f"{options.dir}/results/{options.what}").absolute()
    options.skep = os.path.abspath(options.skep)
    if unknown := set((options.suite or "test_verifier").split(",")) - SUITES.keys():
        parser.error(f"no such suite: {', '.join(sorted(unknown))}; there are {', '.join(SUITES)}")
    return options


def main():
    options = arguments()
    if options.build:
        return 0
    if options.compare:
        compare(options.compare[0], options.compare[1] if len(options.compare) > 1 else options.out)
        return 0
    if not options.kernel and not os.access(options.skep, os.X_OK):
        sys.exit(f"conformance: {options.skep} is not there; run make first")
    restore = open_to_the_unprivileged() if options.kernel else lambda: None
    try:
        wanted, results = run_suites(options, Place(options))
    finally:
        restore()
    table = summary(wanted, results, options.test is not None)
    write(options.out, options.what, table, results)
    show(options.what, table)
    print(f"every failure, with the first line that differs: {options.out}/failing.txt; all results: results.tsv, .json")
    return 0 if all(row["met"] for row in table.values()) else 1


sys.exit(main())
