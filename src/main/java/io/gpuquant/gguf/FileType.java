package io.gpuquant.gguf;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * A mix of block types that a whole file is known by, such as Q4_K_M.
 *
 * @see <a href="https://github.com/ggml-org/llama.cpp/blob/master/include/llama.h">llama.cpp, {@code llama_ftype}</a>
 */
public enum FileType {
    F32(0, GgmlType.F32),
    F16(1, GgmlType.F16),
    Q4_0(2, GgmlType.Q4_0),
    Q4_1(3, GgmlType.Q4_1),
    Q8_0(7, GgmlType.Q8_0),
    Q5_0(8, GgmlType.Q5_0),
    Q5_1(9, GgmlType.Q5_1),
    Q2_K(10, GgmlType.Q2_K),
    Q3_K_S(11, GgmlType.Q3_K),
    Q3_K_M(12, GgmlType.Q3_K),
    Q3_K_L(13, GgmlType.Q3_K),
    Q4_K_S(14, GgmlType.Q4_K),
    Q4_K_M(15, GgmlType.Q4_K),
    Q5_K_S(16, GgmlType.Q5_K),
    Q5_K_M(17, GgmlType.Q5_K),
    Q6_K(18, GgmlType.Q6_K),
    Q2_K_S(21, GgmlType.Q2_K),
    IQ4_NL(25, GgmlType.IQ4_NL),
    IQ4_XS(30, GgmlType.IQ4_XS),
    BF16(32, GgmlType.BF16);

    private final int id;
    private final GgmlType base;

    FileType(int id, GgmlType base) {
        this.id = id;
        this.base = base;
    }

    /** The value of {@code general.file_type}. */
    public int id() {
        return id;
    }

    /** The type of every tensor that no rule says otherwise of. */
    public GgmlType base() {
        return base;
    }

    /** The mix with this name, in any case of letters; {@code Q3_K}, {@code Q4_K} and {@code Q5_K} are their medium ones. */
    public static Optional<FileType> named(String name) {
        String wanted = switch (name.toUpperCase(Locale.ROOT)) {
            case "Q3_K" -> "Q3_K_M";
            case "Q4_K" -> "Q4_K_M";
            case "Q5_K" -> "Q5_K_M";
            default -> name;
        };
        return Arrays.stream(values())
                .filter(type -> type.name().equalsIgnoreCase(wanted))
                .findFirst();
    }

    /** The mix with this number, if gpuquant knows it. */
    public static Optional<FileType> withId(long id) {
        return Arrays.stream(values()).filter(type -> type.id == id).findFirst();
    }

    /** All names, for a message. */
    public static String names() {
        return Arrays.stream(values()).map(FileType::name).collect(Collectors.joining(", "));
    }
}
