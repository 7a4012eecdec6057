package io.gpuquant.cli;

import picocli.CommandLine.Option;

/** Options of how a command reports. */
final class RunOptions {

    @Option(names = "--json", description = "Print the result as JSON.")
    boolean json;

    @Option(names = "--quiet", description = "Print no progress.")
    boolean quiet;

    @Option(names = "--debug", description = "With an error, print where it comes from.")
    boolean debug;
}
