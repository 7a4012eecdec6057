"""Makes docs/kernels.md from what `make kernels` prints, on standard input, and from the headers in ptx/. Needs nothing but Python."""
import pathlib
import re
import sys

INTRODUCTION = """# Kernels

What NVIDIA's assembler makes of every kernel, for each architecture that it is assembled for: registers of a thread (sm_80 / sm_86 / sm_89 / sm_90) and static shared
memory of a block; beside it the dynamic shared memory that a launch asks for. Nothing is spilled. *Sectors* and *passes*, where a kernel states them: how many 32-byte sectors of global memory
and passes over the banks of shared memory it takes of the fewest that would do, as the virtual GPU counts them; below one where lanes share what they read. A test
holds them to the counters. Each kernel's header in `ptx/` says what it computes, its shapes, its grid and its floor.

`make kernel-table` writes this page.
"""


def assembled(lines):
    """Registers by architecture and static shared bytes of every kernel."""
    registers, shared = {}, {}
    for line in lines[1:]:
        kernel, architecture, count, bytes_, _ = line.split()
        registers.setdefault(kernel, {})[architecture] = count
        shared[kernel] = bytes_
    return registers, shared


def headers():
    """Every kernel with its file and the comment right before it, or that of its twin of another type."""
    for path in sorted(pathlib.Path("ptx").glob("*.ptx")):
        text, header = path.read_text(encoding="utf-8"), ""
        for entry in re.finditer(r"\.visible \.entry (\w+)\(", text):
            own = text[text.rfind("\n\n", 0, entry.start()):entry.start()]
            header = own if own.count("//") > 2 else header
            yield entry.group(1), path.name, re.sub(r"\n// *", " ", header)


def dynamic_bytes(header):
    """The dynamic shared memory that a header states, as text to follow the static."""
    found = re.search(r"(\d[\d ]*) (bytes|KB)(?: of dynamic shared memory|, dynamic)", header)
    if found:
        return f" + {int(found.group(1).replace(' ', '')) * (1024 if found.group(2) == 'KB' else 1)}"
    return " + by size" if "dynamic shared memory" in header else ""


def main():
    registers, shared = assembled(sys.stdin.read().splitlines())
    print(INTRODUCTION)
    print("| kernel | file | registers | shared bytes | sectors | passes |\n|---|---|---|---|---|---|")
    for kernel, file, header in headers():
        sectors = re.search(r"([\d.]+) times the fewest sectors", header)
        passes = re.search(r"([\d.]+) times the fewest passes", header)
        print(f"| `{kernel}` | {file} | {' / '.join(registers[kernel].values())} | {shared[kernel]}{dynamic_bytes(header)} | "
              f"{sectors.group(1) if sectors else ''} | {passes.group(1) if passes else ''} |")


if __name__ == "__main__":
    main()
