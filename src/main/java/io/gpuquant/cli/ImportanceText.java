package io.gpuquant.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gpuquant.gguf.ImportanceMatrix;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** What is said of an importance matrix that was made. */
final class ImportanceText {

    private final Path file;
    private final ImportanceMatrix matrix;

    ImportanceText(Path file, ImportanceMatrix matrix) {
        this.file = file;
        this.matrix = matrix;
    }

    /** A line that says where it is and of what. */
    String summary() {
        long pieces = matrix.origin().chunks();
        return file + ": " + matrix.entries().size() + " weights, " + pieces
                + (pieces == 1 ? " piece of " : " pieces of ") + matrix.origin().chunkSize() + " tokens";
    }

    /** A line that names experts which no token came to, if there are any. */
    Optional<String> unseen() {
        List<String> names = matrix.unseen();
        return names.isEmpty() ? Optional.empty() : Optional.of("no token came to " + String.join("; ", names));
    }

    /** The same for machines. */
    ObjectNode json() {
        ObjectNode json = Json.object()
                .put("output", file.toString())
                .put("weights", matrix.entries().size())
                .put("chunks", matrix.origin().chunks())
                .put("chunk_size", matrix.origin().chunkSize());
        ArrayNode names = json.putArray("unseen");
        matrix.unseen().forEach(names::add);
        return json;
    }
}
