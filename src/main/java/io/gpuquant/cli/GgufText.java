package io.gpuquant.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.gguf.GgmlType;
import io.gpuquant.gguf.GgufLayout;
import io.gpuquant.job.GgufPlan;
import io.gpuquant.job.GgufResult;
import io.gpuquant.job.Sizes;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** What is said of a GGUF file that is or would be made. */
final class GgufText {

    private final GgufPlan plan;

    GgufText(GgufPlan plan) {
        this.plan = plan;
    }

    /** Every tensor, and the sum. */
    String tensors() {
        StringWriter text = new StringWriter();
        PrintWriter out = new PrintWriter(text);
        TextTable table = new TextTable().row("tensor", "shape", "type", "size");
        for (GgufLayout.Spec tensor : plan.types().tensors()) {
            table.row(
                    tensor.name(),
                    tensor.extents().reversed().toString(),
                    tensor.type().name(),
                    Sizes.format(tensor.byteSize()));
        }
        table.print(out);
        plan.fallbacks().forEach(fallback -> out.println("note: " + fallback.sentence()));
        plan.warnings().forEach(warning -> out.println("warning: " + warning));
        plan.files()
                .forEach(file -> out.println(file.name() + " would be made: "
                        + Sizes.format(file.layout().fileBytes()) + ", "
                        + file.layout().header().tensors().size() + " tensors"));
        out.print(bitsPerWeight());
        return text.toString();
    }

    /** What was made. */
    String summary(GgufResult result, double seconds) {
        StringWriter text = new StringWriter();
        PrintWriter out = new PrintWriter(text);
        TextTable table = new TextTable();
        table.row("output", result.files().stream().map(Path::toString).collect(Collectors.joining(", ")));
        table.row(
                "size",
                Sizes.format(plan.bytes()) + ", was " + Sizes.format(plan.sourceBytes()) + "; " + bitsPerWeight());
        table.row(
                "tensors",
                countByType().entrySet().stream()
                        .map(entry -> entry.getValue() + " " + entry.getKey())
                        .collect(Collectors.joining(", ")));
        table.row("verified", result.verifiedTensors() + " tensors read back");
        table.row(
                "time",
                String.format(Locale.ROOT, "%.1f s", seconds)
                        + (result.resumedTensors() > 0
                                ? ", after resuming with " + result.resumedTensors() + " tensors done"
                                : ""));
        table.print(out);
        return text.toString().stripTrailing();
    }

    private String bitsPerWeight() {
        return String.format(Locale.ROOT, "%.4f bits per weight", plan.types().bitsPerWeight());
    }

    private Map<GgmlType, Integer> countByType() {
        Map<GgmlType, Integer> counts = new EnumMap<>(GgmlType.class);
        plan.types().tensors().forEach(tensor -> counts.merge(tensor.type(), 1, Integer::sum));
        return counts;
    }

    /** What would be made. */
    ObjectNode json() {
        ObjectNode json = Json.object();
        json.put("type", plan.options().mix().name());
        json.put("bits_per_weight", plan.types().bitsPerWeight());
        json.put("source_bytes", plan.sourceBytes());
        json.put("output_bytes", plan.bytes());
        ArrayNode tensors = json.putArray("tensors");
        for (GgufLayout.Spec tensor : plan.types().tensors()) {
            ObjectNode entry = tensors.addObject();
            entry.put("name", tensor.name()).put("type", tensor.type().name()).put("bytes", tensor.byteSize());
            tensor.extents().forEach(entry.withArray("shape")::add);
        }
        ArrayNode fallbacks = json.putArray("fallbacks");
        for (GgufPlan.Fallback fallback : plan.fallbacks()) {
            fallbacks
                    .addObject()
                    .put("tensors", fallback.pattern())
                    .put("count", fallback.count())
                    .put("wanted", fallback.wanted().name())
                    .put("taken", fallback.taken().name())
                    .put("bits_per_weight", fallback.cost());
        }
        plan.warnings().forEach(json.putArray("warnings")::add);
        return json;
    }

    /** What was made. */
    ObjectNode json(GgufResult result, double seconds) {
        ObjectNode json = json();
        result.files().forEach(file -> json.withArray("files").add(file.toString()));
        json.put("seconds", seconds);
        json.put("resumed_tensors", result.resumedTensors());
        json.put("verified_tensors", result.verifiedTensors());
        return json;
    }
}
