package io.gpuquant.kernels;

import io.gpuquant.device.DeviceInfo;
import io.gpuquant.device.Gemm;

/**
 * The tiles of C that blocks of the tensor core kernels compute, and which of them a product gets. An element's sum runs over k
 * in the same steps in all of them, so the choice changes no bit of a result.
 *
 * <p>A larger tile reads fewer operands for each multiplication: 16, 32 and 43 multiplications to a byte. A smaller one gives
 * more multiprocessors something to do. So a product gets the largest tile with which there are enough tiles:
 *
 * <table>
 * <caption>Tiles</caption>
 * <tr><th>tile<th>from<th>on<th>because
 * <tr><td>128 x 256<td>two for each multiprocessor<td>sm_80, sm_90<td>one block fills a multiprocessor with 64 x 64 of C for each
 *     warp, whose tensor cores then wait least for shared memory; two rounds of blocks keep the last one from costing much. A
 *     multiprocessor of sm_86 and sm_89 has 100 KB of shared memory and half the tensor cores' speed, for which 128 x 128 is
 *     enough, and two blocks of it hide each other's waits.
 * <tr><td>128 x 128<td>one for each multiprocessor<td>all<td>
 * <tr><td>64 x 64<td>any<td>all<td>fewer tiles than multiprocessors leave some idle
 * </table>
 */
public enum ProductTile {
    SMALL("gemm_half_64x64.ptx", "_64x64", 64, 64, 128, 0),
    MEDIUM("gemm_half.ptx", "", 128, 128, 256, 0),
    LARGE("gemm_half_128x256.ptx", "_128x256", 128, 256, 256, 73_728);

    private final String file;
    private final String suffix;
    private final int rows;
    private final int columns;
    private final int threads;
    private final int dynamicSharedBytes;

    ProductTile(String file, String suffix, int rows, int columns, int threads, int dynamicSharedBytes) {
        this.file = file;
        this.suffix = suffix;
        this.rows = rows;
        this.columns = columns;
        this.threads = threads;
        this.dynamicSharedBytes = dynamicSharedBytes;
    }

    /** The tile for a product on a device. */
    static ProductTile of(DeviceInfo device, Gemm product) {
        int multiprocessors = device.multiprocessors();
        if (hasRoomForLarge(device.architecture()) && LARGE.count(product) >= 2L * multiprocessors) {
            return LARGE;
        }
        return MEDIUM.count(product) >= multiprocessors ? MEDIUM : SMALL;
    }

    private static boolean hasRoomForLarge(String architecture) {
        return architecture.equals("sm_80") || architecture.equals("sm_90");
    }

    /** Tiles of all products of a batch. */
    private long count(Gemm product) {
        return (long) tiles(product) * product.batch();
    }

    /** Tiles of one product. */
    int tiles(Gemm product) {
        return Math.multiplyExact(Grids.ceilDiv(product.m(), rows), Grids.ceilDiv(product.n(), columns));
    }

    /** The file of the kernels. */
    String file() {
        return file;
    }

    /** What the names of the kernels end in. */
    String suffix() {
        return suffix;
    }

    int threads() {
        return threads;
    }

    int dynamicSharedBytes() {
        return dynamicSharedBytes;
    }
}
