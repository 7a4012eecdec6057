# gpuquant: `make demo` builds and quantizes the demo model, `make test` runs every test.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build
.PHONY: build demo test kernels kernel-table twins bench interop hardware dist standalone install clean format

PREFIX ?= /usr/local
DIST := target/gpuquant
STANDALONE := target/standalone/gpuquant
PTXAS ?= ptxas
NVCC ?= nvcc
ARCHITECTURES := sm_80 sm_86 sm_89 sm_90
TWINS := src/test/resources/io/gpuquant/kernels/twins

# A JDK of version 25 or later: JAVA_HOME if it is one, else the newest in the usual folders.
JDK := $(shell \
  for home in "$${JAVA_HOME:-}" $$(ls -d /usr/lib/jvm/*/ /opt/*jdk*/ /opt/java/*/ "$$HOME"/.sdkman/candidates/java/*/ \
      "$$HOME"/.jdks/*/ /Library/Java/JavaVirtualMachines/*/Contents/Home/ 2>/dev/null | sort -rV); do \
    [ -x "$$home/bin/javac" ] || continue; \
    version=$$("$$home/bin/javac" -version 2>&1 | sed -n 's/^javac \([0-9]*\).*/\1/p'); \
    if [ -n "$$version" ] && [ "$$version" -ge 25 ]; then echo "$${home%/}"; break; fi; \
  done)

MVN = $(if $(JDK),JAVA_HOME="$(JDK)" mvn -B -ntp,\
  $(error gpuquant needs a JDK of version 25 or later (for example Eclipse Temurin 25): install one and set JAVA_HOME to it))
GPUQUANT = JAVA_HOME="$(JDK)" $(DIST)/bin/gpuquant

# Sources that the built program depends on; make rebuilds it only when one is newer.
SOURCES := pom.xml $(shell find src/main ptx -type f)

build: $(DIST)/.built

$(DIST)/.built: $(SOURCES)
	$(MVN) -q -DskipTests -Djacoco.skip=true -Dspotless.check.skip=true package
	@mkdir -p $(DIST)/bin
	@install -m 755 src/main/launcher/gpuquant $(DIST)/bin/gpuquant
	@touch $@

test: $(if $(shell command -v $(PTXAS) 2>/dev/null),kernels)
	$(MVN) verify

# Assembles every kernel for every architecture; fails on a spill.
kernels:
	@command -v $(PTXAS) >/dev/null || { echo "ptxas is not on the PATH: install the CUDA toolkit, or set PTXAS to it" >&2; exit 1; }
	@printf '%-26s %-8s %9s %12s %6s\n' kernel target registers 'shared bytes' spills
	@for file in ptx/*.ptx; do \
	  for arch in $(ARCHITECTURES); do \
	    $(PTXAS) -arch=$$arch -v -o /dev/null $$file 2>&1 | awk -v arch=$$arch -v file=$$file ' \
	      /Compiling entry function/ { split($$0, part, "\x27"); kernel = part[2] } \
	      /spill stores/ { stack = $$1; spills = $$5 + $$9 } \
	      /Used [0-9]+ registers/ { \
	        for (i = 1; i <= NF; i++) { if ($$(i + 1) ~ /^registers/) registers = $$i; if ($$(i + 2) ~ /^smem/) shared = $$i } \
	        printf "%-26s %-8s %9d %12d %6d\n", kernel, arch, registers, shared, spills; \
	        if (spills + stack > 0) { print file ": " kernel " spills on " arch > "/dev/stderr"; bad = 1 } \
	        shared = 0 } \
	      /(error|fatal) *:/ { print file ": " $$0 > "/dev/stderr"; bad = 1 } \
	      END { exit bad }'; \
	  done; \
	done

# Writes docs/kernels.md from what ptxas says and from the kernels' headers; needed only when a kernel changes.
kernel-table:
	@set -o pipefail; $(MAKE) -s kernels | python3 src/kernels/table.py >docs/kernels.md.new
	@mv docs/kernels.md.new docs/kernels.md

# Compiles the CUDA twins to the PTX that the tests run; needs nvcc, and is needed only when a twin changes.
twins:
	@command -v $(NVCC) >/dev/null || { echo "nvcc is not on the PATH: install the CUDA toolkit, or set NVCC to it" >&2; exit 1; }
	@mkdir -p $(TWINS)
	@for file in cuda/*.cu; do \
	  $(NVCC) -ptx -arch=sm_80 -O3 -fmad=false -o $(TWINS)/$$(basename $$file .cu).ptx $$file; \
	  echo "$$file -> $(TWINS)/$$(basename $$file .cu).ptx"; \
	done

DEMO := target/demo
DEMO_LENGTH := 256
DEMO_TOKENS := 49152

# Quantizes the demo model by rounding and by GPTQ, on a GPU if one is there, and compares both with the original.
demo: build
	@rm -rf $(DEMO)
	@mkdir -p $(DEMO)
	@echo "== rounding to nearest, 4 bits, groups of 128"
	@$(GPUQUANT) rtn datasets/demo-llama --out $(DEMO)/rtn-4bit-g128 --quiet
	@echo
	@echo "== GPTQ, 4 bits, groups of 128"
	@$(GPUQUANT) gptq datasets/demo-llama --out $(DEMO)/gptq-4bit-g128 \
	    --calibration datasets/calibration.jsonl --sequence-length $(DEMO_LENGTH)
	@echo
	@echo "== both against the original, on text that neither has seen"
	@$(GPUQUANT) compare datasets/demo-llama $(DEMO)/rtn-4bit-g128 $(DEMO)/gptq-4bit-g128 \
	    --text datasets/validation.jsonl --sequence-length $(DEMO_LENGTH) --tokens $(DEMO_TOKENS) --quiet
	@echo
	@echo "The quantized checkpoint lies in $(DEMO)/gptq-4bit-g128; gpuquant verified it when it was written."

# Puts gpuquant under PREFIX: the program in PREFIX/lib/gpuquant, a link to it in PREFIX/bin.
install: build
	@install -d "$(DESTDIR)$(PREFIX)/lib/gpuquant" "$(DESTDIR)$(PREFIX)/bin"
	@rm -rf "$(DESTDIR)$(PREFIX)/lib/gpuquant/bin" "$(DESTDIR)$(PREFIX)/lib/gpuquant/lib"
	@cp -R $(DIST)/bin $(DIST)/lib "$(DESTDIR)$(PREFIX)/lib/gpuquant/"
	@ln -sf ../lib/gpuquant/bin/gpuquant "$(DESTDIR)$(PREFIX)/bin/gpuquant"
	@echo "installed $(DESTDIR)$(PREFIX)/bin/gpuquant"

# Packs the built program for machines with a Java runtime of version 25 or later.
dist: build
	@tar -C target -czf target/gpuquant.tar.gz --exclude .built gpuquant
	@echo "target/gpuquant.tar.gz"

# Packs the built program with a Java runtime of its own, for Linux machines that have nothing but, for a GPU, its driver.
standalone: build
	@src/standalone/pack "$(JDK)" $(abspath $(DIST)) $(abspath $(STANDALONE))
	@ls -sh $(STANDALONE).tar.xz

# Checks our files with code that shares nothing with ours: NumPy from the published layouts, and transformers. Needs Python
# and, for packages it lacks, the Python package index.
interop: build
	@JAVA_HOME="$(JDK)" GPUQUANT=$(DIST)/bin/gpuquant src/interop/run

# Puts the program and the GPU of this machine through everything: selftest, bench, PyTorch's way, a model of 8 billion weights.
hardware: build
	@JAVA_HOME="$(JDK)" GPUQUANT=$(DIST)/bin/gpuquant src/hardware/run $(ARGUMENTS)

# Measures the virtual GPU; ARGUMENTS go to JMH, such as ARGUMENTS='-p workload=QUANTIZE'.
bench:
	$(MVN) -q -Pbench -Dspotless.check.skip=true process-classes
	"$(JDK)/bin/java" -cp "target/classes:target/jmh/classes:src/jmh/resources:src/test/resources:$$(cat target/jmh/classpath)" \
	  io.gpuquant.ptx.VirtualGpuBenchmark $(ARGUMENTS)

format:
	$(MVN) -q spotless:apply

clean:
	rm -rf target
