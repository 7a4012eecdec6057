package io.gpuquant.cli;

import io.gpuquant.GpuQuantException;
import picocli.CommandLine;

/** Tells the user of a failure in one sentence; with {@code --debug} also where it comes from. */
final class ErrorReporter implements CommandLine.IExecutionExceptionHandler, CommandLine.IParameterExceptionHandler {

    private static final int FAULT = 1;
    private static final int USAGE = 2;
    private static final int RESOURCES = 4;

    @Override
    public int handleExecutionException(Exception failure, CommandLine command, CommandLine.ParseResult arguments) {
        boolean debug = arguments.hasMatchedOption("--debug") || isDebugOfSubcommand(arguments);
        if (debug) {
            failure.printStackTrace(command.getErr());
        }
        if (isOutOfMemory(failure)) {
            return outOfMemory(command);
        }
        if (failure instanceof GpuQuantException known) {
            print(command, String.valueOf(known.getMessage()));
            return known.exitCode();
        }
        print(
                command,
                "an unexpected fault: " + failure + (debug ? "" : "; run with --debug to see where, and report it"));
        return FAULT;
    }

    /** Also in a thread that worked for the one that failed. */
    private static boolean isOutOfMemory(Throwable failure) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof OutOfMemoryError) {
                return true;
            }
        }
        return false;
    }

    private static boolean isDebugOfSubcommand(CommandLine.ParseResult arguments) {
        return arguments.hasSubcommand() && arguments.subcommand().hasMatchedOption("--debug");
    }

    @Override
    public int handleParseException(CommandLine.ParameterException failure, String[] arguments) {
        CommandLine command = failure.getCommandLine();
        String message = String.valueOf(failure.getMessage());
        String separator = message.endsWith(".") ? " " : "; ";
        print(command, message + separator + "'" + command.getCommandSpec().qualifiedName() + " --help' explains");
        return USAGE;
    }

    /** Memory of the Java process itself ran out. */
    static int outOfMemory(CommandLine command) {
        print(command, "not enough memory for the Java process; free some, or set GPUQUANT_JAVA_OPTIONS=-Xmx8g");
        return RESOURCES;
    }

    private static void print(CommandLine command, String sentence) {
        command.getErr().println(command.getColorScheme().errorText("gpuquant: " + sentence));
        command.getErr().flush();
    }
}
