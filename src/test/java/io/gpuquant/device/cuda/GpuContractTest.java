package io.gpuquant.device.cuda;

import io.gpuquant.device.Device;
import org.junit.jupiter.api.Test;

/** The contract on the fake driver, which shows that {@link RealGpuTest} asks for the right things. */
@InChildJvm
class GpuContractTest {

    @Test
    void copiesComeBack() {
        try (FakeCuda _ = FakeCuda.install();
                Device device = Fakes.open()) {
            GpuContract.copiesComeBack(device);
        }
    }

    @Test
    void kernelsRunInTurn() {
        try (FakeCuda _ = FakeCuda.install().kernels(GpuContract::scale);
                Device device = Fakes.open()) {
            GpuContract.kernelsRunInTurn(device);
        }
    }

    @Test
    void buffersMayBeReleasedWithWorkQueued() {
        try (FakeCuda _ = FakeCuda.install().kernels(GpuContract::scale);
                Device device = Fakes.open()) {
            GpuContract.buffersMayBeReleasedWithWorkQueued(device);
        }
    }

    @Test
    void moreThanThereIsIsRefusedAndHarmsNothing() {
        try (FakeCuda _ = FakeCuda.install();
                Device device = Fakes.open()) {
            GpuContract.moreThanThereIsIsRefusedAndHarmsNothing(device);
        }
    }

    @Test
    void whatWasReleasedInPiecesCanBeHadAsOne() {
        try (FakeCuda _ = FakeCuda.install().set("memory", 40L << 20);
                Device device = Fakes.open()) {
            GpuContract.whatWasReleasedInPiecesCanBeHadAsOne(device);
        }
    }

    @Test
    void moduleThatIsWrongIsReportedWithTheLog() {
        try (FakeCuda fake = FakeCuda.install().kernels(GpuContract::scale);
                Device device = Fakes.open()) {
            fake.jitLog("ptxas: unknown modifier '.nonsense'").fail("cuModuleLoadDataEx", 218);
            GpuContract.moduleThatIsWrongIsReportedWithTheLog(device);
        }
    }

    @Test
    void faultNamesTheKernel() {
        try (FakeCuda _ = FakeCuda.install().kernels(GpuContract::scale);
                Device device = Fakes.open()) {
            GpuContract.faultNamesTheKernel(device);
        }
    }
}
