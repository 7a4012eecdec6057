package io.gpuquant.cli;

import io.gpuquant.UsageException;
import io.gpuquant.gguf.FileType;
import io.gpuquant.gguf.TypePlan;
import io.gpuquant.job.GgufJob;
import io.gpuquant.job.GgufOptions;
import io.gpuquant.job.GgufResult;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code gpuquant gguf}. */
@Command(
        name = "gguf",
        mixinStandardHelpOptions = true,
        versionProvider = VersionText.class,
        sortOptions = false,
        description = "Writes a checkpoint as GGUF for llama.cpp, quantized in the same step; an unfinished run of the"
                + " same command resumes by itself.")
final class GgufCommand implements Callable<Integer> {

    @Spec
    @SuppressWarnings("NullAway.Init") // Set by picocli.
    private CommandSpec spec;

    @Parameters(index = "0", paramLabel = "MODEL", description = ModelLocation.DESCRIPTION)
    private Path model = Path.of("");

    @Option(
            names = "--type",
            required = true,
            paramLabel = "TYPE",
            description = "The mix of block types: F32, F16, BF16, Q8_0, Q6_K, Q5_K_M, Q5_K_S, Q4_K_M, Q4_K_S, Q3_K_L,"
                    + " Q3_K_M, Q3_K_S, Q2_K, Q2_K_S, IQ4_XS, IQ4_NL, Q5_1, Q5_0, Q4_1 or Q4_0.")
    private String type = "";

    @Option(
            names = "--imatrix",
            paramLabel = "FILE",
            description = "An importance matrix, of gpuquant imatrix or of llama.cpp: errors count as much as their"
                    + " columns matter.")
    private @Nullable Path imatrix;

    @Option(names = "--pure", description = "Give every tensor the type itself, without the rules of the mix.")
    private boolean pure;

    @Option(
            names = "--tensor-type",
            paramLabel = "PATTERN=TYPE",
            description = "The block type of tensors whose name has a match of a regular expression, such as"
                    + " ffn_down=Q6_K; the first that matches counts. May be given several times.")
    private List<String> tensorTypes = List.of();

    @Option(
            names = "--pre",
            paramLabel = "NAME",
            description = "llama.cpp's name of the pre-tokenizer. Default: recognised by its pattern.")
    private @Nullable String pre;

    @Option(
            names = "--out",
            paramLabel = "FILE",
            description =
                    "The file to make. Default: named after the model and beside it; in the current folder for a model"
                            + " in the cache.")
    private @Nullable Path out;

    @Option(names = "--overwrite", description = "Replace a file of that name.")
    private boolean overwrite;

    @Option(
            names = "--split-max-size",
            paramLabel = "SIZE",
            converter = DeviceOption.SizeConverter.class,
            description = "The most tensor bytes of a file, such as 40GB; what does not fit makes more files. Default:"
                    + " one file.")
    private Long splitMaxSize = Long.MAX_VALUE;

    @Option(names = "--dry-run", description = "Say what would be made, tensor by tensor, and make nothing.")
    private boolean dryRun;

    @Option(
            names = "--kernels",
            description = "Quantize by the kernels even on the processor: the same bytes, more slowly.")
    private boolean kernels;

    @Mixin
    private final DeviceOption device = new DeviceOption();

    @Mixin
    private final RunOptions run = new RunOptions();

    @Override
    public Integer call() {
        GgufOptions options = options();
        PrintWriter output = spec.commandLine().getOut();
        try (GgufProgress progress = new GgufProgress(spec.commandLine().getErr(), run.quiet, device)) {
            GgufJob job = new GgufJob(options, device::open, device.threads, progress);
            if (dryRun) {
                GgufText text = new GgufText(job.plan());
                output.println(run.json ? Json.text(text.json()) : text.tensors());
            } else {
                long start = System.nanoTime();
                GgufResult result = job.run();
                double seconds = (System.nanoTime() - start) / 1e9;
                GgufText text = new GgufText(result.plan());
                progress.close();
                output.println(run.json ? Json.text(text.json(result, seconds)) : text.summary(result, seconds));
            }
        }
        output.flush();
        return 0;
    }

    private GgufOptions options() {
        FileType mix = FileType.named(type)
                .orElseThrow(() -> new UsageException(
                        "--type " + type + " is not a type that gpuquant writes; use one of " + FileType.names()));
        TypePlan.Request request = new TypePlan.Request(
                mix,
                pure,
                tensorTypes.stream().map(TypePlan.TypeOverride::parse).toList());
        Path folder = ModelLocation.supported(spec, model);
        return new GgufOptions(
                folder,
                name(),
                output(mix),
                overwrite,
                request,
                Optional.ofNullable(pre),
                Optional.ofNullable(imatrix),
                splitMaxSize,
                kernels);
    }

    /** A model in the cache is called what it is called on the hub, any other after its folder. */
    private String name() {
        Path folder = model.toAbsolutePath().normalize().getFileName();
        return ModelLocation.nameInCache(model)
                .or(() -> Optional.ofNullable(folder).map(Path::toString))
                .orElseThrow(() -> new UsageException(
                        "no name for the output follows from " + model + "; give the path of a folder that has one"));
    }

    private Path output(FileType mix) {
        if (out != null && !Files.isDirectory(out)) {
            return out;
        }
        String file = name() + "-" + mix + ".gguf";
        if (out != null) {
            return out.resolve(file);
        }
        return ModelLocation.nameInCache(model).isPresent()
                ? Path.of("").toAbsolutePath().resolve(file)
                : model.toAbsolutePath().normalize().resolveSibling(file);
    }
}
