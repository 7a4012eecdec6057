package io.gpuquant.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.evaluate.ReadableModel;
import io.gpuquant.job.GgufInspection;
import io.gpuquant.job.Inspection;
import io.gpuquant.job.Sizes;
import io.gpuquant.job.TensorListing;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code gpuquant inspect}. */
@Command(
        name = "inspect",
        mixinStandardHelpOptions = true,
        versionProvider = VersionText.class,
        sortOptions = false,
        description =
                "Says what is in a checkpoint: method, bits, groups, kinds of tensors, sizes, and the ranges of values.")
final class InspectCommand implements Callable<Integer> {

    @Spec
    @SuppressWarnings("NullAway.Init") // Set by picocli.
    private CommandSpec spec;

    @Parameters(index = "0", paramLabel = "MODEL", description = ModelLocation.OR_GGUF)
    private Path folder = Path.of("");

    @Option(
            names = "--tensors",
            description = "List every tensor with the range of its values; reads the whole checkpoint.")
    private boolean tensors;

    @Mixin
    private final RunOptions run = new RunOptions();

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        if (ReadableModel.isGguf(folder)) {
            GgufInspectionText text = new GgufInspectionText(GgufInspection.of(folder));
            if (run.json) {
                out.println(Json.text(text.json()));
            } else {
                text.print(out);
            }
            out.flush();
            return 0;
        }
        Inspection inspection = Inspection.of(ModelLocation.folder(spec, folder));
        if (run.json) {
            List<TensorListing.Entry> entries = tensors ? TensorListing.withRanges(folder) : TensorListing.of(folder);
            out.println(json(inspection, entries));
        } else {
            print(inspection, out);
            if (tensors) {
                out.println();
                TensorRangeText.print(TensorListing.withRanges(folder), out);
            }
        }
        out.flush();
        return 0;
    }

    private static void print(Inspection inspection, PrintWriter out) {
        out.println(inspection.folder() + ": "
                + (inspection.modelType().isEmpty() ? "no config.json" : "model type " + inspection.modelType()) + ", "
                + inspection.tensors() + " tensors in " + inspection.files() + " file(s), "
                + Sizes.format(inspection.bytes()));
        out.println(inspection
                .elements()
                .map(format -> "quantized as " + format + ", " + inspection.quantizedLinears() + " linears")
                .or(() -> inspection
                        .quantization()
                        .map(config -> "quantized by "
                                + config.path("quant_method").asText("an unnamed method") + ": " + scheme(config)
                                + ", " + inspection.quantizedLinears() + " linears"))
                .orElse("not quantized"));
        if (!inspection.kept().isEmpty()) {
            out.println("not quantized in it: " + String.join(", ", inspection.kept()));
        }
        out.println(inspection.bytesByType().entrySet().stream()
                .map(entry -> entry.getKey() + " " + Sizes.format(entry.getValue()))
                .collect(Collectors.joining(", ", "by type: ", "")));
        TextTable table = new TextTable().row("tensor", "count", "type", "shape", "size");
        for (Inspection.Kind kind : inspection.kinds()) {
            table.row(
                    kind.pattern(),
                    String.valueOf(kind.count()),
                    kind.dtype().name(),
                    kind.shape(),
                    Sizes.format(kind.bytes()));
        }
        table.print(out);
    }

    private static String scheme(ObjectNode config) {
        if (config.path("config_groups").isObject()) {
            return StreamSupport.stream(config.path("config_groups").spliterator(), false)
                    .map(group -> compressed(config, group))
                    .collect(Collectors.joining("; "));
        }
        return config.path("bits").asText("?") + " bits, group size "
                + config.path("group_size").asText("?") + ", "
                + (isSymmetric(config) ? "symmetric" : "asymmetric")
                + (config.path("desc_act").asBoolean(false) ? ", act-order" : "");
    }

    /** A group of linears of a compressed-tensors checkpoint. */
    private static String compressed(ObjectNode config, JsonNode group) {
        JsonNode weights = group.path("weights");
        return group.path("format").asText(config.path("format").asText("?")) + ", "
                + weights.path("num_bits").asText("?") + " bits, "
                + (weights.path("group_size").isInt()
                        ? "group size " + weights.path("group_size").asText()
                        : "by " + weights.path("strategy").asText("?"))
                + ", " + (weights.path("symmetric").asBoolean(true) ? "symmetric" : "asymmetric");
    }

    /** GPTQ says whether grids are symmetric, AWQ whether they have zero points. */
    private static boolean isSymmetric(ObjectNode config) {
        return config.path("sym").asBoolean(!config.path("zero_point").asBoolean(false));
    }

    private static String json(Inspection inspection, List<TensorListing.Entry> entries) {
        ObjectNode json = Json.object();
        json.put("folder", inspection.folder().toString());
        json.put("model_type", inspection.modelType());
        inspection.quantization().ifPresent(config -> json.set("quantization_config", config));
        json.put("quantized_linears", inspection.quantizedLinears());
        json.put("files", inspection.files());
        json.put("tensors", inspection.tensors());
        json.put("bytes", inspection.bytes());
        ArrayNode kinds = json.putArray("kinds");
        for (Inspection.Kind kind : inspection.kinds()) {
            kinds.addObject()
                    .put("name", kind.pattern())
                    .put("count", kind.count())
                    .put("dtype", kind.dtype().name())
                    .put("shape", kind.shape())
                    .put("bytes", kind.bytes());
        }
        ArrayNode kept = json.putArray("kept_modules");
        inspection.kept().forEach(kept::add);
        TensorRangeText.add(entries, json.putArray("tensor_list"));
        return Json.text(json);
    }
}
