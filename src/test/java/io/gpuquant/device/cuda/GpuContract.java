package io.gpuquant.device.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.InternalException;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceOutOfMemoryException;
import io.gpuquant.device.Event;
import io.gpuquant.device.HostBuffer;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.LaunchShape;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/** What holds on a GPU as well as on the fake driver; both are asked. */
final class GpuContract {

    /** A kernel that multiplies floats. */
    static final KernelModule SCALE = new KernelModule("contract.ptx", """
            .version 7.4
            .target sm_80
            .address_size 64
            .visible .entry scale(.param .u64 data, .param .u32 count, .param .f32 factor)
            {
                .reg .pred %p<2>;
                .reg .b32 %r<6>;
                .reg .f32 %f<4>;
                .reg .b64 %rd<5>;
                ld.param.u64 %rd1, [data];
                ld.param.u32 %r1, [count];
                ld.param.f32 %f1, [factor];
                mov.u32 %r2, %ctaid.x;
                mov.u32 %r3, %ntid.x;
                mov.u32 %r4, %tid.x;
                mad.lo.u32 %r5, %r2, %r3, %r4;
                setp.ge.u32 %p1, %r5, %r1;
                @%p1 bra DONE;
                cvta.to.global.u64 %rd2, %rd1;
                mul.wide.u32 %rd3, %r5, 4;
                add.u64 %rd4, %rd2, %rd3;
                ld.global.f32 %f2, [%rd4];
                mul.rn.f32 %f3, %f2, %f1;
                st.global.f32 [%rd4], %f3;
            DONE:
                ret;
            }
            """);

    private GpuContract() {}

    static void copiesComeBack(Device device) {
        long bytes = StagingRing.SLOTS * StagingRing.SLOT_BYTES + 1_048_584;
        try (Arena arena = Arena.ofConfined();
                DeviceBuffer first = device.allocate("first", bytes);
                DeviceBuffer second = device.allocate("second", bytes);
                HostBuffer pinned = device.allocateHost("pinned", bytes)) {
            MemorySegment source = Fakes.pattern(arena, bytes);
            device.stream().copyToDevice(source, first, 0);
            device.stream().copy(first, 0, second, 0, bytes);
            device.stream().clear(first, 0, bytes);
            device.stream().copyToHost(second, 0, pinned.segment());
            device.stream().synchronize();
            assertThat(pinned.segment().mismatch(source)).isEqualTo(-1);
            device.stream().copyToDevice(pinned.segment(), first, 0);
            MemorySegment target = arena.allocate(bytes);
            device.stream().copyToHost(first, 0, target);
            assertThat(target.mismatch(source)).isEqualTo(-1);
        }
    }

    static void kernelsRunInTurn(Device device) {
        float[] numbers = new float[10_000];
        Arrays.fill(numbers, 1);
        try (DeviceBuffer buffer = Fakes.buffer(device, "numbers", numbers)) {
            for (float factor : new float[] {3, 0.5f, -2}) {
                scale(device, buffer, 5_000, factor);
            }
            Event done = device.stream().record();
            device.transferStream().await(done);
            float[] result = Fakes.floats(device.transferStream(), buffer);
            assertThat(result[0]).isEqualTo(-3);
            assertThat(result[4_999]).isEqualTo(-3);
            assertThat(result[5_000]).isEqualTo(1);
            assertThat(result[9_999]).isEqualTo(1);
        }
    }

    static void buffersMayBeReleasedWithWorkQueued(Device device) {
        float[] numbers = new float[1 << 20];
        Arrays.fill(numbers, 2);
        try (DeviceBuffer kept = device.allocate("kept", 4L << 20)) {
            for (int round = 0; round < 20; round++) {
                DeviceBuffer buffer = device.allocate("round", 4L << 20);
                device.transferStream().copyToDevice(MemorySegment.ofArray(numbers), buffer, 0);
                device.stream().await(device.transferStream().record());
                scale(device, buffer, numbers.length, round);
                device.stream().copy(buffer, 0, kept, 0, 4L << 20);
                buffer.close();
            }
            assertThat(Fakes.floats(device.stream(), kept)).containsOnly(38);
        }
    }

    static void moreThanThereIsIsRefusedAndHarmsNothing(Device device) {
        long tooMuch = device.info().memoryBytes() + (1L << 30);
        assertThatThrownBy(() -> device.allocate("everything", tooMuch))
                .isInstanceOf(DeviceOutOfMemoryException.class)
                .hasMessageContaining("everything")
                .hasMessageContaining("MiB are free");
        copiesComeBack(device);
    }

    static void whatWasReleasedInPiecesCanBeHadAsOne(Device device) {
        long free = device.freeBytes();
        assertThat(free).isPositive().isLessThanOrEqualTo(device.info().memoryBytes());
        DeviceBuffer first = device.allocate("first piece", free / 8 * 3);
        DeviceBuffer second = device.allocate("second piece", free / 8 * 3);
        first.close();
        second.close();
        try (DeviceBuffer whole = device.allocate("whole", free / 8 * 6)) {
            assertThat(device.freeBytes()).isLessThanOrEqualTo(free - whole.byteSize());
        }
        assertThat(device.freeBytes()).isGreaterThan(free / 8 * 7);
    }

    static void moduleThatIsWrongIsReportedWithTheLog(Device device) {
        KernelModule wrong =
                new KernelModule("wrong.ptx", SCALE.text().replace("mul.rn.f32 %f3", "mul.nonsense.f32 %f3"));
        assertThatThrownBy(() ->
                        device.stream().launch(wrong.entry("scale"), LaunchShape.linear(1, 32), arguments(0, 0, 0)))
                .isInstanceOf(InternalException.class)
                .hasMessageContaining("cannot assemble wrong.ptx: CUDA_ERROR_INVALID_PTX (")
                .hasMessageContaining("nonsense");
        kernelsRunInTurn(device);
    }

    /** Afterwards neither the device nor, on a GPU, the process can be used. */
    static void faultNamesTheKernel(Device device) {
        device.stream().launch(SCALE.entry("scale"), LaunchShape.linear(1, 32), arguments(0, 32, 1));
        assertThatThrownBy(() -> device.stream().synchronize())
                .isInstanceOf(InternalException.class)
                .hasMessageContaining("CUDA_ERROR_ILLEGAL_ADDRESS")
                .hasMessageContaining("scale of contract.ptx");
    }

    private static void scale(Device device, DeviceBuffer buffer, int count, float factor) {
        device.stream()
                .launch(
                        SCALE.entry("scale"),
                        LaunchShape.linear((count + 255) / 256, 256),
                        arguments(buffer.address(), count, factor));
    }

    private static KernelArguments arguments(long address, int count, float factor) {
        return new KernelArguments().address(address).int32(count).float32(factor);
    }

    /** The kernel, for the fake driver. */
    @SuppressWarnings("restricted")
    static int scale(FakeCuda.Launch launch) {
        if (launch.int64(0) == 0) {
            return 700;
        }
        int count = Math.min(
                launch.int32(1), launch.grid().getFirst() * launch.block().getFirst());
        MemorySegment data = MemorySegment.ofAddress(launch.int64(0)).reinterpret(4L * count);
        for (int i = 0; i < count; i++) {
            data.setAtIndex(ValueLayout.JAVA_FLOAT, i, data.getAtIndex(ValueLayout.JAVA_FLOAT, i) * launch.float32(2));
        }
        return 0;
    }
}
