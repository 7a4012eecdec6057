package io.gpuquant.ptx;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.Collection;
import java.util.DoubleSummaryStatistics;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;
import org.openjdk.jmh.results.IterationResult;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.CommandLineOptionException;
import org.openjdk.jmh.runner.options.CommandLineOptions;
import org.openjdk.jmh.runner.options.OptionsBuilder;

/**
 * How many instructions of threads one core executes in a second, by what they are and how closely they are watched. Seconds
 * are those of the thread that works, so that other work on the computer disturbs little.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 4, time = 1)
@Measurement(iterations = 8, time = 1)
@Fork(1)
@SuppressWarnings("NullAway.Init") // JMH fills the fields in.
public class VirtualGpuBenchmark {

    private static final int LANES = 32;

    /** Of a millisecond. */
    private static final double NANOSECONDS = 1e6;

    private static final ThreadMXBean PROCESSOR = ManagementFactory.getThreadMXBean();

    /** Counts of an iteration, which the harness divides by the time that passed. */
    @AuxCounters
    @State(Scope.Thread)
    public static class Executed {
        public long launches;
        public long threadInstructions;
        public long processorNanoseconds;
    }

    @Param
    public Workload workload;

    @Param({"FAST", "CHECKED"})
    public MachineOptions.Mode mode;

    private VirtualGpu gpu;
    private Workload.Run run;

    @Setup(Level.Trial)
    public void prepare() {
        gpu = new VirtualGpu(mode == MachineOptions.Mode.FAST ? MachineOptions.fast(1) : MachineOptions.checked());
        run = workload.prepare(gpu);
    }

    @TearDown(Level.Trial)
    public void close() {
        gpu.close();
    }

    @Benchmark
    public LaunchResult launch(Executed executed) {
        long start = PROCESSOR.getCurrentThreadCpuTime();
        LaunchResult result = run.launch();
        executed.processorNanoseconds += PROCESSOR.getCurrentThreadCpuTime() - start;
        executed.launches++;
        executed.threadInstructions += LANES * result.warpInstructions();
        return result;
    }

    /** Runs with JMH's own options, such as {@code -p workload=QUANTIZE}, and prints a table. */
    public static void main(String... arguments) throws RunnerException, CommandLineOptionException {
        Collection<RunResult> results = new Runner(new OptionsBuilder()
                        .parent(new CommandLineOptions(arguments))
                        .include(VirtualGpuBenchmark.class.getName())
                        .build())
                .run();
        System.out.printf(
                "%n%-26s %-8s %10s %10s %14s%n", "Thread instructions / s", "machine", "mean", "best", "ms per launch");
        results.forEach(VirtualGpuBenchmark::printRow);
    }

    private static void printRow(RunResult result) {
        Workload workload = Workload.valueOf(result.getParams().getParam("workload"));
        String mode = result.getParams().getParam("mode").toLowerCase(Locale.ROOT);
        DoubleSummaryStatistics rates = each(result, "threadInstructions", "processorNanoseconds");
        DoubleSummaryStatistics nanoseconds = each(result, "processorNanoseconds", "launches");
        System.out.printf(
                "%-26s %-8s %8.3f G %8.3f G %14.2f%n",
                workload.title(), mode, rates.getAverage(), rates.getMax(), nanoseconds.getMin() / NANOSECONDS);
    }

    /** The quotient of two counters in each iteration. */
    private static DoubleSummaryStatistics each(RunResult result, String dividend, String divisor) {
        return result.getBenchmarkResults().stream()
                .flatMap(fork -> fork.getIterationResults().stream())
                .mapToDouble(iteration -> count(iteration, dividend) / count(iteration, divisor))
                .summaryStatistics();
    }

    private static double count(IterationResult iteration, String counter) {
        return Objects.requireNonNull(iteration.getSecondaryResults().get(counter))
                .getScore();
    }
}
