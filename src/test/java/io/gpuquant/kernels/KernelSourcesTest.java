package io.gpuquant.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import io.gpuquant.ptx.syntax.Entry;
import io.gpuquant.ptx.syntax.Operand;
import io.gpuquant.ptx.syntax.PtxFile;
import io.gpuquant.ptx.syntax.PtxType;
import io.gpuquant.ptx.syntax.Statement;
import java.io.IOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The rules that kernels are written by, for every file of kernels that ships. */
final class KernelSourcesTest {

    /** Operations that round, and may be rounded to nearest only. */
    private static final Set<String> ROUNDED = Set.of("add", "sub", "mul", "mad", "fma", "div", "sqrt", "rcp");

    /** The only approximations, and the families that may use them: none decides on a code or a scale. */
    private static final Set<String> MAY_APPROXIMATE = Set.of("ex2", "lg2");

    private static final Set<String> MAY_BE_APPROXIMATE = Set.of("activation", "divergence", "loss", "moe", "softmax");

    private static final String ENTRY = ".visible .entry ";

    static List<String> families() throws IOException, URISyntaxException {
        URL resource = Objects.requireNonNull(KernelFiles.class.getResource("gptq.ptx"));
        try (Stream<Path> files = Files.list(Path.of(resource.toURI()).resolveSibling("."))) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> name.endsWith(".ptx"))
                    .map(name -> name.substring(0, name.length() - ".ptx".length()))
                    .sorted()
                    .toList();
        }
    }

    @Test
    void haveATwinInCudaForEachFile() throws IOException, URISyntaxException {
        try (Stream<Path> files = Files.list(Path.of("cuda"))) {
            List<String> twins = files.map(file -> file.getFileName().toString())
                    .filter(name -> name.endsWith(".cu"))
                    .map(name -> name.substring(0, name.length() - ".cu".length()))
                    .sorted()
                    .toList();
            assertThat(families()).hasSizeGreaterThan(10).isEqualTo(twins);
        }
    }

    @ParameterizedTest
    @MethodSource("families")
    void runOnEveryGpuFromAmpereOn(String family) {
        PtxFile file = parse(family + ".ptx");
        assertThat(file.version()).isEqualTo(74);
        assertThat(file.target()).isEqualTo("sm_80");
        assertThat(text(family)).containsOnlyOnce("\n.version 7.4\n.target sm_80\n.address_size 64\n");
        assertThat(file.entries()).isNotEmpty();
    }

    @ParameterizedTest
    @MethodSource("families")
    void sayHowManyThreadsABlockHas(String family) {
        String text = text(family);
        for (Entry entry : parse(family + ".ptx").entries()) {
            String head = KernelText.entry(text, entry.name());
            assertThat(head.substring(0, head.indexOf("\n{\n")))
                    .as(entry.name())
                    .contains("\n.maxntid ");
            assertThat(entry.maxThreads()).as(entry.name()).isEqualTo(Grids.THREADS);
        }
    }

    @ParameterizedTest
    @MethodSource("families")
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
                    assertThat(MAY_BE_APPROXIMATE).as(statement.toString()).contains(family);
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("families")
    void useAllThatTheyDeclare(String family) {
        for (Entry entry : parse(family + ".ptx").entries()) {
            Set<String> used = new HashSet<>();
            for (Statement statement : entry.statements()) {
                used.add(String.valueOf(statement.guard()));
                statement.operands().forEach(operand -> collect(operand, used));
            }
            entry.branchTables().values().forEach(used::addAll);
            Set<String> declared = new TreeSet<>(entry.registers().keySet());
            declared.addAll(entry.labels().keySet());
            entry.parameters().forEach(parameter -> declared.add(parameter.name()));
            declared.removeAll(used);
            // Of registers declared by number, such as %x<4>, not each must be used.
            used.forEach(name -> declared.removeIf(
                    other -> stem(other).equals(stem(name)) && !stem(other).equals(other)));
            assertThat(declared).as(entry.name()).isEmpty();
        }
    }

    private static String stem(String name) {
        return name.replaceFirst("\\d+$", "");
    }

    private static void collect(Operand operand, Set<String> used) {
        switch (operand) {
            case Operand.Register register -> used.add(register.name());
            case Operand.Symbol symbol -> used.add(symbol.name());
            case Operand.Vector vector -> vector.elements().forEach(element -> collect(element, used));
            case Operand.Address address -> collect(address.base(), used);
            case Operand.Negated negated -> collect(negated.operand(), used);
            case Operand.Pair pair -> {
                collect(pair.first(), used);
                collect(pair.second(), used);
            }
            case Operand.SpecialRegister special -> used.add(special.name());
            case Operand.Immediate immediate -> used.add(immediate.toString());
        }
    }

    @ParameterizedTest
    @MethodSource("families")
    void haveTwinsWithTheSameParameters(String family) {
        assertThat(signatures(family + ".ptx")).isEqualTo(signatures("twins/" + family + ".ptx"));
    }

    @ParameterizedTest
    @MethodSource("families")
    void haveTwinsThatCallParametersTheSame(String family) throws IOException {
        String cuda = Files.readString(Path.of("cuda", family + ".cu"));
        for (Entry entry : parse(family + ".ptx").entries()) {
            Matcher head =
                    Pattern.compile("\\b" + entry.name() + "\\s*\\(([^)]*)\\)").matcher(cuda);
            assertThat(head.find()).as(entry.name()).isTrue();
            List<String> names = Arrays.stream(head.group(1).split(","))
                    .map(parameter -> parameter.strip().replaceFirst(".*\\W(?=\\w+$)", ""))
                    .toList();
            assertThat(entry.parameters().stream().map(Entry.Parameter::name))
                    .as(entry.name())
                    .containsExactlyElementsOf(names);
        }
    }

    /** A comment that begins with "The same" adds to that of the kernel above. */
    @ParameterizedTest
    @MethodSource("families")
    void describeThemselvesAboveEachEntry(String family) {
        List<String> lines = text(family).lines().toList();
        assertThat(lines.getFirst()).startsWith("// ");
        String above = "";
        for (int i = 0; i < lines.size(); i++) {
            if (lines.get(i).startsWith(ENTRY)) {
                String comment = commentAbove(lines, i);
                above = comment.startsWith("the same") ? above + comment : comment;
                assertThat(above).as(lines.get(i)).contains("grid", "block", "shared", "floor");
            }
        }
    }

    private static String commentAbove(List<String> lines, int entry) {
        List<String> comment = new ArrayList<>();
        for (int i = entry - 1; i >= 0 && lines.get(i).startsWith("//"); i--) {
            comment.addFirst(lines.get(i).substring(2).strip().toLowerCase(Locale.ROOT));
        }
        return String.join(" ", comment);
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

    private static String text(String family) {
        return KernelFiles.module(family + ".ptx").text();
    }

    private static PtxFile parse(String fileName) {
        return PtxFile.parse(fileName, KernelFiles.module(fileName).text());
    }
}
