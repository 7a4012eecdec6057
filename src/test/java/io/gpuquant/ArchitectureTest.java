package io.gpuquant;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static java.util.Map.entry;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The shape of the house. A package imports only packages below it:
 *
 * <pre>
 *                       cli ──────────── hub
 *             ┌──────────┼──────────────┐
 *           report     bench            │
 *             │                         │
 *            job                 kernels.selftest
 *             │                         │
 *    ┌────────┴───┬──────────┐          │
 *  quantize    evaluate      │          │
 *    │       ┌────┴───┬──────┴─────┐    │
 *    │     model   format   calibration │     (calibration stands on jinja)
 *    └───┬───┴────────│─────────────────┤
 *     kernels ────── gguf               │
 *        │            │                 │
 *      device ────────│─────────────────┤
 *        ├── device.cuda, device.trace  │
 *        └── device.host ───────────────┘
 *                 │   │
 *                ptx  │
 *                 │   │
 *            ptx.syntax, safetensors
 *                     │
 *                   tensor
 * </pre>
 *
 * <p>The two devices stand on {@code device}, which does not know them: they are found as services, and so is what the
 * kernels offer to the devices. {@code ALLOWED} has every line of the picture.
 */
class ArchitectureTest {

    private static final String ROOT = "io.gpuquant";

    /** What each package may import, besides the root package with the exceptions that users see. */
    private static final Map<String, Set<String>> ALLOWED = Map.ofEntries(
            entry("tensor", Set.of()),
            entry("file", Set.of()),
            entry("safetensors", Set.of("file", "tensor")),
            entry("gguf", Set.of("file", "tensor")),
            entry("llamacpp", Set.of("gguf", "model", "safetensors", "file", "tensor")),
            entry("ptx.syntax", Set.of()),
            entry("ptx", Set.of("ptx.syntax", "tensor")),
            entry("device", Set.of("tensor")),
            entry("device.cuda", Set.of("device", "tensor")),
            entry("device.host", Set.of("device", "ptx", "tensor")),
            entry("device.trace", Set.of("device", "tensor")),
            entry("kernels", Set.of("device", "gguf", "tensor")),
            entry("kernels.selftest", Set.of("kernels", "device", "device.host", "gguf", "ptx", "tensor")),
            entry("hub", Set.of()),
            entry("jinja", Set.of()),
            entry("calibration", Set.of("jinja")),
            entry("format", Set.of("safetensors", "tensor")),
            entry("model", Set.of("kernels", "device", "safetensors", "tensor")),
            entry("quantize", Set.of("kernels", "device", "tensor")),
            entry(
                    "evaluate",
                    Set.of(
                            "model",
                            "format",
                            "calibration",
                            "llamacpp",
                            "gguf",
                            "kernels",
                            "device",
                            "safetensors",
                            "tensor")),
            entry(
                    "job",
                    Set.of(
                            "quantize",
                            "evaluate",
                            "model",
                            "llamacpp",
                            "gguf",
                            "file",
                            "format",
                            "calibration",
                            "kernels",
                            "device",
                            "safetensors",
                            "tensor")),
            entry("bench", Set.of("quantize", "model", "kernels", "device", "gguf", "tensor")),
            entry("report", Set.of("job", "evaluate", "model")),
            entry(
                    "cli",
                    Set.of(
                            "report",
                            "job",
                            "bench",
                            "kernels.selftest",
                            "quantize",
                            "evaluate",
                            "model",
                            "gguf",
                            "format",
                            "calibration",
                            "hub",
                            "device.trace",
                            "device",
                            "tensor")));

    private static final JavaClasses MAIN = new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .importPackages(ROOT);

    static Stream<String> packages() {
        return ALLOWED.keySet().stream().sorted();
    }

    @Test
    void pictureShowsEveryPackage() {
        Set<String> found = new TreeSet<>();
        MAIN.forEach(type -> found.add(type.getPackageName()));
        found.remove(ROOT);
        assertThat(found)
                .containsExactlyInAnyOrderElementsOf(
                        packages().map(name -> ROOT + "." + name).toList());
    }

    @ParameterizedTest
    @MethodSource("packages")
    void packageImportsOnlyWhatThePictureShowsBelowIt(String name) {
        String[] mayImport =
                Stream.concat(Stream.of(ROOT, ROOT + "." + name), allowed(name)).toArray(String[]::new);
        noClasses()
                .that()
                .resideInAPackage(ROOT + "." + name)
                .should()
                .dependOnClassesThat(
                        resideInAPackage(ROOT + "..").and(DescribedPredicate.not(resideInAnyPackage(mayImport))))
                .check(MAIN);
    }

    private static Stream<String> allowed(String name) {
        return ALLOWED.getOrDefault(name, Set.of()).stream().map(below -> ROOT + "." + below);
    }

    /** Else a line could close a circle that no code has closed yet. */
    @ParameterizedTest
    @MethodSource("packages")
    void pictureHasNoCircles(String name) {
        Set<String> below = new TreeSet<>();
        Set<String> next = ALLOWED.getOrDefault(name, Set.of());
        while (below.addAll(next)) {
            Set<String> deeper = new TreeSet<>();
            next.forEach(step -> deeper.addAll(ALLOWED.getOrDefault(step, Set.of())));
            next = deeper;
        }
        assertThat(below).doesNotContain(name);
    }

    @Test
    void packagesAreFreeOfCycles() {
        slices().matching(ROOT + ".(**)").should().beFreeOfCycles().check(MAIN);
    }

    @Test
    void rootPackageKnowsNoOther() {
        noClasses()
                .that()
                .resideInAPackage(ROOT)
                .should()
                .dependOnClassesThat()
                .resideInAPackage(ROOT + ".*..")
                .check(MAIN);
    }

    @ParameterizedTest
    @CsvSource({
        "jcuda, device.cuda",
        "picocli, cli",
        "me.tongfei, cli",
        "ai.djl, calibration",
        "dev.hardwood, calibration",
        "org.ejml, quantize"
    })
    void libraryIsKnownToOnePackageOnly(String library, String owner) {
        classes()
                .that(DescribedPredicate.<JavaClass>describe(
                        "use " + library,
                        type -> type.getDirectDependenciesFromSelf().stream()
                                .map(Dependency::getTargetClass)
                                .anyMatch(target -> target.getPackageName().startsWith(library))))
                .should()
                .resideInAPackage(ROOT + "." + owner)
                .check(MAIN);
    }

    /** Memory segments are how bytes are passed on everywhere; calling native code is a matter of the devices. */
    @Test
    void onlyDevicesCallNativeCode() {
        noClasses()
                .that()
                .resideOutsideOfPackages(ROOT + ".device.cuda", ROOT + ".device.host")
                .should()
                .dependOnClassesThat()
                .haveNameMatching("java\\.lang\\.foreign\\.(Linker|SymbolLookup|FunctionDescriptor)")
                .check(MAIN);
    }

    /**
     * A segment without bounds can crash the process; the memory of the virtual GPU and of devices is all that is so. The
     * device that only keeps books gives out segments that nobody may touch.
     */
    @Test
    void onlyDevicesAndTheVirtualGpuReachMemoryWithoutBounds() {
        noClasses()
                .that()
                .resideOutsideOfPackages(ROOT + ".device.cuda", ROOT + ".device.host", ROOT + ".ptx")
                .and()
                .doNotHaveFullyQualifiedName(ROOT + ".job.BookkeepingDevice")
                .should()
                .callMethodWhere(DescribedPredicate.describe(
                        "makes a segment of any address",
                        call -> call.getTargetOwner().getFullName().equals("java.lang.foreign.MemorySegment")
                                && Set.of("reinterpret", "ofAddress").contains(call.getName())))
                .check(MAIN);
    }

    /**
     * A type is public because another package uses it, because a public signature of its package shows it, because it is
     * thrown, or because it is found by name: the program, and services.
     */
    @Test
    void nothingIsPublicWithoutNeed() {
        JavaClasses all = new ClassFileImporter().importPackages(ROOT);
        Set<String> needless = new TreeSet<>();
        for (JavaClass type : MAIN) {
            boolean visible = type.isTopLevelClass()
                    && type.getModifiers().contains(JavaModifier.PUBLIC)
                    && !type.getSimpleName().equals("package-info");
            if (visible
                    && !isUsedElsewhere(all.get(type.getFullName()))
                    && !isShown(type)
                    && !isThrownOrFoundByName(type)) {
                needless.add(type.getFullName());
            }
        }
        assertThat(needless).isEmpty();
    }

    private static boolean isUsedElsewhere(JavaClass type) {
        return type.getDirectDependenciesToSelf().stream()
                .anyMatch(use -> !use.getOriginClass().getPackageName().equals(type.getPackageName()));
    }

    private static boolean isShown(JavaClass type) {
        return MAIN.stream()
                .filter(other -> other.getModifiers().contains(JavaModifier.PUBLIC))
                .filter(other -> !other.equals(type) && other.getPackageName().equals(type.getPackageName()))
                .flatMap(other -> other.getMethods().stream())
                .filter(method -> method.getModifiers().contains(JavaModifier.PUBLIC))
                .anyMatch(method -> Stream.concat(
                                method.getParameterTypes().stream(), Stream.of(method.getReturnType()))
                        .anyMatch(shown -> shown.getAllInvolvedRawTypes().contains(type)));
    }

    private static boolean isThrownOrFoundByName(JavaClass type) {
        return type.isAssignableTo(Throwable.class)
                || type.getMethods().stream()
                        .anyMatch(method -> method.getName().equals("main"))
                || type.getAllRawInterfaces().stream()
                        .anyMatch(service ->
                                Set.of("BlasFactory", "DeviceProvider").contains(service.getSimpleName()));
    }
}
