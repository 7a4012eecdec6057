package io.gpuquant.device.host;

import io.gpuquant.device.Blas;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Gemm;
import io.gpuquant.device.Stream;
import io.gpuquant.ptx.GlobalMemory;
import io.gpuquant.tensor.DType;
import io.gpuquant.tensor.Elements;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Matrix products by OpenBLAS, tile by tile on all threads. Operands of half types become float32 first, which is exact;
 * the products and sums are float32.
 */
final class HostBlas implements Blas {

    private final OpenBlas library;
    private final GlobalMemory memory;
    private final WorkerThreads workers;

    HostBlas(OpenBlas library, GlobalMemory memory, WorkerThreads workers) {
        this.library = library;
        this.memory = memory;
        this.workers = workers;
    }

    @Override
    public String description() {
        return library.configuration();
    }

    @Override
    public void gemm(Stream stream, Gemm gemm) {
        if (gemm.m() == 0 || gemm.n() == 0) {
            return;
        }
        checkOperands(gemm);
        Tiling tiling = Tiling.of(gemm);
        workers.forEach(tiling.count(), index -> multiply(gemm, tiling.tile(index)));
    }

    /** What a kernel's accesses would be checked for; {@link Gemm} has made sure of the extents. */
    private void checkOperands(Gemm gemm) {
        for (int i = 0; i < gemm.batch(); i++) {
            forEachRow(gemm.a(), i * gemm.batchStrideA(), memory::readable);
            forEachRow(gemm.b(), i * gemm.batchStrideB(), memory::readable);
            if (gemm.beta() != 0) {
                forEachRow(gemm.c(), i * gemm.batchStrideC(), memory::readable);
            }
            forEachRow(gemm.c(), i * gemm.batchStrideC(), memory::writable);
        }
    }

    /** Receives the bytes of a row. */
    private interface RowAccess {
        MemorySegment access(long address, long bytes);
    }

    private static void forEachRow(DeviceMatrix matrix, long elementOffset, RowAccess access) {
        if (matrix.columns() == 0) {
            return;
        }
        long first = matrix.address() + matrix.dtype().bytes(elementOffset);
        long rowBytes = matrix.dtype().bytes(matrix.columns());
        for (int row = 0; row < matrix.rows(); row++) {
            access.access(first + matrix.dtype().bytes((long) row * matrix.stride()), rowBytes);
        }
    }

    private void multiply(Gemm gemm, Tiling.Tile tile) {
        long offsetA = tile.batchIndex() * gemm.batchStrideA() + offset(gemm.a(), gemm.transposeA(), tile.row());
        long offsetB = tile.batchIndex() * gemm.batchStrideB() + offset(gemm.b(), !gemm.transposeB(), tile.column());
        long offsetC = tile.batchIndex() * gemm.batchStrideC()
                + (long) tile.row() * gemm.c().stride()
                + tile.column();
        OpenBlas.Operand c = new OpenBlas.Operand(
                gemm.c().address() + gemm.c().dtype().bytes(offsetC),
                Math.max(1, gemm.c().stride()),
                false);
        if (gemm.a().dtype() == DType.F32) {
            OpenBlas.Operand a = new OpenBlas.Operand(
                    gemm.a().address() + DType.F32.bytes(offsetA),
                    Math.max(1, gemm.a().stride()),
                    gemm.transposeA());
            OpenBlas.Operand b = new OpenBlas.Operand(
                    gemm.b().address() + DType.F32.bytes(offsetB),
                    Math.max(1, gemm.b().stride()),
                    gemm.transposeB());
            library.sgemm(tile.rows(), tile.columns(), gemm.k(), gemm.alpha(), a, b, gemm.beta(), c);
            return;
        }
        try (Arena arena = Arena.ofConfined()) {
            OpenBlas.Operand a = toFloat(arena, gemm.a(), offsetA, gemm.transposeA(), tile.rows(), gemm.k());
            OpenBlas.Operand b = toFloat(arena, gemm.b(), offsetB, gemm.transposeB(), gemm.k(), tile.columns());
            library.sgemm(tile.rows(), tile.columns(), gemm.k(), gemm.alpha(), a, b, gemm.beta(), c);
        }
    }

    /** Elements to skip for a tile that starts at {@code index} along the dimension that is not summed. */
    private static long offset(DeviceMatrix matrix, boolean alongColumns, int index) {
        return alongColumns ? index : (long) index * matrix.stride();
    }

    /** A dense float32 copy of op(matrix), whose extents are given as the product sees them. */
    private static OpenBlas.Operand toFloat(
            Arena arena, DeviceMatrix matrix, long offset, boolean transposed, int opRows, int opColumns) {
        int rows = transposed ? opColumns : opRows;
        int columns = transposed ? opRows : opColumns;
        MemorySegment copy = arena.allocate(Math.max(1, DType.F32.bytes((long) rows * columns)), 64);
        MemorySegment source = MemorySegment.ofAddress(matrix.address()).reinterpret(Long.MAX_VALUE - matrix.address());
        for (int row = 0; row < rows; row++) {
            long from = offset + (long) row * matrix.stride();
            long to = (long) row * columns;
            if (matrix.dtype() == DType.F16) {
                for (int column = 0; column < columns; column++) {
                    copy.set(
                            Elements.FLOAT,
                            (to + column) * Float.BYTES,
                            Float.float16ToFloat(source.get(Elements.SHORT, (from + column) * Short.BYTES)));
                }
            } else {
                for (int column = 0; column < columns; column++) {
                    copy.set(
                            Elements.INT,
                            (to + column) * Float.BYTES,
                            source.get(Elements.SHORT, (from + column) * Short.BYTES) << 16);
                }
            }
        }
        return new OpenBlas.Operand(copy.address(), Math.max(1, columns), transposed);
    }
}
