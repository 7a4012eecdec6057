package io.gpuquant.device.cuda;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.Stream;
import io.gpuquant.kernels.PtxBlasFactory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Optional;

/** What the tests on the fake driver share. */
final class Fakes {

    /** Kernels whose text matters only as far as the driver and the launcher read it. */
    static final KernelModule MODULE = new KernelModule("test.ptx", """
            .version 7.4
            .target sm_80
            .address_size 64
            .visible .entry scale(.param .u64 data, .param .u32 count, .param .f32 factor) { ret; }
            .visible .entry wide(.param .u64 data, .param .s64 count) { ret; }
            .visible .entry nothing() { ret; }
            """);

    private Fakes() {}

    static Device open() {
        return open(DeviceOptions.defaults());
    }

    static Device open(DeviceOptions options) {
        return new CudaDeviceProvider().open(0, options);
    }

    /** A GPU without cuBLAS, whose products are kernels. */
    static Device openWithoutCublas(DeviceOptions options) throws NoGpuException {
        SymbolLookup driver = DriverLibrary.load(DriverLibrary.NAME);
        JCudaLibrary.load(System.getProperty("java.library.path", ""));
        BlasChoice kernels =
                new BlasChoice(new CublasSearch(null, List.of(), List.of()), () -> Optional.of(new PtxBlasFactory()));
        Gpu gpu = Gpu.usable().getFirst();
        return new CudaDevice(driver, gpu.ordinal(), gpu.info("cuda:0", ""), options, kernels);
    }

    /** A buffer that holds these numbers. */
    static DeviceBuffer buffer(Device device, String name, float... numbers) {
        DeviceBuffer buffer = device.allocate(name, 4L * numbers.length);
        device.stream().copyToDevice(MemorySegment.ofArray(numbers), buffer, 0);
        return buffer;
    }

    /** The numbers in a buffer, once the work queued on the stream is done. */
    static float[] floats(Stream stream, DeviceBuffer buffer) {
        float[] numbers = new float[(int) (buffer.byteSize() / 4)];
        stream.copyToHost(buffer, 0, MemorySegment.ofArray(numbers));
        return numbers;
    }

    /** A kernel that multiplies numbers in device memory. */
    @SuppressWarnings("restricted")
    static int scale(FakeCuda.Launch launch) {
        MemorySegment data = MemorySegment.ofAddress(launch.int64(0)).reinterpret(4L * launch.int32(1));
        for (int i = 0; i < launch.int32(1); i++) {
            data.setAtIndex(ValueLayout.JAVA_FLOAT, i, data.getAtIndex(ValueLayout.JAVA_FLOAT, i) * launch.float32(2));
        }
        return 0;
    }

    /** Ordinary memory with a pattern that differs from place to place. */
    static MemorySegment pattern(Arena arena, long bytes) {
        MemorySegment memory = arena.allocate(bytes, 8);
        for (long i = 0; i < bytes / 8; i++) {
            memory.setAtIndex(ValueLayout.JAVA_LONG, i, i * 0x9E3779B97F4A7C15L);
        }
        return memory;
    }
}
