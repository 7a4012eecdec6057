package io.gpuquant.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.UsageException;
import io.gpuquant.evaluate.ReadableModel;
import io.gpuquant.job.Conversion;
import io.gpuquant.job.ConversionTarget;
import io.gpuquant.job.Dequantization;
import io.gpuquant.job.GgufToSafetensors;
import io.gpuquant.job.Sizes;
import io.gpuquant.tensor.DType;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code gpuquant convert}. */
@Command(
        name = "convert",
        mixinStandardHelpOptions = true,
        versionProvider = VersionText.class,
        sortOptions = false,
        description =
                "Rewrites a quantized checkpoint (AWQ, GPTQ, compressed-tensors) in another layout without changing"
                        + " a weight, or dequantizes a GGUF file or an FP8 checkpoint.")
final class ConvertCommand implements Callable<Integer> {

    private static final String SAFETENSORS = "safetensors";

    @Spec
    @SuppressWarnings("NullAway.Init") // Set by picocli.
    private CommandSpec spec;

    @Parameters(index = "0", paramLabel = "PATH", description = "The folder of a quantized checkpoint, or a GGUF file.")
    private Path folder = Path.of("");

    @Option(
            names = "--to",
            required = true,
            paramLabel = "gemm|gemv|compressed-tensors|safetensors",
            description =
                    "The layout: AWQ's gemm, which every engine reads, AWQ's gemv, or compressed-tensors; for a GGUF"
                            + " file or an FP8 checkpoint safetensors, which dequantizes it.")
    private String target = "";

    @Option(
            names = "--dtype",
            paramLabel = "F16|BF16|F32",
            description =
                    "The type of tensors of a GGUF file when it is dequantized; an FP8 checkpoint gets its own back."
                            + " Default: F16.")
    private @Nullable String dtype;

    @Option(
            names = "--tokenizer",
            paramLabel = "DIR",
            description = "A folder whose tokenizer files to copy beside dequantized tensors.")
    private @Nullable Path tokenizer;

    @Option(
            names = "--out",
            paramLabel = "DIR",
            description = "The folder to make. Default: beside the source, named after it.")
    private @Nullable Path out;

    @Option(names = "--overwrite", description = "Replace a folder of that name.")
    private boolean overwrite;

    @Mixin
    private final RunOptions run = new RunOptions();

    @Override
    public Integer call() {
        boolean isGguf = ReadableModel.isGguf(folder);
        if (isGguf && !target.equals(SAFETENSORS)) {
            throw new UsageException("--to " + target + " is not for a GGUF file; use --to safetensors");
        }
        PrintWriter standard = spec.commandLine().getOut();
        if (target.equals(SAFETENSORS)) {
            GgufToSafetensors.Result result = isGguf
                    ? new GgufToSafetensors(folder, output(), overwrite, type(), Optional.ofNullable(tokenizer)).run()
                    : fp8().run();
            standard.println(run.json ? json(result) : text(result));
        } else {
            Conversion.Result result = new Conversion(folder, output(), overwrite, layout()).run();
            PrintWriter err = spec.commandLine().getErr();
            if (!run.quiet) {
                result.warnings().forEach(warning -> err.println("warning: " + warning));
                err.flush();
            }
            standard.println(run.json ? json(result) : text(result));
        }
        standard.flush();
        return 0;
    }

    private Dequantization fp8() {
        if (dtype != null || tokenizer != null) {
            throw new UsageException((dtype != null ? "--dtype" : "--tokenizer")
                    + " is for GGUF files; leave it out, an FP8 checkpoint has its own");
        }
        return new Dequantization(folder, output(), overwrite);
    }

    private ConversionTarget layout() {
        return Arrays.stream(ConversionTarget.values())
                .filter(layout -> layout.optionName().equals(target))
                .findFirst()
                .orElseThrow(() -> new UsageException("--to " + target
                        + " is not a layout; use gemm, gemv or compressed-tensors, or safetensors for a GGUF file or an FP8"
                        + " checkpoint"));
    }

    private DType type() {
        String wanted = Objects.requireNonNullElse(dtype, "F16");
        return Stream.of(DType.F16, DType.BF16, DType.F32)
                .filter(type -> type.name().equalsIgnoreCase(wanted))
                .findFirst()
                .orElseThrow(() -> new UsageException("--dtype " + dtype + " is not F16, BF16 or F32"));
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
        return absolute.resolveSibling(name.toString().replaceFirst("\\.gguf$", "") + "-" + target);
    }

    private static String text(GgufToSafetensors.Result result) {
        return result.output() + ": " + result.tensors() + " tensors dequantized, " + Sizes.format(result.bytes());
    }

    private static String json(GgufToSafetensors.Result result) {
        ObjectNode json = Json.object();
        json.put("output", result.output().toString());
        json.put("tensors", result.tensors());
        json.put("bytes", result.bytes());
        return Json.text(json);
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
