package io.gpuquant.device.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gpuquant.ResourceException;
import io.gpuquant.device.Blas;
import io.gpuquant.device.BlasFactory;
import io.gpuquant.device.Device;
import io.gpuquant.device.DeviceInfo;
import io.gpuquant.device.DeviceOptions;
import io.gpuquant.device.Gemm;
import java.io.IOException;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Which cuBLAS is taken, with fakes of several versions in folders of their own. */
@InChildJvm
class CublasChoiceTest {

    /** Names that no machine has. */
    private static final List<String> NOWHERE = List.of("libcublas-of-nobody.so.13", "libcublas-of-nobody.so.12");

    private static final BlasFactory KERNELS = device -> new Blas() {
        @Override
        public String description() {
            return "kernels on " + device.info().id();
        }

        @Override
        public void gemm(io.gpuquant.device.Stream stream, Gemm gemm) {
            throw new AssertionError(gemm);
        }
    };

    @Test
    void looksThroughFoldersForNamesThatTheSystemDoesNotKnow() {
        try (FakeCuda fake = FakeCuda.install()) {
            Path twelve = FakeCublas.compile(fake, 12);
            CublasSearch search = search(null, List.of(name(twelve)), Path.of("target/none"), folder(twelve));
            assertThat(search.candidates())
                    .containsExactly(
                            new CublasSearch.Candidate.Name(name(twelve)), new CublasSearch.Candidate.File(twelve));
            assertThat(description(search)).isEqualTo("cuBLAS 12.2.3 (" + twelve + ")");
        }
    }

    @Test
    void prefersTheNewestOfAFolder() throws IOException {
        Path folder = Files.createTempDirectory(Path.of("target"), "cublas");
        Path thirteen = Files.createFile(folder.resolve("libcublas.so.13"));
        Path eleven = Files.createFile(folder.resolve("libcublas.so.11"));
        CublasSearch search =
                search(null, List.of("libcublas.so.13", "libcublas.so.11"), Path.of("/nonexistent"), folder);
        assertThat(search.candidates())
                .containsExactly(
                        new CublasSearch.Candidate.Name("libcublas.so.13"),
                        new CublasSearch.Candidate.Name("libcublas.so.11"),
                        new CublasSearch.Candidate.File(thirteen),
                        new CublasSearch.Candidate.File(eleven));
        Files.delete(thirteen);
        Files.delete(eleven);
        Files.delete(folder);
    }

    @Test
    @SuppressWarnings("restricted")
    void namesThatTheSystemKnowsComeFirst() {
        try (FakeCuda fake = FakeCuda.install()) {
            Path known = FakeCublas.compile(fake, 11);
            System.load(known.toString());
            Path other = FakeCublas.compile(fake, 12);
            CublasSearch search = search(null, List.of(NOWHERE.getFirst(), name(known), name(other)), folder(other));
            assertThat(description(search)).isEqualTo("cuBLAS 11.2.3 (" + name(known) + ")");
        }
    }

    @Test
    void newerLibraryThatTheDriverIsTooOldForIsPassedOver() {
        try (FakeCuda fake = FakeCuda.install().fail("cublasCreate_v2", 1)) {
            Path thirteen = FakeCublas.compile(fake, 13);
            Path twelve = FakeCublas.compile(fake, 12);
            CublasSearch search = search(null, List.of(name(thirteen), name(twelve)), folder(thirteen), folder(twelve));
            assertThat(description(search)).isEqualTo("cuBLAS 12.2.3 (" + twelve + ")");
            assertThat(fake.calls("cublasCreate_v2")).containsExactly("cublasCreate_v2 13", "cublasCreate_v2 12");
        }
    }

    @Test
    void libraryWithoutANeededFunctionIsPassedOver() {
        try (FakeCuda fake = FakeCuda.install()) {
            Path lacking = FakeCublas.compile(fake, 13, "-DLACKING_PROPERTY");
            Path twelve = FakeCublas.compile(fake, 12);
            CublasSearch search = search(null, List.of(name(lacking), name(twelve)), folder(lacking), folder(twelve));
            assertThat(description(search)).isEqualTo("cuBLAS 12.2.3 (" + twelve + ")");
        }
    }

    @Test
    void loadsTheLibraryThatCublasNeedsFromItsOwnFolder() throws IOException {
        try (FakeCuda fake = FakeCuda.install()) {
            Path elsewhere = NativeLibraries.compile(
                    "fakecublas.c", "libcublasLt-fake.so.12", fake.library().toString(), "-DVERSION=12");
            Path twelve = NativeLibraries.compile(
                    "fakecublas.c",
                    "libcublas-fake.so.12",
                    fake.library().toString(),
                    "-DVERSION=12",
                    "-Wl,--no-as-needed",
                    elsewhere.toString());
            Path neighbour = Files.move(elsewhere, twelve.resolveSibling("libcublasLt-fake.so.12"));
            assertThat(description(search(twelve, NOWHERE))).isEqualTo("cuBLAS 12.2.3 (" + twelve + ")");
            Files.delete(neighbour);
        }
    }

    @Test
    void overrideIsTakenOrRefusedButNeverReplaced() {
        try (FakeCuda fake = FakeCuda.install()) {
            Path twelve = FakeCublas.compile(fake, 12);
            Path thirteen = FakeCublas.compile(fake, 13);
            assertThat(description(search(thirteen, List.of(name(twelve)), folder(twelve))))
                    .contains(thirteen.toString());
            Path missing = Path.of("/nonexistent/libcublas.so.12");
            assertThatThrownBy(() -> description(search(missing, List.of(name(twelve)), folder(twelve))))
                    .isInstanceOf(ResourceException.class)
                    .hasMessageContaining("-Dgpuquant.cublas names cannot be used: " + missing)
                    .hasMessageContaining("correct the path");
        }
    }

    @Test
    void kernelsComputeWhereThereIsNone() {
        try (FakeCuda fake = FakeCuda.install()) {
            assertThat(description(search(null, NOWHERE))).isEqualTo("kernels on cuda:0");
            assertThat(fake.calls()).noneMatch(call -> call.startsWith("cublas"));
        }
    }

    @Test
    void withoutAnythingSaysWhatWasTried() {
        try (FakeCuda fake = FakeCuda.install()) {
            assertThatThrownBy(() -> description(search(null, NOWHERE), Optional.empty()))
                    .isInstanceOf(ResourceException.class)
                    .hasMessageStartingWith("no cuBLAS was found for cuda:0 (" + NOWHERE.getFirst())
                    .hasMessageContaining(NOWHERE.getLast())
                    .hasMessageContaining("install libcublas");
            assertThat(fake.calls("cuMemAllocAsync")).isEmpty();
        }
    }

    @Test
    void toolkitsAreLookedThroughNewestFirst() throws IOException {
        Path root = Files.createTempDirectory(Path.of("target"), "toolkits");
        for (String name : List.of("cuda-11.8", "cuda-12.6", "other")) {
            Files.createDirectory(root.resolve(name));
        }
        assertThat(CublasSearch.toolkitFolders(root))
                .containsExactly(root.resolve("cuda-12.6/lib64"), root.resolve("cuda-11.8/lib64"));
        assertThat(CublasSearch.toolkitFolders(root.resolve("missing"))).isEmpty();
        for (String name : List.of("cuda-11.8", "cuda-12.6", "other")) {
            Files.delete(root.resolve(name));
        }
        Files.delete(root);
    }

    @Test
    void pythonEnvironmentsOnTheSearchPathAreLookedThrough() throws IOException {
        Path root = Files.createTempDirectory(Path.of("target").toAbsolutePath(), "environments");
        Path wheel = Files.createDirectories(root.resolve("venv/lib/python3.12/site-packages/nvidia/cu13/lib"));
        Path conda = Files.createDirectories(root.resolve("conda/lib"));
        String searchPath = String.join(
                ":", root.resolve("venv/bin").toString(), "", root.resolve("conda/bin") + "", "/nonexistent/bin");
        assertThat(CublasSearch.environmentFolders(searchPath))
                .containsExactly(root.resolve("venv/lib"), wheel, conda, Path.of("/nonexistent/lib"));
        assertThat(CublasSearch.environmentFolders("")).isEmpty();
        try (Stream<Path> created = Files.walk(root)) {
            for (Path folder : created.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(folder);
            }
        }
    }

    @Test
    void thisMachineIsSearchedForThreeVersions() {
        System.clearProperty(CublasSearch.PROPERTY);
        CublasSearch search = CublasSearch.ofThisMachine();
        assertThat(search.override()).isNull();
        assertThat(search.names()).containsExactly("libcublas.so.13", "libcublas.so.12", "libcublas.so.11");
        assertThat(search.folders()).contains(Path.of("/usr/lib/x86_64-linux-gnu"));
        System.setProperty(CublasSearch.PROPERTY, "/somewhere/libcublas.so.12");
        assertThat(CublasSearch.ofThisMachine().candidates())
                .containsExactly(new CublasSearch.Candidate.File(Path.of("/somewhere/libcublas.so.12")));
        System.clearProperty(CublasSearch.PROPERTY);
    }

    private static CublasSearch search(@Nullable Path override, List<String> names, Path... folders) {
        return new CublasSearch(override, names, List.of(folders));
    }

    private static Path folder(Path library) {
        return library.resolveSibling("");
    }

    private static String name(Path library) {
        return String.valueOf(library.getFileName());
    }

    private static String description(CublasSearch search) {
        return description(search, Optional.of(KERNELS));
    }

    private static String description(CublasSearch search, Optional<BlasFactory> fallback) {
        try {
            SymbolLookup driver = DriverLibrary.load(DriverLibrary.NAME);
            JCudaLibrary.load(System.getProperty("java.library.path", ""));
            List<Gpu> gpus = Gpu.usable();
            DeviceInfo info = gpus.getFirst().info("cuda:0", "");
            BlasChoice choice = new BlasChoice(search, () -> fallback);
            try (Device device = new CudaDevice(driver, 0, info, DeviceOptions.defaults(), choice)) {
                return device.blas().description();
            }
        } catch (NoGpuException e) {
            throw new AssertionError(e);
        }
    }
}
