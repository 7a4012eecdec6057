package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.ptx.syntax.Entry;
import io.gpuquant.ptx.syntax.PtxFile;
import io.gpuquant.ptx.syntax.PtxType;
import io.gpuquant.ptx.syntax.Statement;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The rules that kernels are written by. */
final class KernelSourcesTest {

    private static final Set<String> ROUNDED = Set.of("add", "sub", "mul", "fma", "div", "sqrt", "rcp");
    private static final Set<String> MAY_APPROXIMATE = Set.of("ex2", "lg2");

    @ParameterizedTest
    @ValueSource(
            strings = {
                "activation",
                "awq",
                "awq_grid",
                "check",
                "convert",
                "embedding",
                "loss",
                "nibbles",
                "norm",
                "reduce",
                "rope",
                "scale",
                "softmax"
            })
    void runOnEveryGpuFromAmpereOn(String family) {
        PtxFile file = parse(family + ".ptx");
        assertThat(file.version()).isEqualTo(74);
        assertThat(file.target()).isEqualTo("sm_80");
        assertThat(file.entries())
                .allSatisfy(entry -> assertThat(entry.maxThreads()).isEqualTo(Grids.THREADS));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "activation",
                "awq",
                "awq_grid",
                "check",
                "convert",
                "embedding",
                "loss",
                "nibbles",
                "norm",
                "reduce",
                "rope",
                "scale",
                "softmax"
            })
    void leaveNoRoundingToTheAssembler(String family) {
        for (Entry entry : parse(family + ".ptx").entries()) {
            for (Statement statement : entry.statements()) {
                List<String> modifiers = statement.modifiers();
                boolean floats = modifiers.contains("f32") || modifiers.contains("f64");
                assertThat(modifiers).as(statement.toString()).doesNotContain("ftz", "full");
                if (floats && ROUNDED.contains(statement.opcode())) {
                    assertThat(modifiers).as(statement.toString()).contains("rn");
                }
                if (modifiers.contains("approx")) {
                    assertThat(MAY_APPROXIMATE).as(statement.toString()).contains(statement.opcode());
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "activation",
                "awq",
                "awq_grid",
                "check",
                "convert",
                "embedding",
                "loss",
                "nibbles",
                "norm",
                "reduce",
                "rope",
                "scale",
                "softmax"
            })
    void haveTwinsWithTheSameParameters(String family) {
        assertThat(signatures(family + ".ptx")).isEqualTo(signatures("twins/" + family + ".ptx"));
    }

    private static Map<String, List<PtxType>> signatures(String fileName) {
        Map<String, List<PtxType>> signatures = new LinkedHashMap<>();
        for (Entry entry : parse(fileName).entries()) {
            signatures.put(
                    entry.name(),
                    entry.parameters().stream().map(Entry.Parameter::type).toList());
        }
        return signatures;
    }

    private static PtxFile parse(String fileName) {
        return PtxFile.parse(fileName, KernelFiles.module(fileName).text());
    }
}
