package io.gpuquant.ptx;

import io.gpuquant.ptx.syntax.PtxType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * A test of an instruction, in a file: a sentence on what it shows, a table of inputs and the outputs expected, and the PTX
 * that makes the one from the other.
 *
 * <pre>{@code
 * // Shifts to the left fill with zeros, and leave nothing when they reach the width.
 * //
 * // a:b32       n:u32  =>  d:b32
 * // 0x80000001  1      =>  2
 * // 1           32     =>  0          not taken modulo 32
 *
 * shl.b32 d, a, n;
 * }</pre>
 *
 * The first comment with {@code =>} declares registers, inputs on its left, outputs on its right. Each further one is the
 * work of one thread; what follows its last value is a remark. The PTX may also use the registers {@code thread} (the
 * thread's number) and {@code memory} (the address of 64 bytes of the thread's own in global memory, which a line
 * {@code // memory: 00 ff ...} fills, the rest being zero). Every row is run in a full warp, with rows repeated, and in one
 * that is not full; {@code // threads: 64} asks for just so many instead.
 */
final class InstructionFile {

    static final int MEMORY_BYTES = 64;
    private static final int SLOT_BYTES = 8;
    private static final String FOLDER = "instructions";

    /** A register of the table. */
    record Variable(String name, PtxType type) {}

    /** What one thread takes and must give, as bits. */
    record Row(int line, long[] inputs, long[] outputs) {}

    private final Path path;
    private final List<String> lines;
    private final List<Variable> inputs = new ArrayList<>();
    private final List<Variable> outputs = new ArrayList<>();
    private final List<Row> rows = new ArrayList<>();
    private final byte[] memory = new byte[MEMORY_BYTES];
    private int threads;

    private InstructionFile(Path path, List<String> lines) {
        this.path = path;
        this.lines = lines;
    }

    /** All instruction files. */
    static List<InstructionFile> all() {
        try (Stream<Path> files = Files.walk(folder())) {
            return files.filter(file -> file.toString().endsWith(".ptx"))
                    .sorted()
                    .map(InstructionFile::read)
                    .toList();
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    private static Path folder() {
        try {
            return Path.of(Objects.requireNonNull(InstructionFile.class.getResource(FOLDER))
                    .toURI());
        } catch (URISyntaxException failure) {
            throw new IllegalStateException(failure);
        }
    }

    private static InstructionFile read(Path path) {
        try {
            InstructionFile file = new InstructionFile(path, Files.readAllLines(path));
            file.parse();
            return file;
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        } catch (RuntimeException failure) {
            throw new IllegalArgumentException(path.getFileName() + ": " + failure.getMessage(), failure);
        }
    }

    private void parse() {
        for (int i = 0; i < lines.size(); i++) {
            String line = lines.get(i);
            if (!line.startsWith("//")) {
                continue;
            }
            String comment = line.substring(2).strip();
            if (comment.startsWith("memory:")) {
                byte[] bytes = HexFormat.ofDelimiter(" ")
                        .parseHex(comment.substring("memory:".length()).strip());
                System.arraycopy(bytes, 0, memory, 0, bytes.length);
            } else if (comment.startsWith("threads:")) {
                threads =
                        Integer.parseInt(comment.substring("threads:".length()).strip());
            } else if (comment.contains("=>")) {
                parseTableLine(i + 1, comment);
            }
        }
        if (rows.isEmpty()) {
            throw new IllegalArgumentException("no rows");
        }
    }

    private void parseTableLine(int line, String comment) {
        int arrow = comment.indexOf("=>");
        List<String> left = words(comment.substring(0, arrow));
        List<String> right = words(comment.substring(arrow + 2));
        if (inputs.isEmpty() && outputs.isEmpty()) {
            left.forEach(word -> inputs.add(variable(word)));
            right.forEach(word -> outputs.add(variable(word)));
            return;
        }
        if (left.size() != inputs.size() || right.size() < outputs.size()) {
            throw new IllegalArgumentException("line " + line + " does not fit the head of the table");
        }
        try {
            rows.add(new Row(line, values(left, inputs), values(right, outputs)));
        } catch (IllegalArgumentException failure) {
            throw new IllegalArgumentException("line " + line + ": " + failure.getMessage(), failure);
        }
    }

    private static List<String> words(String text) {
        return Arrays.stream(text.strip().split("\\s+"))
                .filter(word -> !word.isEmpty())
                .toList();
    }

    private static Variable variable(String word) {
        int colon = word.indexOf(':');
        PtxType type = PtxType.named(word.substring(colon + 1));
        if (colon < 0 || type == null) {
            throw new IllegalArgumentException("'" + word + "' declares no register");
        }
        return new Variable(word.substring(0, colon), type);
    }

    private static long[] values(List<String> words, List<Variable> variables) {
        long[] values = new long[variables.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = Values.parse(words.get(i), variables.get(i).type());
        }
        return values;
    }

    String name() {
        return folder().relativize(path).toString();
    }

    List<Variable> inputs() {
        return inputs;
    }

    List<Variable> outputs() {
        return outputs;
    }

    List<Row> rows() {
        return rows;
    }

    byte[] memory() {
        return memory;
    }

    /** The numbers of threads to run with. */
    int[] threadCounts() {
        if (threads > 0) {
            return new int[] {threads};
        }
        int full = (rows.size() + 31) / 32 * 32;
        return new int[] {full, full == rows.size() ? full - 1 : rows.size()};
    }

    /** The entry that runs this file, so that the file's lines keep their numbers within it, {@code leading} further down. */
    String entry(String entryName) {
        StringBuilder text = new StringBuilder(
                ".visible .entry " + entryName + "(.param .u64 inputs, .param .u64 outputs, .param .u64 memories) { "
                        + ".reg .b32 thread, %word; .reg .b64 memory, %inputs, %outputs; .reg .pred %flag; ");
        inputs.forEach(each -> text.append(".reg .%s %s; ".formatted(each.type(), each.name())));
        outputs.forEach(each -> text.append(".reg .%s %s; ".formatted(each.type(), each.name())));
        text.append(
                "ld.param.u64 %inputs, [inputs]; ld.param.u64 %outputs, [outputs]; ld.param.u64 memory, [memories]; "
                        + "mov.u32 thread, %tid.x; mad.wide.u32 memory, thread, " + MEMORY_BYTES + ", memory; ");
        text.append("mad.wide.u32 %%inputs, thread, %d, %%inputs; ".formatted(inputs.size() * SLOT_BYTES));
        text.append("mad.wide.u32 %%outputs, thread, %d, %%outputs; ".formatted(outputs.size() * SLOT_BYTES));
        for (int i = 0; i < inputs.size(); i++) {
            text.append(load(inputs.get(i), i * SLOT_BYTES));
        }
        text.append("{ ");
        lines.forEach(line -> text.append(line).append('\n'));
        text.append("} ");
        for (int i = 0; i < outputs.size(); i++) {
            text.append(store(outputs.get(i), i * SLOT_BYTES));
        }
        return text.append("ret; }\n").toString();
    }

    /** A module of only this file's entry, whose lines have the numbers that they have in the file. */
    String module() {
        return ".version 7.4 .target sm_80 .address_size 64 " + entry("test");
    }

    private static String load(Variable variable, int offset) {
        if (variable.type() == PtxType.PRED) {
            return "ld.global.b32 %%word, [%%inputs+%d]; setp.ne.b32 %s, %%word, 0; "
                    .formatted(offset, variable.name());
        }
        return "ld.global.%s %s, [%%inputs+%d]; ".formatted(memoryType(variable.type()), variable.name(), offset);
    }

    private static String store(Variable variable, int offset) {
        if (variable.type() == PtxType.PRED) {
            return "selp.b32 %%word, 1, 0, %s; st.global.b32 [%%outputs+%d], %%word; "
                    .formatted(variable.name(), offset);
        }
        return "st.global.%s [%%outputs+%d], %s; ".formatted(memoryType(variable.type()), offset, variable.name());
    }

    private static String memoryType(PtxType type) {
        return "b" + type.bits();
    }

    @Override
    public String toString() {
        return name();
    }
}
