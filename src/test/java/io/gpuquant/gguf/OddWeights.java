package io.gpuquant.gguf;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/** Weights and importances on which searches go astray, the same at every call. */
public final class OddWeights {

    private OddWeights() {}

    /** Weights. */
    public enum Kind {
        GAUSSIAN,
        HEAVY,
        POSITIVE,
        NEGATIVE,
        SPARSE,
        CONSTANT,
        ALMOST_CONSTANT,
        ZERO,
        NEGLIGIBLE,
        DENORMAL,
        LARGE,
        OF_ALL_MAGNITUDES,
        INTEGER
    }

    /** Importances. */
    public enum Importance {
        NONE,
        UNIFORM,
        ZERO,
        MOSTLY_ZERO,
        SOMETIMES_HUGE,
        TINY,
        OF_ALL_MAGNITUDES
    }

    /** Weights of a kind. */
    public static float[] weights(Kind kind, int count) {
        SplittableRandom random = new SplittableRandom(kind.ordinal() + 1);
        double constant = random.nextGaussian();
        float[] weights = new float[count];
        for (int i = 0; i < count; i++) {
            double normal = random.nextGaussian();
            weights[i] = (float)
                    switch (kind) {
                        case GAUSSIAN -> 0.02 * normal;
                        case HEAVY -> 0.05 * normal * normal * normal;
                        case POSITIVE -> Math.abs(normal);
                        case NEGATIVE -> -1 - Math.abs(normal);
                        case SPARSE -> random.nextInt(10) == 0 ? normal : i % 2 == 0 ? 0.0 : -0.0;
                        case CONSTANT -> i / 256 % 3 == 0 ? -constant : constant;
                        case ALMOST_CONSTANT -> constant + 1e-6 * normal;
                        case ZERO -> 0;
                        case NEGLIGIBLE -> normal * Math.pow(10, -12 - i / 64 % 8);
                        case DENORMAL -> normal * Math.pow(10, -36 - i / 32 % 9);
                        case LARGE -> 3000 * normal;
                        case OF_ALL_MAGNITUDES -> normal * Math.pow(10, i / 16 % 9 - 6);
                        case INTEGER -> random.nextInt(17) - 8;
                    };
        }
        return weights;
    }

    /** A number for each column, or null for none. */
    public static float @Nullable [] importance(Importance kind, int columns) {
        if (kind == Importance.NONE) {
            return null;
        }
        SplittableRandom random = new SplittableRandom(kind.ordinal() + 100);
        float[] importance = new float[columns];
        for (int i = 0; i < columns; i++) {
            double uniform = random.nextDouble();
            importance[i] = (float)
                    switch (kind) {
                        case NONE, UNIFORM -> uniform;
                        case ZERO -> 0;
                        case MOSTLY_ZERO -> random.nextInt(4) == 0 ? uniform : 0;
                        case SOMETIMES_HUGE -> random.nextInt(50) == 0 ? 1e20 * uniform : uniform;
                        case TINY -> 1e-38 * uniform;
                        case OF_ALL_MAGNITUDES -> Math.pow(10, 30 * uniform - 15);
                    };
        }
        return importance;
    }

    /** The blocks in hexadecimal digits; of those whose scales are not numbers, which nobody may write, only that they are. */
    public static List<String> blocksOfNumbers(GgmlType type, byte[] blocks) {
        int[] halves = switch (type) {
            case Q2_K -> new int[] {80, 82};
            case Q3_K -> new int[] {108};
            case Q6_K -> new int[] {208};
            case Q4_1, Q5_1, Q4_K, Q5_K -> new int[] {0, 2};
            default -> new int[] {0};
        };
        List<String> texts = new ArrayList<>();
        for (int at = 0; at < blocks.length; at += type.blockBytes()) {
            int start = at;
            boolean finite = Arrays.stream(halves).allMatch(half -> (blocks[start + half + 1] & 0x7c) != 0x7c);
            texts.add(finite ? HexFormat.of().formatHex(blocks, at, at + type.blockBytes()) : "not a number");
        }
        return texts;
    }
}
