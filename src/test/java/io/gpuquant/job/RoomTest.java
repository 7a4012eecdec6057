package io.gpuquant.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.calibration.CalibrationOptions;
import io.gpuquant.device.AttentionMethod;
import io.gpuquant.format.AwqVersion;
import io.gpuquant.format.GptqVersion;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RoomTest {

    private static final long WORKSPACE = 32L << 20;

    @TempDir
    Path folder;

    /** GPTQ factors on a second stream; AWQ has no products there. */
    @Test
    void workSpaceOfProductsOnASecondStreamIsPlannedForWhereThereAreAny() {
        // So wide that a factorization has several blocks.
        Path model = TinyModel.narrow()
                .config(config -> config.put("intermediate_size", 384))
                .write(folder.resolve("model"));
        QuantizationJobOptions.Calibration calibration =
                new QuantizationJobOptions.Calibration(null, new CalibrationOptions(32, 4, 0));
        QuantizationJobOptions gptq = new QuantizationJobOptions(
                model,
                folder.resolve("out"),
                false,
                new QuantizationJobOptions.Gptq(false, false, true, 0.05, false, calibration),
                4,
                32,
                true,
                GptqVersion.V1);
        QuantizationJobOptions awq = new QuantizationJobOptions(
                model,
                folder.resolve("out"),
                false,
                new QuantizationJobOptions.Awq(QuantizationJobOptions.Objective.GRAM, 4, true, true, true, calibration),
                4,
                32,
                false,
                AwqVersion.GEMM);
        Room gpu = Room.ofGpu("cuda:0", 80L << 30, AttentionMethod.TILED);

        assertThat(peak(gptq, gpu) - peak(gptq, withoutWorkSpace(gpu))).isEqualTo(WORKSPACE);
        assertThat(peak(awq, gpu)).isEqualTo(peak(awq, withoutWorkSpace(gpu))).isGreaterThan(WORKSPACE);
    }

    private static long peak(QuantizationJobOptions options, Room room) {
        return Forecast.inRooms(options, List.of(room)).widest().peakBytes();
    }

    private static Room withoutWorkSpace(Room room) {
        return new Room(
                room.info(),
                room.availableBytes(),
                room.heldBytes(),
                0,
                room.overlaps(),
                room.operandType(),
                room.attention());
    }
}
