package io.gpuquant.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.calibration.CalibrationOptions;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.DeviceOutOfMemoryException;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.format.AwqVersion;
import io.gpuquant.format.GptqVersion;
import io.gpuquant.format.PackedFormat;
import io.gpuquant.model.CheckpointWeights;
import io.gpuquant.model.Chunking;
import io.gpuquant.model.DecoderLayer;
import io.gpuquant.model.LayerLoader;
import io.gpuquant.model.ModelConfig;
import io.gpuquant.safetensors.Checkpoint;
import io.gpuquant.tensor.DType;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A run gives the same bytes however little memory its plan may use, and holds what the plan says. */
class WhateverFitsTest {

    private static final int SEQUENCES = 5;
    private static final int LENGTH = 24;

    @TempDir
    Path folder;

    private Path model;

    @BeforeEach
    void make() {
        model = TinyModel.narrow().write(folder.resolve("model"));
    }

    private enum Method {
        GPTQ(new QuantizationJobOptions.Gptq(false, false, true, 0.05, false, calibration()), GptqVersion.V1),
        AWQ(
                new QuantizationJobOptions.Awq(
                        QuantizationJobOptions.Objective.MODULE, 4, true, true, true, calibration()),
                AwqVersion.GEMM);

        private final QuantizationJobOptions.MethodOptions method;
        private final PackedFormat version;

        Method(QuantizationJobOptions.MethodOptions method, PackedFormat version) {
            this.method = method;
            this.version = version;
        }

        private static QuantizationJobOptions.Calibration calibration() {
            return new QuantizationJobOptions.Calibration(null, new CalibrationOptions(LENGTH, SEQUENCES, 0));
        }

        QuantizationJobOptions options(Path model) {
            return new QuantizationJobOptions(
                    model, model.resolveSibling("out"), false, method, 4, 32, this == GPTQ, version);
        }
    }

    @ParameterizedTest
    @EnumSource
    void sameBytesForEveryChunkAndEveryTileOfAttention(Method method) {
        Chunking whole = new Chunking(SEQUENCES, LENGTH, 1, SEQUENCES, 64 << 20);
        Map<String, byte[]> expected = run(method, whole, MemoryPlan.Placements.CHOICES.getFirst());

        for (int perChunk = 1; perChunk < SEQUENCES; perChunk++) {
            MemoryPlan.Placements placements = perChunk % 2 == 0
                    ? MemoryPlan.Placements.CHOICES.getLast()
                    : MemoryPlan.Placements.CHOICES.get(perChunk / 2);
            Chunking chunking = new Chunking(SEQUENCES, LENGTH, 1, perChunk, (perChunk - 1) * 5_000L);
            assertSame(run(method, chunking, placements), expected);
        }
        assertThat(expected).hasSize(method == Method.GPTQ ? 2 * 7 * 4 : 2 * (7 * 3 + 2));
    }

    /** Five sequences in blocks of two: the last block is smaller than the others. */
    @ParameterizedTest
    @EnumSource
    void sameBytesForChunksOfSeveralBlocks(Method method) {
        Map<String, byte[]> expected = run(
                method,
                new Chunking(SEQUENCES, LENGTH, 2, SEQUENCES, 64 << 20),
                MemoryPlan.Placements.CHOICES.getFirst());

        assertSame(
                run(method, new Chunking(SEQUENCES, LENGTH, 2, 2, 0), MemoryPlan.Placements.CHOICES.getLast()),
                expected);
        assertSame(
                run(method, new Chunking(SEQUENCES, LENGTH, 2, 4, 9_000), MemoryPlan.Placements.CHOICES.get(1)),
                expected);
    }

    /** What a plan says is held, from the roomiest to the least that is offered, on a device with and without prefetch. */
    @ParameterizedTest
    @EnumSource
    void plansHoldWhatTheySay(Method method) {
        Map<String, byte[]> expected =
                run(method, Chunking.ofBlocks(SEQUENCES, LENGTH, 1), MemoryPlan.Placements.CHOICES.getFirst());
        for (UnaryOperator<Device> kind :
                List.<UnaryOperator<Device>>of(OverlappingDevice::new, UnaryOperator.identity())) {
            MemoryPlan roomy = plan(method, kind, Long.MAX_VALUE);
            MemoryPlan least = plan(method, kind, 1);
            assertThat(least.peakBytes()).isLessThan(roomy.peakBytes());
            assertThat(roomy.prefetch()).isEqualTo(roomy.room().overlaps());
            assertThat(least.prefetch()).isFalse();
            MemoryPlan between = plan(method, kind, (least.peakBytes() + roomy.peakBytes()) / 2);
            for (MemoryPlan plan : roomy.prefetch() ? List.of(roomy, between, least) : List.of(between, least)) {
                DeviceOptions limited = new DeviceOptions(plan.peakBytes(), 2);
                try (Device device = kind.apply(HostDevice.open(limited))) {
                    assertSame(run(device, method, plan), expected);
                    assertThat(device.memory().heldBytes()).isZero();
                    assertThat(device.memory().peakBytes())
                            .isLessThanOrEqualTo(plan.peakBytes())
                            .isGreaterThan(plan.peakBytes() * 10 / 11);
                }
            }
        }
    }

    @Test
    void deviceEnforcesWhatThePlanPromises() {
        MemoryPlan least = plan(Method.GPTQ, UnaryOperator.identity(), 1);
        try (Device device = HostDevice.open(new DeviceOptions(least.peakBytes() * 9 / 10, 2))) {
            assertThatThrownBy(() -> run(device, Method.GPTQ, least)).isInstanceOf(DeviceOutOfMemoryException.class);
            assertThat(device.memory().heldBytes()).isZero();
        }
    }

    private MemoryPlan plan(Method method, UnaryOperator<Device> kind, long bytes) {
        QuantizationJobOptions options = method.options(model);
        try (Device device = kind.apply(HostDevice.open(new DeviceOptions(bytes, 2)))) {
            return Rehearsal.of(Room.of(device), options, choices(options), DType.F16)
                    .plan(Chunking.ofBlocks(SEQUENCES, LENGTH, 1));
        }
    }

    private static Preflight.Choices choices(QuantizationJobOptions options) {
        return Preflight.choose(options, ModelConfig.read(options.model()), structure -> DType.F16);
    }

    private Map<String, byte[]> run(Method method, Chunking chunking, MemoryPlan.Placements placements) {
        try (Device device = HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 2))) {
            return run(device, method, new MemoryPlan(Room.of(device), chunking, placements, false, List.of(), 0, 0));
        }
    }

    /** All layers, as a job goes through them. */
    private Map<String, byte[]> run(Device device, Method method, MemoryPlan plan) {
        QuantizationJobOptions options = method.options(model);
        Preflight.Choices choices = choices(options);
        List<DecoderLayer> layers = choices.structure().layers();
        int hiddenSize = choices.structure().config().hiddenSize();
        CollectedOutput output = new CollectedOutput(device);
        DType type = device.operandType(DType.F16);
        try (Checkpoint checkpoint = Checkpoint.open(model)) {
            CheckpointWeights source = new CheckpointWeights(checkpoint, device);
            try (CalibrationPass pass =
                            new CalibrationPass(device, choices.structure(), type, plan.chunking(), plan.placements());
                    LayerLoader loader = new LayerLoader(
                            device,
                            source,
                            type,
                            hiddenSize,
                            layer -> layers.stream()
                                    .filter(other -> other.index() == layer.index() + 1)
                                    .findFirst(),
                            plan.prefetch());
                    LayerQuantizer quantizer = new QuantizerSettings(
                                    device,
                                    choices.scheme(),
                                    loader,
                                    source::dtype,
                                    output,
                                    linear -> true,
                                    choices.structure().config().family(),
                                    report -> {},
                                    UnaryOperator.identity(),
                                    Optional.empty(),
                                    Peers.NONE)
                            .quantizer(options)) {
                pass.embed(source, WhateverFitsTest::tokens);
                layers.forEach(layer -> quantizer.quantize(layer, pass));
            }
        }
        return output.tensors();
    }

    private static int[] tokens(int sequence) {
        return new SplittableRandom(sequence).ints(LENGTH, 0, 1024).toArray();
    }

    private static void assertSame(Map<String, byte[]> actual, Map<String, byte[]> expected) {
        assertThat(actual.keySet()).containsExactlyElementsOf(expected.keySet());
        Optional<String> other = expected.keySet().stream()
                .filter(name -> !Arrays.equals(actual.get(name), expected.get(name)))
                .findFirst();
        assertThat(other).as("a tensor that differs").isEmpty();
    }
}
