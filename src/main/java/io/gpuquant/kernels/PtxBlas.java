package io.gpuquant.kernels;

import io.gpuquant.device.Blas;
import io.gpuquant.device.DeviceInfo;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.Gemm;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.LaunchShape;
import io.gpuquant.device.Stream;
import io.gpuquant.tensor.DType;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/**
 * Matrix products by this project's own kernels, for GPUs where no vendor library is installed. F32 products are sums of
 * fused multiply-adds in ascending order; products of half types run on tensor cores, whose rounding differs between
 * generations of GPUs. Operands need not be aligned to more than their elements, but those of half types should be to 16
 * bytes, rows too: others are read element by element.
 */
public final class PtxBlas implements Blas {

    /** Rows and columns of G that a block of a Gram kernel computes. */
    private static final int TILE = 128;

    /** Columns of tiles that the blocks of a Gram kernel go through before the next so many. */
    private static final int BAND = 8;

    /** Products of one launch; the most blocks that a grid has in z. */
    static final int MOST_PRODUCTS = 65_535;

    private final UnaryOperator<String> files;
    private final Function<Gemm, ProductTile> tiles;

    /** Products by the kernels that ship, with the tiles that suit a device. */
    public PtxBlas(DeviceInfo device) {
        this(file -> file, product -> ProductTile.of(device, product));
    }

    /** Products by the kernels that ship, with tiles of 128 x 128. */
    public PtxBlas() {
        this(ProductTile.MEDIUM);
    }

    /** Products by the kernels that ship, with these tiles for operands of half types. */
    public PtxBlas(ProductTile tile) {
        this(file -> file, product -> tile);
    }

    /**
     * Products by other kernels, or with tiles of another choice, for tests.
     *
     * @param files where the kernels of a file are
     */
    PtxBlas(UnaryOperator<String> files, Function<Gemm, ProductTile> tiles) {
        this.files = files;
        this.tiles = tiles;
    }

    @Override
    public String description() {
        return "PTX kernels";
    }

    @Override
    public void gemm(Stream stream, Gemm product) {
        if (product.m() == 0 || product.n() == 0) {
            return;
        }
        ProductTile tile = product.a().dtype() == DType.F32 ? ProductTile.MEDIUM : tiles.apply(product);
        KernelEntry kernel = gemmKernel(product.a().dtype(), tile);
        for (int first = 0; first < product.batch(); first += MOST_PRODUCTS) {
            int count = Math.min(MOST_PRODUCTS, product.batch() - first);
            stream.launch(
                    kernel,
                    new LaunchShape(tile.tiles(product), 1, count, tile.threads(), tile.dynamicSharedBytes()),
                    gemmArguments(product, first));
        }
    }

    private KernelEntry gemmKernel(DType dtype, ProductTile tile) {
        return switch (dtype) {
            case F32 -> entry("gemm.ptx", "gemm_f32");
            case F16 -> entry(tile.file(), "gemm_f16" + tile.suffix());
            case BF16 -> entry(tile.file(), "gemm_bf16" + tile.suffix());
            default -> throw new IllegalArgumentException("products of " + dtype);
        };
    }

    private KernelEntry entry(String file, String name) {
        return KernelFiles.module(files.apply(file)).entry(name);
    }

    /** The arguments for the products of a batch from {@code first} on. */
    private static KernelArguments gemmArguments(Gemm product, int first) {
        DeviceMatrix a = product.a();
        DeviceMatrix b = product.b();
        DeviceMatrix c = product.c();
        return new KernelArguments()
                .address(address(c, first * product.batchStrideC()))
                .int32(c.stride())
                .address(address(a, first * product.batchStrideA()))
                .int32(product.transposeA() ? 1 : a.stride())
                .int32(product.transposeA() ? a.stride() : 1)
                .address(address(b, first * product.batchStrideB()))
                .int32(product.transposeB() ? 1 : b.stride())
                .int32(product.transposeB() ? b.stride() : 1)
                .int32(product.m())
                .int32(product.n())
                .int32(product.k())
                .float32(product.alpha())
                .float32(product.beta())
                .int64(product.batchStrideA())
                .int64(product.batchStrideB())
                .int64(product.batchStrideC());
    }

    private static long address(DeviceMatrix matrix, long elements) {
        return matrix.address() + matrix.dtype().bytes(elements);
    }

    @Override
    public void addGram(Stream stream, DeviceMatrix x, DeviceMatrix g) {
        int n = x.columns();
        TypeCode.require(g, DType.F32, n, n);
        KernelEntry kernel = gramKernel(x.dtype());
        int bands = Grids.ceilDiv(Grids.ceilDiv(n, TILE), BAND);
        // Band number i has 8 (i + 1) tile rows, of 8 tiles each.
        int tiles = Math.multiplyExact(BAND * BAND / 2 * bands, bands + 1);
        if (n == 0) {
            return;
        }
        for (int token = 0; token < x.rows(); token += GRAM_CHAIN) {
            DeviceMatrix rows = x.rows(token, Math.min(GRAM_CHAIN, x.rows() - token));
            stream.launch(
                    kernel,
                    LaunchShape.linear(tiles, Grids.THREADS),
                    new KernelArguments()
                            .matrix(g)
                            .int32(g.stride())
                            .matrix(rows)
                            .int32(rows.stride())
                            .int32(rows.rows())
                            .int32(n));
        }
    }

    private KernelEntry gramKernel(DType dtype) {
        return switch (dtype) {
            case F32 -> entry("gram.ptx", "gram_f32");
            case F16 -> entry("gram.ptx", "gram_f16");
            case BF16 -> entry("gram.ptx", "gram_bf16");
            default -> throw new IllegalArgumentException("a Gram matrix of " + dtype);
        };
    }
}
