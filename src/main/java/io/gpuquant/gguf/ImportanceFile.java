package io.gpuquant.gguf;

import io.gpuquant.InputException;
import io.gpuquant.file.MappedFile;
import io.gpuquant.file.Quoted;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Importance matrices as GGUF files: two float32 tensors for each weight, its sums of squares and its counts of tokens. */
final class ImportanceFile {

    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final String SUMS = ".in_sum2";
    private static final String COUNTS = ".counts";
    private static final String DATASETS = "imatrix.datasets";
    private static final String CHUNKS = "imatrix.chunk_count";
    private static final String CHUNK_SIZE = "imatrix.chunk_size";

    private ImportanceFile() {}

    static boolean isGguf(Path file) {
        MappedFile.requireRegular(file);
        try (InputStream in = Files.newInputStream(file)) {
            return Arrays.equals(in.readNBytes(4), new byte[] {'G', 'G', 'U', 'F'});
        } catch (IOException e) {
            throw MappedFile.unreadable(file, e);
        }
    }

    static ImportanceMatrix read(Path path) {
        try (GgufFile file = GgufFile.open(path)) {
            if (!file.text("general.type").orElse("").equals("imatrix")) {
                throw new InputException(
                        path + " is a GGUF file, but no importance matrix; make one with 'gpuquant imatrix'");
            }
            List<ImportanceMatrix.Entry> entries = new ArrayList<>();
            for (GgufTensor sums : file.header().tensors()) {
                if (sums.name().endsWith(SUMS)) {
                    String name = sums.name().substring(0, sums.name().length() - SUMS.length());
                    GgufTensor counts = file.find(name + COUNTS)
                            .orElseThrow(() -> new InputException(path + " has sums for " + Quoted.text(name)
                                    + " but no counts; make the file again"));
                    entries.add(entry(file, name, sums, counts));
                }
            }
            return new ImportanceMatrix(
                    new ImportanceMatrix.Origin(
                            file.array(DATASETS)
                                    .filter(array -> array.elementType() == GgufType.STRING)
                                    .map(GgufValue.Array::texts)
                                    .orElse(List.of()),
                            file.whole(CHUNKS).orElse(0L),
                            file.whole(CHUNK_SIZE).orElse(0L)),
                    entries);
        }
    }

    private static ImportanceMatrix.Entry entry(GgufFile file, String name, GgufTensor sums, GgufTensor counts) {
        boolean fits = sums.type() == GgmlType.F32
                && counts.type() == GgmlType.F32
                && counts.rowLength() == 1
                && counts.elements() == sums.rows()
                && sums.elements() <= Integer.MAX_VALUE - 8;
        if (!fits) {
            throw new InputException(file.path() + ": the sums for " + Quoted.text(name) + " are of shape "
                    + sums.shape() + " and the counts of " + counts.shape() + ", which do not belong together");
        }
        return new ImportanceMatrix.Entry(
                name, (int) sums.rowLength(), floats(file.data(sums)), floats(file.data(counts)));
    }

    private static float[] floats(MemorySegment data) {
        float[] values = new float[(int) (data.byteSize() / Float.BYTES)];
        MemorySegment.copy(data, FLOAT, 0, values, 0, values.length);
        return values;
    }

    static byte[] bytes(ImportanceMatrix matrix) {
        Map<String, GgufValue> metadata = new LinkedHashMap<>();
        metadata.put("general.type", GgufValue.text("imatrix"));
        metadata.put(DATASETS, GgufValue.texts(matrix.origin().datasets()));
        metadata.put(CHUNKS, GgufValue.count(matrix.origin().chunks()));
        metadata.put(CHUNK_SIZE, GgufValue.count(matrix.origin().chunkSize()));
        List<GgufLayout.Spec> specs = new ArrayList<>();
        for (ImportanceMatrix.Entry entry : matrix.entries()) {
            specs.add(spec(entry.name() + SUMS, entry.columns(), entry.matrices()));
            specs.add(spec(entry.name() + COUNTS, 1, entry.matrices()));
        }
        GgufLayout layout = GgufLayout.of(metadata, specs);
        byte[] bytes = Arrays.copyOf(layout.headerBytes(), Math.toIntExact(layout.fileBytes()));
        for (ImportanceMatrix.Entry entry : matrix.entries()) {
            put(layout, entry.name() + SUMS, bytes, entry.sums());
            put(layout, entry.name() + COUNTS, bytes, entry.counts());
        }
        return bytes;
    }

    /** As ggml has it, without a last extent of one. */
    private static GgufLayout.Spec spec(String name, long columns, long matrices) {
        return new GgufLayout.Spec(name, GgmlType.F32, matrices == 1 ? List.of(columns) : List.of(columns, matrices));
    }

    private static void put(GgufLayout layout, String name, byte[] file, float... values) {
        long position = layout.position(layout.tensor(name));
        MemorySegment.copy(values, 0, MemorySegment.ofArray(file), FLOAT, position, values.length);
    }
}
