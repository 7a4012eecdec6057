package io.gpuquant.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.job.Sizes;
import io.gpuquant.job.TensorListing;
import io.gpuquant.job.TensorRange;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** Tensors one by one, as text and as JSON. */
final class TensorRangeText {

    private static final String NONE = "-";

    private TensorRangeText() {}

    static void print(List<TensorListing.Entry> entries, PrintWriter out) {
        TextTable table =
                new TextTable().row("tensor", "type", "shape", "size", "min", "max", "mean |x|", "zeros", "not finite");
        for (TensorListing.Entry entry : entries) {
            Optional<TensorRange> range = entry.range();
            table.row(
                    entry.name(),
                    entry.dtype().name(),
                    entry.shape(),
                    Sizes.format(entry.bytes()),
                    range.map(values -> number(values.min())).orElse(NONE),
                    range.map(values -> number(values.max())).orElse(NONE),
                    range.map(values -> number(values.meanMagnitude())).orElse(NONE),
                    range.map(values -> String.valueOf(values.zeros())).orElse(NONE),
                    range.map(values -> String.valueOf(values.nonFinite())).orElse(NONE));
        }
        table.print(out);
    }

    private static String number(double value) {
        return Double.isNaN(value) ? NONE : String.format(Locale.ROOT, "%.4g", value);
    }

    static void add(List<TensorListing.Entry> entries, ArrayNode list) {
        for (TensorListing.Entry entry : entries) {
            ObjectNode tensor = list.addObject();
            tensor.put("name", entry.name());
            tensor.put("dtype", entry.dtype().name());
            tensor.put("shape", entry.shape());
            tensor.put("file", entry.file().toString());
            tensor.put("position", entry.position());
            tensor.put("bytes", entry.bytes());
            entry.range().ifPresent(range -> {
                if (!Double.isNaN(range.min())) {
                    tensor.put("min", range.min()).put("max", range.max()).put("mean_magnitude", range.meanMagnitude());
                }
                tensor.put("zeros", range.zeros()).put("non_finite", range.nonFinite());
            });
        }
    }
}
