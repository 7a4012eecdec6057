package io.gpuquant.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.calibration.CalibrationOptions;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.Devices;
import io.gpuquant.format.GptqVersion;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ShardedOutputTest {

    @TempDir
    Path folder;

    private JobResult run(Path model, String name, long maxShardBytes) {
        QuantizationJobOptions options = new QuantizationJobOptions(
                model,
                folder.resolve(name),
                false,
                new QuantizationJobOptions.Gptq(
                        false,
                        false,
                        true,
                        0.05,
                        false,
                        new QuantizationJobOptions.Calibration(null, new CalibrationOptions(2048, 4, 0))),
                4,
                32,
                true,
                GptqVersion.V1);
        return new QuantizationJob(
                        options,
                        () -> Devices.installed().open("host", DeviceOptions.defaults()),
                        new JobListener() {},
                        maxShardBytes)
                .run();
    }

    @Test
    void shardsHaveAnIndexAndTheOriginalOrder() {
        Path model = TinyModel.narrow().shards(100_000).write(folder.resolve("model"));

        JobResult result = run(model, "sharded", 60_000);
        run(model, "single", Long.MAX_VALUE);

        MadeCheckpoint sharded = new MadeCheckpoint(folder.resolve("sharded"));
        MadeCheckpoint single = new MadeCheckpoint(folder.resolve("single"));
        List<String> shards = sharded.files().keySet().stream()
                .filter(name -> name.endsWith(".safetensors"))
                .toList();
        assertThat(shards)
                .hasSizeGreaterThan(2)
                .allMatch(name -> name.matches("model-0000\\d-of-0000" + shards.size() + "\\.safetensors"));
        assertThat(sharded.names()).isEqualTo(single.names());
        for (String name : single.names()) {
            assertThat(sharded.content(name)).as(name).isEqualTo(single.content(name));
            assertThat(sharded.json("model.safetensors.index.json")
                            .path("weight_map")
                            .path(name)
                            .asText())
                    .isIn(shards);
        }
        assertThat(sharded.json("model.safetensors.index.json")
                        .path("metadata")
                        .path("total_size")
                        .asLong())
                .isEqualTo(result.outputBytes());
        assertThat(Files.exists(folder.resolve("single/model.safetensors"))).isTrue();
        assertThat(new Verification(folder.resolve("sharded"))
                        .check(Optional.of(model))
                        .comparedTensors())
                .isEqualTo(new MadeCheckpoint(model).names().size());
    }
}
