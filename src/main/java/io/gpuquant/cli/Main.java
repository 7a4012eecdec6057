package io.gpuquant.cli;

import picocli.CommandLine;

/** The program. */
public final class Main {

    private Main() {}

    /** Runs a command line and ends the process with its exit code. */
    public static void main(String[] arguments) {
        System.exit(run(arguments));
    }

    /** Runs a command line; returns its exit code. */
    static int run(String... arguments) {
        return commandLine().execute(arguments);
    }

    private static int execute(CommandLine.ParseResult arguments) {
        try {
            return new CommandLine.RunLast().execute(arguments);
        } catch (OutOfMemoryError exhausted) {
            return ErrorReporter.outOfMemory(arguments.commandSpec().commandLine());
        }
    }

    static CommandLine commandLine() {
        ErrorReporter errors = new ErrorReporter();
        return new CommandLine(new GpuQuantCommand())
                .setExecutionExceptionHandler(errors)
                .setParameterExceptionHandler(errors)
                .setExecutionStrategy(Main::execute)
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setUsageHelpWidth(110);
    }
}
