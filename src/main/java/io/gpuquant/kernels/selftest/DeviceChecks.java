package io.gpuquant.kernels.selftest;

import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;
import io.gpuquant.device.DeviceOutOfMemoryException;
import io.gpuquant.device.Event;
import io.gpuquant.device.HostBuffer;
import io.gpuquant.device.Stream;
import io.gpuquant.kernels.ActivationKernels;
import io.gpuquant.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;

/** Cases for what a device does besides computing: copies, streams and events, memory. */
final class DeviceChecks {

    /** More than a device keeps pinned for the copies of ordinary memory. */
    private static final int LONG = (36 << 20) + 5;

    private DeviceChecks() {}

    static List<Check> all() {
        return List.of(
                Check.exact(
                        "copies",
                        List.of(
                                new Copies(1, false),
                                new Copies(4097, false),
                                new Copies(LONG, false),
                                new Copies(4097, true),
                                new Copies(LONG, true))),
                Check.exact("streams and events", List.of(new Streams(1 << 16, 8))),
                Check.exact("memory", List.of(new Memory(3 << 20))));
    }

    /**
     * To the device, within it, partly cleared, and back.
     *
     * @param pinned whether through memory that the device copies from by itself
     */
    record Copies(int bytes, boolean pinned) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            MemorySegment source = MemorySegment.ofArray(pattern(bench));
            MemorySegment target = MemorySegment.ofArray(new byte[bytes + 1]);
            Stream stream = bench.stream();
            try (DeviceBuffer first = bench.device().allocate("self-test", bytes);
                    DeviceBuffer second = bench.device().allocate("self-test", bytes + 1L);
                    HostBuffer host = bench.device().allocateHost("self-test", bytes + 1L)) {
                MemorySegment from = pinned ? host.segment().asSlice(0, bytes).copyFrom(source) : source;
                MemorySegment to = pinned ? host.segment() : target;
                stream.copyToDevice(from, first, 0);
                stream.clear(second, 0, 1);
                stream.copy(first, 0, second, 1, bytes);
                stream.clear(second, 1 + bytes / 2, bytes / 4);
                stream.copyToHost(second, 0, to);
                stream.synchronize();
                target.copyFrom(to);
            }
            return List.of(new Output("bytes", DType.U8, target, Tolerance.NONE));
        }

        @Override
        public List<Output> expected(Bench reference) {
            byte[] pattern = pattern(reference);
            byte[] target = new byte[bytes + 1];
            System.arraycopy(pattern, 0, target, 1, bytes);
            Arrays.fill(target, 1 + bytes / 2, 1 + bytes / 2 + bytes / 4, (byte) 0);
            return List.of(new Output("bytes", DType.U8, MemorySegment.ofArray(target), Tolerance.NONE));
        }

        private byte[] pattern(Bench bench) {
            byte[] pattern = new byte[bytes];
            bench.random().nextBytes(pattern);
            return pattern;
        }
    }

    /** Numbers arrive on one stream and are added up on the other, in one buffer, so that each has to wait for the other. */
    record Streams(int count, int rounds) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            Device device = bench.device();
            DeviceMatrix sum = bench.matrix(DType.F32, Layout.dense(1, count), new float[count]);
            DeviceMatrix next = bench.matrix(DType.F32, Layout.dense(1, count), new float[count]);
            ActivationKernels kernels = new ActivationKernels(device.stream());
            for (int round = 0; round < rounds; round++) {
                Event used = device.stream().record();
                device.transferStream().await(used);
                device.transferStream().copyToDevice(MemorySegment.ofArray(numbers(round)), next);
                Event arrived = device.transferStream().record();
                device.stream().await(arrived);
                kernels.residualAdd(sum, next);
            }
            device.stream().record().synchronize();
            return List.of(bench.read("sum", sum));
        }

        @Override
        public List<Output> expected(Bench reference) {
            float[] sum = new float[count];
            for (int round = 0; round < rounds; round++) {
                float[] numbers = numbers(round);
                for (int i = 0; i < count; i++) {
                    sum[i] += numbers[i];
                }
            }
            return List.of(new Output("sum", DType.F32, MemorySegment.ofArray(sum), Tolerance.NONE));
        }

        private float[] numbers(int round) {
            float[] numbers = new float[count];
            for (int i = 0; i < count; i++) {
                numbers[i] = (i % 1000) * (round + 1);
            }
            return numbers;
        }
    }

    /** Memory is told of, aligned, counted, given back, and refused where there is not enough. */
    record Memory(int bytes) implements Case {

        @Override
        public List<Output> run(Bench bench) {
            Device device = bench.device();
            long before = device.memory().heldBytes();
            long held;
            long aligned;
            try (DeviceBuffer buffer = device.allocate("self-test", bytes)) {
                held = device.memory().heldBytes() - before;
                aligned = buffer.address() % 256;
            }
            return List.of(
                    Output.of("whether memory is told of", device.info().memoryBytes() > bytes ? 1 : 0),
                    Output.of("bytes held", held),
                    Output.of("address modulo 256", aligned),
                    Output.of("bytes held after release", device.memory().heldBytes() - before),
                    Output.of("whether too much was refused", refuses(device) ? 1 : 0));
        }

        private static boolean refuses(Device device) {
            // The memory of a GPU is what it is; that of a process, which may be promised more, ends with its
            // addresses.
            long tooMuch = device.info().kind().equals("host")
                    ? 1L << 48
                    : device.info().memoryBytes() + (1L << 30);
            try (DeviceBuffer _ = device.allocate("more than there is", tooMuch)) {
                return false;
            } catch (DeviceOutOfMemoryException refusal) {
                return true;
            }
        }

        @Override
        public List<Output> expected(Bench reference) {
            return List.of(
                    Output.of("whether memory is told of", 1L),
                    Output.of("bytes held", (long) bytes),
                    Output.of("address modulo 256", 0L),
                    Output.of("bytes held after release", 0L),
                    Output.of("whether too much was refused", 1L));
        }
    }
}
