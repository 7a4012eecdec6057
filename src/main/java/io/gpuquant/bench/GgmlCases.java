package io.gpuquant.bench;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.gguf.BlockLayout;
import io.gpuquant.gguf.GgmlType;
import io.gpuquant.kernels.GgmlBlockKernels;
import io.gpuquant.kernels.GgmlBlockKernels.Codes;
import io.gpuquant.kernels.GgmlFitKernels;
import io.gpuquant.kernels.GgmlFitKernels.AffineSearch;
import io.gpuquant.tensor.DType;
import java.util.List;

/** Kernels of the block types of ggml, on the weights of one linear. */
final class GgmlCases {

    private static final int SUPER_BLOCK = 256;
    private static final int GROUP = 32;
    private static final int SMALL_GROUP = 16;

    /** The search of Q4_K; its first candidate comes before the attempts. */
    private static final AffineSearch SEARCH = new AffineSearch(15, -1, 0.1f, 21, false);

    private final int elements;
    private final int groups;
    private final int smallGroups;
    private final int blocks;

    private GgmlCases(LayerShape shape) {
        elements = Math.multiplyExact(shape.intermediate(), shape.hidden());
        groups = elements / GROUP;
        smallGroups = elements / SMALL_GROUP;
        blocks = elements / SUPER_BLOCK;
    }

    static List<KernelCase> of(Device device, LayerShape shape) {
        GgmlCases cases = new GgmlCases(shape);
        return List.of(
                cases.spreads(),
                cases.errorWeights(),
                cases.symmetric(),
                cases.affine(),
                cases.descent(),
                cases.codebook(),
                cases.positiveUnits(),
                cases.settleCodes(),
                cases.signedUnits(),
                cases.roundGroups(),
                cases.roundAgain(),
                cases.roundCodebook(),
                cases.pack());
    }

    /** Bytes moved and operations for each weight. */
    private Work perWeight(double bytes, double operations) {
        return Work.ofBytes(bytes * elements).plus(Work.ofFloats(operations * elements));
    }

    private KernelCase spreads() {
        return KernelCase.of("ggml_spreads", groups, GROUP, perWeight(4, 0), memory -> {
            DeviceMatrix x = memory.random(DType.F32, groups, GROUP);
            DeviceMatrix spreads = memory.empty(DType.F32, 1, groups);
            return () -> fit(memory).spreads(x, GROUP, spreads);
        });
    }

    private KernelCase errorWeights() {
        return KernelCase.of("ggml_error_weights", groups, GROUP, perWeight(8, 0), memory -> {
            DeviceMatrix x = memory.random(DType.F32, groups, GROUP);
            DeviceMatrix spreads = memory.empty(DType.F32, 1, groups);
            DeviceMatrix weights = memory.empty(DType.F32, groups, GROUP);
            return () -> fit(memory).errorWeights(x, spreads, null, false, weights);
        });
    }

    private KernelCase symmetric() {
        return KernelCase.of("ggml_fit_symmetric", smallGroups, SMALL_GROUP, perWeight(9, 19 * 15.0), memory -> {
            DeviceMatrix x = memory.random(DType.F32, smallGroups, SMALL_GROUP);
            DeviceMatrix weights = memory.uniform(smallGroups, SMALL_GROUP);
            DeviceMatrix levels = memory.empty(DType.U8, smallGroups, SMALL_GROUP);
            DeviceMatrix scales = memory.empty(DType.F32, 1, smallGroups);
            return () -> fit(memory).symmetric(x, weights, 32, levels, scales, null);
        });
    }

    private KernelCase affine() {
        Work work = perWeight(9, (1 + SEARCH.attempts()) * 30.0);
        return KernelCase.of("ggml_fit_affine", groups, GROUP, work, memory -> {
            DeviceMatrix x = memory.random(DType.F32, groups, GROUP);
            DeviceMatrix weights = memory.uniform(groups, GROUP);
            DeviceMatrix levels = memory.empty(DType.U8, groups, GROUP);
            DeviceMatrix scales = memory.empty(DType.F32, 1, groups);
            DeviceMatrix mins = memory.empty(DType.F32, 1, groups);
            DeviceMatrix sums = memory.empty(DType.F32, 1, groups);
            return () -> fit(memory).affine(x, weights, SEARCH, levels, scales, mins, sums);
        });
    }

    /** Of up to five passes the one that every group needs. */
    private KernelCase descent() {
        return KernelCase.of("ggml_fit_descent", smallGroups, SMALL_GROUP, perWeight(5, 25), memory -> {
            DeviceMatrix x = memory.random(DType.F32, smallGroups, SMALL_GROUP);
            DeviceMatrix levels = memory.empty(DType.U8, smallGroups, SMALL_GROUP);
            DeviceMatrix scales = memory.empty(DType.F32, 1, smallGroups);
            return () -> fit(memory).descent(x, levels, scales);
        });
    }

    private KernelCase codebook() {
        return KernelCase.of("ggml_fit_codebook", groups, GROUP, perWeight(8, 16 * 25.0), memory -> {
            DeviceMatrix x = memory.random(DType.F32, groups, GROUP);
            DeviceMatrix weights = memory.uniform(groups, GROUP);
            DeviceMatrix scales = memory.empty(DType.F32, 1, groups);
            return () -> fit(memory).codebook(x, weights, scales);
        });
    }

    /** Nine candidates, and of up to five passes of descent the one that every block needs. */
    private KernelCase positiveUnits() {
        int perBlock = SUPER_BLOCK / GROUP;
        Work work = perWeight(9.0 / GROUP, 10 * 20.0 / GROUP);
        return KernelCase.of("ggml_positive_units", blocks, perBlock, work, memory -> {
            DeviceMatrix values = memory.uniform(blocks, perBlock);
            DeviceMatrix sums = memory.uniform(blocks, perBlock);
            DeviceMatrix codes = memory.empty(DType.U8, blocks, perBlock);
            DeviceMatrix units = memory.empty(DType.F32, 1, blocks);
            return () -> block(memory).positiveUnits(values, sums, 63, codes, units);
        });
    }

    private KernelCase settleCodes() {
        int perBlock = SUPER_BLOCK / GROUP;
        return KernelCase.of("ggml_settle_codes", blocks, perBlock, perWeight(4.0 / GROUP, 0), memory -> {
            DeviceMatrix scales = memory.below(DType.U8, blocks, perBlock, 64);
            DeviceMatrix mins = memory.below(DType.U8, blocks, perBlock, 64);
            return () -> block(memory).settleCodes(GgmlType.Q4_K, scales, mins);
        });
    }

    private KernelCase signedUnits() {
        int perBlock = SUPER_BLOCK / SMALL_GROUP;
        return KernelCase.of("ggml_signed_units", blocks, perBlock, perWeight(5.0 / SMALL_GROUP, 0), memory -> {
            DeviceMatrix values = memory.random(DType.F32, blocks, perBlock);
            DeviceMatrix codes = memory.empty(DType.U8, blocks, perBlock);
            DeviceMatrix units = memory.empty(DType.F32, 1, blocks);
            return () -> block(memory).signedUnits(GgmlType.Q3_K, values, codes, units, null);
        });
    }

    private KernelCase roundGroups() {
        return KernelCase.of("ggml_round_groups", groups, GROUP, perWeight(5, 0), memory -> {
            DeviceMatrix x = memory.random(DType.F32, groups, GROUP);
            DeviceMatrix levels = memory.empty(DType.U8, groups, GROUP);
            DeviceMatrix scales = memory.empty(DType.F32, 1, groups);
            return () -> block(memory).roundGroups(GgmlType.Q8_0, x, levels, scales, null);
        });
    }

    private KernelCase roundAgain() {
        return KernelCase.of("ggml_round_again", blocks, SUPER_BLOCK, perWeight(5, 0), memory -> {
            DeviceMatrix x = memory.random(DType.F32, blocks, SUPER_BLOCK);
            DeviceMatrix levels = memory.empty(DType.U8, blocks, SUPER_BLOCK);
            Codes codes = new Codes(
                    memory.uniform(1, blocks),
                    memory.below(DType.U8, blocks, SUPER_BLOCK / GROUP, 64),
                    memory.uniform(1, blocks),
                    memory.below(DType.U8, blocks, SUPER_BLOCK / GROUP, 64));
            return () -> block(memory).roundAgain(x, codes, 0, 0, 15, levels);
        });
    }

    private KernelCase roundCodebook() {
        return KernelCase.of("ggml_round_codebook", groups, GROUP, perWeight(5, 0), memory -> {
            DeviceMatrix x = memory.random(DType.F32, groups, GROUP);
            DeviceMatrix scales = memory.uniform(1, groups);
            DeviceMatrix levels = memory.empty(DType.U8, groups, GROUP);
            return () -> block(memory).roundCodebook(x, scales, null, levels);
        });
    }

    private KernelCase pack() {
        GgmlType type = GgmlType.Q4_K;
        int bytes = type.blockBytes();
        return KernelCase.of("ggml_pack", blocks, bytes, perWeight(1 + (double) bytes / SUPER_BLOCK, 0), memory -> {
            DeviceMatrix layout = memory.integers(BlockLayout.pieces(type)).reshape(bytes, BlockLayout.PIECES);
            DeviceMatrix levels = memory.below(DType.U8, blocks, SUPER_BLOCK, 16);
            DeviceMatrix units = memory.uniform(1, blocks);
            DeviceMatrix codes = memory.below(DType.U8, blocks, SUPER_BLOCK / GROUP, 64);
            DeviceMatrix packed = memory.empty(DType.U8, blocks, bytes);
            return () -> block(memory).pack(layout, levels, units, units, codes, codes, packed);
        });
    }

    private static GgmlFitKernels fit(BenchMemory memory) {
        return new GgmlFitKernels(memory.device().stream());
    }

    private static GgmlBlockKernels block(BenchMemory memory) {
        return new GgmlBlockKernels(memory.device().stream());
    }
}
