package io.gpuquant.ptx;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.ptx.syntax.PtxFile;
import io.gpuquant.ptx.syntax.PtxSyntaxException;
import io.gpuquant.ptx.syntax.Statement;
import java.io.IOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the decoder accepts is PTX, and tested; kernels use nothing else. */
class AcceptedFormsTest {

    private static final String HEADER = ".version 7.4\n.target sm_80\n.address_size 64\n\n";

    /** A machine does not run on after a trap; constants and parameters are declared outside of a kernel's body. */
    private static final Predicate<String> TESTED_ELSEWHERE =
            mnemonic -> mnemonic.equals("trap") || mnemonic.startsWith("ld.const.") || mnemonic.startsWith("ld.param.");

    private static VirtualGpu gpu;
    private static List<String> accepted;
    private static Set<String> tested;

    @BeforeAll
    static void decode() {
        gpu = new VirtualGpu(MachineOptions.checked());
        accepted = InstructionForms.all().stream()
                .filter(form -> isAccepted(module(form, "test")))
                .toList();
        tested = InstructionFile.all().stream()
                .flatMap(file -> mnemonics(file.name(), file.module()))
                .collect(Collectors.toSet());
    }

    @AfterAll
    static void close() {
        gpu.close();
    }

    private static String module(String form, String entry) {
        return HEADER + entry(form, entry);
    }

    private static String entry(String form, String name) {
        return ".visible .entry " + name + "(.param .b64 parameter) " + InstructionForms.PROLOGUE + form
                + InstructionForms.EPILOGUE;
    }

    private static boolean isAccepted(String module) {
        try {
            gpu.compile("form.ptx", module);
            return true;
        } catch (PtxSyntaxException refusal) {
            return false;
        }
    }

    @Test
    void fastAndCheckedMachinesAcceptTheSame() {
        try (VirtualGpu fast = new VirtualGpu(MachineOptions.fast(1))) {
            for (String form : accepted) {
                assertThat(fast.compile("form.ptx", module(form, "test")).kernelNames())
                        .containsExactly("test");
            }
        }
    }

    @Test
    void theAssemblerAcceptsThemToo(@TempDir Path folder) {
        Ptxas.requirePresent();
        StringBuilder text = new StringBuilder(HEADER);
        Map<Integer, String> formOfLine = new HashMap<>();
        int line = 5;
        for (int i = 0; i < accepted.size(); i++) {
            text.append(entry(accepted.get(i), "test" + i));
            formOfLine.put(line + 1, accepted.get(i));
            line += 3;
        }
        List<String> refused = new ArrayList<>();
        Ptxas.errors(folder, text.toString())
                .forEach((at, problem) -> refused.add(formOfLine.getOrDefault(at, "line " + at) + " " + problem));
        assertThat(refused).isEmpty();
    }

    @Test
    void anInstructionFileTestsEachOfThem() {
        Stream<String> mnemonics = accepted.stream().flatMap(form -> mnemonics("form.ptx", module(form, "test")));
        assertThat(untested(mnemonics)).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"/io/gpuquant/kernels", "/io/gpuquant/kernels/twins"})
    void kernelsAndTwinsUseNoOthers(String folder) throws IOException, URISyntaxException {
        URL resource = Objects.requireNonNull(getClass().getResource(folder + "/gptq.ptx"));
        List<Path> files;
        try (Stream<Path> all = Files.list(Path.of(resource.toURI()).resolveSibling("."))) {
            files = all.filter(file -> file.toString().endsWith(".ptx")).toList();
        }
        assertThat(files).hasSizeGreaterThan(10);
        for (Path file : files) {
            String name = file.getFileName().toString();
            assertThat(untested(mnemonics(name, Files.readString(file))))
                    .as(name)
                    .isEmpty();
        }
    }

    private static Set<String> untested(Stream<String> mnemonics) {
        return mnemonics
                .filter(mnemonic -> !tested.contains(mnemonic) && !TESTED_ELSEWHERE.test(mnemonic))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    private static Stream<String> mnemonics(String file, String module) {
        return PtxFile.parse(file, module).entries().stream()
                .flatMap(entry -> entry.statements().stream())
                .map(Statement::mnemonic);
    }
}
