package io.gpuquant.ptx;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.ptx.syntax.PtxType;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every shape of {@code mma.sync} on both generations of matrix units, on friendly and hostile operands. */
class TensorCoreTest {

    private static final int ROWS = 16;
    private static final int COLUMNS = 8;
    private static final int LANES = 32;

    /** One kernel: a product of 16 x k and k x 8. */
    record Form(PtxType type, int k, TensorCoreModel model) {

        int elementsPerRegister() {
            return 32 / type.bits();
        }

        int registersOfB() {
            return k / (4 * elementsPerRegister());
        }
    }

    /** What operands are drawn from. */
    enum Kind {
        NORMAL,
        ANY_BITS,
        CANCELLING,
        WIDE_GAPS,
        SUBNORMAL,
        NEAR_OVERFLOW
    }

    static List<Form> floatForms() {
        List<Form> forms = new ArrayList<>();
        for (TensorCoreModel model : TensorCoreModel.values()) {
            for (PtxType type : List.of(PtxType.F16, PtxType.BF16)) {
                forms.add(new Form(type, 8, model));
                forms.add(new Form(type, 16, model));
            }
            forms.add(new Form(PtxType.TF32, 4, model));
            forms.add(new Form(PtxType.TF32, 8, model));
        }
        return forms;
    }

    static List<Form> integerForms() {
        return List.of(
                new Form(PtxType.S8, 16, TensorCoreModel.SM_80),
                new Form(PtxType.S8, 32, TensorCoreModel.SM_80),
                new Form(PtxType.U8, 16, TensorCoreModel.SM_80),
                new Form(PtxType.U8, 32, TensorCoreModel.SM_80));
    }

    @ParameterizedTest
    @MethodSource("floatForms")
    void sumsAreThoseOfTheModel(Form form) {
        Random random = new Random(12);
        int group = (form.model() == TensorCoreModel.SM_80 ? 8 : 16) / (form.type() == PtxType.TF32 ? 2 : 1);
        ReferenceTensorCore reference = new ReferenceTensorCore(group, form.model() == TensorCoreModel.SM_80 ? 1 : 2);
        for (Kind kind : Kind.values()) {
            for (int i = 0; i < 4; i++) {
                int[] a = IntStream.range(0, ROWS * form.k())
                        .map(j -> element(form, kind, random))
                        .toArray();
                int[] b = IntStream.range(0, COLUMNS * form.k())
                        .map(j -> element(form, kind, random))
                        .toArray();
                int[] c = IntStream.range(0, ROWS * COLUMNS)
                        .map(j -> accumulator(kind, random))
                        .toArray();
                if (kind == Kind.CANCELLING) {
                    cancel(form, a, b);
                }
                int[] d = run(form, a, b, c);
                for (int j = 0; j < d.length; j++) {
                    int expected = reference.multiply(
                            Float.intBitsToFloat(c[j]), terms(form, a, j / COLUMNS), terms(form, b, j % COLUMNS));
                    assertThat(d[j])
                            .as("%s %s, row %d, column %d", form, kind, j / COLUMNS, j % COLUMNS)
                            .isEqualTo(expected);
                }
            }
        }
    }

    private static ReferenceTensorCore.Term[] terms(Form form, int[] elements, int line) {
        ReferenceTensorCore.Term[] terms = new ReferenceTensorCore.Term[form.k()];
        for (int i = 0; i < terms.length; i++) {
            int bits = elements[line * form.k() + i];
            terms[i] = switch (form.type()) {
                case F16 -> ReferenceTensorCore.Term.ofHalf(bits);
                case BF16 -> ReferenceTensorCore.Term.ofFloat(Float.intBitsToFloat(bits << 16));
                // The unit does not see the lower 13 bits.
                default -> ReferenceTensorCore.Term.ofFloat(Float.intBitsToFloat(bits >>> 13 << 13));
            };
        }
        return terms;
    }

    private static int element(Form form, Kind kind, Random random) {
        boolean f16 = form.type() == PtxType.F16;
        float gaussian = (float) random.nextGaussian();
        return switch (kind) {
            case NORMAL, CANCELLING -> encode(form, gaussian);
            case ANY_BITS -> random.nextInt() & (form.type() == PtxType.TF32 ? -1 : 0xffff);
            case WIDE_GAPS ->
                encode(
                        form,
                        random.nextInt(5) == 0
                                ? 0
                                : Math.scalb(gaussian, random.nextInt(f16 ? -20 : -60, f16 ? 12 : 60)));
            case SUBNORMAL -> encode(form, Math.scalb(gaussian, f16 ? -16 : -70));
            case NEAR_OVERFLOW -> encode(form, f16 ? gaussian * 20000 : Math.scalb(1.5f, 63));
        };
    }

    private static int encode(Form form, float value) {
        return switch (form.type()) {
            case F16 -> Float.floatToFloat16(value) & 0xffff;
            case BF16 -> Float.floatToRawIntBits(value) >>> 16;
            default -> Float.floatToRawIntBits(value);
        };
    }

    private static int accumulator(Kind kind, Random random) {
        float gaussian = (float) random.nextGaussian();
        return switch (kind) {
            case ANY_BITS -> random.nextInt();
            case WIDE_GAPS -> Float.floatToRawIntBits(Math.scalb(gaussian, random.nextInt(-100, 100)));
            case SUBNORMAL -> Float.floatToRawIntBits(Math.scalb(gaussian, -130));
            case NEAR_OVERFLOW -> Float.floatToRawIntBits(Math.scalb(gaussian, 126));
            default -> Float.floatToRawIntBits(random.nextInt(3) == 0 ? 0 : gaussian);
        };
    }

    /** Makes the second half of each sum nearly the opposite of the first. */
    private static void cancel(Form form, int[] a, int[] b) {
        int sign = form.type() == PtxType.TF32 ? 0x80000000 : 0x8000;
        int half = form.k() / 2;
        for (int i = 0; i < a.length; i++) {
            if (i % form.k() >= half) {
                a[i] = a[i - half] ^ sign;
            }
        }
        for (int i = 0; i < b.length; i++) {
            if (i % form.k() >= half && i % 3 != 0) {
                b[i] = b[i - half];
            }
        }
    }

    @ParameterizedTest
    @MethodSource("integerForms")
    void sumsOfBytesWrapAround(Form form) {
        Random random = new Random(13);
        for (int round = 0; round < 8; round++) {
            int[] a = random.ints(ROWS * form.k(), 0, 256).toArray();
            int[] b = random.ints(COLUMNS * form.k(), 0, 256).toArray();
            int[] c = random.ints(ROWS * COLUMNS).toArray();
            int[] d = run(form, a, b, c);
            for (int j = 0; j < d.length; j++) {
                int sum = c[j];
                for (int i = 0; i < form.k(); i++) {
                    int x = a[j / COLUMNS * form.k() + i];
                    int y = b[j % COLUMNS * form.k() + i];
                    sum += form.type() == PtxType.S8 ? (byte) x * (byte) y : x * y;
                }
                assertThat(d[j]).isEqualTo(sum);
            }
        }
    }

    /** Runs one product; A is row by row, B column by column, C and D row by row. */
    private static int[] run(Form form, int[] a, int[] b, int[] c) {
        MachineOptions options = MachineOptions.checked().withTensorCores(form.model());
        int per = form.elementsPerRegister();
        int registersOfB = form.registersOfB();
        try (KernelRunner runner = new KernelRunner(options, "mma.ptx", kernel(form))) {
            int[] inputs = new int[LANES * (3 * registersOfB + 4)];
            for (int lane = 0; lane < LANES; lane++) {
                int group = lane / 4;
                int start = lane * (3 * registersOfB + 4);
                for (int i = 0; i < 2 * registersOfB; i++) {
                    int row = group + 8 * (i % 2);
                    inputs[start + i] = pack(a, row * form.k() + i / 2 * 4 * per + lane % 4 * per, per);
                }
                for (int i = 0; i < registersOfB; i++) {
                    inputs[start + 2 * registersOfB + i] =
                            pack(b, group * form.k() + i * 4 * per + lane % 4 * per, per);
                }
                for (int i = 0; i < 4; i++) {
                    inputs[start + 3 * registersOfB + i] = c[(group + 8 * (i / 2)) * COLUMNS + lane % 4 * 2 + i % 2];
                }
            }
            Allocation in = runner.ints("in", inputs);
            Allocation out = runner.empty("out", LANES * 16);
            runner.launch(1, LANES, in, out);
            int[] results = runner.readInts(out);
            int[] d = new int[ROWS * COLUMNS];
            for (int j = 0; j < results.length; j++) {
                int lane = j / 4;
                d[(lane / 4 + 8 * (j % 4 / 2)) * COLUMNS + lane % 4 * 2 + j % 2] = results[j];
            }
            return d;
        }
    }

    private static int pack(int[] elements, int at, int count) {
        int word = 0;
        for (int i = 0; i < count; i++) {
            word |= elements[at + i] << i * (32 / count);
        }
        return word;
    }

    private static String kernel(Form form) {
        int registersOfB = form.registersOfB();
        int registersOfA = 2 * registersOfB;
        int inputs = registersOfA + registersOfB + 4;
        String result = form.type().isFloat() ? "f32" : "s32";
        StringBuilder text = new StringBuilder("""
                .version 7.4
                .target sm_80
                .address_size 64
                .visible .entry product(.param .u64 in, .param .u64 out) {
                    .reg .b32 %%lane, %%v<20>, %%d<4>;
                    .reg .b64 %%in, %%out;
                    mov.u32 %%lane, %%tid.x;
                    ld.param.u64 %%in, [in];
                    ld.param.u64 %%out, [out];
                    mad.wide.u32 %%in, %%lane, %d, %%in;
                    mad.wide.u32 %%out, %%lane, 16, %%out;
                """.formatted(4 * inputs));
        for (int i = 0; i < inputs; i++) {
            text.append("ld.global.b32 %%v%d, [%%in+%d];\n".formatted(i, 4 * i));
        }
        text.append("mma.sync.aligned.m16n8k%d.row.col.%s.%s.%s.%s {%%d0, %%d1, %%d2, %%d3}, %s, %s, %s;\n"
                .formatted(
                        form.k(),
                        result,
                        form.type(),
                        form.type(),
                        result,
                        registers(0, registersOfA),
                        registers(registersOfA, registersOfB),
                        registers(registersOfA + registersOfB, 4)));
        return text.append("st.global.v4.b32 [%out], {%d0, %d1, %d2, %d3};\nret; }\n")
                .toString();
    }

    private static String registers(int from, int count) {
        return IntStream.range(from, from + count).mapToObj(i -> "%v" + i).collect(Collectors.joining(", ", "{", "}"));
    }
}
