package io.gpuquant.device.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.InternalException;
import io.gpuquant.ResourceException;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.HostBuffer;
import io.gpuquant.device.KernelArguments;
import io.gpuquant.device.KernelEntry;
import io.gpuquant.device.KernelModule;
import io.gpuquant.device.LaunchShape;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Modules, launches and what becomes of their failures, on the fake driver. */
@InChildJvm
class LaunchTest {

    private static final LaunchShape SHAPE = new LaunchShape(70_000, 3, 2, 64, 0);
    private static final KernelEntry NOTHING = Fakes.MODULE.entry("nothing");

    @Test
    void driverGetsEveryArgument() {
        List<String> seen = new ArrayList<>();
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open()) {
            fake.kernels(launch -> {
                seen.add(launch.entry() + launch.grid() + launch.block() + launch.dynamicSharedBytes() + " "
                        + launch.moduleText().equals(Fakes.MODULE.text()) + " "
                        + launch.parameters().stream()
                                .map(MemorySegment::byteSize)
                                .toList());
                if (launch.entry().equals("scale")) {
                    seen.add(launch.int64(0) + " " + launch.int32(1) + " " + launch.float32(2));
                } else {
                    seen.add(launch.int64(0) + " " + launch.int64(1));
                }
                return 0;
            });
            KernelArguments narrow =
                    new KernelArguments().address(0x7f00_1234_5678L).int32(-5).float32(-0.25f);
            KernelArguments wide = new KernelArguments().address(0).int64(-(1L << 40));
            device.stream().launch(Fakes.MODULE.entry("scale"), SHAPE.withDynamicShared(4_096), narrow);
            device.stream().launch(Fakes.MODULE.entry("wide"), LaunchShape.linear(1, 1024), wide);
            assertThat(seen).isEmpty();
            device.stream().synchronize();
        }
        assertThat(seen)
                .containsExactly(
                        "scale[70000, 3, 2][64, 1, 1]4096 true [8, 4, 4]",
                        0x7f00_1234_5678L + " -5 -0.25",
                        "wide[1, 1, 1][1024, 1, 1]0 true [8, 8]",
                        "0 " + -(1L << 40));
    }

    @Test
    void modulesAndKernelsAreLoadedOnce() {
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open()) {
            for (int i = 0; i < 3; i++) {
                device.stream().launch(NOTHING, SHAPE, new KernelArguments());
            }
            KernelArguments arguments = new KernelArguments().address(0).int64(0);
            device.transferStream().launch(Fakes.MODULE.entry("wide"), SHAPE, arguments);
            assertThat(fake.calls("cuModuleLoadDataEx")).hasSize(1);
            assertThat(fake.calls("cuModuleGetFunction")).hasSize(2);
            assertThat(fake.calls("cuLaunchKernel")).hasSize(4);
        }
    }

    @Test
    void moduleThatDoesNotAssembleIsReportedWithTheLog() {
        try (FakeCuda fake = FakeCuda.install()
                        .jitLog("ptxas application ptx input, line 7; fatal\n   : Parsing error near 'fma'\n")
                        .fail("cuModuleLoadDataEx", 218);
                Device device = Fakes.open()) {
            assertThatThrownBy(() -> device.stream().launch(NOTHING, SHAPE, new KernelArguments()))
                    .isInstanceOf(InternalException.class)
                    .hasMessageContaining(
                            "cannot assemble test.ptx: CUDA_ERROR_INVALID_PTX (ptxas application ptx input,"
                                    + " line 7; fatal; : Parsing error near 'fma')")
                    .hasMessageContaining("gpuquant selftest --device cuda:0");
            device.stream().launch(NOTHING, SHAPE, new KernelArguments());
            assertThat(fake.calls("cuModuleLoadDataEx")).hasSize(2);
        }
    }

    @Test
    void moduleThatTheDriverCannotAssembleIsTheDriversFault() {
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open()) {
            fake.fail("cuModuleLoadDataEx", 222);
            assertThatThrownBy(() -> device.stream().launch(NOTHING, SHAPE, new KernelArguments()))
                    .isInstanceOf(ResourceException.class)
                    .hasMessageContaining("CUDA_ERROR_UNSUPPORTED_PTX_VERSION; install driver 470");
            fake.fail("cuModuleLoadDataEx", 221);
            assertThatThrownBy(() -> device.stream().launch(NOTHING, SHAPE, new KernelArguments()))
                    .isInstanceOf(ResourceException.class)
                    .hasMessageContaining("libnvidia-ptxjitcompiler.so.1");
            fake.fail("cuModuleLoadDataEx", 2).fail("cuModuleLoadDataEx", 2);
            assertThatThrownBy(() -> device.stream().launch(NOTHING, SHAPE, new KernelArguments()))
                    .isInstanceOf(ResourceException.class)
                    .hasMessageContaining("CUDA_ERROR_OUT_OF_MEMORY; free the memory");
        }
    }

    @Test
    void driverThatLacksMemoryForCodeGetsWhatThePoolKeeps() {
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open()) {
            fake.fail("cuModuleLoadDataEx", 2).fail("cuLaunchKernel", 2);
            device.stream().launch(NOTHING, SHAPE, new KernelArguments());
            assertThat(fake.calls("cuModuleLoadDataEx")).hasSize(2);
            assertThat(fake.calls("cuLaunchKernel")).hasSize(2);
            assertThat(fake.calls("cuMemPoolTrimTo")).hasSize(2);
            fake.fail("cuLaunchKernel", 2).fail("cuLaunchKernel", 2);
            assertThatThrownBy(() -> device.stream().launch(NOTHING, SHAPE, new KernelArguments()))
                    .isInstanceOf(ResourceException.class)
                    .hasMessageContaining("ran out of memory (CUDA_ERROR_OUT_OF_MEMORY) while launching nothing");
        }
    }

    @Test
    void overlongLogIsCut() {
        try (FakeCuda fake = FakeCuda.install().jitLog("x".repeat(4_000)).fail("cuModuleLoadDataEx", 218);
                Device device = Fakes.open()) {
            assertThatThrownBy(() -> device.stream().launch(NOTHING, SHAPE, new KernelArguments()))
                    .hasMessageContaining("xxxx");
            assertThat(fake.live(FakeCuda.Kind.MODULE)).isZero();
        }
    }

    @Test
    void kernelThatIsNotThereIsNamed() {
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open()) {
            KernelEntry missing = Fakes.MODULE.entry("scal");
            assertThatThrownBy(() -> device.stream().launch(missing, SHAPE, new KernelArguments()))
                    .isInstanceOf(InternalException.class)
                    .hasMessageContaining("scal of test.ptx");
            fake.fail("cuModuleGetFunction", 500);
            assertThatThrownBy(() -> device.stream().launch(NOTHING, SHAPE, new KernelArguments()))
                    .isInstanceOf(InternalException.class)
                    .hasMessageContaining("CUDA_ERROR_NOT_FOUND while looking for kernel nothing of test.ptx");
        }
    }

    @Test
    void argumentsThatDoNotFitAreRefusedBeforeTheDriverReadsThem() {
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open()) {
            KernelEntry scale = Fakes.MODULE.entry("scale");
            assertThatThrownBy(() -> device.stream()
                            .launch(
                                    scale,
                                    SHAPE,
                                    new KernelArguments().address(0).int32(1)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("[ADDRESS, INT32] for scale of test.ptx")
                    .hasMessageContaining("[8, 4, 4]");
            KernelArguments tooWide = new KernelArguments().address(0).int64(1).float32(1);
            assertThatThrownBy(() -> device.stream().launch(scale, SHAPE, tooWide))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThat(fake.calls("cuLaunchKernel")).isEmpty();
        }
    }

    @Test
    void sharedMemoryBeyondTheDefaultIsAskedForOnce() {
        try (FakeCuda fake = FakeCuda.install().set("staticShared", 1_024);
                Device device = Fakes.open()) {
            int byRight = (48 << 10) - 1_024;
            launchShared(device, byRight);
            assertThat(fake.calls("cuFuncSetAttribute")).isEmpty();
            launchShared(device, byRight + 16);
            launchShared(device, byRight + 8);
            launchShared(device, 160 << 10);
            assertThat(fake.calls("cuFuncSetAttribute"))
                    .containsExactly("cuFuncSetAttribute " + (byRight + 16), "cuFuncSetAttribute " + (160 << 10));
            assertThat(fake.calls("cuLaunchKernel")).hasSize(4);
        }
    }

    @Test
    void sharedMemoryBeyondTheDeviceIsRefused() {
        try (FakeCuda fake = FakeCuda.install().set("sharedPerBlock", 101_376);
                Device device = Fakes.open()) {
            launchShared(device, 101_376);
            assertThatThrownBy(() -> launchShared(device, 101_377))
                    .isInstanceOf(ResourceException.class)
                    .hasMessageContaining("nothing of test.ptx needs 101377 bytes")
                    .hasMessageContaining("cuda:0 has 101376");
            assertThat(fake.calls("cuLaunchKernel")).hasSize(1);
        }
    }

    @Test
    void launchThatIsRefusedNamesTheKernel() {
        try (FakeCuda fake = FakeCuda.install();
                Device device = Fakes.open()) {
            fake.fail("cuLaunchKernel", 701);
            assertThatThrownBy(() -> device.stream().launch(NOTHING, SHAPE, new KernelArguments()))
                    .isInstanceOf(InternalException.class)
                    .hasMessageContaining("CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES while launching nothing of test.ptx")
                    .hasMessageContaining("gridX=70000")
                    .hasMessageContaining("selftest --device cuda:0");
            device.stream().synchronize();
        }
    }

    @Test
    void faultNamesWhatWasLaunchedSinceTheLastWait() {
        try (FakeCuda _ = FakeCuda.install().kernels(launch -> launch.entry().equals("scale") ? 700 : 0);
                Device device = Fakes.open()) {
            device.stream().launch(NOTHING, SHAPE, new KernelArguments());
            device.stream().synchronize();
            KernelArguments wide = new KernelArguments().address(0).int64(0);
            device.transferStream().launch(Fakes.MODULE.entry("wide"), SHAPE, wide);
            KernelArguments scale = new KernelArguments().address(0).int32(0).float32(0);
            device.stream().launch(Fakes.MODULE.entry("scale"), SHAPE, scale);
            assertThatThrownBy(() -> device.stream().synchronize())
                    .isInstanceOf(InternalException.class)
                    .hasMessageContaining("cuda:0 reported CUDA_ERROR_ILLEGAL_ADDRESS while waiting for queued work")
                    .hasMessageContaining("scale of test.ptx")
                    .hasMessageContaining("wide of test.ptx")
                    .hasMessageContaining("gpuquant selftest --device cuda:0")
                    .message()
                    .doesNotContain("nothing of test.ptx");
        }
    }

    @Test
    void everythingFailsAfterAFaultButClosing() {
        FakeCuda fake = FakeCuda.install().kernels(launch -> 719);
        Device device = Fakes.open();
        DeviceBuffer buffer = Fakes.buffer(device, "data", 1);
        device.allocateHost("pinned", 4);
        device.stream().launch(NOTHING, SHAPE, new KernelArguments());
        assertThatThrownBy(() -> Fakes.floats(device.stream(), buffer))
                .hasMessageContaining("CUDA_ERROR_LAUNCH_FAILED")
                .hasMessageContaining("nothing of test.ptx");
        assertThatThrownBy(() -> device.stream().clear(buffer, 0, 4)).hasMessageContaining("CUDA_ERROR_LAUNCH_FAILED");
        assertThatThrownBy(() -> device.allocate("more", 4)).hasMessageContaining("CUDA_ERROR_LAUNCH_FAILED");
        buffer.close();
        device.close();
        fake.close();
    }

    @Test
    void closingAfterARefusedLaunchStillWaitsForTheRest() {
        try (FakeCuda fake = FakeCuda.install().kernels(Fakes::scale);
                Device device = Fakes.open()) {
            HostBuffer source = device.allocateHost("source", 4);
            DeviceBuffer buffer = device.allocate("data", 4);
            device.stream().copyToDevice(source.segment(), buffer, 0);
            fake.fail("cuLaunchKernel", 701);
            assertThatThrownBy(() -> device.stream().launch(NOTHING, SHAPE, new KernelArguments()))
                    .hasMessageContaining("CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES");
            source.close();
            device.stream().synchronize();
            assertThat(fake.live(FakeCuda.Kind.PINNED_MEMORY)).isZero();
        }
    }

    @Test
    void faultThatOnlyClosingMeetsIsNotSwallowed() {
        FakeCuda fake = FakeCuda.install().kernels(launch -> 716);
        Device device = Fakes.open();
        device.stream().launch(NOTHING, SHAPE, new KernelArguments());
        assertThatThrownBy(device::close)
                .isInstanceOf(InternalException.class)
                .hasMessageContaining("CUDA_ERROR_MISALIGNED_ADDRESS")
                .hasMessageContaining("nothing of test.ptx");
        fake.close();
    }

    @Test
    void faultThatClosingPinnedMemoryMeetsIsNotSwallowed() {
        FakeCuda fake = FakeCuda.install().kernels(launch -> 700);
        Device device = Fakes.open();
        device.stream().launch(NOTHING, SHAPE, new KernelArguments());
        assertThatThrownBy(device.allocateHost("pinned", 4)::close).hasMessageContaining("CUDA_ERROR_ILLEGAL_ADDRESS");
        device.close();
        fake.close();
    }

    @Test
    void longListOfKernelsIsCutFromItsOldEnd() {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 20; i++) {
            text.append(".visible .entry k").append(i).append("() { ret; }\n");
        }
        KernelModule many = new KernelModule("many.ptx", text.toString());
        FakeCuda fake = FakeCuda.install().kernels(launch -> 700);
        try (Device device = Fakes.open()) {
            for (int i = 0; i < 20; i++) {
                device.stream().launch(many.entry("k" + i), SHAPE, new KernelArguments());
            }
            assertThatThrownBy(() -> device.stream().synchronize())
                    .hasMessageContaining("k19 of many.ptx, k18")
                    .hasMessageContaining("k8 of many.ptx and 8 others")
                    .message()
                    .doesNotContain("k7 of");
        }
        fake.close();
    }

    private static void launchShared(Device device, int bytes) {
        device.stream().launch(NOTHING, SHAPE.withDynamicShared(bytes), new KernelArguments());
    }
}
