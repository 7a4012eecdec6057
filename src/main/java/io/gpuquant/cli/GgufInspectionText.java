package io.gpuquant.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.job.GgufInspection;
import io.gpuquant.job.Sizes;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.stream.Collectors;

/** What is in GGUF files, in words and as JSON. */
final class GgufInspectionText {

    private final GgufInspection inspection;

    GgufInspectionText(GgufInspection inspection) {
        this.inspection = inspection;
    }

    void print(PrintWriter out) {
        out.println(inspection.path() + ": GGUF, "
                + inspection.mix().map(mix -> "mix " + mix).orElse("no known mix of types") + ", "
                + inspection.tensors() + " tensors in " + inspection.files() + " file(s), "
                + Sizes.format(inspection.bytes())
                + String.format(Locale.ROOT, ", %.4f bits per weight", inspection.bitsPerWeight()));
        out.println(inspection.bytesByType().entrySet().stream()
                .map(entry -> entry.getKey() + " " + Sizes.format(entry.getValue()))
                .collect(Collectors.joining(", ", "by type: ", "")));
        TextTable metadata = new TextTable();
        inspection.metadata().forEach((key, value) -> metadata.row(key, value));
        metadata.print(out);
        TextTable table = new TextTable().row("tensor", "count", "type", "shape", "size");
        for (GgufInspection.Kind kind : inspection.kinds()) {
            table.row(
                    kind.pattern(),
                    String.valueOf(kind.count()),
                    kind.type().name(),
                    kind.shape(),
                    Sizes.format(kind.bytes()));
        }
        table.print(out);
    }

    ObjectNode json() {
        ObjectNode json = Json.object();
        json.put("file", inspection.path().toString());
        json.put("format", "gguf");
        inspection.mix().ifPresent(mix -> json.put("type", mix.name()));
        json.put("files", inspection.files());
        json.put("tensors", inspection.tensors());
        json.put("bytes", inspection.bytes());
        json.put("bits_per_weight", inspection.bitsPerWeight());
        ObjectNode metadata = json.putObject("metadata");
        inspection.metadata().forEach(metadata::put);
        ArrayNode kinds = json.putArray("kinds");
        for (GgufInspection.Kind kind : inspection.kinds()) {
            kinds.addObject()
                    .put("name", kind.pattern())
                    .put("count", kind.count())
                    .put("type", kind.type().name())
                    .put("shape", kind.shape())
                    .put("bytes", kind.bytes());
        }
        return json;
    }
}
