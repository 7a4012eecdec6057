package io.gpuquant.format;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gpuquant.InputException;
import io.gpuquant.safetensors.TensorSpec;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.HostTensor;
import io.gpuquant.tensor.Shape;
import java.lang.foreign.ValueLayout;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * What every quantized linear of a bitsandbytes checkpoint has in common (bitsandbytes, {@code QuantState.as_dict} and {@code
 * Linear4bit._save_to_state_dict}).
 *
 * @param doubleQuant whether the absmax of blocks are quantized too; four bits only
 * @param offsets of a second quantization, by linear: the mean of its absmax, whose digits are written into the file and so
 *     decide its length; empty where none is written
 */
public record BnbScheme(BnbType type, boolean doubleQuant, DType weightType, Map<String, Float> offsets)
        implements ElementScheme {

    /** Weights that share an absmax. */
    public static final int BLOCK = 64;

    /** Absmax that share one of their own. */
    public static final int NESTED_BLOCK = 256;

    private static final int TABLE = 16;
    private static final int NESTED_TABLE = 256;
    private static final float LARGEST_CODE = 127;

    public BnbScheme {
        if (doubleQuant && type == BnbType.INT8) {
            throw new IllegalArgumentException("double quantization of " + type);
        }
        offsets = Map.copyOf(offsets);
    }

    @Override
    public String describe() {
        return "bnb " + type + (doubleQuant ? " double-quant" : "");
    }

    @Override
    public int bits() {
        return type == BnbType.INT8 ? 8 : 4;
    }

    @Override
    public Optional<String> obstacle(int in, int out) {
        return type == BnbType.INT8 || (long) in * out % BLOCK == 0
                ? Optional.empty()
                : Optional.of(in + " times " + out + " weights, which are not blocks of " + BLOCK);
    }

    @Override
    public String codes(String module) {
        return module + ".weight";
    }

    @Override
    public DType codesType() {
        return type == BnbType.INT8 ? DType.I8 : DType.U8;
    }

    @Override
    public List<TensorSpec> specs(String module, int in, int out) {
        String weight = codes(module);
        if (type == BnbType.INT8) {
            return List.of(
                    new TensorSpec(weight, DType.I8, Shape.of(out, in)),
                    new TensorSpec(rowMaxima(module), DType.F32, Shape.of(out)),
                    new TensorSpec(weight + "_format", DType.U8, Shape.of()));
        }
        long count = (long) in * out;
        long blocks = count / BLOCK;
        List<TensorSpec> specs = new ArrayList<>();
        specs.add(new TensorSpec(weight, DType.U8, Shape.of(count / 2, 1)));
        specs.add(new TensorSpec(weight + ".absmax", doubleQuant ? DType.U8 : DType.F32, Shape.of(blocks)));
        if (doubleQuant) {
            long nested = Math.ceilDiv(blocks, NESTED_BLOCK);
            specs.add(new TensorSpec(weight + ".nested_absmax", DType.F32, Shape.of(nested)));
            specs.add(new TensorSpec(weight + ".nested_quant_map", DType.F32, Shape.of(NESTED_TABLE)));
        }
        specs.add(new TensorSpec(weight + ".quant_map", DType.F32, Shape.of(TABLE)));
        specs.add(new TensorSpec(stateName(module), DType.U8, Shape.of(state(module, in, out).length)));
        return specs;
    }

    /** The tensor with the largest magnitude of each row of an INT8 linear. */
    public String rowMaxima(String module) {
        return module + ".SCB";
    }

    /** The tensor with the description of a four-bit linear. */
    public String stateName(String module) {
        return codes(module) + ".quant_state.bitsandbytes__" + type.typeName();
    }

    /** That description: JSON as Python writes it. */
    public byte[] state(String module, int in, int out) {
        String json = "{\"quant_type\": \"" + type.typeName() + "\", \"blocksize\": " + BLOCK + ", \"dtype\": \""
                + pythonName(weightType) + "\", \"shape\": [" + out + ", " + in + "]";
        if (doubleQuant) {
            double offset = Objects.requireNonNull(offsets.get(module), module);
            json += ", \"nested_blocksize\": " + NESTED_BLOCK + ", \"nested_dtype\": \"float32\", \"nested_offset\": "
                    + pythonText(offset);
        }
        return (json + "}").getBytes(StandardCharsets.UTF_8);
    }

    /** The shortest decimal that gives the number back, in Python's notation. */
    private static String pythonText(double value) {
        boolean plain = value == 0 || Math.abs(value) >= 1e-4 && Math.abs(value) < 1e16;
        String digits = Double.toString(value);
        if (!plain || !digits.contains("E")) {
            return digits.toLowerCase(Locale.ROOT).replace(".0e", "e").replaceAll("e-(\\d)$", "e-0$1");
        }
        return new BigDecimal(digits).toPlainString();
    }

    /** What PyTorch calls a type. */
    static String pythonName(DType dtype) {
        return switch (dtype) {
            case F16 -> "float16";
            case BF16 -> "bfloat16";
            default -> "float32";
        };
    }

    @Override
    public ElementLinear read(TensorReader reader, String module) {
        return type == BnbType.INT8 ? readRows(reader, module) : readBlocks(reader, module);
    }

    private ScaledLinear readRows(TensorReader reader, String module) {
        HostTensor codes = ElementScheme.require(reader, codes(module));
        HostTensor maxima = ElementScheme.require(reader, rowMaxima(module));
        if (codes.shape().rank() != 2
                || maxima.dtype() != DType.F32
                || maxima.shape().elementCount() != codes.shape().extent(0)) {
            throw unfit(codes, maxima);
        }
        int out = Math.toIntExact(codes.shape().extent(0));
        int in = Math.toIntExact(codes.shape().extent(1));
        ScaledLinear.Scales scales = new ScaledLinear.Scales(maxima, Optional.empty(), 1, in, LARGEST_CODE);
        return new ScaledLinear(in, out, ElementType.INT8, codes, scales);
    }

    private static InputException unfit(HostTensor codes, HostTensor scales) {
        return new InputException(codes.name() + " has shape " + codes.shape() + " and " + scales.name() + " is "
                + scales.dtype() + scales.shape() + ", which do not make a linear of bitsandbytes; the checkpoint is"
                + " damaged");
    }

    private TableLinear readBlocks(TensorReader reader, String module) {
        String weight = codes(module);
        HostTensor codes = ElementScheme.require(reader, weight);
        HostTensor table = ElementScheme.require(reader, weight + ".quant_map");
        HostTensor absmax = ElementScheme.require(reader, weight + ".absmax");
        JsonNode state = parse(ElementScheme.require(reader, stateName(module)));
        int out = state.path("shape").path(0).asInt();
        int in = state.path("shape").path(1).asInt();
        int block = state.path("blocksize").asInt();
        long count = (long) in * out;
        TableLinear.Nested nested = state.has("nested_blocksize") ? nested(reader, weight, state) : null;
        boolean fits = in > 0
                && out > 0
                && block > 0
                && codes.byteSize() == (count + 1) / 2
                && table.dtype() == DType.F32
                && table.shape().elementCount() == TABLE
                && absmax.dtype() == (nested == null ? DType.F32 : DType.U8)
                && absmax.shape().elementCount() == Math.ceilDiv(count, block)
                && (nested == null
                        || nested.absmax().shape().elementCount()
                                == Math.ceilDiv(absmax.shape().elementCount(), nested.blockSize()));
        if (!fits) {
            throw unfit(codes, absmax);
        }
        return new TableLinear(in, out, block, codes, table, absmax, nested);
    }

    private static TableLinear.Nested nested(TensorReader reader, String weight, JsonNode state) {
        HostTensor table = ElementScheme.require(reader, weight + ".nested_quant_map");
        HostTensor absmax = ElementScheme.require(reader, weight + ".nested_absmax");
        if (table.dtype() != DType.F32 || table.shape().elementCount() != NESTED_TABLE || absmax.dtype() != DType.F32) {
            throw unfit(table, absmax);
        }
        int block = Math.max(1, state.path("nested_blocksize").asInt());
        return new TableLinear.Nested(
                table, absmax, block, (float) state.path("nested_offset").asDouble());
    }

    private static JsonNode parse(HostTensor tensor) {
        try {
            return new ObjectMapper()
                    .readTree(new String(tensor.data().toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8));
        } catch (JsonProcessingException damaged) {
            throw new InputException(
                    tensor.name() + " is not the JSON it should be; the checkpoint is damaged", damaged);
        }
    }
}
