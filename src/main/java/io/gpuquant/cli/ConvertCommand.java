package io.gpuquant.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.UsageException;
import io.gpuquant.job.Conversion;
import io.gpuquant.job.ConversionTarget;
import io.gpuquant.job.Sizes;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** {@code gpuquant convert}. */
@Command(
        name = "convert",
        mixinStandardHelpOptions = true,
        versionProvider = VersionText.class,
        sortOptions = false,
        description =
                "Rewrites a quantized checkpoint (AWQ, GPTQ, compressed-tensors) in another layout without changing"
                        + " a weight.")
final class ConvertCommand implements Callable<Integer> {

    @Spec
    @SuppressWarnings("NullAway.Init") // Set by picocli.
    private CommandSpec spec;

    @Parameters(index = "0", paramLabel = "DIR", description = "The folder of a quantized checkpoint.")
    private Path folder = Path.of("");

    @Option(
            names = "--to",
            required = true,
            paramLabel = "gemm|gemv|compressed-tensors",
            converter = TargetConverter.class,
            description = "The layout: AWQ's gemm, which every engine reads, AWQ's gemv, or compressed-tensors.")
    private ConversionTarget target = ConversionTarget.GEMM;

    @Option(
            names = "--out",
            paramLabel = "DIR",
            description = "The folder to make. Default: beside the source, named after it.")
    private @Nullable Path out;

    @Option(names = "--overwrite", description = "Replace a folder of that name.")
    private boolean overwrite;

    @Mixin
    private final RunOptions run = new RunOptions();

    /** Reads the name of a layout. */
    static final class TargetConverter implements ITypeConverter<ConversionTarget> {

        @Override
        public ConversionTarget convert(String text) {
            return Arrays.stream(ConversionTarget.values())
                    .filter(target -> target.optionName().equals(text))
                    .findFirst()
                    .orElseThrow(() -> new TypeConversionException(
                            "'" + text + "' is not a layout; use gemm, gemv or compressed-tensors"));
        }
    }

    @Override
    public Integer call() {
        Conversion.Result result = new Conversion(folder, output(), overwrite, target).run();
        PrintWriter err = spec.commandLine().getErr();
        if (!run.quiet) {
            result.warnings().forEach(warning -> err.println("warning: " + warning));
            err.flush();
        }
        PrintWriter standard = spec.commandLine().getOut();
        standard.println(run.json ? json(result) : text(result));
        standard.flush();
        return 0;
    }

    private Path output() {
        if (out != null) {
            return out;
        }
        Path absolute = folder.toAbsolutePath().normalize();
        Path name = absolute.getFileName();
        if (name == null) {
            throw new UsageException("no name for the output follows from " + folder + "; give one with --out");
        }
        return absolute.resolveSibling(name + "-" + target.optionName());
    }

    private static String text(Conversion.Result result) {
        return result.output() + ": " + result.linears() + " linears repacked and read back, " + result.copied()
                + " tensors copied, " + Sizes.format(result.bytes());
    }

    private static String json(Conversion.Result result) {
        ObjectNode json = Json.object();
        json.put("output", result.output().toString());
        json.put("linears", result.linears());
        json.put("copied_tensors", result.copied());
        json.put("bytes", result.bytes());
        result.warnings().forEach(json.putArray("warnings")::add);
        return Json.text(json);
    }
}
