package io.gpuquant.cli;

import picocli.CommandLine.Option;

/** The option of methods whose grids are symmetric unless told otherwise. */
final class SymmetryOption {

    @Option(
            names = "--sym",
            negatable = true,
            defaultValue = "true",
            fallbackValue = "true",
            description = "Grids symmetric about zero (default), or each with its own zero point.")
    boolean symmetric = true;
}
