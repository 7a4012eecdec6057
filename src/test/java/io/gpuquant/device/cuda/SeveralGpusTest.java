package io.gpuquant.device.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.DeviceProvider;
import io.gpuquant.device.Gemm;
import io.gpuquant.device.HostBuffer;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.LaunchShape;
import io.gpuquant.device.TimeMark;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

/** Several GPUs of one process, on the fake driver, where nothing of one context can be used in another. */
@InChildJvm
class SeveralGpusTest {

    @Test
    void eachIsUsedInItsOwnContextByWhateverThread() throws InterruptedException {
        try (FakeCuda fake = FakeCuda.install().set("devices", 2).kernels(Fakes::scale)) {
            System.setProperty(
                    CublasSearch.PROPERTY, FakeCublas.compile(fake, 12).toString());
            DeviceProvider provider = new CudaDeviceProvider();
            Device first = provider.open(0, DeviceOptions.defaults());
            Device second = provider.open(1, DeviceOptions.defaults());
            DeviceBuffer a = Fakes.buffer(first, "a", 2);
            DeviceBuffer b = Fakes.buffer(second, "b", 1);
            HostBuffer pinned = first.allocateHost("pinned", 4);
            TimeMark start = second.stream().mark();
            for (int round = 0; round < 2; round++) {
                work(first, a);
                work(second, b);
            }
            Thread other = new Thread(() -> work(first, a));
            other.start();
            other.join();
            assertThat(second.stream().mark().secondsAfter(start)).isPositive();
            second.stream().copyToDevice(pinned.segment().copyFrom(MemorySegment.ofArray(new float[] {5})), b, 0);
            assertThat(Fakes.floats(first.stream(), a)).containsExactly(0x1p22f);
            assertThat(Fakes.floats(second.stream(), b)).containsExactly(5);
            second.close();
            work(first, a);
            assertThat(Fakes.floats(first.transferStream(), a)).containsExactly(0x1p86f);
            first.close();
            assertThat(fake.calls("cublasCreate_v2")).hasSize(4);
        }
    }

    /** A product squares the number, a kernel halves it, and a product on another stream squares it again. */
    private static void work(Device device, DeviceBuffer number) {
        DeviceMatrix matrix = DeviceMatrix.vector(number, DType.F32, 1);
        Gemm square = Gemm.of(matrix, matrix, matrix);
        device.blas().gemm(device.stream(), square);
        KernelArguments arguments =
                new KernelArguments().address(number.address()).int32(1).float32(0.5f);
        device.stream().launch(Fakes.MODULE.entry("scale"), LaunchShape.linear(1, 32), arguments);
        device.transferStream().await(device.stream().record());
        device.blas().gemm(device.transferStream(), square);
        device.stream().await(device.transferStream().record());
    }
}
