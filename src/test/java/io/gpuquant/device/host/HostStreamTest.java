package io.gpuquant.device.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.LaunchShape;
import io.gpuquant.device.Stream;
import io.gpuquant.ptx.MachineOptions;
import io.gpuquant.tensor.DType;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HostStreamTest {

    private static final KernelModule DOUBLE = new KernelModule("double.ptx", """
            .version 7.4
            .target sm_80
            .address_size 64
            .visible .entry twice(.param .u64 values, .param .u32 n)
            {
                .reg .pred %outside;
                .reg .b32 %n, %i, %value;
                .reg .b64 %address, %offset;
                mov.u32 %i, %tid.x;
                ld.param.u32 %n, [n];
                setp.ge.u32 %outside, %i, %n;
                @%outside ret;
                ld.param.u64 %address, [values];
                cvta.to.global.u64 %address, %address;
                mul.wide.u32 %offset, %i, 4;
                add.u64 %address, %address, %offset;
                ld.global.u32 %value, [%address];
                shl.b32 %value, %value, 1;
                st.global.u32 [%address], %value;
                ret;
            }
            """);

    private Device device;
    private Stream stream;

    @BeforeEach
    void open() {
        device = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 1));
        stream = device.stream();
    }

    @AfterEach
    void close() {
        device.close();
    }

    @Test
    void copiesRanges() {
        DeviceBuffer buffer = filled(0, 1, 2, 3, 4, 5, 6, 7);
        stream.copyToDevice(MemorySegment.ofArray(new byte[] {10, 11, 12}), buffer, 2);

        assertThat(bytes(buffer)).containsExactly(0, 1, 10, 11, 12, 5, 6, 7);
        byte[] part = new byte[3];
        stream.copyToHost(buffer, 4, MemorySegment.ofArray(part));
        assertThat(part).containsExactly(12, 5, 6);
    }

    @Test
    void copiesWithinTheDevice() {
        DeviceBuffer source = filled(1, 2, 3, 4);
        DeviceBuffer target = filled(0, 0, 0, 0, 0);
        stream.copy(source, 1, target, 2, 3);

        assertThat(bytes(target)).containsExactly(0, 0, 2, 3, 4);
        assertThat(bytes(source)).containsExactly(1, 2, 3, 4);
    }

    @Test
    void clearsRanges() {
        DeviceBuffer buffer = filled(1, 2, 3, 4);
        stream.clear(buffer, 1, 2);

        assertThat(bytes(buffer)).containsExactly(1, 0, 0, 4);
    }

    @Test
    void hasNothingToDoForEmptyRanges() {
        DeviceBuffer buffer = filled(1, 2);
        DeviceBuffer empty = device.allocate("empty", 0);
        stream.copyToDevice(MemorySegment.ofArray(new byte[0]), buffer, 2);
        stream.copyToHost(empty, 0, MemorySegment.ofArray(new byte[0]));
        stream.copy(empty, 0, buffer, 1, 0);
        stream.clear(empty, 0, 0);

        assertThat(bytes(buffer)).containsExactly(1, 2);
    }

    /** A range past the end of a buffer may lie in another one, where it would do harm unseen. */
    @Test
    void keepsRangesInsideTheirBuffer() {
        DeviceBuffer buffer = filled(1, 2, 3, 4);
        DeviceBuffer other = filled(5, 6, 7, 8);
        long toOther = other.address() - buffer.address();
        MemorySegment two = MemorySegment.ofArray(new byte[2]);

        for (long offset : new long[] {3, -1, toOther, Long.MAX_VALUE, Long.MIN_VALUE}) {
            assertThatIllegalArgumentException().isThrownBy(() -> stream.copyToDevice(two, buffer, offset));
            assertThatIllegalArgumentException().isThrownBy(() -> stream.copyToHost(buffer, offset, two));
            assertThatIllegalArgumentException().isThrownBy(() -> stream.copy(buffer, offset, other, 0, 2));
            assertThatIllegalArgumentException().isThrownBy(() -> stream.copy(other, 0, buffer, offset, 2));
            assertThatIllegalArgumentException().isThrownBy(() -> stream.clear(buffer, offset, 2));
        }
        assertThatIllegalArgumentException()
                .isThrownBy(() -> stream.clear(buffer, 0, -1))
                .withMessageContaining("of device buffer test (4 bytes)");
        assertThat(bytes(buffer)).containsExactly(1, 2, 3, 4);
        assertThat(bytes(other)).containsExactly(5, 6, 7, 8);
    }

    @Test
    void readsAnyMemoryOfTheProcess(@TempDir Path folder) throws IOException {
        Path file = Files.write(folder.resolve("data"), new byte[] {9, 8, 7, 6, 5});
        DeviceBuffer buffer = filled(0, 0, 0, 0);
        try (FileChannel channel = FileChannel.open(file);
                Arena arena = Arena.ofConfined()) {
            MemorySegment mapped = channel.map(FileChannel.MapMode.READ_ONLY, 0, 5, arena);
            stream.copyToDevice(mapped.asSlice(1, 4), buffer, 0);
        }

        assertThat(bytes(buffer)).containsExactly(8, 7, 6, 5);
        stream.copyToDevice(MemorySegment.ofArray(new int[] {0x04030201}), buffer, 0);
        assertThat(bytes(buffer)).containsExactly(1, 2, 3, 4);
    }

    @Test
    void copiesOnlyDenseMatricesOfTheRightSize() {
        DeviceMatrix matrix = DeviceMatrix.of(device.allocate("matrix", 24), DType.F32, 2, 3);
        stream.copyToDevice(MemorySegment.ofArray(new float[] {1, 2, 3, 4, 5, 6}), matrix);
        float[] row = new float[3];
        stream.copyToHost(matrix.rows(1, 1), MemorySegment.ofArray(row));

        assertThat(row).containsExactly(4, 5, 6);
        stream.clear(matrix.rows(0, 1));
        assertThat(HostMatrices.get(device, matrix)).containsExactly(0, 0, 0, 4, 5, 6);
        MemorySegment four = MemorySegment.ofArray(new float[4]);
        assertThatIllegalArgumentException().isThrownBy(() -> stream.copyToDevice(four, matrix.columns(0, 2)));
        assertThatIllegalArgumentException().isThrownBy(() -> stream.copyToHost(matrix.columns(0, 2), four));
        assertThatIllegalArgumentException().isThrownBy(() -> stream.clear(matrix.columns(0, 2)));
        assertThatIllegalArgumentException().isThrownBy(() -> stream.copyToDevice(four, matrix));
    }

    @Test
    void hasDoneItsWorkWhenACallReturns() {
        DeviceBuffer buffer = filled(1, 0, 0, 0, 3, 0, 0, 0);
        stream.launch(
                DOUBLE.entry("twice"),
                LaunchShape.linear(1, 32),
                new KernelArguments().address(buffer.address()).int32(2));

        assertThat(bytes(buffer)).containsExactly(2, 0, 0, 0, 6, 0, 0, 0);
        stream.record().synchronize();
        stream.await(stream.record());
        stream.synchronize();
        assertThat(device.transferStream()).isSameAs(stream);
    }

    @Test
    void refusesArgumentsThatAreNotTheKernels() {
        assertThatIllegalArgumentException()
                .isThrownBy(() ->
                        stream.launch(DOUBLE.entry("twice"), LaunchShape.linear(1, 32), new KernelArguments().int32(2)))
                .withMessageContaining("twice takes 12 bytes of parameters, not 4");
    }

    @Test
    void reportsUnwrittenBytesOnACheckedMachine() {
        try (Device checked = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 1), MachineOptions.checked())) {
            DeviceBuffer buffer = checked.allocate("fresh", 8);
            checked.stream().clear(buffer, 0, 5);
            byte[] target = new byte[6];

            assertThatIllegalArgumentException()
                    .isThrownBy(() -> checked.stream().copyToHost(buffer, 0, MemorySegment.ofArray(target)))
                    .withMessage("the host reads byte 5 of 'fresh', which was never written");
        }
    }

    private DeviceBuffer filled(int... values) {
        byte[] bytes = new byte[values.length];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) values[i];
        }
        DeviceBuffer buffer = device.allocate("test", bytes.length);
        stream.copyToDevice(MemorySegment.ofArray(bytes), buffer, 0);
        return buffer;
    }

    private byte[] bytes(DeviceBuffer buffer) {
        byte[] bytes = new byte[(int) buffer.byteSize()];
        stream.copyToHost(buffer, 0, MemorySegment.ofArray(bytes));
        return bytes;
    }
}
