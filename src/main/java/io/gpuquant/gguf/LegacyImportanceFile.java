package io.gpuquant.gguf;

import io.gpuquant.InputException;
import io.gpuquant.file.MappedFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Importance matrices as llama.cpp wrote them before it had them as GGUF, usually called {@code .dat}: mean squares times a number
 * of calls, which cancels. Experts lie in one entry, as many times the features as there are.
 */
final class LegacyImportanceFile {

    /** The length of a name, the number of calls and the number of values. */
    private static final int LEAST_ENTRY_BYTES = 12;

    private LegacyImportanceFile() {}

    static ImportanceMatrix read(Path path) {
        try (MappedFile file = MappedFile.open(path)) {
            HeaderCursor cursor = new HeaderCursor(file.bytes(), path);
            if (file.bytes().byteSize() < 4) {
                throw notOne(path);
            }
            int count = cursor.int32("the number of entries");
            if (count < 1 || count > file.bytes().byteSize() / LEAST_ENTRY_BYTES) {
                throw notOne(path);
            }
            List<ImportanceMatrix.Entry> entries = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                entries.add(entry(cursor));
            }
            return new ImportanceMatrix(new ImportanceMatrix.Origin(List.of(), 0, 0), entries);
        }
    }

    private static ImportanceMatrix.Entry entry(HeaderCursor cursor) {
        String name = cursor.text(cursor.int32("the length of a name"), "a name");
        int calls = cursor.int32("the number of calls of " + HeaderCursor.quoted(name));
        float[] values = cursor.floats("the values of " + HeaderCursor.quoted(name));
        if (values.length == 0 || calls < 1) {
            throw cursor.refuse("the entry " + HeaderCursor.quoted(name) + " has " + values.length + " values of "
                    + calls + " calls");
        }
        // Values are means times calls; sums of squares that give the same means are as good.
        return new ImportanceMatrix.Entry(name, values.length, values, new float[] {calls});
    }

    private static InputException notOne(Path path) {
        return new InputException(
                path + " is no importance matrix; make one with 'gpuquant imatrix', or with llama.cpp");
    }
}
