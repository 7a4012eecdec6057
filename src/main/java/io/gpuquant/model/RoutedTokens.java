package io.gpuquant.model;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Gemm;
import io.gpuquant.kernels.ExpertKernels;
import io.gpuquant.kernels.ExpertKernels.Shares;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * The tokens of a layer with experts on their way to them: what enters the experts, who goes where, and with what share.
 * Experts are visited one after another in the order of their numbers, and each adds to a token at most once, so sums do not
 * depend on anything but the model and its input.
 */
public final class RoutedTokens implements AutoCloseable {

    private final Device device;
    private final Router router;
    private final Chunking chunking;
    private final ExpertKernels kernels;
    private final List<DeviceMatrix> owned = new ArrayList<>();
    private final ActivationStore normalized;
    private final DeviceMatrix logits;
    private final DeviceMatrix ids;
    private final DeviceMatrix shares;
    private final DeviceMatrix slots;
    private final DeviceMatrix gathered;
    /** Slots within their chunk of the tokens that go to an expert, by block and expert, in rising order. */
    private final int[][][] slotsOf;

    RoutedTokens(
            Device device, Router router, DType operandType, Chunking chunking, ActivationStore.Placement placement) {
        this.device = device;
        this.router = router;
        this.chunking = chunking;
        kernels = new ExpertKernels(device.stream());
        int hidden = router.linear().in();
        int most = chunking.mostTokens();
        normalized = new ActivationStore(device, "inputs of experts", chunking, operandType, hidden, placement);
        logits = allocate("router logits", DType.F32, most, router.linear().out());
        ids = allocate("experts of tokens", DType.I32, most, router.perToken());
        shares = allocate("shares of experts", DType.F32, Math.toIntExact(chunking.totalTokens()), router.perToken());
        slots = allocate("tokens of an expert", DType.I32, 1, most);
        gathered = allocate("inputs of an expert", operandType, most, hidden);
        slotsOf = new int[chunking.blocks()][][];
    }

    private DeviceMatrix allocate(String name, DType dtype, int rows, int columns) {
        DeviceMatrix matrix = DeviceMatrix.allocate(device, name, dtype, rows, columns);
        owned.add(matrix);
        return matrix;
    }

    /** Rows of tokens of a chunk. */
    @FunctionalInterface
    public interface Rows {

        /** @param x operand type [tokens, hidden size], valid during the call */
        void accept(int chunk, DeviceMatrix x);
    }

    /**
     * Normalizes the tokens of a chunk and sends them to experts.
     *
     * @param stream F32 [tokens, hidden size], the residual stream
     */
    void fill(int chunk, DeviceMatrix stream, LayerWeights weights, StepRunner steps) {
        DeviceMatrix x = normalized.create(chunk).rows(0, stream.rows());
        steps.normalize(stream, weights.mlpNorm(), x);
        normalized.store(chunk, x);
        int tokens = x.rows();
        DeviceMatrix rows = logits.rows(0, tokens);
        DeviceMatrix chosen = ids.rows(0, tokens);
        List<DeviceMatrix> inputs = chunking.blocks(x);
        List<DeviceMatrix> outputs = chunking.blocks(rows);
        for (int block = 0; block < inputs.size(); block++) {
            device.blas()
                    .gemm(device.stream(), Gemm.ofTransposedB(inputs.get(block), weights.router(), outputs.get(block)));
        }
        kernels.route(rows, router.normalized() ? Shares.OF_CHOSEN : Shares.OF_ALL, chosen, sharesOf(chunk, tokens));
        int[] experts = spread(tokens);
        device.stream().copyToHost(chosen, MemorySegment.ofArray(experts));
        device.stream().synchronize();
        int perBlock = chunking.blockTokens() * router.perToken();
        // All blocks of the chunk, also those that a shorter stream has no tokens for: an earlier one may have had
        // some.
        for (int block = 0; block < blocksOf(chunk); block++) {
            slotsOf[chunking.firstBlock(chunk) + block] = slotsByExpert(
                    experts,
                    Math.min(experts.length, block * perBlock),
                    Math.min(experts.length, (block + 1) * perBlock));
        }
    }

    /**
     * Some experts for each token. They are replaced by those that the router has chosen, but for a device that only keeps
     * books, which so finds one expert with all tokens, and the others with what is left to them.
     */
    private int[] spread(int tokens) {
        int perToken = router.perToken();
        int others = Math.max(1, router.linear().out() - 1);
        int[] experts = new int[tokens * perToken];
        for (int slot = 0; slot < experts.length; slot++) {
            int place = slot % perToken;
            experts[slot] = place == 0 ? 0 : 1 + (slot / perToken + place) % others;
        }
        return experts;
    }

    /** Slots of a chunk from one to before another. */
    private int[][] slotsByExpert(int[] experts, int from, int to) {
        int[] counts = new int[router.linear().out()];
        for (int slot = from; slot < to; slot++) {
            counts[experts[slot]]++;
        }
        int[][] result = new int[counts.length][];
        for (int expert = 0; expert < counts.length; expert++) {
            result[expert] = new int[counts[expert]];
        }
        int[] done = new int[counts.length];
        for (int slot = from; slot < to; slot++) {
            int expert = experts[slot];
            result[expert][done[expert]++] = slot;
        }
        return result;
    }

    private DeviceMatrix sharesOf(int chunk, int tokens) {
        return shares.rows(chunking.firstSequence(chunk) * chunking.sequenceLength(), tokens);
    }

    private int blocksOf(int chunk) {
        return Math.ceilDiv(chunking.tokens(chunk), chunking.blockTokens());
    }

    /** How many tokens go to an expert. */
    public long tokens(int expert) {
        long tokens = 0;
        for (int[][] block : slotsOf) {
            tokens += block[expert].length;
        }
        return tokens;
    }

    /** How many tokens there are. */
    public long allTokens() {
        return chunking.totalTokens();
    }

    /** Shows all tokens, block by block. */
    public void forEach(Rows rows) {
        for (int chunk = 0; chunk < chunking.count(); chunk++) {
            for (DeviceMatrix block : chunking.blocks(normalized.open(chunk))) {
                rows.accept(chunk, block);
            }
        }
    }

    /** Shows the tokens that go to an expert, block by block; blocks of which none does are left out. */
    public void forEach(int expert, Rows rows) {
        for (int chunk = 0; chunk < chunking.count(); chunk++) {
            forEach(expert, chunk, rows);
        }
    }

    /** Shows the tokens of a chunk that go to an expert, block by block. */
    void forEach(int expert, int chunk, Rows rows) {
        for (int block = 0; block < blocksOf(chunk); block++) {
            int[] wanted = slotsOf[chunking.firstBlock(chunk) + block][expert];
            if (wanted.length > 0) {
                DeviceMatrix list = slots.columns(0, wanted.length);
                device.stream().copyToDevice(MemorySegment.ofArray(wanted), list);
                DeviceMatrix x = gathered.rows(0, wanted.length);
                kernels.gather(normalized.open(chunk), list, router.perToken(), x);
                rows.accept(chunk, x);
            }
        }
    }

    /**
     * Adds what an expert makes of the tokens of a chunk to the residual stream. To be called from {@link Rows} for the
     * same expert, chunk and block.
     *
     * @param delta F32 [tokens of the expert, hidden size], dense
     * @param stream F32 [tokens, hidden size]
     */
    void add(int chunk, DeviceMatrix delta, DeviceMatrix stream) {
        kernels.scatterAdd(delta, sharesOf(chunk, stream.rows()), slots.columns(0, delta.rows()), stream);
    }

    @Override
    public void close() {
        normalized.close();
        owned.forEach(matrix -> matrix.buffer().close());
    }
}
