package io.gpuquant.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.calibration.CalibrationOptions;
import io.gpuquant.calibration.TextFile;
import io.gpuquant.device.Blas;
import io.gpuquant.device.ChangedDevice;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.host.HostDevice;
import io.gpuquant.format.AwqVersion;
import io.gpuquant.format.GptqVersion;
import io.gpuquant.format.PackedFormat;
import io.gpuquant.kernels.PtxBlas;
import io.gpuquant.model.Chunking;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What the arithmetic of this version makes of a small model. Where a test fails because results were meant to change, {@link
 * Fingerprint#ARITHMETIC} is raised, and what is expected here is replaced. Products are by kernels, since those of a library
 * differ from processor to processor.
 */
class ArithmeticTest {

    @TempDir
    Path folder;

    @Test
    void gptqMakesTheBytesOfThisVersion() throws Exception {
        assertThat(digest(
                        new QuantizationJobOptions.Gptq(false, false, true, 0.05, false, calibration()),
                        GptqVersion.V1))
                .as("if this was meant to change, raise Fingerprint.ARITHMETIC")
                .isEqualTo("aa6dafb86b17dbccc7d83d8be83bd7d8edaa96fd00c221e8302a625f32f7eb09");
    }

    @Test
    void awqMakesTheBytesOfThisVersion() throws Exception {
        QuantizationJobOptions.Awq awq = new QuantizationJobOptions.Awq(
                QuantizationJobOptions.Objective.MODULE, 4, true, true, true, calibration());
        assertThat(digest(awq, AwqVersion.GEMM))
                .as("if this was meant to change, raise Fingerprint.ARITHMETIC")
                .isEqualTo("c5118f6411c689e576259dbd8007ff5ebc2e40b9fe7c7cbd197f608f137f7247");
    }

    /** The last bits of a library's product may depend on its number of rows. */
    @Test
    void productsAreOfTheBlocksOfThisVersion() {
        assertThat(Chunking.of(128, 2048).perBlock()).isEqualTo(1);
        assertThat(Chunking.of(128, 256).perBlock()).isEqualTo(8);
        assertThat(Blas.GRAM_CHAIN).isEqualTo(2048);
        assertThat(Blas.GRAM_PANEL).isEqualTo(1024);
    }

    private QuantizationJobOptions.Calibration calibration() {
        return new QuantizationJobOptions.Calibration(
                new TextFile(TinyModel.writeText(folder.resolve("text.jsonl")), "text"),
                new CalibrationOptions(32, 4, 0));
    }

    private String digest(QuantizationJobOptions.MethodOptions method, PackedFormat version) throws Exception {
        Path model = TinyModel.narrow().layers(1).write(folder.resolve("model"));
        QuantizationJobOptions options = new QuantizationJobOptions(
                model,
                folder.resolve("out"),
                false,
                method,
                4,
                32,
                method.name().equals("gptq"),
                version);
        new QuantizationJob(
                        options,
                        () -> ChangedDevice.with(
                                HostDevice.open(new DeviceOptions(Long.MAX_VALUE, 2)), "blas", new PtxBlas()),
                        new JobListener() {})
                .run();
        byte[] made = Files.readAllBytes(folder.resolve("out").resolve("model.safetensors"));
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(made));
    }
}
