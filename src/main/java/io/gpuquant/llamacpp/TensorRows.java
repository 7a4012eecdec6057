package io.gpuquant.llamacpp;

import io.gpuquant.llamacpp.TensorRecipe.Content;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import io.gpuquant.tensor.HostTensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The rows of a tensor of a GGUF file before they are quantized, made from the checkpoint as they are asked for: one or more
 * matrices of equal shape, one for each expert where there are experts. For use by one thread.
 */
public final class TensorRows {

    private final Checkpoint checkpoint;
    private final TensorRecipe recipe;
    private final int columns;
    private final int rows;
    private final int matrices;

    /** Where the last rows were from: a tensor that is computed is computed once. */
    private @Nullable HostTensor open;

    /**
     * @param checkpoint has what the recipe is made of
     * @throws ArithmeticException when a matrix has more than 2³¹ - 1 rows or columns
     */
    public TensorRows(Checkpoint checkpoint, TensorRecipe recipe) {
        this.checkpoint = checkpoint;
        this.recipe = recipe;
        List<Long> extents = recipe.extents();
        columns = Math.toIntExact(extents.getFirst());
        rows = extents.size() > 1 ? Math.toIntExact(extents.get(1)) : 1;
        matrices = extents.size() > 2 ? Math.toIntExact(extents.get(2)) : 1;
    }

    /** Weights of a row. */
    public int columns() {
        return columns;
    }

    /** Rows of a matrix. */
    public int rows() {
        return rows;
    }

    /** Matrices. */
    public int matrices() {
        return matrices;
    }

    /** The type of the weights that {@link #read} gives. */
    public DType dtype() {
        return switch (recipe.content()) {
            case Content.Copy copy -> typeOf(copy.source());
            case Content.PermutedHeads permuted -> typeOf(permuted.source());
            case Content.Stack stack -> typeOf(stack.sources().getFirst());
            case Content.PlusOne plus -> DType.F32;
            case Content.Computed computed -> DType.F32;
        };
    }

    private DType typeOf(String source) {
        return checkpoint.info(source).dtype();
    }

    /** The name of the checkpoint's tensor that a matrix comes from, for a message. */
    public String source(int matrix) {
        List<String> sources = recipe.sources();
        return sources.isEmpty() ? recipe.name() : sources.get(matrix);
    }

    /**
     * Reads consecutive rows of a matrix.
     *
     * @param arena keeps the rows, unless they are a piece of the mapped checkpoint
     */
    public MemorySegment read(int matrix, int first, int count, Arena arena) {
        return switch (recipe.content()) {
            case Content.Copy copy -> slice(copy.source(), first, count);
            case Content.Stack stack -> slice(stack.sources().get(matrix), first, count);
            case Content.PermutedHeads permuted -> permuted(permuted, first, count, arena);
            case Content.PlusOne plus -> plusOne(plus, first, count, arena);
            case Content.Computed computed -> computed(computed, arena);
        };
    }

    private MemorySegment slice(String source, int first, int count) {
        long rowBytes = typeOf(source).bytes(columns);
        return data(source).asSlice(first * rowBytes, count * rowBytes);
    }

    private MemorySegment data(String source) {
        HostTensor tensor = open;
        if (tensor == null || !tensor.name().equals(source)) {
            tensor = checkpoint.tensor(source);
            open = tensor;
        }
        return tensor.data();
    }

    private MemorySegment permuted(Content.PermutedHeads permuted, int first, int count, Arena arena) {
        MemorySegment data = data(permuted.source());
        // The rows of a bias are its elements.
        boolean isVector = recipe.extents().size() == 1;
        int all = isVector ? columns : rows;
        int moved = isVector ? columns : count;
        long rowBytes = dtype().bytes(isVector ? 1 : columns);
        MemorySegment target = arena.allocate(moved * rowBytes, Float.BYTES);
        for (int i = 0; i < moved; i++) {
            MemorySegment.copy(data, permuted.sourceRow(first + i, all) * rowBytes, target, i * rowBytes, rowBytes);
        }
        return target;
    }

    private MemorySegment plusOne(Content.PlusOne plus, int first, int count, Arena arena) {
        MemorySegment data = data(plus.source());
        DType type = typeOf(plus.source());
        long elements = (long) count * columns;
        MemorySegment target = arena.allocate(DType.F32.bytes(elements), Float.BYTES);
        for (long i = 0; i < elements; i++) {
            float weight = Elements.floatAt(data, type, (long) first * columns + i);
            target.set(Elements.FLOAT, i * Float.BYTES, weight + 1);
        }
        return target;
    }

    private static MemorySegment computed(Content.Computed computed, Arena arena) {
        MemorySegment target = arena.allocate(DType.F32.bytes(computed.values().size()), Float.BYTES);
        for (int i = 0; i < computed.values().size(); i++) {
            target.setAtIndex(Elements.FLOAT, i, computed.values().get(i));
        }
        return target;
    }
}
