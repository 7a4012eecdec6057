package io.gpuquant.model;

import io.gpuquant.device.AttentionMethod;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.kernels.AttentionRule;
import io.gpuquant.kernels.ConvertKernels;
import io.gpuquant.kernels.NormKernels;
import io.gpuquant.kernels.RopeKernels;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;

/**
 * Causal self-attention with grouped queries (Ainslie et al., arXiv 2305.13245) over whole sequences: heads are normalized
 * and rotated here, and weighed as {@link Device#attention} says.
 */
final class Attention implements AutoCloseable {

    private final Device device;
    private final ModelConfig config;
    private final int length;
    private final RopeKernels rope;
    private final NormKernels norms;
    private final ConvertKernels convert;
    private final List<DeviceMatrix> owned = new ArrayList<>();
    private final Map<RopeParameters, Angles> angles = new HashMap<>();
    private final DeviceMatrix queries;
    private final DeviceMatrix keys;
    private final DeviceMatrix values;

    /** F32 [tokens, query width], for heads that are normalized, and then for results that are added up; empty without either. */
    private final Optional<DeviceMatrix> wide;

    private final HeadAttention heads;

    /** Cosines and sines of all positions, F32 [length, rotated pairs]. */
    private record Angles(DeviceMatrix cos, DeviceMatrix sin) {}

    Attention(
            Device device,
            ModelConfig config,
            Function<RopeParameters, RotaryEmbedding> embeddings,
            DType operandType,
            Chunking chunking) {
        this.device = device;
        this.config = config;
        length = chunking.sequenceLength();
        rope = new RopeKernels(device.stream());
        norms = new NormKernels(device.stream());
        convert = new ConvertKernels(device.stream());
        int tokens = chunking.mostTokens();
        for (LayerAttention layer : config.attentionRules().layers()) {
            angles.computeIfAbsent(layer.rope(), parameters -> upload(embeddings.apply(parameters)));
        }
        queries = allocate("queries", operandType, tokens, config.queryWidth());
        keys = allocate("keys", operandType, tokens, config.keyValueWidth());
        values = allocate("values", operandType, tokens, config.keyValueWidth());
        wide = device.attention() == AttentionMethod.TILED || hasHeadNorms()
                ? Optional.of(allocate("attention results", DType.F32, tokens, config.queryWidth()))
                : Optional.empty();
        AttentionHeads shape = AttentionHeads.of(config);
        heads = switch (device.attention()) {
            case TILED -> new TiledAttention(device, shape, operandType, chunking, wide.orElseThrow());
            case FUSED -> new FusedAttention(device, shape, operandType, length);
        };
    }

    private boolean hasHeadNorms() {
        TensorNames.Norms names = config.family().names().norms();
        return names.query().isPresent() || names.key().isPresent();
    }

    private DeviceMatrix allocate(String name, DType dtype, int rows, int columns) {
        DeviceMatrix matrix = DeviceMatrix.allocate(device, name, dtype, rows, columns);
        owned.add(matrix);
        return matrix;
    }

    private Angles upload(RotaryEmbedding embedding) {
        RotaryEmbedding.Tables tables = embedding.tables(length);
        return new Angles(
                upload("rotary cosines", tables.cos(), tables.pairs()),
                upload("rotary sines", tables.sin(), tables.pairs()));
    }

    private DeviceMatrix upload(String name, float[] table, int pairs) {
        DeviceMatrix matrix = allocate(name, DType.F32, length, pairs);
        device.stream().copyToDevice(MemorySegment.ofArray(table), matrix);
        return matrix;
    }

    /**
     * Computes the input of the output projection.
     *
     * @param projected F32 [tokens, queries + keys + values], the outputs of the three projections side by side
     * @param out operand type [tokens, query width], dense
     */
    void apply(DeviceMatrix projected, LayerWeights weights, DeviceMatrix out) {
        int tokens = projected.rows();
        int queryWidth = config.queryWidth();
        int keyWidth = config.keyValueWidth();
        LayerAttention layer = weights.layer().attention();
        LayerNorms headNorms = weights.layer().norms();
        rotate(
                normalize(projected.columns(0, queryWidth), headNorms.query().map(weights::norm)),
                layer,
                queries.rows(0, tokens));
        rotate(
                normalize(
                        projected.columns(queryWidth, keyWidth), headNorms.key().map(weights::norm)),
                layer,
                keys.rows(0, tokens));
        convert.convert(projected.columns(queryWidth + keyWidth, keyWidth), values.rows(0, tokens));
        heads.attend(queries.rows(0, tokens), keys.rows(0, tokens), values.rows(0, tokens), rule(layer), out);
    }

    /** Heads as they are, or normalized one by one in the memory that results will take. */
    private DeviceMatrix normalize(DeviceMatrix heads, Optional<NormWeights> norm) {
        if (norm.isEmpty()) {
            return heads;
        }
        DeviceMatrix dense = DeviceMatrix.of(wide.orElseThrow().buffer(), DType.F32, heads.rows(), heads.columns());
        convert.convert(heads, dense);
        DeviceMatrix each = dense.reshape(Math.toIntExact(dense.elementCount() / config.headDim()), config.headDim());
        norms.rmsNorm(each, norm.get().factor(), (float) config.rmsNormEps(), each);
        return dense;
    }

    private void rotate(DeviceMatrix heads, LayerAttention layer, DeviceMatrix out) {
        Angles table = Objects.requireNonNull(angles.get(layer.rope()));
        if (2 * table.cos().columns() < config.headDim()) {
            convert.convert(heads, out);
        }
        rope.rotate(heads, config.headDim(), table.cos(), table.sin(), out);
    }

    private AttentionRule rule(LayerAttention layer) {
        AttentionRules rules = config.attentionRules();
        return new AttentionRule(
                (float) rules.scale(), true, layer.isWindowed(length) ? layer.window() : 0, (float) rules.cap());
    }

    @Override
    public void close() {
        heads.close();
        owned.forEach(matrix -> matrix.buffer().close());
    }
}
